//! Softmax, backwards.
#![allow(
    clippy::inline_always,
    reason = "the body has to be compiled for each level's instructions"
)]

use super::sum_of_pairs;
use crate::nn::compiled_per_level;
use crate::nn::elementary::mul_add;

compiled_per_level! {
    /// Replaces the gradient `d` of a row of softmax weights with that of its scores: `weight · (d - Σ weight·d) · scale`,
    /// where the weights are the softmax of `scale · score + bias` and add up to 1.
    ///
    /// # Panics
    /// Where the lengths differ.
    pub fn softmax_gradient(weights: &[f32], gradient: &mut [f32], scale: f32) = row;
}

#[inline(always)]
fn row<const FUSED: bool>(weights: &[f32], gradient: &mut [f32], scale: f32) {
    assert_eq!(weights.len(), gradient.len(), "one weight a value");
    let mean = sum_of_pairs(weights, gradient, |total, w, d| mul_add::<FUSED>(w, d, total));
    for (weight, d) in weights.iter().zip(gradient) {
        *d = weight * scale * (*d - mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use crate::nn::softmax_weights;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn gradients_equal_central_differences(
            row in proptest::collection::vec((-3f32..3.0, -1f32..1.0), 1..40), scale in 0.1f32..2.0,
        ) {
            let scores: Vec<f32> = row.iter().map(|r| r.0).collect();
            let d: Vec<f32> = row.iter().map(|r| r.1).collect();
            let loss = |moved: usize, by: f64| {
                let exponents = scores.iter().enumerate().map(|(i, &s)| {
                    let by = if i == moved { by } else { 0.0 };
                    ((f64::from(s) + by) * f64::from(scale)).exp()
                });
                let exponents: Vec<f64> = exponents.collect();
                let total: f64 = exponents.iter().sum();
                exponents.iter().zip(&d).map(|(e, &d)| e / total * f64::from(d)).sum::<f64>()
            };
            for level in Level::available() {
                let mut weights = scores.clone();
                let factor = softmax_weights(level, &mut weights, scale, &[]);
                for weight in &mut weights {
                    *weight *= factor;
                }
                let mut gradient = d.clone();
                softmax_gradient(level, &weights, &mut gradient, scale);
                for (i, &got) in gradient.iter().enumerate() {
                    let expected = (loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5;
                    prop_assert!((f64::from(got) - expected).abs() < 2e-6, "{got}, not {expected}");
                }
            }
        }
    }
}
