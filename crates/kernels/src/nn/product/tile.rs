//! The register tile in single precision: a few rows times one panel.

use super::strip::{Sums, TILE};
use crate::Level;
use crate::nn::pack::{PANEL, Step};
use crate::nn::rows::Rows;
use crate::nn::weight::Weight;

/// Steps by which weights are fetched before they are used: 8 KiB, the best for a query of 12 tokens (measured from 24 to
/// 384 steps, without which it takes 1.4 times as long).
const AHEAD: usize = 128;

/// What all tiles of a panel share.
pub(super) struct Tile<'a, W> {
    pub(super) level: Level,
    pub(super) a: Rows<'a>,
    /// Some steps of the panel, the first of which is number `first_step`.
    pub(super) steps: &'a [Step<W>],
    pub(super) first_step: usize,
    /// What each row's sums begin with.
    pub(super) start: [f32; PANEL],
    /// Whether what the result holds is added.
    pub(super) add: bool,
}

impl<W: Weight> Sums for Tile<'_, W> {
    #[inline]
    fn run<const ROWS: usize>(&self, row: usize, out: [&mut [f32; PANEL]; ROWS]) {
        let steps = self.first_step..self.first_step + self.steps.len();
        let rows = std::array::from_fn(|i| &self.a.row(row + i)[steps.clone()]);
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2, FMA and F16C.
            Level::Avx2(_) => unsafe { avx2(self, rows, out) },
            _ => portable(self, rows, out),
        }
    }
}

fn portable<W: Weight, const ROWS: usize>(
    tile: &Tile<'_, W>,
    rows: [&[f32]; ROWS],
    out: [&mut [f32; PANEL]; ROWS],
) {
    for (row, out) in rows.iter().zip(out) {
        let mut sums = tile.start;
        if tile.add {
            sums.iter_mut().zip(out.iter()).for_each(|(sum, out)| *sum += out);
        }
        for (&a, step) in row.iter().zip(tile.steps) {
            sums.iter_mut().zip(step.0).for_each(|(sum, b)| *sum += a * b.widen());
        }
        *out = sums;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn avx2<W: Weight, const ROWS: usize>(
    tile: &Tile<'_, W>,
    rows: [&[f32]; ROWS],
    out: [&mut [f32; PANEL]; ROWS],
) {
    use std::arch::x86_64::{
        __m256, _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_set1_ps,
    };
    use std::mem::transmute;
    const { assert!(ROWS <= TILE) };
    let steps = tile.steps;
    assert!(rows.iter().all(|row| row.len() == steps.len()), "a row has another length");
    // SAFETY: the features are enabled here.
    let start = unsafe { f32::registers(tile.start) };
    let mut sums = [start; ROWS];
    if tile.add {
        for (sums, out) in sums.iter_mut().zip(&out) {
            // SAFETY: as above.
            let held = unsafe { f32::registers(**out) };
            *sums = [_mm256_add_ps(held[0], start[0]), _mm256_add_ps(held[1], start[1])];
        }
    }
    for (index, step) in steps.iter().enumerate() {
        // The weights of a few rows come from far away, and the hardware does not look beyond a page.
        let ahead = std::ptr::from_ref(step).wrapping_add(AHEAD).cast::<i8>();
        _mm_prefetch::<_MM_HINT_T0>(ahead);
        // SAFETY: as above.
        let [left, right] = unsafe { W::registers(step.0) };
        for (sums, row) in sums.iter_mut().zip(rows) {
            // The lengths were compared above, so this check costs nothing.
            let a = _mm256_set1_ps(row[index]);
            sums[0] = _mm256_fmadd_ps(a, left, sums[0]);
            sums[1] = _mm256_fmadd_ps(a, right, sums[1]);
        }
    }
    for (sums, out) in sums.iter().zip(out) {
        // SAFETY: two registers are 16 floats.
        *out = unsafe { transmute::<[__m256; 2], [f32; PANEL]>(*sums) };
    }
}
