//! Attention within a sequence, one head at a time, over some queries at a time.

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, PANEL, Packed, Rows, RowsMut, multiply, softmax_weights};

use crate::attention::Attention;

/// Queries of a block: their scores for 512 keys are 192 KiB.
const QUERIES: usize = 96;

/// What the attention of one head needs, reused from head to head.
#[derive(Default)]
pub(super) struct HeadScratch {
    keys: Packed,
    values: Packed,
    pub(super) scores: Vec<f32>,
    factors: Vec<f32>,
}

/// One head over one sequence.
pub(super) struct Head<'a> {
    pub(super) attention: &'a Attention,
    /// The states of the sequence: queries, keys and values side by side in a row.
    pub(super) joint: &'a [f32],
    pub(super) length: usize,
    pub(super) index: usize,
    /// The columns of the result that are this head's.
    pub(super) out: RowsMut<'a>,
}

/// Turns the queries and keys of tokens that follow each other by their positions, the first being `first`.
pub(super) fn turn(attention: &Attention, first: usize, joint: &mut [f32]) {
    let Some(rotary) = &attention.rotary else { return };
    let turned = (attention.heads + attention.kv_heads) * attention.width;
    for (position, row) in joint.chunks_exact_mut(attention.columns()).enumerate() {
        for head in row[..turned].chunks_exact_mut(attention.width) {
            rotary.turn(first + position, head);
        }
    }
}

impl<'a> Head<'a> {
    /// Computes the head's columns of the result.
    pub(super) fn run(mut self, level: Level, scratch: &mut HeadScratch) {
        let attention = self.attention;
        let shared = attention.heads + attention.shared(self.index);
        scratch.keys.set_transposed(self.rows(shared));
        scratch.values.set(self.rows(shared + attention.kv_heads));
        for first in (0..self.length).step_by(QUERIES) {
            let queries = first..self.length.min(first + QUERIES);
            self.block(level, queries, scratch);
        }
    }

    fn block(&mut self, level: Level, queries: Range<usize>, scratch: &mut HeadScratch) {
        let HeadScratch { keys, values, scores, factors } = scratch;
        let reach = |index| self.attention.reach.of(index, self.length);
        // The keys that any of these queries sees, from the start of a panel on.
        let start = reach(queries.start).start / PANEL * PANEL;
        let seen = start..reach(queries.end - 1).end;
        scores.resize(queries.len() * seen.len(), 0.0);
        multiply(
            level,
            self.rows(self.index).rows(queries.clone()),
            keys.panels().columns(seen.clone()),
            Epilogue::default(),
            RowsMut::dense(scores, seen.len()),
        );
        let scale = self.attention.scale();
        factors.clear();
        for (index, row) in queries.clone().zip(scores.chunks_exact_mut(seen.len())) {
            let own = reach(index);
            let bias = self.attention.bias.as_ref();
            let bias =
                bias.map_or(&[][..], |b| &b.row(self.index, index, self.length)[own.clone()]);
            let own = own.start - seen.start..own.end - seen.start;
            row[..own.start].fill(0.0);
            row[own.end..].fill(0.0);
            factors.push(softmax_weights(level, &mut row[own], scale, bias));
        }
        let weights = Rows::dense(scores, seen.len());
        let mut out = self.out.rows_mut(queries.clone());
        multiply(
            level,
            weights,
            values.panels().steps(seen),
            Epilogue::default(),
            out.rows_mut(0..queries.len()),
        );
        for (row, factor) in factors.iter().enumerate() {
            out.row_mut(row).iter_mut().for_each(|x| *x *= factor);
        }
    }

    /// The part of the joint states that is head number `part`, counting those of queries, keys and values.
    fn rows(&self, part: usize) -> Rows<'a> {
        let width = self.attention.width;
        Rows::new(&self.joint[part * width..], self.length, width, self.attention.columns())
    }
}
