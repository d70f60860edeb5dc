//! The executor of inference: packed weights, no padding, scratch memory reused from layer to layer.
//!
//! One [`Eval`] works on one batch at a time on the thread that calls it; an encoder keeps one for each
//! thread. A sequence's states have the same bits in any batch: products and norms treat rows apart, and
//! attention never leaves a sequence.

use std::sync::{Arc, Mutex, PoisonError};

use ecphory_kernels::Level;
use ecphory_kernels::nn::{
    Activation, Packed, Rows, RowsMut, activate, layer_norm, multiply, rms_norm, softmax_rows,
};

use crate::attention::Attention;
use crate::error::Result;
use crate::executor::{Executor, LinearPart, NormKind, TokenBatch};
use crate::weights::Tensor;

/// Runs operations at once.
pub(crate) struct Eval {
    level: Level,
    buffers: Buffers,
    head: HeadScratch,
}

/// Buffers of states that are not in use.
type Buffers = Arc<Mutex<Vec<Vec<f32>>>>;

/// One row for each token. Its memory goes back to the executor when it is dropped.
pub(crate) struct Matrix {
    pub(crate) values: Vec<f32>,
    pub(crate) columns: usize,
    home: Buffers,
}

impl Drop for Matrix {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        self.home.lock().unwrap_or_else(PoisonError::into_inner).push(values);
    }
}

/// How weights are laid out for the kernels.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Packing;

/// A norm.
pub(crate) struct NormWeights {
    kind: NormKind,
    weight: Vec<f32>,
    /// Empty where there is none.
    bias: Vec<f32>,
    epsilon: f32,
}

/// A linear map, ready for the kernel.
pub(crate) struct PackedLinear {
    weight: Packed,
    bias: Option<Vec<f32>>,
    activation: Activation,
}

/// What the attention of one head over one sequence needs.
#[derive(Default)]
struct HeadScratch {
    keys: Packed,
    values: Packed,
    scores: Vec<f32>,
}

impl Eval {
    /// Makes an executor for a level.
    pub(crate) fn new(level: Level) -> Self {
        Self { level, buffers: Buffers::default(), head: HeadScratch::default() }
    }

    /// Returns a matrix whose values are arbitrary.
    fn take(&mut self, rows: usize, columns: usize) -> Matrix {
        let free = self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut values = free.unwrap_or_default();
        values.resize(rows * columns, 0.0);
        Matrix { values, columns, home: Arc::clone(&self.buffers) }
    }

    /// Applies a linear map to rows that lie end to end, outside a batch.
    pub(crate) fn apply_rows(&mut self, linear: &PackedLinear, input: &[f32]) -> Vec<f32> {
        let rows = Rows::dense(input, linear.weight.depth());
        let mut out = vec![0.0; rows.count() * linear.weight.width()];
        linear.run(self.level, rows, &mut out);
        out
    }

    /// Normalises rows that lie end to end, outside a batch.
    pub(crate) fn normalize_rows(&mut self, norm: &NormWeights, rows: &mut [f32]) {
        norm.run(self.level, rows);
    }
}

impl NormWeights {
    fn run(&self, level: Level, rows: &mut [f32]) {
        match self.kind {
            NormKind::Layer => layer_norm(level, rows, &self.weight, &self.bias, self.epsilon),
            NormKind::RootMeanSquare => rms_norm(level, rows, &self.weight, self.epsilon),
        }
    }
}

impl PackedLinear {
    /// Returns how many values come out.
    pub(crate) fn width(&self) -> usize {
        self.weight.width()
    }

    fn run(&self, level: Level, rows: Rows<'_>, out: &mut [f32]) {
        let out = RowsMut::dense(out, self.weight.width());
        multiply(level, rows, &self.weight, self.bias.as_deref(), self.activation, out);
    }
}

impl Executor for Eval {
    type Parameters = Packing;
    /// Stays in the map of the weight file: a batch touches few of its rows.
    type Table = Tensor;
    type Norm = NormWeights;
    type Linear = PackedLinear;
    type States = Matrix;

    fn table(_: &mut Packing, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.clone())
    }

    fn norm(
        _: &mut Packing,
        kind: NormKind,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epsilon: f32,
    ) -> Result<NormWeights> {
        let bias = bias.map(Tensor::to_vec).unwrap_or_default();
        Ok(NormWeights { kind, weight: weight.to_vec(), bias, epsilon })
    }

    fn linear(
        _: &mut Packing,
        parts: &[LinearPart],
        activation: Activation,
    ) -> Result<PackedLinear> {
        let weight: Vec<f32> = parts.iter().flat_map(|(weight, _)| weight.to_vec()).collect();
        let weight = Packed::transposed(Rows::dense(&weight, parts[0].0.shape[1]));
        let bias: Vec<f32> =
            parts.iter().filter_map(|(_, bias)| bias.as_ref()).flat_map(Tensor::to_vec).collect();
        let bias = if bias.is_empty() { None } else { Some(bias) };
        Ok(PackedLinear { weight, bias, activation })
    }

    fn embed(&mut self, lookups: &[(&Tensor, &[u32])]) -> Matrix {
        let (table, ids) = lookups[0];
        let columns = table.shape[1];
        let mut states = self.take(ids.len(), columns);
        states.values.fill(0.0);
        for (row, out) in states.values.chunks_exact_mut(columns).enumerate() {
            for (table, ids) in lookups {
                table.add_row(ids[row] as usize, out);
            }
        }
        states
    }

    fn normed(&mut self, states: &Matrix, norm: &NormWeights) -> Matrix {
        let mut out = self.take(states.values.len() / states.columns, states.columns);
        out.values.copy_from_slice(&states.values);
        self.normalize(out, norm)
    }

    fn normalize(&mut self, mut states: Matrix, norm: &NormWeights) -> Matrix {
        norm.run(self.level, &mut states.values);
        states
    }

    fn apply(&mut self, linear: &PackedLinear, input: &Matrix) -> Matrix {
        let rows = Rows::dense(&input.values, input.columns);
        let mut out = self.take(rows.count(), linear.weight.width());
        linear.run(self.level, rows, &mut out.values);
        out
    }

    fn apply_add(&mut self, linear: &PackedLinear, input: &Matrix, residual: Matrix) -> Matrix {
        let mut out = self.apply(linear, input);
        out.values.iter_mut().zip(&residual.values).for_each(|(x, r)| *x += r);
        out
    }

    fn gate(&mut self, mut joint: Matrix, activation: Activation) -> Matrix {
        let columns = joint.columns / 2;
        let mut out = self.take(joint.values.len() / joint.columns, columns);
        let rows = joint.values.chunks_exact_mut(2 * columns);
        for (row, out) in rows.zip(out.values.chunks_exact_mut(columns)) {
            let (first, second) = row.split_at_mut(columns);
            activate(self.level, activation, first);
            for ((out, x), y) in out.iter_mut().zip(first).zip(second) {
                *out = *x * *y;
            }
        }
        out
    }

    fn attend(&mut self, mut joint: Matrix, attention: &Attention, batch: &TokenBatch) -> Matrix {
        debug_assert_eq!(joint.columns, attention.columns());
        let mut out = self.take(batch.tokens.len(), attention.heads * attention.width);
        let columns = out.columns;
        for span in batch.spans.iter().filter(|span| !span.is_empty()) {
            let rows = span.start * joint.columns..span.end * joint.columns;
            let joint = &mut joint.values[rows];
            turn(attention, joint);
            let out = &mut out.values[span.start * columns..span.end * columns];
            for head in 0..attention.heads {
                let place = Place { attention, length: span.len(), head };
                self.head.attend(self.level, joint, &place, out);
            }
        }
        out
    }
}

/// Turns the queries and keys of a sequence by their positions.
fn turn(attention: &Attention, joint: &mut [f32]) {
    let Some(rotary) = &attention.rotary else { return };
    let turned = (attention.heads + attention.kv_heads) * attention.width;
    for (position, row) in joint.chunks_exact_mut(attention.columns()).enumerate() {
        for head in row[..turned].chunks_exact_mut(attention.width) {
            rotary.turn(position, head);
        }
    }
}

/// Which part of a sequence's joint states one head reads.
struct Place<'a> {
    attention: &'a Attention,
    length: usize,
    head: usize,
}

impl Place<'_> {
    fn queries<'a>(&self, joint: &'a [f32]) -> Rows<'a> {
        self.rows(joint, self.head)
    }

    fn keys<'a>(&self, joint: &'a [f32]) -> Rows<'a> {
        self.rows(joint, self.attention.heads + self.shared())
    }

    fn values<'a>(&self, joint: &'a [f32]) -> Rows<'a> {
        self.rows(joint, self.attention.heads + self.attention.kv_heads + self.shared())
    }

    /// The head of keys and values that this head of queries uses.
    fn shared(&self) -> usize {
        self.head * self.attention.kv_heads / self.attention.heads
    }

    fn rows<'a>(&self, joint: &'a [f32], part: usize) -> Rows<'a> {
        let width = self.attention.width;
        Rows::new(&joint[part * width..], self.length, width, self.attention.columns())
    }
}

impl HeadScratch {
    fn attend(&mut self, level: Level, joint: &[f32], place: &Place<'_>, out: &mut [f32]) {
        let (attention, length) = (place.attention, place.length);
        self.keys.set_transposed(place.keys(joint));
        self.values.set(place.values(joint));
        self.scores.resize(length * length, 0.0);
        let scores = RowsMut::dense(&mut self.scores, length);
        multiply(level, place.queries(joint), &self.keys, None, Activation::None, scores);
        let scale = 1.0 / (attention.width as f32).sqrt();
        for (index, row) in self.scores.chunks_exact_mut(length).enumerate() {
            let seen = attention.reach.of(index, length);
            let bias = attention.bias.as_ref().map(|bias| bias.row(place.head, index, length));
            let bias = bias.map_or(&[][..], |bias| &bias[seen.clone()]);
            softmax_rows(level, &mut row[seen.clone()], seen.len(), scale, bias);
            row[..seen.start].fill(0.0);
            row[seen.end..].fill(0.0);
        }
        let columns = attention.heads * attention.width;
        let out = RowsMut::new(
            &mut out[place.head * attention.width..],
            length,
            attention.width,
            columns,
        );
        let scores = Rows::dense(&self.scores, length);
        multiply(level, scores, &self.values, None, Activation::None, out);
    }
}
