//! The executor of inference: packed weights, no padding, scratch memory reused from layer to layer.
//!
//! One [`Eval`] works on one batch at a time on the thread that calls it; an encoder keeps one for each
//! thread. A sequence's states have the same bits in any batch: products and norms treat rows apart, and
//! attention never leaves a sequence.

mod attend;
mod cached;
mod linear;
mod matrix;

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Activation, Rows, RowsMut, activate, layer_norm, rms_norm};
use rayon::prelude::*;

use crate::attention::Attention;
use crate::error::Result;
use crate::executor::{Executor, LinearPart, NormKind, Summary, TokenBatch};
use crate::head::pool;
use crate::precision::Precision;
use crate::tensor::Tensor;
pub(crate) use attend::{Head, HeadScores, HeadScratch, by_head, heads};
pub(crate) use cached::KeyValues;
use linear::Strips;
pub(crate) use linear::{PackedLinear, in_strips};
use matrix::Buffers;
pub(crate) use matrix::Matrix;

/// Runs operations at once.
pub(crate) struct Eval {
    level: Level,
    buffers: Buffers,
    /// A batch that is alone is cut into as many strips as there are threads.
    strips: Strips,
    /// One for each strip.
    heads: Vec<HeadScratch>,
}

/// A norm.
pub(crate) struct NormWeights {
    kind: NormKind,
    weight: Vec<f32>,
    /// Empty where there is none.
    bias: Vec<f32>,
    epsilon: f32,
}

impl Eval {
    /// Makes an executor for a level.
    pub(crate) fn new(level: Level) -> Self {
        Self {
            level,
            buffers: Buffers::default(),
            strips: Strips::new(level),
            heads: vec![HeadScratch::default()],
        }
    }

    /// Makes an executor whose operations are cut into strips.
    pub(crate) fn in_strips(level: Level, strips: usize) -> Self {
        let mut run = Self::new(level);
        run.set_strips(strips);
        run
    }

    /// Sets into how many strips operations are cut, each for a thread of the pool. Results do not depend on it.
    pub(crate) fn set_strips(&mut self, strips: usize) {
        self.strips.count = strips.max(1);
        self.heads.resize_with(self.strips.count, HeadScratch::default);
    }

    /// Applies a linear map to rows that lie end to end, outside a batch.
    pub(crate) fn apply_rows(&mut self, linear: &PackedLinear, input: &[f32]) -> Vec<f32> {
        let rows = Rows::dense(input, linear.depth());
        let mut out = vec![0.0; rows.count() * linear.width()];
        linear.run(&mut self.strips, rows, false, RowsMut::dense(&mut out, linear.width()));
        out
    }

    /// Applies some columns of a linear map, of which the first has to begin a panel; each value is the one that [`Executor::apply`]
    /// computes.
    pub(crate) fn apply_columns(
        &mut self,
        linear: &PackedLinear,
        columns: Range<usize>,
        input: &Matrix,
    ) -> Matrix {
        let mut out = self.buffers.take(input.count(), columns.len());
        linear.run_columns(&mut self.strips, columns, input.rows(), false, out.rows_mut());
        out
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

impl Executor for Eval {
    type Parameters = Precision;
    /// Stays in the map of the weight file: a batch touches few of its rows.
    type Table = Tensor;
    type Norm = NormWeights;
    type Linear = PackedLinear;
    type States = Matrix;
    type Cache = KeyValues;

    fn table(_: &mut Precision, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.clone())
    }

    fn norm(
        _: &mut Precision,
        kind: NormKind,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epsilon: f32,
    ) -> Result<NormWeights> {
        let bias = bias.map(Tensor::to_vec).unwrap_or_default();
        Ok(NormWeights { kind, weight: weight.to_vec(), bias, epsilon })
    }

    fn linear(
        precision: &mut Precision,
        parts: &[LinearPart],
        activation: Activation,
    ) -> Result<PackedLinear> {
        Ok(PackedLinear::new(*precision, parts, activation))
    }

    fn embed(&mut self, lookups: &[(&Tensor, &[u32])]) -> Matrix {
        let (table, ids) = lookups[0];
        let columns = table.shape[1];
        let mut states = self.buffers.take(ids.len(), columns);
        states.values_mut().fill(0.0);
        for (row, out) in states.values_mut().chunks_exact_mut(columns).enumerate() {
            for (table, ids) in lookups {
                table.add_row(ids[row] as usize, out);
            }
        }
        states
    }

    fn normed(&mut self, states: &Matrix, norm: &NormWeights) -> Matrix {
        let mut out = self.buffers.take(states.count(), states.columns);
        out.values_mut().copy_from_slice(states.values());
        self.normalize(out, norm)
    }

    fn normalize(&mut self, mut states: Matrix, norm: &NormWeights) -> Matrix {
        let level = self.level;
        let rows = states.count();
        let strip = rows.div_ceil(self.strips.count).max(1) * states.columns;
        // A strip has to be worth waking a thread for.
        if self.strips.count > 1 && strip >= 1 << 13 {
            states.values_mut().par_chunks_mut(strip).for_each(|rows| norm.run(level, rows));
        } else {
            norm.run(level, states.values_mut());
        }
        states
    }

    fn apply(&mut self, linear: &PackedLinear, input: &Matrix) -> Matrix {
        let mut out = self.buffers.take(input.count(), linear.width());
        linear.run(&mut self.strips, input.rows(), false, out.rows_mut());
        out
    }

    fn apply_add(&mut self, linear: &PackedLinear, input: &Matrix, residual: Matrix) -> Matrix {
        let mut out = residual;
        linear.run(&mut self.strips, input.rows(), true, out.rows_mut());
        out
    }

    fn gate(&mut self, mut joint: Matrix, activation: Activation) -> Matrix {
        let columns = joint.columns / 2;
        let mut out = self.buffers.take(joint.count(), columns);
        let rows = joint.values_mut().chunks_exact_mut(2 * columns);
        for (row, out) in rows.zip(out.values_mut().chunks_exact_mut(columns)) {
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
        let columns = attention.heads * attention.width;
        let mut out = self.buffers.take(batch.tokens.len(), columns);
        let heads = heads(attention, batch, joint.values_mut(), out.values_mut());
        self.run_heads(heads);
        out
    }

    fn attend_cached(
        &mut self,
        joint: Matrix,
        attention: &Attention,
        batch: &TokenBatch,
        caches: &mut [KeyValues],
        layer: usize,
    ) -> Matrix {
        self.attend_over(joint, attention, batch, caches, layer)
    }

    fn summarize(&mut self, states: &Matrix, summary: Summary, batch: &TokenBatch) -> Matrix {
        let columns = states.columns;
        let mut out = self.buffers.take(batch.spans.len(), columns);
        out.values_mut().fill(0.0);
        for (span, out) in batch.spans.iter().zip(out.values_mut().chunks_exact_mut(columns)) {
            let rows = &states.values()[span.start * columns..span.end * columns];
            pool(summary.pooling(), rows, out);
        }
        out
    }
}

impl Eval {
    fn run_heads(&mut self, heads: Vec<Head<'_>>) {
        let level = self.level;
        let strips = self.strips.count;
        if strips == 1 {
            for head in heads {
                head.run(level, &mut self.heads[0]);
            }
            return;
        }
        let mut parts: Vec<(&mut HeadScratch, Vec<Head<'_>>)> =
            self.heads.iter_mut().map(|scratch| (scratch, Vec::new())).collect();
        for (index, head) in heads.into_iter().enumerate() {
            parts[index % strips].1.push(head);
        }
        parts.into_par_iter().with_max_len(1).for_each(|(scratch, heads)| {
            for head in heads {
                head.run(level, scratch);
            }
        });
    }
}
