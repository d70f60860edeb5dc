//! Rows in 7 bits, with a range for each block of their values.
#![allow(
    clippy::inline_always,
    reason = "the body has to be compiled for each level's instructions"
)]

use super::{BLOCK, QUAD};
use crate::Level;
use crate::nn::compiled_per_level;
use crate::nn::elementary::{ROUND, mul_add};
use crate::nn::rows::Rows;

/// The largest integer of a value.
const MOST: f32 = 127.0;

/// The value of integer 0 in a block, and what one more adds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    pub(super) least: f32,
    pub(super) step: f32,
}

/// The left-hand side of a product in 8 bits. Its memory is reused from one [`Self::set`] to the next.
#[derive(Clone, Debug, Default)]
pub struct Int8Rows {
    quads: Vec<[u8; QUAD]>,
    ranges: Vec<Range>,
    count: usize,
    depth: usize,
}

impl Int8Rows {
    /// Quantises rows. Costs two passes over the values; a block with a value that is not finite becomes NaN.
    pub fn set(&mut self, level: Level, rows: Rows<'_>) {
        (self.count, self.depth) = (rows.count(), rows.columns());
        self.quads.resize(self.count * self.steps(), [0; QUAD]);
        self.ranges.resize(self.count * self.blocks(), Range::default());
        for index in 0..self.count {
            let (steps, blocks) = (self.steps(), self.blocks());
            let quads = &mut self.quads[index * steps..][..steps];
            let ranges = &mut self.ranges[index * blocks..][..blocks];
            quantize(level, rows.row(index), quads, ranges);
        }
    }

    /// Returns how many rows there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns how long a row is.
    pub fn depth(&self) -> usize {
        self.depth
    }

    fn steps(&self) -> usize {
        self.depth.div_ceil(QUAD)
    }

    fn blocks(&self) -> usize {
        self.depth.div_ceil(BLOCK)
    }

    /// Returns one row.
    pub(super) fn row(&self, index: usize) -> Row<'_> {
        Row {
            quads: &self.quads[index * self.steps()..][..self.steps()],
            ranges: &self.ranges[index * self.blocks()..][..self.blocks()],
        }
    }
}

/// One row.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// Its integers, four at a time; the last four are filled up with zeros.
    pub(super) quads: &'a [[u8; QUAD]],
    /// The ranges of its blocks.
    pub(super) ranges: &'a [Range],
}

compiled_per_level! {
    /// Quantises one row.
    pub fn quantize(row: &[f32], quads: &mut [[u8; QUAD]], ranges: &mut [Range]) = quantize_row;
}

#[inline(always)]
fn quantize_row<const FUSED: bool>(row: &[f32], quads: &mut [[u8; QUAD]], ranges: &mut [Range]) {
    let blocks = row.chunks(BLOCK).zip(quads.as_flattened_mut().chunks_mut(BLOCK));
    for ((values, integers), range) in blocks.zip(ranges) {
        let (least, most) = bounds(values);
        let step = (most - least) / MOST;
        // NaN and infinities go into the range, which makes every product with this block NaN.
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        *range = Range { least, step };
        for (to, &x) in integers.iter_mut().zip(values) {
            *to = mul_add::<FUSED>(x - least, inverse, ROUND).to_bits() as u8;
        }
        integers[values.len()..].fill(0);
    }
}

#[inline(always)]
fn bounds(values: &[f32]) -> (f32, f32) {
    const LANES: usize = 16;
    let (blocks, rest) = values.as_chunks::<LANES>();
    let (mut low, mut high) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
    let mut sum = [0.0; LANES];
    for block in blocks {
        for lane in 0..LANES {
            let x = block[lane];
            low[lane] = if x < low[lane] { x } else { low[lane] };
            high[lane] = if x > high[lane] { x } else { high[lane] };
            sum[lane] += x * 0.0;
        }
    }
    let mut least = low.iter().fold(f32::INFINITY, |m, &x| if x < m { x } else { m });
    let mut most = high.iter().fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m });
    // Zero, or NaN where a value is not finite.
    let mut finite: f32 = sum.iter().sum();
    for &x in rest {
        least = if x < least { x } else { least };
        most = if x > most { x } else { most };
        finite += x * 0.0;
    }
    (least + finite, most + finite)
}
