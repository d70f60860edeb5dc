//! The right-hand side of a product, laid out in the order in which the kernel reads it.
//!
//! Columns go in panels of 16, the width of the register tile; within a panel, the 16 values of one
//! step of the inner sum lie together. Packing reads and writes each value once.

use super::rows::Rows;

/// Columns of a panel: two AVX2 registers.
pub(super) const PANEL: usize = 16;

/// A matrix of `depth` rows and `width` columns, packed; the last panel is filled up with zeros.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    steps: Vec<[f32; PANEL]>,
    depth: usize,
    width: usize,
}

impl Packed {
    /// Packs the transpose of `rows`: each row becomes a column. This is the layout of weights in
    /// PyTorch (`[out, in]`) and of the keys of an attention head.
    pub fn transposed(rows: Rows<'_>) -> Self {
        let mut packed = Self::default();
        packed.set_transposed(rows);
        packed
    }

    /// Packs the transpose of `rows` into this matrix, whose memory is reused.
    pub fn set_transposed(&mut self, rows: Rows<'_>) {
        self.resize(rows.columns(), rows.count());
        for (panel, steps) in self.steps.chunks_exact_mut(rows.columns()).enumerate() {
            let first = panel * PANEL;
            for lane in 0..PANEL.min(rows.count() - first) {
                for (step, &value) in steps.iter_mut().zip(rows.row(first + lane)) {
                    step[lane] = value;
                }
            }
        }
    }

    /// Packs `rows` as they are into this matrix, whose memory is reused.
    pub fn set(&mut self, rows: Rows<'_>) {
        self.resize(rows.count(), rows.columns());
        if rows.count() == 0 {
            return;
        }
        for (panel, steps) in self.steps.chunks_exact_mut(rows.count()).enumerate() {
            let first = panel * PANEL;
            let lanes = PANEL.min(rows.columns() - first);
            for (index, step) in steps.iter_mut().enumerate() {
                step[..lanes].copy_from_slice(&rows.row(index)[first..first + lanes]);
            }
        }
    }

    fn resize(&mut self, depth: usize, width: usize) {
        (self.depth, self.width) = (depth, width);
        // Everything but the last panel is overwritten; its filling has to be zero.
        let filled = (width / PANEL) * depth;
        self.steps.resize(width.div_ceil(PANEL) * depth, [0.0; PANEL]);
        self.steps[filled..].fill([0.0; PANEL]);
    }

    /// Returns the length of the inner sums.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Returns how many columns the product has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns how many panels there are.
    pub(super) fn panels(&self) -> usize {
        self.width.div_ceil(PANEL)
    }

    /// Returns the steps of one panel.
    pub(super) fn panel(&self, index: usize) -> &[[f32; PANEL]] {
        &self.steps[index * self.depth..][..self.depth]
    }
}

#[cfg(test)]
impl Packed {
    pub(super) fn steps_for_tests(&self) -> (usize, usize, Vec<[f32; PANEL]>) {
        (self.depth, self.width, self.steps.clone())
    }
}
