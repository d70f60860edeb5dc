//! Rows in 8 bits, or in 7 where the CPU has only AVX2, with a range for each block of their values.
#![allow(
    clippy::inline_always,
    reason = "the body has to be compiled for each level's instructions"
)]

use super::pack::Int8Packed;
use super::{BLOCK, QUAD};
use crate::Level;
use crate::nn::compiled_per_level;
use crate::nn::elementary::{ROUND, mul_add};
use crate::nn::rows::Rows;

/// The largest integer of a value. AVX2 adds two products in 16 bits *with saturation*: 2 · 127 · 127 = 32,258 fits,
/// 2 · 255 · 127 would not.
pub(super) fn most(level: Level) -> f32 {
    match level {
        Level::Avx2(detected) if !detected.vnni() => 127.0,
        _ => 255.0,
    }
}

/// The value of integer 0 in a block, and what one more adds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    pub(super) least: f32,
    pub(super) step: f32,
}

/// The left-hand side of a product in 8 bits. Its memory is reused from one [`Self::set`] to the next.
#[derive(Clone, Debug)]
pub struct Int8Rows {
    /// How the integers were chosen, so that no other kernel may multiply them.
    level: Level,
    quads: Vec<[u8; QUAD]>,
    ranges: Vec<Range>,
    count: usize,
    depth: usize,
}

impl Int8Rows {
    /// Returns no rows, for products on a level.
    pub fn new(level: Level) -> Self {
        Self { level, quads: Vec::new(), ranges: Vec::new(), count: 0, depth: 0 }
    }

    /// Quantises rows for products with `weights`. Costs two passes over the values; a block with a value that is not
    /// finite becomes NaN.
    ///
    /// # Panics
    /// Where rows have another length than the inner sums.
    pub fn set(&mut self, rows: Rows<'_>, weights: &Int8Packed) {
        assert_eq!(rows.columns(), weights.depth(), "inner lengths differ");
        (self.count, self.depth) = (rows.count(), rows.columns());
        self.quads.resize(self.count * self.steps(), [0; QUAD]);
        self.ranges.resize(self.count * self.blocks(), Range::default());
        for index in 0..self.count {
            let (steps, blocks) = (self.steps(), self.blocks());
            let quads = &mut self.quads[index * steps..][..steps];
            let ranges = &mut self.ranges[index * blocks..][..blocks];
            let values = Balanced { row: rows.row(index), balance: weights.balance() };
            quantize(self.level, values, most(self.level), quads, ranges);
        }
    }

    /// Returns the level that products of these rows run on.
    pub fn level(&self) -> Level {
        self.level
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

/// A row and what each of its values is multiplied by first.
#[derive(Clone, Copy)]
pub struct Balanced<'a> {
    row: &'a [f32],
    balance: &'a [f32],
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
    /// Quantises one row to integers up to `largest`.
    pub fn quantize(values: Balanced<'_>, largest: f32, quads: &mut [[u8; QUAD]], ranges: &mut [Range]) = quantize_row;
}

#[inline(always)]
fn quantize_row<const FUSED: bool>(
    values: Balanced<'_>,
    largest: f32,
    quads: &mut [[u8; QUAD]],
    ranges: &mut [Range],
) {
    let blocks = values.row.chunks(BLOCK).zip(values.balance.chunks(BLOCK));
    let results = quads.as_flattened_mut().chunks_mut(BLOCK).zip(ranges);
    let mut balanced = [0.0; BLOCK];
    for ((values, balance), (integers, range)) in blocks.zip(results) {
        let balanced = &mut balanced[..values.len()];
        for ((to, x), by) in balanced.iter_mut().zip(values).zip(balance) {
            *to = x * by;
        }
        let (least, most) = bounds(balanced);
        let step = (most - least) / largest;
        // NaN and infinities go into the range, which makes every product with this block NaN.
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        *range = Range { least, step };
        for (to, &x) in integers.iter_mut().zip(&*balanced) {
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
