//! What all products share: the rows of one panel of columns, a tile at a time.

use std::ops::Range;

use crate::Level;
use crate::nn::activation::{Activation, activate};
use crate::nn::pack::PANEL;
use crate::nn::rows::RowsMut;

/// Rows of a tile: with 16 columns, the most whose sums and operands fit in 16 registers.
pub(in crate::nn) const TILE: usize = 6;
/// Rows of a block: 96 rows of 384 values are 144 KiB of a second-level cache.
pub(in crate::nn) const ROW_BLOCK: usize = 96;

/// Computes the sums of a tile.
pub(in crate::nn) trait Sums {
    /// Computes those of `ROWS` rows from `row` on; where they are to be added, `out` holds what to add them to.
    fn run<const ROWS: usize>(&self, row: usize, out: [&mut [f32; PANEL]; ROWS]);
}

/// The columns of one panel.
pub(in crate::nn) struct Strip {
    pub(in crate::nn) level: Level,
    pub(in crate::nn) column: usize,
    /// How many of the panel's columns there are.
    pub(in crate::nn) lanes: usize,
    pub(in crate::nn) activation: Activation,
    /// Whether the sums are added to what the result holds.
    pub(in crate::nn) add: bool,
}

impl Strip {
    /// Computes some rows.
    pub(in crate::nn) fn run<S: Sums>(&self, sums: &S, rows: Range<usize>, out: &mut RowsMut<'_>) {
        let mut row = rows.start;
        while row + TILE <= rows.end {
            self.tile::<TILE, S>(sums, row, out);
            row += TILE;
        }
        match rows.end - row {
            1 => self.tile::<1, S>(sums, row, out),
            2 => self.tile::<2, S>(sums, row, out),
            3 => self.tile::<3, S>(sums, row, out),
            4 => self.tile::<4, S>(sums, row, out),
            5 => self.tile::<5, S>(sums, row, out),
            _ => {}
        }
    }

    fn tile<const ROWS: usize, S: Sums>(&self, sums: &S, row: usize, out: &mut RowsMut<'_>) {
        if self.lanes == PANEL && self.activation == Activation::None {
            return sums.run::<ROWS>(row, out.tile_mut(row, self.column));
        }
        let columns = self.column..self.column + self.lanes;
        let mut values = [[0.0; PANEL]; ROWS];
        if self.add {
            for (i, values) in values.iter_mut().enumerate() {
                values[..self.lanes].copy_from_slice(&out.row_mut(row + i)[columns.clone()]);
            }
        }
        sums.run::<ROWS>(row, values.each_mut());
        activate(self.level, self.activation, values.as_flattened_mut());
        if self.lanes == PANEL {
            for (to, values) in out.tile_mut::<ROWS>(row, self.column).into_iter().zip(values) {
                *to = values;
            }
            return;
        }
        for (i, values) in values.iter().enumerate() {
            out.row_mut(row + i)[columns.clone()].copy_from_slice(&values[..self.lanes]);
        }
    }
}
