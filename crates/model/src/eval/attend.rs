//! Attention within a sequence, one head at a time, over some queries at a time.

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, PANEL, Packed, Rows, RowsMut, multiply, softmax_weights};

use crate::attention::Attention;
use crate::executor::TokenBatch;

/// Queries of a block: their scores for 512 keys are 192 KiB.
const QUERIES: usize = 96;

/// What the attention of one head needs, reused from head to head.
#[derive(Default)]
pub(crate) struct HeadScratch {
    keys: Packed,
    values: Packed,
    pub(super) scores: Vec<f32>,
    factors: Vec<f32>,
}

/// One head over one sequence.
pub(crate) struct Head<'a> {
    scores: HeadScores<'a>,
    /// The columns of the result that are this head's.
    out: RowsMut<'a>,
}

/// What the scores of one head over one sequence come from.
#[derive(Clone, Copy)]
pub(crate) struct HeadScores<'a> {
    pub(crate) attention: &'a Attention,
    /// The states of the sequence: queries, keys and values side by side in a row.
    pub(crate) joint: &'a [f32],
    pub(crate) length: usize,
    pub(crate) index: usize,
}

/// Turns the queries and keys of a batch by their positions, and returns all heads of its sequences, each with its
/// part of `out`.
pub(crate) fn heads<'a>(
    attention: &'a Attention,
    batch: &TokenBatch,
    joint: &'a mut [f32],
    out: &'a mut [f32],
) -> Vec<Head<'a>> {
    let columns = attention.heads * attention.width;
    let mut heads = Vec::with_capacity(batch.spans.len() * attention.heads);
    let (mut states, mut rest) = (joint, out);
    let sequences = batch.spans.iter().filter(|span| !span.is_empty());
    for length in sequences.map(ExactSizeIterator::len) {
        let (joint, states_rest) = states.split_at_mut(length * attention.columns());
        let (out, out_rest) = rest.split_at_mut(length * columns);
        (states, rest) = (states_rest, out_rest);
        turn(attention, 0, joint);
        let joint = &*joint;
        let parts = by_head(attention.heads, attention.width, RowsMut::dense(out, columns));
        heads.extend(parts.into_iter().enumerate().map(|(index, out)| Head {
            scores: HeadScores { attention, joint, length, index },
            out,
        }));
    }
    heads
}

/// Splits rows by heads of so many columns.
pub(crate) fn by_head(heads: usize, width: usize, mut rest: RowsMut<'_>) -> Vec<RowsMut<'_>> {
    let mut parts = Vec::with_capacity(heads);
    for _ in 1..heads {
        let (part, right) = rest.split_at_column(width);
        parts.push(part);
        rest = right;
    }
    parts.push(rest);
    parts
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

impl Head<'_> {
    /// Computes the head's columns of the result.
    pub(crate) fn run(mut self, level: Level, scratch: &mut HeadScratch) {
        let scores = self.scores;
        scratch.keys.set_transposed(scores.keys());
        scratch.values.set(scores.values());
        for queries in scores.blocks() {
            self.block(level, queries, scratch);
        }
    }

    fn block(&mut self, level: Level, queries: Range<usize>, scratch: &mut HeadScratch) {
        let HeadScratch { keys, values, scores, factors } = scratch;
        let into = (&mut *scores, &mut *factors);
        let seen = self.scores.weigh(level, queries.clone(), keys, into);
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
}

impl<'a> HeadScores<'a> {
    /// Cuts the queries into blocks.
    pub(crate) fn blocks(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.length).step_by(QUERIES).map(move |first| first..self.length.min(first + QUERIES))
    }

    /// Computes the weights of some queries, up to a factor for each, which goes to the second of `out`; returns the
    /// keys that the rows of weights are about. A key that a query does not see has weight 0.
    pub(crate) fn weigh(
        self,
        level: Level,
        queries: Range<usize>,
        keys: &Packed,
        (scores, factors): (&mut Vec<f32>, &mut Vec<f32>),
    ) -> Range<usize> {
        // The keys that any of these queries sees, from the start of a panel on.
        let start = self.reach(queries.start).start / PANEL * PANEL;
        let seen = start..self.reach(queries.end - 1).end;
        scores.resize(queries.len() * seen.len(), 0.0);
        multiply(
            level,
            self.queries().rows(queries.clone()),
            keys.panels().columns(seen.clone()),
            Epilogue::default(),
            RowsMut::dense(scores, seen.len()),
        );
        let scale = self.attention.scale();
        factors.clear();
        for (index, row) in queries.zip(scores.chunks_exact_mut(seen.len())) {
            let own = self.reach(index);
            let bias = self.attention.bias.as_ref();
            let bias =
                bias.map_or(&[][..], |b| &b.row(self.index, index, self.length)[own.clone()]);
            let own = own.start - seen.start..own.end - seen.start;
            row[..own.start].fill(0.0);
            row[own.end..].fill(0.0);
            factors.push(softmax_weights(level, &mut row[own], scale, bias));
        }
        seen
    }

    /// Returns the keys that a query sees.
    pub(crate) fn reach(&self, query: usize) -> Range<usize> {
        self.attention.reach.of(query, self.length)
    }

    pub(crate) fn queries(&self) -> Rows<'a> {
        self.rows(self.index)
    }

    pub(crate) fn keys(&self) -> Rows<'a> {
        self.rows(self.attention.heads + self.attention.shared(self.index))
    }

    pub(crate) fn values(&self) -> Rows<'a> {
        let before = self.attention.heads + self.attention.kv_heads;
        self.rows(before + self.attention.shared(self.index))
    }

    /// The part of the joint states that is head number `part`, counting those of queries, keys and values.
    fn rows(&self, part: usize) -> Rows<'a> {
        let width = self.attention.width;
        Rows::new(&self.joint[part * width..], self.length, width, self.attention.columns())
    }
}
