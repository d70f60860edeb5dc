//! The right-hand side of a product, laid out in the order in which the kernel reads it.
//!
//! Columns go in panels of 16, the width of the register tile; within a panel, the 16 values of one
//! step of the inner sum lie together. Packing reads and writes each value once.

use std::ops::Range;

use super::rows::Rows;
use super::weight::Weight;

/// Columns of a panel: two AVX2 registers of single precision.
pub const PANEL: usize = 16;
/// Rows that are packed panel by panel at a time: 16 of 1,536 values are 96 KiB of a second-level cache, and each panel gets
/// a kilobyte in one go.
const SET_ROWS: usize = 16;

/// The values of a panel at one step of the inner sum, where registers can be loaded from without crossing a line
/// of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C, align(32))]
pub(super) struct Step<W>(pub(super) [W; PANEL]);

/// A matrix of `depth` rows and `width` columns, packed; the last panel is filled up with zeros.
#[derive(Clone, Debug)]
pub struct Packed<W = f32> {
    steps: Vec<Step<W>>,
    depth: usize,
    width: usize,
}

/// Some columns and some steps of a packed matrix: the panels of a part of a product.
#[derive(Clone, Copy, Debug)]
pub struct Panels<'a, W = f32> {
    steps: &'a [Step<W>],
    /// From a step of one panel to the same step of the next.
    stride: usize,
    depth: usize,
    width: usize,
}

impl<W> Default for Packed<W> {
    fn default() -> Self {
        Self { steps: Vec::new(), depth: 0, width: 0 }
    }
}

impl<W: Weight> Packed<W> {
    /// Packs a matrix whose columns are given one by one: `column(i, out)` writes the `depth` values of column `i`.
    ///
    /// This is the order of weights in PyTorch (`[out, in]`).
    pub fn by_columns(
        depth: usize,
        width: usize,
        mut column: impl FnMut(usize, &mut [f32]),
    ) -> Self {
        let mut steps = Vec::with_capacity(width.div_ceil(PANEL) * depth);
        let mut columns = vec![0.0; PANEL * depth];
        for first in (0..width).step_by(PANEL) {
            let lanes = PANEL.min(width - first);
            for lane in 0..lanes {
                column(first + lane, &mut columns[lane * depth..][..depth]);
            }
            columns[lanes * depth..].fill(0.0);
            steps.extend((0..depth).map(|step| {
                Step(std::array::from_fn(|lane| W::narrow(columns[lane * depth + step])))
            }));
        }
        Self { steps, depth, width }
    }

    /// Packs the transpose of `rows`: each row becomes a column.
    pub fn transposed(rows: Rows<'_>) -> Self {
        let mut packed = Self::default();
        packed.set_transposed(rows);
        packed
    }

    /// Packs the transpose of `rows` into this matrix, whose memory is reused.
    pub fn set_transposed(&mut self, rows: Rows<'_>) {
        self.resize(rows.columns(), rows.count());
        for index in 0..rows.count() {
            self.set_column(index, rows.row(index));
        }
    }

    /// Packs `rows` as they are into this matrix, whose memory is reused.
    pub fn set(&mut self, rows: Rows<'_>) {
        self.resize(rows.count(), rows.columns());
        let count = rows.count();
        for first in (0..count).step_by(SET_ROWS) {
            let block = first..count.min(first + SET_ROWS);
            for (panel, start) in (0..rows.columns()).step_by(PANEL).enumerate() {
                let columns = start..rows.columns().min(start + PANEL);
                let steps = &mut self.steps[panel * count..][block.clone()];
                for (index, step) in block.clone().zip(steps) {
                    let values = &rows.row(index)[columns.clone()];
                    if let Ok(values) = <&[f32; PANEL]>::try_from(values) {
                        step.0 = values.map(W::narrow);
                        continue;
                    }
                    let both = step.0.iter_mut().zip(values);
                    both.for_each(|(to, &from)| *to = W::narrow(from));
                }
            }
        }
    }

    fn resize(&mut self, depth: usize, width: usize) {
        (self.depth, self.width) = (depth, width);
        // Everything but the last panel is overwritten; its filling has to be zero.
        let filled = (width / PANEL) * depth;
        self.steps.resize(width.div_ceil(PANEL) * depth, Step::default());
        self.steps[filled..].fill(Step::default());
    }

    fn set_column(&mut self, index: usize, values: &[f32]) {
        let (panel, lane) = (index / PANEL, index % PANEL);
        let steps = &mut self.steps[panel * self.depth..][..self.depth];
        for (step, &value) in steps.iter_mut().zip(values) {
            step.0[lane] = W::narrow(value);
        }
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
    pub fn panels(&self) -> Panels<'_, W> {
        Panels { steps: &self.steps, stride: self.depth, depth: self.depth, width: self.width }
    }
}

impl<'a, W: Weight> Panels<'a, W> {
    /// Returns the length of the inner sums.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns how many columns the product has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Keeps some columns; the first has to begin a panel of [`PANEL`] columns.
    ///
    /// # Panics
    /// Where there are no such columns.
    #[must_use]
    pub fn columns(self, columns: Range<usize>) -> Self {
        assert!(columns.start.is_multiple_of(PANEL), "columns from {} on", columns.start);
        assert!(columns.start <= columns.end && columns.end <= self.width, "columns outside");
        let steps = &self.steps[(columns.start / PANEL * self.stride).min(self.steps.len())..];
        Self { steps, width: columns.len(), ..self }
    }

    /// Keeps some steps of the inner sum.
    ///
    /// # Panics
    /// Where there are no such steps.
    #[must_use]
    pub fn steps(self, steps: Range<usize>) -> Self {
        assert!(steps.start <= steps.end && steps.end <= self.depth, "steps outside");
        Self { steps: &self.steps[steps.start.min(self.steps.len())..], depth: steps.len(), ..self }
    }

    /// Returns the steps of one panel.
    pub(super) fn panel(&self, index: usize) -> &'a [Step<W>] {
        &self.steps[index * self.stride..][..self.depth]
    }
}

#[cfg(test)]
impl Packed {
    pub(super) fn steps_for_tests(&self) -> (usize, usize, Vec<Step<f32>>) {
        (self.depth, self.width, self.steps.clone())
    }
}
