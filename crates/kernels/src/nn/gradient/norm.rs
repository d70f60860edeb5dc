//! Layer and root-mean-square normalisation, backwards.
//!
//! With n = (x - mean) / deviation and g = gradient · weight, an input's gradient is
//! (g - mean of g - n · mean of g·n) / deviation; without the mean of g where the norm is not around the mean.
#![allow(
    clippy::inline_always,
    reason = "the bodies have to be compiled for each level's instructions"
)]

use super::sum_of_pairs;
use crate::nn::compiled_per_level;
use crate::nn::elementary::mul_add;
use crate::nn::norm::sum;

/// Where the gradients of a norm's parameters are added up.
#[derive(Debug)]
pub struct NormSums<'a> {
    /// Of the weight.
    pub weight: &'a mut [f32],
    /// Of the bias; empty where the norm has none.
    pub bias: &'a mut [f32],
}

compiled_per_level! {
    /// Replaces the gradient of each result row of [`layer_norm`](crate::nn::layer_norm) with that of its input row, and
    /// adds those of weight and bias to `sums`, row after row.
    ///
    /// Cost: two passes over inputs and gradient in the first-level cache.
    ///
    /// # Panics
    /// Where lengths do not fit.
    pub fn layer_norm_gradient(
        inputs: &[f32],
        gradient: &mut [f32],
        weight: &[f32],
        epsilon: f32,
        sums: NormSums<'_>,
    ) = rows;
}

compiled_per_level! {
    /// Does for [`rms_norm`](crate::nn::rms_norm) what [`layer_norm_gradient`] does; a bias there is none.
    ///
    /// # Panics
    /// Where lengths do not fit.
    pub fn rms_norm_gradient(
        inputs: &[f32],
        gradient: &mut [f32],
        weight: &[f32],
        epsilon: f32,
        weight_sums: &mut [f32],
    ) = rms_rows;
}

#[inline(always)]
fn rows<const FUSED: bool>(
    inputs: &[f32],
    gradient: &mut [f32],
    weight: &[f32],
    epsilon: f32,
    sums: NormSums<'_>,
) {
    let columns = weight.len();
    check(inputs, gradient, columns);
    let NormSums { weight: weight_sums, bias: bias_sums } = sums;
    assert_eq!(weight_sums.len(), columns, "sums and weight differ in length");
    assert!(bias_sums.is_empty() || bias_sums.len() == columns, "the bias has another length");
    for (x, d) in inputs.chunks_exact(columns).zip(gradient.chunks_exact_mut(columns)) {
        let mean = sum(x, |total, x| total + x) / columns as f32;
        let square = sum(x, |total, x| mul_add::<FUSED>(x - mean, x - mean, total));
        let inverse = 1.0 / (square / columns as f32 + epsilon).sqrt();
        bias_sums.iter_mut().zip(&*d).for_each(|(sum, d)| *sum += d);
        row::<FUSED>((mean, inverse), x, d, (weight, &mut *weight_sums));
        let shift = sum(d, |total, d| total + d) / columns as f32;
        finish::<FUSED>((mean, inverse), x, d, shift);
    }
}

#[inline(always)]
fn rms_rows<const FUSED: bool>(
    inputs: &[f32],
    gradient: &mut [f32],
    weight: &[f32],
    epsilon: f32,
    weight_sums: &mut [f32],
) {
    let columns = weight.len();
    check(inputs, gradient, columns);
    assert_eq!(weight_sums.len(), columns, "sums and weight differ in length");
    for (x, d) in inputs.chunks_exact(columns).zip(gradient.chunks_exact_mut(columns)) {
        let square = sum(x, |total, x| mul_add::<FUSED>(x, x, total));
        let inverse = 1.0 / (square / columns as f32 + epsilon).sqrt();
        row::<FUSED>((0.0, inverse), x, d, (weight, &mut *weight_sums));
        finish::<FUSED>((0.0, inverse), x, d, 0.0);
    }
}

/// Adds to the gradient of the weight and multiplies that of the result by it.
#[inline(always)]
fn row<const FUSED: bool>(
    (mean, inverse): (f32, f32),
    x: &[f32],
    d: &mut [f32],
    (weight, sums): (&[f32], &mut [f32]),
) {
    for (((x, d), weight), sum) in x.iter().zip(d).zip(weight).zip(sums) {
        *sum = mul_add::<FUSED>(*d, (x - mean) * inverse, *sum);
        *d *= weight;
    }
}

/// Makes the gradient of the input of that of the normalised values, whose mean is `shift`.
#[inline(always)]
fn finish<const FUSED: bool>((mean, inverse): (f32, f32), x: &[f32], d: &mut [f32], shift: f32) {
    let product = sum_of_pairs(x, d, |total, x, d| mul_add::<FUSED>(x - mean, d, total));
    let slope = product * inverse * inverse / x.len() as f32;
    for (x, d) in x.iter().zip(d) {
        *d = inverse * mul_add::<FUSED>(mean - x, slope, *d - shift);
    }
}

fn check(inputs: &[f32], gradient: &[f32], columns: usize) {
    assert_eq!(inputs.len(), gradient.len(), "one input a value");
    assert!(columns > 0 && inputs.len().is_multiple_of(columns), "not a whole number of rows");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use proptest::prelude::*;

    const EPSILON: f32 = 1e-2;

    /// The norm of a row in double precision; around the mean where there is a bias.
    fn norm(x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = if bias.is_some() { x.iter().sum::<f64>() / n } else { 0.0 };
        let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (square + f64::from(EPSILON)).sqrt();
        let shift = |i: usize| bias.map_or(0.0, |bias| bias[i]);
        (0..x.len()).map(|i| (x[i] - mean) * scale * weight[i] + shift(i)).collect()
    }

    /// The central difference of the norm's weighted sum by each value of a vector.
    fn differences(values: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let step = 1e-5;
        let at = |i: usize, by: f64| {
            let mut moved = values.to_vec();
            moved[i] += by;
            loss(&moved)
        };
        (0..values.len()).map(|i| (at(i, step) - at(i, -step)) / (2.0 * step)).collect()
    }

    fn assert_close(got: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
        prop_assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            let bound = 2e-5 * (1.0 + expected.abs());
            prop_assert!((f64::from(*got) - expected).abs() < bound, "{got}, not {expected}");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn gradients_equal_central_differences(
            row in proptest::collection::vec((-2f32..2.0, -2f32..2.0, -1f32..1.0, -1f32..1.0), 1..40),
            with_bias: bool,
        ) {
            let wide = |part: fn(&(f32, f32, f32, f32)) -> f32| -> (Vec<f32>, Vec<f64>) {
                let narrow: Vec<f32> = row.iter().map(part).collect();
                let wide = narrow.iter().map(|&x| f64::from(x)).collect();
                (narrow, wide)
            };
            let (x, x64) = wide(|r| r.0);
            let (weight, weight64) = wide(|r| r.1);
            let (_, bias64) = wide(|r| r.2);
            let (d, d64) = wide(|r| r.3);
            let loss = |out: Vec<f64>| out.iter().zip(&d64).map(|(o, d)| o * d).sum::<f64>();
            let bias = with_bias.then_some(&bias64[..]);
            let of_input = differences(&x64, |x| loss(norm(x, &weight64, bias)));
            let of_weight = differences(&weight64, |w| loss(norm(&x64, w, bias)));
            for level in Level::available() {
                let (mut gradient, mut sums) = (d.clone(), vec![0.0; x.len()]);
                if with_bias {
                    let mut bias_sums = vec![1.0; x.len()];
                    let both = NormSums { weight: &mut sums, bias: &mut bias_sums };
                    layer_norm_gradient(level, &x, &mut gradient, &weight, EPSILON, both);
                    let of_bias: Vec<f64> = d64.iter().map(|d| 1.0 + d).collect();
                    assert_close(&bias_sums, &of_bias)?;
                } else {
                    rms_norm_gradient(level, &x, &mut gradient, &weight, EPSILON, &mut sums);
                }
                assert_close(&gradient, &of_input)?;
                assert_close(&sums, &of_weight)?;
            }
        }
    }

    #[test]
    fn rows_are_added_to_what_is_there_and_no_row_changes_nothing() {
        for level in Level::available() {
            let (x, weight) = ([1.0, 2.0, 4.0, -1.0], [1.0, 1.0]);
            let mut sums = ([0.5, 0.5], [0.25, 0.25]);
            let (weight_sums, bias_sums) = (&mut sums.0[..], &mut sums.1[..]);
            let both = NormSums { weight: weight_sums, bias: bias_sums };
            layer_norm_gradient(level, &[], &mut [], &weight, EPSILON, both);
            assert_eq!(sums, ([0.5, 0.5], [0.25, 0.25]));
            let mut gradient = [1.0, 0.0, 1.0, 0.0];
            let both = NormSums { weight: &mut sums.0, bias: &mut sums.1 };
            layer_norm_gradient(level, &x, &mut gradient, &weight, EPSILON, both);
            assert_eq!(sums.1, [2.25, 0.25]);
            assert_eq!(sums.0[1], 0.5);
        }
    }
}
