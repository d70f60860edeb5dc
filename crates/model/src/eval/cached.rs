//! Attention over the tokens so far, whose keys and values are kept.
//!
//! One query at a time, over exactly the keys that it sees: no product depends on how many tokens came at once, so the
//! states of a token have the same bits whether its sequence is read in one go, in pieces, or token by token.
//! Cost of a token, layer and head: two passes over `n · width` values that lie in order.

use ecphory_kernels::Level;
use ecphory_kernels::dot::dot_rows;
use ecphory_kernels::nn::{softmax_weights, weighted_sum};

use super::attend::turn;
use super::{Eval, Matrix};
use crate::attention::{Attention, Reach};
use crate::executor::TokenBatch;

/// What is kept of one sequence: keys, turned by their positions, and values of every layer.
///
/// Memory: `8 · layers · kv_heads · width` bytes a token, 46 KB for `SmolLM2`-135M.
#[derive(Clone, Debug)]
pub(crate) struct KeyValues {
    layers: Vec<Vec<HeadRows>>,
}

/// The rows of one head of keys and values.
#[derive(Clone, Debug, Default)]
struct HeadRows {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl KeyValues {
    /// Makes the cache of an empty sequence.
    pub(crate) fn new(layers: usize) -> Self {
        Self { layers: vec![Vec::new(); layers] }
    }

    /// Adds the keys and values of a sequence's joint states to a layer.
    fn push(&mut self, layer: usize, joint: &[f32], attention: &Attention) {
        let Attention { heads, kv_heads, width, .. } = *attention;
        let rows = &mut self.layers[layer];
        rows.resize_with(kv_heads, HeadRows::default);
        let tokens = joint.chunks_exact(attention.columns());
        for row in tokens {
            let (keys, values) = row[heads * width..].split_at(kv_heads * width);
            for (head, rows) in rows.iter_mut().enumerate() {
                rows.keys.extend_from_slice(&keys[head * width..][..width]);
                rows.values.extend_from_slice(&values[head * width..][..width]);
            }
        }
    }
}

impl Eval {
    /// Attends causally within each sequence and its cache, to which the new tokens are added.
    pub(super) fn attend_over(
        &mut self,
        mut joint: Matrix,
        attention: &Attention,
        batch: &TokenBatch,
        caches: &mut [KeyValues],
        layer: usize,
    ) -> Matrix {
        assert_eq!(batch.spans.len(), caches.len(), "one cache a sequence");
        debug_assert!(attention.reach == Reach::Causal && attention.bias.is_none());
        let mut out = self.buffers.take(batch.tokens.len(), attention.heads * attention.width);
        let columns = (joint.columns, out.columns);
        for (span, cache) in batch.spans.iter().zip(caches) {
            let joint = &mut joint.values_mut()[span.start * columns.0..span.end * columns.0];
            let out = &mut out.values_mut()[span.start * columns.1..span.end * columns.1];
            let rows = &cache.layers[layer];
            let before = rows.first().map_or(0, |head| head.keys.len() / attention.width);
            turn(attention, before, joint);
            cache.push(layer, joint, attention);
            let rows = &cache.layers[layer];
            let tokens = joint.chunks_exact(columns.0).zip(out.chunks_exact_mut(columns.1));
            for (index, (joint, out)) in tokens.enumerate() {
                let seen = Seen { attention, rows, tokens: before + index + 1 };
                seen.attend(self.level, joint, &mut self.heads[0].scores, out);
            }
        }
        out
    }
}

/// What one token sees of a layer's cache: the tokens before it and itself.
struct Seen<'a> {
    attention: &'a Attention,
    rows: &'a [HeadRows],
    tokens: usize,
}

impl Seen<'_> {
    /// Attends with the queries of all heads, which stand at the start of `joint`.
    fn attend(&self, level: Level, joint: &[f32], scores: &mut Vec<f32>, out: &mut [f32]) {
        let width = self.attention.width;
        scores.resize(self.tokens, 0.0);
        let heads = joint.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for (head, (query, out)) in heads.enumerate() {
            let rows = &self.rows[self.attention.shared(head)];
            let seen = self.tokens * width;
            dot_rows(level, query, &rows.keys[..seen], scores);
            let factor = softmax_weights(level, scores, self.attention.scale(), &[]);
            weighted_sum(level, scores, &rows.values[..seen], out);
            for x in out {
                *x *= factor;
            }
        }
    }
}
