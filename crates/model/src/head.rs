//! From the states of a text's tokens to its vector: pooling, then dense layers and normalisation.
//!
//! The modules of sentence-transformers after the transformer, in their order. The head of a cross-encoder is a
//! [`Classifier`](crate::classifier::Classifier).

use ecphory_kernels::Level;
use ecphory_kernels::nn::l2_normalize;

use crate::eval::{Eval, PackedLinear};
use crate::executor::TokenBatch;

/// One way to make a vector of the token states of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's state.
    Cls,
    /// The largest value of each dimension.
    Max,
    /// The mean.
    Mean,
    /// The sum over the square root of the length.
    MeanSqrtLength,
    /// The mean weighted by position, the first token weighing 1.
    WeightedMean,
    /// The last token's state.
    LastToken,
}

/// A step after pooling.
pub(crate) enum Step {
    /// A linear map with its activation.
    Dense(Box<PackedLinear>),
    /// Scaling to unit length.
    Normalize,
}

/// Everything after the token states.
pub(crate) struct Head {
    /// Whether the steps are for each token instead of a pooled vector: late interaction.
    pub(crate) per_token: bool,
    /// The results of several poolings stand side by side.
    pub(crate) pooling: Vec<Pooling>,
    pub(crate) steps: Vec<Step>,
    /// The dimensions of the vector that comes out.
    pub(crate) dimensions: usize,
}

impl Head {
    /// Returns whether vectors come out with unit length.
    pub(crate) fn normalizes(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Normalize))
    }

    /// Pools the states of one text.
    fn pool(&self, states: &[f32], columns: usize) -> Vec<f32> {
        let mut out = vec![0.0; self.pooling.len() * columns];
        for (pooling, out) in self.pooling.iter().zip(out.chunks_exact_mut(columns)) {
            pool(*pooling, states, out);
        }
        out
    }

    /// Pools the states of every sequence of a batch.
    pub(crate) fn pool_batch(
        &self,
        states: &[f32],
        columns: usize,
        batch: &TokenBatch,
    ) -> Vec<f32> {
        let rows = batch.spans.iter().map(|span| &states[span.start * columns..span.end * columns]);
        rows.flat_map(|states| self.pool(states, columns)).collect()
    }

    /// Applies the steps after pooling to the vectors of several texts.
    pub(crate) fn finish(
        &self,
        run: &mut Eval,
        level: Level,
        mut vectors: Vec<f32>,
        mut columns: usize,
    ) -> Vec<f32> {
        for step in &self.steps {
            match step {
                Step::Normalize => l2_normalize(level, &mut vectors, columns),
                Step::Dense(linear) => {
                    vectors = run.apply_rows(linear, &vectors);
                    columns = linear.width();
                }
            }
        }
        vectors
    }
}

/// Pools the states of one text into zeros.
pub(crate) fn pool(pooling: Pooling, states: &[f32], out: &mut [f32]) {
    let rows = states.chunks_exact(out.len());
    if states.is_empty() {
        return;
    }
    let count = rows.len() as f32;
    match pooling {
        Pooling::Cls => rows.take(1).for_each(|row| out.copy_from_slice(row)),
        Pooling::LastToken => rows.rev().take(1).for_each(|row| out.copy_from_slice(row)),
        Pooling::Max => {
            out.fill(f32::NEG_INFINITY);
            for row in rows {
                for (out, &x) in out.iter_mut().zip(row) {
                    *out = if x > *out || x.is_nan() { x } else { *out };
                }
            }
        }
        Pooling::Mean => weighted_sum(rows.map(|row| (1.0, row)), count, out),
        Pooling::MeanSqrtLength => weighted_sum(rows.map(|row| (1.0, row)), count.sqrt(), out),
        Pooling::WeightedMean => {
            let weighted = rows.enumerate().map(|(i, row)| ((i + 1) as f32, row));
            weighted_sum(weighted, count * (count + 1.0) / 2.0, out);
        }
    }
}

fn weighted_sum<'a>(rows: impl Iterator<Item = (f32, &'a [f32])>, divisor: f32, out: &mut [f32]) {
    for (weight, row) in rows {
        for (out, &x) in out.iter_mut().zip(row) {
            *out += weight * x;
        }
    }
    for out in out {
        *out /= divisor;
    }
}
