//! Dot products of f32 vectors.
//!
//! Limit: one pass over the rows. A scan from memory is bound by the memory bus (about 10 GB/s here, so
//! 6.5 million 384-dimensional rows a second), not by arithmetic.

use crate::Level;

/// Computes `out[i] = rows[i] · query`, where `rows` holds `out.len()` vectors one after the other.
///
/// The result is within `n · ε · Σ|qᵢ·rᵢ|` of the exact one, `n` being the dimensions, and for one
/// level depends on the two vectors only, never on their neighbours.
///
/// # Panics
/// Where `rows` is not `out.len()` times as long as `query`.
pub fn dot_rows(level: Level, query: &[f32], rows: &[f32], out: &mut [f32]) {
    assert_eq!(rows.len(), query.len() * out.len(), "rows and query have different dimensions");
    match level {
        Level::Portable => portable_rows(query, rows, out),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2_rows(query, rows, out) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2(_) => portable_rows(query, rows, out),
    }
}

/// Computes one dot product; for a whole block use [`dot_rows`].
///
/// # Panics
/// Where the lengths differ.
pub fn dot(level: Level, a: &[f32], b: &[f32]) -> f32 {
    let mut out = [0.0];
    dot_rows(level, a, b, &mut out);
    out[0]
}

fn portable_rows(query: &[f32], rows: &[f32], out: &mut [f32]) {
    if query.is_empty() {
        out.fill(0.0);
        return;
    }
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        *out = portable_dot(query, row);
    }
}

fn portable_dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2_rows(query: &[f32], rows: &[f32], out: &mut [f32]) {
    if query.is_empty() {
        out.fill(0.0);
        return;
    }
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        *out = avx2_dot(query, row);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2_dot(a: &[f32], b: &[f32]) -> f32 {
    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    const LANES: usize = 8;
    // Four sums hide the four cycles of a fused multiply-add.
    let mut sums = [_mm256_setzero_ps(); 4];
    let (a_blocks, a_rest) = a.as_chunks::<{ 4 * LANES }>();
    let (b_blocks, b_rest) = b.as_chunks::<{ 4 * LANES }>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the block has 32 floats and i is below 4, so 8 floats from 8 i on are inside.
            let x = unsafe { _mm256_loadu_ps(x.as_ptr().wrapping_add(i * LANES)) };
            // SAFETY: as above.
            let y = unsafe { _mm256_loadu_ps(y.as_ptr().wrapping_add(i * LANES)) };
            *sum = _mm256_fmadd_ps(x, y, *sum);
        }
    }
    let sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    let mut lanes = [0.0f32; LANES];
    // SAFETY: `lanes` has room for 8 floats.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_close_to_the_sum_in_double_precision(
            values in proptest::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 0..100),
            offset in 0usize..4,
        ) {
            // An offset makes the slices unaligned.
            let pad = vec![(0.0, 0.0); offset];
            let both: Vec<(f32, f32)> = pad.into_iter().chain(values).collect();
            let a: Vec<f32> = both.iter().map(|p| p.0).collect();
            let b: Vec<f32> = both.iter().map(|p| p.1).collect();
            let (a, b) = (&a[offset..], &b[offset..]);
            let exact: f64 = a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            let magnitude: f64 = a.iter().zip(b).map(|(&x, &y)| f64::from(x * y).abs()).sum();
            let bound = a.len() as f64 * f64::from(f32::EPSILON) * magnitude + 1e-30;
            for level in Level::available() {
                prop_assert!((f64::from(dot(level, a, b)) - exact).abs() <= bound);
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_neighbours() {
        let query: Vec<f32> = (0..37).map(|i| (i as f32 * 0.37).sin()).collect();
        let rows: Vec<f32> = (0..37 * 5).map(|i| (i as f32 * 0.11).cos()).collect();
        for level in Level::available() {
            let mut together = [0.0; 5];
            dot_rows(level, &query, &rows, &mut together);
            for (row, expected) in rows.chunks(37).zip(together) {
                assert_eq!(dot(level, &query, row), expected);
            }
        }
    }

    #[test]
    fn not_a_number_and_infinity_come_through() {
        for level in Level::available() {
            assert!(dot(level, &[1.0; 40], &[f32::NAN; 40]).is_nan());
            assert_eq!(dot(level, &[1.0; 40], &[f32::INFINITY; 40]), f32::INFINITY);
        }
    }
}
