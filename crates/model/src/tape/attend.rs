//! Attention backwards, for one head of keys and values over one sequence at a time.
//!
//! The weights of a block of queries are computed again from queries and keys, as in the forward pass, and forgotten
//! before the next block: nothing of the size of a sequence's square is ever kept (Dao et al. 2022, section 3.1).
//! With P the weights, O the result, S the scores: dV = Pᵀ·dO, dP = dO·Vᵀ, dS from P and dP by the softmax, dQ = dS·K,
//! dK = dSᵀ·Q. Cost: `10 · n² · width` floating-point operations a head, two and a half times those of the forward pass.

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply, softmax_gradient};
use rayon::prelude::*;

use super::product::transpose;
use crate::attention::Attention;
use crate::eval::{HeadScores, by_head};

/// Attention that was computed: what its gradient needs.
pub(super) struct Attended<'a> {
    pub(super) attention: &'a Attention,
    pub(super) spans: &'a [Range<usize>],
    /// Queries and keys have been turned.
    pub(super) joint: &'a [f32],
}

/// The heads of queries that share a head of keys and values, over one sequence.
struct Shared<'a> {
    attention: &'a Attention,
    joint: &'a [f32],
    /// The gradient of the result.
    given: &'a [f32],
    length: usize,
    /// The number of each head of queries, and its part of the gradient.
    queries: Vec<(usize, RowsMut<'a>)>,
    keys: RowsMut<'a>,
    values: RowsMut<'a>,
}

/// Memory that is used from head to head.
#[derive(Default)]
struct Scratch {
    keys_turned: Packed,
    values_turned: Packed,
    keys: Packed,
    /// The weights, and then the gradient of the scores, of a block.
    block: Packed,
    weights: Vec<f32>,
    factors: Vec<f32>,
    scores: Vec<f32>,
    /// Some rows as columns.
    turned: Vec<f32>,
    /// The gradients of keys and values, one row for each of their columns.
    key_sums: Vec<f32>,
    value_sums: Vec<f32>,
}

impl Attended<'_> {
    /// Returns the gradient of queries, keys and values as they were before they were turned, given that of the result.
    pub(super) fn gradient(&self, level: Level, given: &[f32]) -> Vec<f32> {
        let attention = self.attention;
        let (columns, given_columns) = (attention.columns(), attention.heads * attention.width);
        let mut out = vec![0.0; self.joint.len()];
        let mut all = Vec::new();
        let mut rest = &mut out[..];
        for span in self.spans.iter().filter(|span| !span.is_empty()) {
            let (part, right) = rest.split_at_mut(span.len() * columns);
            rest = right;
            let joint = &self.joint[span.start * columns..span.end * columns];
            let given = &given[span.start * given_columns..span.end * given_columns];
            all.extend(shared(attention, joint, given, part));
        }
        let one = |scratch: &mut Scratch, shared: Shared<'_>| shared.run(level, scratch);
        all.into_par_iter().with_max_len(1).for_each_init(Scratch::default, one);
        self.turn_back(&mut out);
        out
    }

    fn turn_back(&self, out: &mut [f32]) {
        let attention = self.attention;
        let Some(rotary) = &attention.rotary else { return };
        let turned = (attention.heads + attention.kv_heads) * attention.width;
        let positions: Vec<usize> = self.spans.iter().flat_map(|s| 0..s.len()).collect();
        let rows = out.par_chunks_exact_mut(attention.columns()).zip(positions);
        rows.for_each(|(row, position)| {
            for head in row[..turned].chunks_exact_mut(attention.width) {
                rotary.turn_back(position, head);
            }
        });
    }
}

/// Splits a sequence by heads of keys and values.
fn shared<'a>(
    attention: &'a Attention,
    joint: &'a [f32],
    given: &'a [f32],
    out: &'a mut [f32],
) -> Vec<Shared<'a>> {
    let Attention { heads, kv_heads, width, .. } = *attention;
    let length = joint.len() / attention.columns();
    let out = RowsMut::dense(out, attention.columns());
    let mut parts = by_head(heads + 2 * kv_heads, width, out).into_iter();
    let mut queries: Vec<Vec<(usize, RowsMut<'_>)>> = Vec::new();
    queries.resize_with(kv_heads, Vec::new);
    for (head, part) in parts.by_ref().take(heads).enumerate() {
        queries[attention.shared(head)].push((head, part));
    }
    let keys: Vec<RowsMut<'_>> = parts.by_ref().take(kv_heads).collect();
    let all = queries.into_iter().zip(keys).zip(parts);
    all.map(|((queries, keys), values)| Shared {
        attention,
        joint,
        given,
        length,
        queries,
        keys,
        values,
    })
    .collect()
}

impl Shared<'_> {
    fn run(mut self, level: Level, scratch: &mut Scratch) {
        let (length, width) = (self.length, self.attention.width);
        scratch.key_sums.clear();
        scratch.key_sums.resize(width * length, 0.0);
        scratch.value_sums.clear();
        scratch.value_sums.resize(width * length, 0.0);
        for (place, (index, mut out)) in std::mem::take(&mut self.queries).into_iter().enumerate() {
            let scores = HeadScores { attention: self.attention, joint: self.joint, length, index };
            if place == 0 {
                scratch.keys_turned.set_transposed(scores.keys());
                scratch.values_turned.set_transposed(scores.values());
                scratch.keys.set(scores.keys());
            }
            for queries in scores.blocks() {
                self.block(level, scores, scratch, out.rows_mut(queries.clone()), queries);
            }
        }
        for token in 0..length {
            let sums = (&scratch.key_sums, &scratch.value_sums);
            let (keys, values) = (self.keys.row_mut(token), self.values.row_mut(token));
            for column in 0..width {
                keys[column] = sums.0[column * length + token];
                values[column] = sums.1[column * length + token];
            }
        }
    }

    fn block(
        &self,
        level: Level,
        scores: HeadScores<'_>,
        scratch: &mut Scratch,
        out: RowsMut<'_>,
        queries: Range<usize>,
    ) {
        let (width, columns) = (self.attention.width, self.attention.heads * self.attention.width);
        let given = Rows::new(&self.given[scores.index * width..], self.length, width, columns);
        let given = given.rows(queries.clone());
        let weights = (&mut scratch.weights, &mut scratch.factors);
        let seen = scores.weigh(level, queries.clone(), &scratch.keys_turned, weights);
        let rows = scratch.weights.chunks_exact_mut(seen.len());
        for (row, factor) in rows.zip(&scratch.factors) {
            for weight in row {
                *weight *= factor;
            }
        }
        scratch.scores.resize(queries.len() * seen.len(), 0.0);
        multiply(
            level,
            given,
            scratch.values_turned.panels().columns(seen.clone()),
            Epilogue::default(),
            RowsMut::dense(&mut scratch.scores, seen.len()),
        );
        let weights = Rows::dense(&scratch.weights, seen.len());
        let all = (self.length, seen.clone());
        let memory = (&mut scratch.block, &mut scratch.turned);
        add_turned(level, given, weights, memory, (&mut scratch.value_sums[..], &all));
        let gradients = scratch.scores.chunks_exact_mut(seen.len());
        for ((query, row), weights) in
            queries.clone().zip(gradients).zip(scratch.weights.chunks_exact(seen.len()))
        {
            let own = scores.reach(query);
            let own = own.start - seen.start..own.end - seen.start;
            row[..own.start].fill(0.0);
            row[own.end..].fill(0.0);
            softmax_gradient(level, &weights[own.clone()], &mut row[own], self.attention.scale());
        }
        let gradients = Rows::dense(&scratch.scores, seen.len());
        let keys = scratch.keys.panels().steps(seen.clone());
        multiply(level, gradients, keys, Epilogue::default(), out);
        let own = scores.queries().rows(queries);
        let memory = (&mut scratch.block, &mut scratch.turned);
        add_turned(level, own, gradients, memory, (&mut scratch.key_sums[..], &all));
    }
}

/// Adds `rowsᵀ · weights` to the columns of `sums` that the weights are about, of rows of a given length.
fn add_turned(
    level: Level,
    rows: Rows<'_>,
    weights: Rows<'_>,
    (block, turned): (&mut Packed, &mut Vec<f32>),
    (sums, (length, seen)): (&mut [f32], &(usize, Range<usize>)),
) {
    turned.resize(rows.columns() * rows.count(), 0.0);
    transpose(rows, 0, turned);
    block.set(weights);
    multiply(
        level,
        Rows::dense(turned, rows.count()),
        block.panels(),
        Epilogue { accumulate: true, ..Epilogue::default() },
        RowsMut::new(&mut sums[seen.start..], rows.columns(), seen.len(), *length),
    );
}
