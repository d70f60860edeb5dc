//! The register tile in 8-bit integers: a few rows times one panel.

use super::pack::{Panel, Quads};
use super::quantize::{Int8Rows, Row};
use super::{BLOCK, QUAD};
use crate::Level;
use crate::nn::pack::PANEL;
use crate::nn::product::strip::Sums;

/// Steps of a block.
const STEPS: usize = BLOCK / QUAD;

/// What all tiles of a panel share.
pub(super) struct Tile<'a> {
    pub(super) a: &'a Int8Rows,
    pub(super) panel: Panel<'a>,
    pub(super) bias: [f32; PANEL],
    /// Whether what the result holds is added.
    pub(super) add: bool,
}

impl Sums for Tile<'_> {
    #[inline]
    fn run<const ROWS: usize>(&self, row: usize, out: [&mut [f32; PANEL]; ROWS]) {
        let rows: [Row<'_>; ROWS] = std::array::from_fn(|i| self.a.row(row + i));
        match self.a.level() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the CPU was found to have what VNNI needs.
            Level::Avx2(detected) if detected.vnni() => unsafe { x86::vnni(self, rows, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
            Level::Avx2(_) => unsafe { x86::avx2(self, rows, out) },
            _ => rows.into_iter().zip(out).for_each(|(row, out)| portable(self, row, out)),
        }
    }
}

fn portable(tile: &Tile<'_>, row: Row<'_>, out: &mut [f32; PANEL]) {
    let panel = tile.panel;
    let mut sums = tile.bias;
    if tile.add {
        sums.iter_mut().zip(out.iter()).for_each(|(sum, out)| *sum += out);
    }
    let steps = panel.quads.chunks(STEPS).zip(row.quads.chunks(STEPS));
    for ((steps, quads), (columns, range)) in steps.zip(panel.blocks.iter().zip(row.ranges)) {
        let mut integers = [0i32; PANEL];
        for (a, step) in quads.iter().zip(steps) {
            for (integer, b) in integers.iter_mut().zip(&step.0) {
                *integer +=
                    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum::<i32>();
            }
        }
        for lane in 0..PANEL {
            let products = integers[lane] as f32 * (columns.scales[lane] * range.step);
            sums[lane] += products + columns.sums[lane] * range.least;
        }
    }
    *out = sums;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m256i, _mm256_add_epi32, _mm256_add_ps, _mm256_cvtepi32_ps, _mm256_dpbusd_epi32,
        _mm256_fmadd_ps, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi16,
        _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_si256,
    };
    use std::mem::transmute;

    use super::{PANEL, Quads, Row, STEPS, Tile};

    /// Multiplies by `$multiply(sums, a, b)`, which adds four products to each sum.
    macro_rules! tile {
        ($name:ident, $features:literal, $multiply:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name<const ROWS: usize>(
                tile: &Tile<'_>,
                rows: [Row<'_>; ROWS],
                out: [&mut [f32; PANEL]; ROWS],
            ) {
                let panel = tile.panel;
                let bias = floats(&tile.bias);
                let mut sums = [bias; ROWS];
                if tile.add {
                    for (sums, out) in sums.iter_mut().zip(&out) {
                        let held = floats(out);
                        *sums = [_mm256_add_ps(bias[0], held[0]), _mm256_add_ps(bias[1], held[1])];
                    }
                }
                for (block, (steps, columns)) in
                    panel.quads.chunks(STEPS).zip(panel.blocks).enumerate()
                {
                    let quads = rows.map(|row| &row.quads[block * STEPS..][..steps.len()]);
                    // Said once more, so that the loop below has no checks.
                    assert!(quads.iter().all(|row| row.len() == steps.len()), "rows differ");
                    let mut integers = [[_mm256_setzero_si256(); 2]; ROWS];
                    for (index, step) in steps.iter().enumerate() {
                        // SAFETY: two registers are 64 bytes, and all bits are values of either.
                        let [left, right] = unsafe { transmute::<Quads, [__m256i; 2]>(*step) };
                        for (integers, quads) in integers.iter_mut().zip(quads) {
                            let a = _mm256_set1_epi32(i32::from_le_bytes(quads[index]));
                            integers[0] = $multiply(integers[0], a, left);
                            integers[1] = $multiply(integers[1], a, right);
                        }
                    }
                    let (scales, totals) = (floats(&columns.scales), floats(&columns.sums));
                    for ((sums, integers), row) in sums.iter_mut().zip(integers).zip(rows) {
                        let range = row.ranges[block];
                        let (step, least) =
                            (_mm256_set1_ps(range.step), _mm256_set1_ps(range.least));
                        for half in 0..2 {
                            let products = _mm256_cvtepi32_ps(integers[half]);
                            let scale = _mm256_mul_ps(scales[half], step);
                            let sum = _mm256_fmadd_ps(products, scale, sums[half]);
                            sums[half] = _mm256_fmadd_ps(totals[half], least, sum);
                        }
                    }
                }
                for (sums, out) in sums.into_iter().zip(out) {
                    // SAFETY: two registers are 16 floats.
                    *out = unsafe { transmute::<[__m256; 2], [f32; PANEL]>(sums) };
                }
            }
        };
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn floats(values: &[f32; PANEL]) -> [__m256; 2] {
        // SAFETY: two registers are 16 floats.
        unsafe { transmute::<[f32; PANEL], [__m256; 2]>(*values) }
    }

    tile!(avx2, "avx2,fma", |sums, a, b| {
        let pairs = _mm256_maddubs_epi16(a, b);
        _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    });
    tile!(vnni, "avx2,fma,avx512f,avx512vl,avx512vnni", |sums, a, b| {
        _mm256_dpbusd_epi32(sums, a, b)
    });
}
