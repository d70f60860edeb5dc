//! The executor of inference: packed weights, no padding, scratch memory reused from layer to layer.
//!
//! One [`Eval`] works on one batch at a time on the thread that calls it; an encoder keeps one for each
//! thread. A sequence's states have the same bits in any batch: products and norms treat rows apart, and
//! attention never leaves a sequence.

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{
    Activation, Packed, Rows, RowsMut, add_layer_norm, multiply, softmax_rows,
};

use crate::error::Result;
use crate::executor::{Executor, LinearPart, TokenBatch};
use crate::relative::RelativeBias;
use crate::weights::Tensor;

/// Runs operations at once.
pub(crate) struct Eval {
    level: Level,
    /// Buffers of states that are not in use.
    free: Vec<Vec<f32>>,
    head: HeadScratch,
}

/// What the attention of one head over one sequence needs.
#[derive(Default)]
struct HeadScratch {
    keys: Packed,
    values: Packed,
    scores: Vec<f32>,
    bias: Vec<f32>,
}

/// One row for each token.
pub(crate) struct Matrix {
    pub(crate) values: Vec<f32>,
    pub(crate) columns: usize,
}

/// A layer norm.
pub(crate) struct NormWeights {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

/// A linear map, ready for the kernel.
pub(crate) struct PackedLinear {
    weight: Packed,
    bias: Option<Vec<f32>>,
    activation: Activation,
}

impl Eval {
    /// Makes an executor for a level.
    pub(crate) fn new(level: Level) -> Self {
        Self { level, free: Vec::new(), head: HeadScratch::default() }
    }

    /// Takes back states that are no longer needed.
    pub(crate) fn recycle(&mut self, states: Matrix) {
        self.free.push(states.values);
    }

    /// Returns a matrix whose values are arbitrary.
    fn take(&mut self, rows: usize, columns: usize) -> Matrix {
        let mut values = self.free.pop().unwrap_or_default();
        values.resize(rows * columns, 0.0);
        Matrix { values, columns }
    }
}

impl Executor for Eval {
    /// Stays in the map of the weight file: a batch touches few of its rows.
    type Table = Tensor;
    type Norm = NormWeights;
    type Linear = PackedLinear;
    type States = Matrix;

    fn table(tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.clone())
    }

    fn norm(weight: &Tensor, bias: &Tensor, epsilon: f32) -> Result<NormWeights> {
        Ok(NormWeights { weight: weight.to_vec(), bias: bias.to_vec(), epsilon })
    }

    fn linear(parts: &[LinearPart], activation: Activation) -> Result<PackedLinear> {
        let weight: Vec<f32> = parts.iter().flat_map(|(weight, _)| weight.to_vec()).collect();
        let weight = Packed::transposed(Rows::dense(&weight, parts[0].0.shape[1]));
        let bias: Vec<f32> =
            parts.iter().filter_map(|(_, bias)| bias.as_ref()).flat_map(Tensor::to_vec).collect();
        let bias = if bias.is_empty() { None } else { Some(bias) };
        Ok(PackedLinear { weight, bias, activation })
    }

    fn embed(&mut self, lookups: &[(&Tensor, &[u32])], norm: &NormWeights) -> Matrix {
        let columns = norm.weight.len();
        let mut states = self.take(lookups[0].1.len(), columns);
        states.values.fill(0.0);
        for (row, out) in states.values.chunks_exact_mut(columns).enumerate() {
            for (table, ids) in lookups {
                table.add_row(ids[row] as usize, out);
            }
        }
        add_layer_norm(self.level, &mut states.values, &[], &norm.weight, &norm.bias, norm.epsilon);
        states
    }

    fn apply(&mut self, linear: &PackedLinear, input: &Matrix) -> Matrix {
        let rows = Rows::dense(&input.values, input.columns);
        let mut out = self.take(rows.count(), linear.weight.width());
        let columns = out.columns;
        multiply(
            self.level,
            rows,
            &linear.weight,
            linear.bias.as_deref(),
            linear.activation,
            RowsMut::dense(&mut out.values, columns),
        );
        out
    }

    fn attend(
        &mut self,
        joint: Matrix,
        heads: usize,
        batch: &TokenBatch,
        bias: Option<&RelativeBias>,
    ) -> Matrix {
        let hidden = joint.columns / 3;
        let mut out = self.take(batch.tokens.len(), hidden);
        for span in batch.spans.iter().filter(|span| !span.is_empty()) {
            for head in 0..heads {
                let place = Place { span: span.clone(), hidden, width: hidden / heads, head };
                self.head.attend(self.level, &joint.values, &place, bias, &mut out.values);
            }
        }
        self.recycle(joint);
        out
    }

    fn add_norm(&mut self, mut states: Matrix, residual: Matrix, norm: &NormWeights) -> Matrix {
        let (weight, bias) = (&norm.weight, &norm.bias);
        let level = self.level;
        add_layer_norm(level, &mut states.values, &residual.values, weight, bias, norm.epsilon);
        self.recycle(residual);
        states
    }
}

/// Which part of the joint states one head reads: queries, keys and values are `hidden` apart in a row.
struct Place {
    span: Range<usize>,
    hidden: usize,
    width: usize,
    head: usize,
}

impl Place {
    fn rows<'a>(&self, joint: &'a [f32], part: usize) -> Rows<'a> {
        let stride = 3 * self.hidden;
        let first = self.span.start * stride + part * self.hidden + self.head * self.width;
        Rows::new(&joint[first..], self.span.len(), self.width, stride)
    }
}

impl HeadScratch {
    fn attend(
        &mut self,
        level: Level,
        joint: &[f32],
        place: &Place,
        bias: Option<&RelativeBias>,
        out: &mut [f32],
    ) {
        let length = place.span.len();
        self.keys.set_transposed(place.rows(joint, 1));
        self.values.set(place.rows(joint, 2));
        self.scores.resize(length * length, 0.0);
        let scores = RowsMut::dense(&mut self.scores, length);
        multiply(level, place.rows(joint, 0), &self.keys, None, Activation::None, scores);
        self.bias.clear();
        if let Some(bias) = bias {
            bias.write(place.head, length, &mut self.bias);
        }
        let scale = 1.0 / (place.width as f32).sqrt();
        softmax_rows(level, &mut self.scores, length, scale, &self.bias);
        let first = place.span.start * place.hidden + place.head * place.width;
        let out = RowsMut::new(&mut out[first..], length, place.width, place.hidden);
        let scores = Rows::dense(&self.scores, length);
        multiply(level, scores, &self.values, None, Activation::None, out);
    }
}
