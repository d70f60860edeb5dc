//! Layer normalisation with the residual, and scaling to unit length.
#![allow(
    clippy::inline_always,
    reason = "the bodies have to be compiled for each level's instructions"
)]

use super::compiled_per_level;

compiled_per_level! {
    /// Replaces each row `x` of `values` with the layer normalisation of `x + r`, `r` being its row of
    /// `residual` (or nothing, where that is empty): `(x - mean) / √(variance + epsilon) · weight + bias`.
    ///
    /// One pass over memory; the two passes of mean and variance happen in the first-level cache. All levels
    /// give equal bits, within `4 ε` of a double-precision result relative to the largest normalised value.
    ///
    /// # Panics
    /// Where lengths do not fit.
    pub fn add_layer_norm(values: &mut [f32], residual: &[f32], weight: &[f32], bias: &[f32], epsilon: f32)
        = layer_norm;
}

compiled_per_level! {
    /// Divides each row by its Euclidean length, or by 10⁻¹² where it is shorter, as PyTorch's `normalize`.
    ///
    /// # Panics
    /// Where `values` is not a whole number of rows.
    pub fn l2_normalize(values: &mut [f32], columns: usize) = unit_rows;
}

#[inline(always)]
fn layer_norm(values: &mut [f32], residual: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let columns = weight.len();
    assert!(columns > 0 && columns == bias.len(), "weight and bias differ in length");
    assert!(values.len().is_multiple_of(columns), "not a whole number of rows");
    assert!(
        residual.is_empty() || residual.len() == values.len(),
        "the residual has another length"
    );
    for (index, row) in values.chunks_exact_mut(columns).enumerate() {
        if !residual.is_empty() {
            let residual = &residual[index * columns..][..columns];
            for (x, r) in row.iter_mut().zip(residual) {
                *x += r;
            }
        }
        let mean = sum(row, |x| x) / columns as f32;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / columns as f32;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *x = (*x - mean) * inverse * weight + bias;
        }
    }
}

#[inline(always)]
fn unit_rows(values: &mut [f32], columns: usize) {
    assert!(columns > 0 && values.len().is_multiple_of(columns), "not a whole number of rows");
    for row in values.chunks_exact_mut(columns) {
        let length = sum(row, |x| x * x).sqrt();
        let divisor = if length < 1e-12 { 1e-12 } else { length };
        for x in row {
            *x /= divisor;
        }
    }
}

/// Sums `term` of each value in eight interleaved partial sums.
#[inline(always)]
pub(super) fn sum(row: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let (blocks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] += term(block[lane]);
        }
    }
    let mut total: f32 = lanes.iter().sum();
    for &x in rest {
        total += term(x);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn layer_norm_is_close_to_double_precision(
            row in proptest::collection::vec((-9f32..9.0, -9f32..9.0, -2f32..2.0, -2f32..2.0), 1..70),
            with_residual: bool,
        ) {
            let x: Vec<f32> = row.iter().map(|r| r.0).collect();
            let residual: Vec<f32> = row.iter().filter(|_| with_residual).map(|r| r.1).collect();
            let weight: Vec<f32> = row.iter().map(|r| r.2).collect();
            let bias: Vec<f32> = row.iter().map(|r| r.3).collect();
            let total: Vec<f64> = x.iter().enumerate()
                .map(|(i, &x)| f64::from(x) + residual.get(i).map_or(0.0, |&r| f64::from(r)))
                .collect();
            let n = total.len() as f64;
            let mean = total.iter().sum::<f64>() / n;
            let variance = total.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            // A little more than models use, so that a row of nearly equal values does not blow up the error.
            let epsilon = 1e-3;
            let mut levels = Vec::new();
            for level in Level::available() {
                let mut values = x.clone();
                add_layer_norm(level, &mut values, &residual, &weight, &bias, epsilon);
                for i in 0..values.len() {
                    let normal = (total[i] - mean) / (variance + f64::from(epsilon)).sqrt();
                    let expected = normal * f64::from(weight[i]) + f64::from(bias[i]);
                    prop_assert!((f64::from(values[i]) - expected).abs() < 2e-4);
                }
                levels.push(values);
            }
            prop_assert!(levels.windows(2).all(|pair| pair[0] == pair[1]));
        }

        #[test]
        fn rows_get_unit_length_and_do_not_see_each_other(row in proptest::collection::vec(-9f32..9.0, 1..40)) {
            let length = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let other = vec![3.0; row.len()];
            for level in Level::available() {
                let mut both = [row.clone(), other.clone()].concat();
                l2_normalize(level, &mut both, row.len());
                let mut alone = row.clone();
                l2_normalize(level, &mut alone, row.len());
                prop_assert_eq!(&both[..row.len()], &alone[..]);
                for (got, x) in alone.iter().zip(&row) {
                    prop_assert!((f64::from(*got) - f64::from(*x) / length.max(1e-12)).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn a_zero_row_stays_zero() {
        for level in Level::available() {
            let mut values = [0.0; 5];
            l2_normalize(level, &mut values, 5);
            assert_eq!(values, [0.0; 5]);
        }
    }
}
