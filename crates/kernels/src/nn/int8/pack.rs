//! Weights in 8 bits, in the order in which the kernel reads them.

use std::ops::Range;

use super::{BLOCK, QUAD};
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
    /// column `i`. Values that are not finite become whatever an integer can be.
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
            depth,
            width,
        };
        let mut values = vec![0.0; depth];
        for index in 0..width {
            column(index, &mut values);
            let (panel, lane) = (index / PANEL, index % PANEL);
            let quads = &mut packed.quads[panel * steps..][..steps];
            let blocks = &mut packed.blocks[panel * blocks..][..blocks];
            for (first, block) in (0..).step_by(BLOCK / QUAD).zip(blocks) {
                let values = &values[first * QUAD..depth.min(first * QUAD + BLOCK)];
                let largest = values.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                let scale = largest / 127.0;
                let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
                let mut sum = 0.0;
                for (i, value) in values.iter().enumerate() {
                    let rounded = (value * inverse).round_ties_even() as i8;
                    quads[first + i / QUAD].0[lane][i % QUAD] = rounded;
                    sum += f32::from(rounded);
                }
                block.scales[lane] = scale;
                block.sums[lane] = sum * scale;
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

    /// Returns the whole matrix for a product.
    pub fn panels(&self) -> Int8Panels<'_> {
        Int8Panels { packed: self, first_panel: 0, width: self.width }
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
