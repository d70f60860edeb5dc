//! Matrix products against a packed right-hand side.
//!
//! A register tile of 6 rows by 16 columns: twelve sums in registers, so that each of the two loads and
//! six broadcasts of a step feeds two fused multiply-adds. The inner sum is cut into blocks whose panel
//! (24 KiB) stays in the first-level cache, and the rows into blocks that stay in the second.
//!
//! Every value is the sum over the depth in ascending order, one fused multiply-add a step, begun with
//! the bias: cutting into blocks and tiles does not change that order, hence not one bit of the result.
//! Cost: `rows · depth · width` multiply-adds; on AVX2 about 90% of the peak from 6 rows on.

use super::activation::{Activation, activate};
use super::pack::{PANEL, Packed};
use super::rows::{Rows, RowsMut};
use crate::Level;

/// Rows of a tile: with 16 columns, the most whose sums and operands fit in 16 registers.
const TILE: usize = 6;
/// Steps of a block: 384 steps of 16 columns are 24 KiB, three quarters of a first-level cache.
const DEPTH_BLOCK: usize = 384;
/// Rows of a block: 192 rows of 384 steps are 288 KiB of a second-level cache of 512 KiB.
const ROW_BLOCK: usize = 192;

/// The sums of a tile, of which the first rows are in use.
type Sums = [[f32; PANEL]; TILE];

/// Computes `out = activation(a · b + bias)`, with a bias of zero where there is none.
///
/// Each value is within `(depth + 1) · ε · Σ|aᵢ·bᵢ|` of the exact sum before the activation, and for one
/// level depends on its row of `a` and its column of `b` only.
///
/// # Panics
/// Where the shapes do not fit.
pub fn multiply(
    level: Level,
    a: Rows<'_>,
    b: &Packed,
    bias: Option<&[f32]>,
    activation: Activation,
    mut out: RowsMut<'_>,
) {
    assert_eq!(a.columns(), b.depth(), "inner lengths differ");
    assert_eq!(
        (a.count(), b.width()),
        (out.count(), out.columns()),
        "the result has another shape"
    );
    assert!(bias.is_none_or(|bias| bias.len() == b.width()), "the bias has another length");
    let mut block = Block { level, a, b, bias, activation, steps: 0..0, rows: 0..0 };
    for first_step in (0..b.depth()).step_by(DEPTH_BLOCK) {
        block.steps = first_step..b.depth().min(first_step + DEPTH_BLOCK);
        for first_row in (0..a.count()).step_by(ROW_BLOCK) {
            block.rows = first_row..a.count().min(first_row + ROW_BLOCK);
            for panel in 0..b.panels() {
                block.run(panel, &mut out);
            }
        }
    }
}

/// Some rows and some steps of a product.
struct Block<'a> {
    level: Level,
    a: Rows<'a>,
    b: &'a Packed,
    bias: Option<&'a [f32]>,
    activation: Activation,
    steps: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
}

impl Block<'_> {
    fn run(&self, panel: usize, out: &mut RowsMut<'_>) {
        let columns = panel * PANEL..self.b.width().min((panel + 1) * PANEL);
        let lanes = columns.len();
        let steps = &self.b.panel(panel)[self.steps.clone()];
        let (is_first, is_last) = (self.steps.start == 0, self.steps.end == self.b.depth());
        let mut start = [0.0; PANEL];
        if let Some(bias) = self.bias {
            start[..lanes].copy_from_slice(&bias[columns.clone()]);
        }
        let mut sums: Sums = [start; TILE];
        for first in self.rows.clone().step_by(TILE) {
            let rows = TILE.min(self.rows.end - first);
            for (row, sums) in sums.iter_mut().enumerate().take(rows) {
                if is_first {
                    *sums = start;
                } else {
                    sums[..lanes].copy_from_slice(&out.row_mut(first + row)[columns.clone()]);
                }
            }
            self.add_steps(first, rows, steps, &mut sums);
            if is_last {
                activate(self.level, self.activation, sums[..rows].as_flattened_mut());
            }
            for (row, sums) in sums.iter().enumerate().take(rows) {
                out.row_mut(first + row)[columns.clone()].copy_from_slice(&sums[..lanes]);
            }
        }
    }

    fn add_steps(&self, first: usize, rows: usize, steps: &[[f32; PANEL]], sums: &mut Sums) {
        match rows {
            1 => self.add_tile::<1>(first, steps, sums),
            2 => self.add_tile::<2>(first, steps, sums),
            3 => self.add_tile::<3>(first, steps, sums),
            4 => self.add_tile::<4>(first, steps, sums),
            5 => self.add_tile::<5>(first, steps, sums),
            _ => self.add_tile::<TILE>(first, steps, sums),
        }
    }

    #[inline]
    fn add_tile<const ROWS: usize>(&self, first: usize, steps: &[[f32; PANEL]], sums: &mut Sums) {
        let rows = std::array::from_fn(|row| &self.a.row(first + row)[self.steps.clone()]);
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
            Level::Avx2(_) => unsafe { avx2_tile::<ROWS>(rows, steps, sums) },
            _ => portable_tile::<ROWS>(rows, steps, sums),
        }
    }
}

fn portable_tile<const ROWS: usize>(rows: [&[f32]; ROWS], steps: &[[f32; PANEL]], sums: &mut Sums) {
    for (row, sums) in rows.iter().zip(sums) {
        for (&a, step) in row.iter().zip(steps) {
            for lane in 0..PANEL {
                sums[lane] += a * step[lane];
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2_tile<const ROWS: usize>(rows: [&[f32]; ROWS], steps: &[[f32; PANEL]], sums: &mut Sums) {
    use std::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_set1_ps, _mm256_setzero_ps};
    use std::mem::transmute;
    const { assert!(ROWS <= TILE) };
    assert!(rows.iter().all(|row| row.len() == steps.len()), "a row has another length");
    let mut acc = [[_mm256_setzero_ps(); 2]; ROWS];
    for (acc, sums) in acc.iter_mut().zip(sums.iter()) {
        // SAFETY: two registers are 16 floats, and all bits are values of either. (The load intrinsics go
        // through memory in builds with debug assertions: three times slower.)
        *acc = unsafe { transmute::<[f32; PANEL], [__m256; 2]>(*sums) };
    }
    for (index, step) in steps.iter().enumerate() {
        // SAFETY: as above.
        let [left, right] = unsafe { transmute::<[f32; PANEL], [__m256; 2]>(*step) };
        for (acc, row) in acc.iter_mut().zip(rows) {
            // The lengths were compared above, so this check costs nothing.
            let a = _mm256_set1_ps(row[index]);
            acc[0] = _mm256_fmadd_ps(a, left, acc[0]);
            acc[1] = _mm256_fmadd_ps(a, right, acc[1]);
        }
    }
    for (acc, sums) in acc.iter().zip(sums.iter_mut()) {
        // SAFETY: as above.
        *sums = unsafe { transmute::<[__m256; 2], [f32; PANEL]>(*acc) };
    }
}

#[cfg(test)]
mod tests;
