//! Weights in 8 bits, in the order in which the kernel reads them.
#![allow(
    clippy::inline_always,
    reason = "the body has to be compiled for each level's instructions"
)]

use std::ops::Range;

use super::{BLOCK, QUAD};
use crate::Level;
use crate::nn::compiled_per_level;
use crate::nn::elementary::{ROUND, mul_add};
use crate::nn::pack::PANEL;

/// Four values of each column of a panel.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Quads(pub(super) [[i8; QUAD]; PANEL]);

/// A matrix of `depth` rows and `width` columns in 8 bits, with a scale for each column of each block.
#[derive(Clone, Debug)]
pub struct Int8Packed {
    quads: Vec<Quads>,
    /// For each block of each panel.
    blocks: Vec<ColumnBlock>,
    /// What each value of a row is multiplied by, and its weights are divided by, before they are rounded.
    balance: Vec<f32>,
    depth: usize,
    width: usize,
}

/// What is known of a block's columns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ColumnBlock {
    /// What an integer of each column stands for.
    pub(super) scales: [f32; PANEL],
    /// The sum of each column's values.
    pub(super) sums: [f32; PANEL],
}

/// Some columns of a packed matrix.
#[derive(Clone, Copy, Debug)]
pub struct Int8Panels<'a> {
    packed: &'a Int8Packed,
    first_panel: usize,
    width: usize,
}

/// One panel.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    pub(super) quads: &'a [Quads],
    pub(super) blocks: &'a [ColumnBlock],
}

impl Int8Packed {
    /// Rounds and packs a matrix whose columns are given one by one: `column(i, out)` writes the `depth` values of
    /// column `i`, and is called twice for each. Values that are not finite become whatever an integer can be.
    pub fn by_columns(
        depth: usize,
        width: usize,
        mut column: impl FnMut(usize, &mut [f32]),
    ) -> Self {
        let (panels, steps) = (width.div_ceil(PANEL), depth.div_ceil(QUAD));
        let blocks = depth.div_ceil(BLOCK);
        let mut packed = Self {
            quads: vec![Quads([[0; QUAD]; PANEL]); panels * steps],
            blocks: vec![ColumnBlock::default(); panels * blocks],
            balance: balance(depth, width, &mut column),
            depth,
            width,
        };
        let mut values = vec![0.0; depth];
        let level = Level::detect();
        for index in 0..width {
            column(index, &mut values);
            values.iter_mut().zip(&packed.balance).for_each(|(x, by)| *x /= by);
            let (panel, lane) = (index / PANEL, index % PANEL);
            let quads = &mut packed.quads[panel * steps..][..steps];
            let blocks = &mut packed.blocks[panel * blocks..][..blocks];
            let parts = values.chunks(BLOCK).zip(quads.chunks_mut(BLOCK / QUAD));
            for ((values, quads), block) in parts.zip(blocks) {
                let mut integers = [0; BLOCK];
                let mut scale = 0.0;
                round(level, values, &mut integers, &mut scale);
                for (quad, four) in quads.iter_mut().zip(integers.as_chunks::<QUAD>().0) {
                    quad.0[lane] = *four;
                }
                let sum: i32 = integers.iter().map(|&q| i32::from(q)).sum();
                block.scales[lane] = scale;
                block.sums[lane] = sum as f32 * scale;
            }
        }
        packed
    }

    /// Returns the length of the inner sums.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns how many columns the product has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns what each value of a row is multiplied by before it is rounded.
    pub(super) fn balance(&self) -> &[f32] {
        &self.balance
    }

    /// Returns the whole matrix for a product.
    pub fn panels(&self) -> Int8Panels<'_> {
        Int8Panels { packed: self, first_panel: 0, width: self.width }
    }
}

/// The root of each input's root mean square weight. A block's inputs share a step, so an input that counts for much
/// should fill more of it, and one that counts for little less; half of the difference goes to the
/// weights, which are rounded too (Xiao et al. 2023, `SmoothQuant`, without their statistics of activations).
fn balance(depth: usize, width: usize, column: &mut impl FnMut(usize, &mut [f32])) -> Vec<f32> {
    let (mut sums, mut values) = (vec![0.0; depth], vec![0.0; depth]);
    for index in 0..width {
        column(index, &mut values);
        sums.iter_mut().zip(&values).for_each(|(sum, x)| *sum += x * x);
    }
    let by = |sum: f32| (sum / width as f32).sqrt().sqrt();
    // An input without weights counts for nothing, and one whose weights are not finite spoils all anyway.
    sums.into_iter().map(by).map(|by| if by.is_normal() { by } else { 1.0 }).collect()
}

compiled_per_level! {
    /// Rounds a block of values to integers from -127 to 127 times `scale`; the rest of `integers` stays as it is.
    pub fn round(values: &[f32], integers: &mut [i8; BLOCK], scale: &mut f32) = round_block;
}

#[inline(always)]
fn round_block<const FUSED: bool>(values: &[f32], integers: &mut [i8; BLOCK], scale: &mut f32) {
    let mut largest = 0.0f32;
    for x in values {
        largest = if x.abs() > largest { x.abs() } else { largest };
    }
    *scale = largest / 127.0;
    let inverse = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
    for (integer, &x) in integers.iter_mut().zip(values) {
        *integer = mul_add::<FUSED>(x, inverse, ROUND).to_bits() as i8;
    }
}

impl<'a> Int8Panels<'a> {
    /// Returns the length of the inner sums.
    pub fn depth(&self) -> usize {
        self.packed.depth
    }

    /// Returns how many columns the product has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Keeps some columns; the first has to begin a panel of 16 columns.
    ///
    /// # Panics
    /// Where there are no such columns.
    #[must_use]
    pub fn columns(self, columns: Range<usize>) -> Self {
        assert!(columns.start.is_multiple_of(PANEL), "columns from {} on", columns.start);
        assert!(columns.start <= columns.end && columns.end <= self.width, "columns outside");
        let first_panel = self.first_panel + columns.start / PANEL;
        Self { first_panel, width: columns.len(), ..self }
    }

    pub(super) fn panel(&self, index: usize) -> Panel<'a> {
        let panel = self.first_panel + index;
        let steps = self.packed.depth.div_ceil(QUAD);
        let blocks = self.packed.depth.div_ceil(BLOCK);
        Panel {
            quads: &self.packed.quads[panel * steps..][..steps],
            blocks: &self.packed.blocks[panel * blocks..][..blocks],
        }
    }
}
