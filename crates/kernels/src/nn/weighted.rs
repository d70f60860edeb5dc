//! The weighted sum of rows: what attention makes of its values for one query.
#![allow(
    clippy::inline_always,
    reason = "the body has to be compiled for each level's instructions"
)]

use super::compiled_per_level;
use super::elementary::mul_add;

compiled_per_level! {
    /// Computes `out = Σᵢ weights[i] · rows[i]`, where `rows` holds `weights.len()` vectors one after the other.
    ///
    /// The sum goes through the rows in order, so that rows of weight zero at the end change nothing. The result is
    /// within `n · ε · Σ|wᵢ·rᵢ|` of the exact sum. Cost: one pass over the rows.
    ///
    /// # Panics
    /// Where `rows` is not `weights.len()` times as long as `out`.
    pub fn weighted_sum(weights: &[f32], rows: &[f32], out: &mut [f32]) = sum;
}

#[inline(always)]
fn sum<const FUSED: bool>(weights: &[f32], rows: &[f32], out: &mut [f32]) {
    assert_eq!(rows.len(), weights.len() * out.len(), "rows and result have different dimensions");
    out.fill(0.0);
    if out.is_empty() {
        return;
    }
    for (weight, row) in weights.iter().zip(rows.chunks_exact(out.len())) {
        for (out, x) in out.iter_mut().zip(row) {
            *out = mul_add::<FUSED>(*weight, *x, *out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_close_to_double_precision(
            (count, columns) in (0usize..9, 1usize..40), seed in any::<u32>(),
        ) {
            let value = |i: usize| ((i as f32 + seed as f32 * 1e-6) * 0.731).sin();
            let weights: Vec<f32> = (0..count).map(|i| value(i + 7)).collect();
            let rows: Vec<f32> = (0..count * columns).map(value).collect();
            for level in Level::available() {
                let mut out = vec![f32::NAN; columns];
                weighted_sum(level, &weights, &rows, &mut out);
                for (column, &got) in out.iter().enumerate() {
                    let terms = weights.iter().enumerate();
                    let exact: f64 = terms
                        .map(|(i, &w)| f64::from(w) * f64::from(rows[i * columns + column]))
                        .sum();
                    prop_assert!((f64::from(got) - exact).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn not_a_number_comes_through() {
        for level in Level::available() {
            let mut out = [0.0; 2];
            weighted_sum(level, &[1.0, 1.0], &[1.0, f32::NAN, 2.0, 3.0], &mut out);
            assert!(out[0] == 3.0 && out[1].is_nan());
        }
    }
}
