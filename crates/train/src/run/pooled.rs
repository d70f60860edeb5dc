//! Vectors of texts from token states: pooled, of unit length, compared by their inner product; and the way back.

use std::ops::Range;

use ecphory_kernels::{Level, dot_rows};
use ecphory_model::{Pooling, TrainableEncoder};

use crate::error::{Error, Result};

/// How states become vectors: as the model's directory says, but always of unit length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pooled {
    pooling: Pooling,
    hidden: usize,
}

/// Vectors with what their gradient needs.
pub(super) struct PooledVectors {
    values: Vec<f32>,
    /// The lengths before they were scaled to 1.
    lengths: Vec<f32>,
    columns: usize,
}

impl Pooled {
    pub(super) fn of(encoder: &TrainableEncoder) -> Result<Self> {
        match encoder.pooling() {
            [pooling @ (Pooling::Mean | Pooling::Cls | Pooling::LastToken)] => {
                Ok(Self { pooling: *pooling, hidden: encoder.hidden() })
            }
            other => Err(Error::Pooling { found: format!("{other:?}") }),
        }
    }

    pub(super) fn forward(self, states: &[f32], spans: &[Range<usize>]) -> PooledVectors {
        let columns = self.hidden;
        let mut values = vec![0.0; spans.len() * columns];
        let mut lengths = Vec::with_capacity(spans.len());
        for (span, vector) in spans.iter().zip(values.chunks_exact_mut(columns)) {
            for (token, weight) in self.weights(span) {
                let state = &states[token * columns..][..columns];
                vector.iter_mut().zip(state).for_each(|(sum, x)| *sum += weight * x);
            }
            let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let length = square.sqrt() as f32;
            if length > 0.0 {
                vector.iter_mut().for_each(|x| *x /= length);
            }
            lengths.push(length);
        }
        PooledVectors { values, lengths, columns }
    }

    /// Returns the gradient of the states, given that of the vectors.
    pub(super) fn backward(
        self,
        vectors: &PooledVectors,
        d_vectors: &[f32],
        spans: &[Range<usize>],
    ) -> Vec<f32> {
        let columns = self.hidden;
        let tokens = spans.last().map_or(0, |span| span.end);
        let mut d_states = vec![0.0; tokens * columns];
        for (index, span) in spans.iter().enumerate() {
            let vector = &vectors.values[index * columns..][..columns];
            let d = &d_vectors[index * columns..][..columns];
            let length = vectors.lengths[index];
            if length == 0.0 {
                continue;
            }
            // What points along the vector changes its length only.
            let along: f64 = vector.iter().zip(d).map(|(&x, &d)| f64::from(x) * f64::from(d)).sum();
            for (token, weight) in self.weights(span) {
                let out = &mut d_states[token * columns..][..columns];
                for ((out, x), d) in out.iter_mut().zip(vector).zip(d) {
                    *out = weight * (d - along as f32 * x) / length;
                }
            }
        }
        d_states
    }

    /// Which tokens of a text count, and how much.
    fn weights(self, span: &Range<usize>) -> impl Iterator<Item = (usize, f32)> {
        let (tokens, weight) = match self.pooling {
            Pooling::Cls => (span.start..span.end.min(span.start + 1), 1.0),
            Pooling::LastToken => (span.start.max(span.end.saturating_sub(1))..span.end, 1.0),
            _ => (span.clone(), 1.0 / span.len().max(1) as f32),
        };
        tokens.map(move |token| (token, weight))
    }
}

impl PooledVectors {
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns the inner products of the first `rows` vectors with all others, row by row.
    pub(super) fn scores(&self, level: Level, rows: usize) -> Vec<f32> {
        let (queries, candidates) = self.values.split_at(rows * self.columns);
        let count = candidates.len() / self.columns;
        let mut scores = vec![0.0; rows * count];
        for (query, out) in queries.chunks_exact(self.columns).zip(scores.chunks_exact_mut(count)) {
            dot_rows(level, query, candidates, out);
        }
        scores
    }

    /// Returns the gradient of all vectors, given that of the scores.
    pub(super) fn from_scores(&self, d_scores: &[f32], rows: usize) -> Vec<f32> {
        let columns = self.columns;
        let (queries, candidates) = self.values.split_at(rows * columns);
        let count = candidates.len() / columns;
        let mut d = vec![0.0; self.values.len()];
        let (d_queries, d_candidates) = d.split_at_mut(rows * columns);
        for (cell, &d_score) in d_scores.iter().enumerate().filter(|(_, d)| **d != 0.0) {
            let (row, column) = (cell / count, cell % count);
            let add = |to: &mut [f32], vector: &[f32]| {
                to.iter_mut().zip(vector).for_each(|(to, x)| *to += d_score * x);
            };
            add(&mut d_queries[row * columns..][..columns], &candidates[column * columns..][..columns]);
            add(&mut d_candidates[column * columns..][..columns], &queries[row * columns..][..columns]);
        }
        d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.7).sin() + 0.1).collect()
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let spans = [0..3, 3..4, 4..6];
        let (hidden, weights) = (5, [0.3, -0.8]);
        for pooling in [Pooling::Mean, Pooling::Cls, Pooling::LastToken] {
            let pooled = Pooled { pooling, hidden };
            let loss = |states: &[f32]| -> f64 {
                let scores = pooled.forward(states, &spans).scores(Level::detect(), 1);
                scores.iter().zip(weights).map(|(&s, w)| f64::from(s) * f64::from(w)).sum()
            };
            let states = wave(6 * hidden);
            let vectors = pooled.forward(&states, &spans);
            let d = pooled.backward(&vectors, &vectors.from_scores(&weights, 1), &spans);
            for at in 0..states.len() {
                let moved = |by: f32| {
                    let mut states = states.clone();
                    states[at] += by;
                    loss(&states)
                };
                let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                assert!((slope - f64::from(d[at])).abs() < 1e-3, "{pooling:?} {at}: {slope} {}", d[at]);
            }
        }
    }

    #[test]
    fn a_text_without_direction_has_no_gradient() {
        let pooled = Pooled { pooling: Pooling::Mean, hidden: 2 };
        let spans = [0..1, 1..2];
        let vectors = pooled.forward(&[0.0, 0.0, 1.0, 0.0], &spans);
        assert_eq!(vectors.values(), [0.0, 0.0, 1.0, 0.0]);
        let d = pooled.backward(&vectors, &[1.0; 4], &spans);
        assert_eq!(d, [0.0, 0.0, 0.0, 1.0]);
    }
}
