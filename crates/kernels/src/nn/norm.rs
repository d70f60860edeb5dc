//! Layer and root-mean-square normalisation, and scaling to unit length.
#![allow(
    clippy::inline_always,
    reason = "the bodies have to be compiled for each level's instructions"
)]

use super::compiled_per_level;

compiled_per_level! {
    /// Replaces each row `x` of `values` with its layer normalisation (Ba et al. 2016),
    /// `(x - mean) / √(variance + epsilon) · weight + bias`, without a bias where `bias` is empty.
    ///
    /// One pass over memory; the passes of mean and variance happen in the first-level cache. All levels give
    /// equal bits, within `4 ε` of a double-precision result relative to the largest normalised value.
    ///
    /// # Panics
    /// Where lengths do not fit.
    pub fn layer_norm(values: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) = layer_norm_rows;
}

compiled_per_level! {
    /// Replaces each row `x` of `values` with `x / √(mean of squares + epsilon) · weight` (Zhang and Sennrich
    /// 2019). All levels give equal bits.
    ///
    /// # Panics
    /// Where `values` is not a whole number of rows.
    pub fn rms_norm(values: &mut [f32], weight: &[f32], epsilon: f32) = rms_norm_rows;
}

compiled_per_level! {
    /// Divides each row by its Euclidean length, or by 10⁻¹² where it is shorter, as PyTorch's `normalize`.
    ///
    /// # Panics
    /// Where `values` is not a whole number of rows.
    pub fn l2_normalize(values: &mut [f32], columns: usize) = unit_rows;
}

#[inline(always)]
fn layer_norm_rows(values: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    let columns = weight.len();
    assert!(bias.is_empty() || columns == bias.len(), "weight and bias differ in length");
    assert!(columns > 0 && values.len().is_multiple_of(columns), "not a whole number of rows");
    for row in values.chunks_exact_mut(columns) {
        let mean = sum(row, |x| x) / columns as f32;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / columns as f32;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        if bias.is_empty() {
            for (x, weight) in row.iter_mut().zip(weight) {
                *x = (*x - mean) * inverse * weight;
            }
        }
        for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *x = (*x - mean) * inverse * weight + bias;
        }
    }
}

#[inline(always)]
fn rms_norm_rows(values: &mut [f32], weight: &[f32], epsilon: f32) {
    let columns = weight.len();
    assert!(columns > 0 && values.len().is_multiple_of(columns), "not a whole number of rows");
    for row in values.chunks_exact_mut(columns) {
        let inverse = 1.0 / (sum(row, |x| x * x) / columns as f32 + epsilon).sqrt();
        for (x, weight) in row.iter_mut().zip(weight) {
            *x = *x * inverse * weight;
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
        fn norms_are_close_to_double_precision(
            row in proptest::collection::vec((-9f32..9.0, -2f32..2.0, -2f32..2.0), 1..70),
            with_bias: bool,
        ) {
            let x: Vec<f32> = row.iter().map(|r| r.0).collect();
            let weight: Vec<f32> = row.iter().map(|r| r.1).collect();
            let bias: Vec<f32> = row.iter().filter(|_| with_bias).map(|r| r.2).collect();
            let n = x.len() as f64;
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
            let square = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n;
            // A little more than models use, so that a row of nearly equal values does not blow up the error.
            let epsilon = 1e-3;
            let mut levels = Vec::new();
            for level in Level::available() {
                let (mut layer, mut root) = (x.clone(), x.clone());
                layer_norm(level, &mut layer, &weight, &bias, epsilon);
                rms_norm(level, &mut root, &weight, epsilon);
                for i in 0..x.len() {
                    let normal = (f64::from(x[i]) - mean) / (variance + f64::from(epsilon)).sqrt();
                    let shift = bias.get(i).map_or(0.0, |&b| f64::from(b));
                    let expected = normal * f64::from(weight[i]) + shift;
                    prop_assert!((f64::from(layer[i]) - expected).abs() < 2e-4);
                    let normal = f64::from(x[i]) / (square + f64::from(epsilon)).sqrt();
                    prop_assert!((f64::from(root[i]) - normal * f64::from(weight[i])).abs() < 2e-4);
                }
                levels.push((layer, root));
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
