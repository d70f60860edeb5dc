//! Operations one after the other, over random parameters.

use std::cell::Cell;
use std::sync::Arc;

use ecphory_core::storage::Bytes;
use ecphory_kernels::nn::Activation;

use super::{Description, values};
use crate::attention::Attention;
use crate::executor::{Executor, NormKind, Summary, TokenBatch};
use crate::stored::Stored;
use crate::tensor::Tensor;

/// An operation.
pub(super) enum Op {
    Norm {
        kind: NormKind,
        has_bias: bool,
    },
    /// Parts of so many values each.
    Linear {
        parts: Vec<usize>,
        has_bias: bool,
        activation: Activation,
    },
    /// A norm, a map to so many values with its activation, a map back, and what there was before.
    Residual {
        inner: usize,
        activation: Activation,
    },
    Gate(Activation),
    Attend(Attention),
    Summarize(Summary),
}

/// Operations over the sum of a table of tokens and one of positions.
pub(super) struct Chain {
    /// Values of a row at the beginning.
    pub(super) columns: usize,
    /// Rows of both tables.
    pub(super) rows: usize,
    pub(super) ops: Vec<Op>,
}

pub(super) struct Loaded<E: Executor> {
    tables: [E::Table; 2],
    steps: Vec<Step<E>>,
}

enum Step<E: Executor> {
    Norm(E::Norm),
    Linear(E::Linear),
    Residual { norm: E::Norm, up: E::Linear, down: E::Linear },
    Gate(Activation),
    Attend(Attention),
    Summarize(Summary),
}

/// Makes tensors with numbers of their own, the same ones each time.
#[derive(Default)]
struct Tensors(Cell<u64>);

impl Tensors {
    fn tensor(&self, shape: &[usize], around: f32, by: f32) -> Tensor {
        let number = self.0.get() + 10;
        self.0.set(number - 9);
        let values = values(shape.iter().product(), number);
        let bytes = values.iter().flat_map(|x| (around + by * x).to_le_bytes()).collect();
        Tensor {
            name: format!("tensor.t{number}"),
            path: Arc::default(),
            shape: shape.to_vec(),
            stored: Stored::F32,
            bytes: Bytes::from_vec(bytes),
            interleaved: None,
        }
    }

    fn norm<E: Executor>(
        &self,
        parameters: &mut E::Parameters,
        kind: NormKind,
        has_bias: bool,
        columns: usize,
    ) -> E::Norm {
        let weight = self.tensor(&[columns], 1.0, 0.5);
        let bias = has_bias.then(|| self.tensor(&[columns], 0.0, 0.5));
        E::norm(parameters, kind, &weight, bias.as_ref(), 1e-3).unwrap()
    }

    fn linear<E: Executor>(
        &self,
        parameters: &mut E::Parameters,
        columns: usize,
        parts: &[usize],
        has_bias: bool,
        activation: Activation,
    ) -> E::Linear {
        let by = 2.0 / (columns as f32).sqrt();
        let part = |&width: &usize| {
            let weight = self.tensor(&[width, columns], 0.0, by);
            (weight, has_bias.then(|| self.tensor(&[width], 0.0, 0.5)))
        };
        let parts: Vec<_> = parts.iter().map(part).collect();
        E::linear(parameters, &parts, activation).unwrap()
    }
}

impl Description for Chain {
    type Over<E: Executor> = Loaded<E>;

    fn load<E: Executor>(&self, parameters: &mut E::Parameters) -> Loaded<E> {
        let tensors = Tensors::default();
        let mut columns = self.columns;
        let table = |parameters: &mut E::Parameters| {
            E::table(parameters, &tensors.tensor(&[self.rows, columns], 0.0, 1.0)).unwrap()
        };
        let tables = [table(parameters), table(parameters)];
        let mut steps = Vec::new();
        for op in &self.ops {
            let step = match op {
                Op::Norm { kind, has_bias } => {
                    Step::Norm(tensors.norm::<E>(parameters, *kind, *has_bias, columns))
                }
                Op::Linear { parts, has_bias, activation } => {
                    let before = std::mem::replace(&mut columns, parts.iter().sum());
                    let made =
                        tensors.linear::<E>(parameters, before, parts, *has_bias, *activation);
                    Step::Linear(made)
                }
                Op::Residual { inner, activation } => Step::Residual {
                    norm: tensors.norm::<E>(parameters, NormKind::Layer, true, columns),
                    up: tensors.linear::<E>(parameters, columns, &[*inner], true, *activation),
                    down: tensors.linear::<E>(
                        parameters,
                        *inner,
                        &[columns],
                        false,
                        Activation::None,
                    ),
                },
                Op::Gate(activation) => {
                    columns /= 2;
                    Step::Gate(*activation)
                }
                Op::Attend(attention) => {
                    assert_eq!(columns, attention.columns());
                    columns = attention.heads * attention.width;
                    Step::Attend(attention.clone())
                }
                Op::Summarize(summary) => Step::Summarize(*summary),
            };
            steps.push(step);
        }
        Loaded { tables, steps }
    }

    fn forward<E: Executor>(over: &Loaded<E>, run: &mut E, batch: &TokenBatch) -> E::States {
        let positions = batch.positions(0);
        let [tokens, places] = &over.tables;
        let mut states = run.embed(&[(tokens, &batch.tokens[..]), (places, &positions[..])]);
        for step in &over.steps {
            states = match step {
                Step::Norm(norm) => run.normalize(states, norm),
                Step::Linear(linear) => run.apply(linear, &states),
                Step::Residual { norm, up, down } => {
                    let normed = run.normed(&states, norm);
                    let inner = run.apply(up, &normed);
                    run.apply_add(down, &inner, states)
                }
                Step::Gate(activation) => run.gate(states, *activation),
                Step::Attend(attention) => run.attend(states, attention, batch),
                Step::Summarize(summary) => run.summarize(&states, *summary, batch),
            };
        }
        states
    }
}
