//! An executor in double precision, one value after the other, as the definitions have it.

use std::convert::Infallible;
use std::ops::Range;

use ecphory_kernels::nn::Activation;

use crate::attention::Attention;
use crate::error::Result;
use crate::executor::{Executor, LinearPart, NormKind, Summary, TokenBatch};
use crate::tensor::Tensor;

#[derive(Default)]
pub(super) struct Plain {
    pub(super) parameters: PlainParameters,
}

#[derive(Default)]
pub(super) struct PlainParameters {
    pub(super) all: Vec<PlainParameter>,
}

pub(super) struct PlainParameter {
    name: String,
    pub(super) values: Vec<f64>,
    columns: usize,
}

pub(super) struct PlainNorm {
    kind: NormKind,
    weight: usize,
    bias: Option<usize>,
    epsilon: f64,
}

pub(super) struct PlainLinear {
    parts: Vec<(usize, Option<usize>)>,
    activation: Activation,
}

impl PlainParameters {
    fn add(&mut self, tensor: &Tensor) -> usize {
        if let Some(place) = self.all.iter().position(|other| other.name == tensor.name) {
            return place;
        }
        let values = tensor.to_vec().into_iter().map(f64::from).collect();
        let columns = tensor.shape[1..].iter().product();
        self.all.push(PlainParameter { name: tensor.name.clone(), values, columns });
        self.all.len() - 1
    }
}

fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::None => x,
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Activation::GeluTanh => {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Tanh => x.tanh(),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

impl Plain {
    fn values(&self, parameter: usize) -> &[f64] {
        &self.parameters.all[parameter].values
    }

    fn norm_row(&self, row: &[f64], norm: &PlainNorm) -> Vec<f64> {
        let n = row.len() as f64;
        let mean = match norm.kind {
            NormKind::Layer => row.iter().sum::<f64>() / n,
            NormKind::RootMeanSquare => 0.0,
        };
        let square = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (square + norm.epsilon).sqrt();
        let weighted =
            row.iter().zip(self.values(norm.weight)).map(|(x, w)| (x - mean) * scale * w);
        match norm.bias {
            None => weighted.collect(),
            Some(bias) => weighted.zip(self.values(bias)).map(|(x, b)| x + b).collect(),
        }
    }

    fn linear_row(&self, linear: &PlainLinear, row: &[f64]) -> Vec<f64> {
        let mut out = Vec::new();
        for (weight, bias) in &linear.parts {
            for (index, column) in self.values(*weight).chunks_exact(row.len()).enumerate() {
                let sum: f64 = column.iter().zip(row).map(|(w, x)| w * x).sum();
                out.push(sum + bias.map_or(0.0, |bias| self.values(bias)[index]));
            }
        }
        out.into_iter().map(|x| activate(linear.activation, x)).collect()
    }
}

/// The part of a row that is a head's, turned by its position where it is of queries or keys.
fn head(attention: &Attention, row: &[f64], part: usize, position: usize) -> Vec<f64> {
    let width = attention.width;
    let mut values = row[part * width..][..width].to_vec();
    let is_turned = part < attention.heads + attention.kv_heads;
    if let Some(rotary) = attention.rotary.as_ref().filter(|_| is_turned) {
        for (i, (cos, sin)) in rotary.at(position).iter().enumerate() {
            let (cos, sin) = (f64::from(*cos), f64::from(*sin));
            let (x, y) = (values[i], values[i + width / 2]);
            (values[i], values[i + width / 2]) = (x * cos - y * sin, y * cos + x * sin);
        }
    }
    values
}

fn attend_head(attention: &Attention, rows: &[Vec<f64>], index: usize, query: usize) -> Vec<f64> {
    let shared = attention.heads + attention.shared(index);
    let own = head(attention, &rows[query], index, query);
    let reach = attention.reach.of(query, rows.len());
    let scores: Vec<f64> = reach
        .clone()
        .map(|key| {
            let keys = head(attention, &rows[key], shared, key);
            let product: f64 = own.iter().zip(&keys).map(|(q, k)| q * k).sum();
            let bias =
                attention.bias.as_ref().map_or(0.0, |b| b.row(index, query, rows.len())[key]);
            product / (attention.width as f64).sqrt() + f64::from(bias)
        })
        .collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut out = vec![0.0; attention.width];
    for (key, weight) in reach.zip(weights) {
        let values = head(attention, &rows[key], shared + attention.kv_heads, key);
        out.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight / total * value);
    }
    out
}

impl Executor for Plain {
    type Parameters = PlainParameters;
    type Table = usize;
    type Norm = PlainNorm;
    type Linear = PlainLinear;
    type States = Vec<Vec<f64>>;
    type Cache = Infallible;

    fn table(parameters: &mut PlainParameters, tensor: &Tensor) -> Result<usize> {
        Ok(parameters.add(tensor))
    }

    fn norm(
        parameters: &mut PlainParameters,
        kind: NormKind,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epsilon: f32,
    ) -> Result<PlainNorm> {
        let weight = parameters.add(weight);
        let bias = bias.map(|bias| parameters.add(bias));
        Ok(PlainNorm { kind, weight, bias, epsilon: f64::from(epsilon) })
    }

    fn linear(
        parameters: &mut PlainParameters,
        parts: &[LinearPart],
        activation: Activation,
    ) -> Result<PlainLinear> {
        let parts = parts.iter().map(|(weight, bias)| {
            (parameters.add(weight), bias.as_ref().map(|bias| parameters.add(bias)))
        });
        Ok(PlainLinear { parts: parts.collect(), activation })
    }

    fn embed(&mut self, lookups: &[(&usize, &[u32])]) -> Vec<Vec<f64>> {
        let columns = self.parameters.all[*lookups[0].0].columns;
        let row = |token: usize| {
            let mut sum = vec![0.0; columns];
            for (table, ids) in lookups {
                let row = &self.values(**table)[ids[token] as usize * columns..][..columns];
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            sum
        };
        (0..lookups[0].1.len()).map(row).collect()
    }

    fn normed(&mut self, states: &Vec<Vec<f64>>, norm: &PlainNorm) -> Vec<Vec<f64>> {
        states.iter().map(|row| self.norm_row(row, norm)).collect()
    }

    fn normalize(&mut self, states: Vec<Vec<f64>>, norm: &PlainNorm) -> Vec<Vec<f64>> {
        self.normed(&states, norm)
    }

    fn apply(&mut self, linear: &PlainLinear, input: &Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        input.iter().map(|row| self.linear_row(linear, row)).collect()
    }

    fn apply_add(
        &mut self,
        linear: &PlainLinear,
        input: &Vec<Vec<f64>>,
        mut residual: Vec<Vec<f64>>,
    ) -> Vec<Vec<f64>> {
        for (sum, row) in residual.iter_mut().zip(self.apply(linear, input)) {
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        residual
    }

    fn gate(&mut self, joint: Vec<Vec<f64>>, activation: Activation) -> Vec<Vec<f64>> {
        let row = |row: Vec<f64>| {
            let (first, second) = row.split_at(row.len() / 2);
            first.iter().zip(second).map(|(x, y)| activate(activation, *x) * y).collect()
        };
        joint.into_iter().map(row).collect()
    }

    fn attend(
        &mut self,
        joint: Vec<Vec<f64>>,
        attention: &Attention,
        batch: &TokenBatch,
    ) -> Vec<Vec<f64>> {
        let mut out = Vec::new();
        for span in &batch.spans {
            let rows = &joint[span.clone()];
            for query in 0..rows.len() {
                let heads = 0..attention.heads;
                out.push(
                    heads.flat_map(|head| attend_head(attention, rows, head, query)).collect(),
                );
            }
        }
        out
    }

    fn attend_cached(
        &mut self,
        _: Vec<Vec<f64>>,
        _: &Attention,
        _: &TokenBatch,
        _: &mut [Infallible],
        _: usize,
    ) -> Vec<Vec<f64>> {
        unreachable!("there are no caches")
    }

    fn summarize(
        &mut self,
        states: &Vec<Vec<f64>>,
        summary: Summary,
        batch: &TokenBatch,
    ) -> Vec<Vec<f64>> {
        let columns = states.first().map_or(0, Vec::len);
        let one = |span: &Range<usize>| {
            let rows = &states[span.clone()];
            let seen = match summary {
                Summary::First => &rows[..rows.len().min(1)],
                Summary::Mean => rows,
            };
            let mean = |i| seen.iter().map(|row| row[i]).sum::<f64>() / (seen.len().max(1)) as f64;
            (0..columns).map(mean).collect()
        };
        batch.spans.iter().map(one).collect()
    }
}
