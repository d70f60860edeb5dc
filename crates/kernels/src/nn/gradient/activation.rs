//! The slopes of activations.
#![allow(
    clippy::inline_always,
    reason = "the bodies have to be compiled for each level's instructions"
)]

use crate::nn::activation::Activation;
use crate::nn::compiled_per_level;
use crate::nn::elementary::{erf, exp, mul_add, tanh};

compiled_per_level! {
    /// Multiplies each value of `gradient` with the slope of an activation at the input in the same place.
    ///
    /// The error of a slope is below 10⁻⁶. `Relu` has slope 0 at 0, as in PyTorch.
    ///
    /// # Panics
    /// Where the lengths differ.
    pub fn activation_gradient(activation: Activation, inputs: &[f32], gradient: &mut [f32]) = apply;
}

#[inline(always)]
fn apply<const FUSED: bool>(activation: Activation, inputs: &[f32], gradient: &mut [f32]) {
    assert_eq!(inputs.len(), gradient.len(), "one input a value");
    let both = inputs.iter().zip(gradient);
    match activation {
        Activation::None => {}
        Activation::Gelu => both.for_each(|(x, d)| *d *= gelu_slope::<FUSED>(*x)),
        Activation::GeluTanh => both.for_each(|(x, d)| *d *= gelu_tanh_slope::<FUSED>(*x)),
        Activation::Relu => both.for_each(|(x, d)| *d *= if *x > 0.0 { 1.0 } else { 0.0 }),
        Activation::Tanh => both.for_each(|(x, d)| *d *= tanh_slope::<FUSED>(*x)),
        Activation::Silu => both.for_each(|(x, d)| *d *= silu_slope::<FUSED>(*x)),
    }
}

/// Φ(x) + x φ(x).
#[inline(always)]
fn gelu_slope<const FUSED: bool>(x: f32) -> f32 {
    const INVERSE_SQRT_2_PI: f32 = 0.398_942_3;
    let below = mul_add::<FUSED>(0.5, erf::<FUSED>(x * std::f32::consts::FRAC_1_SQRT_2), 0.5);
    // Beyond, the density is 0 in single precision, and its product with the input as well.
    let x = within(x, 14.0);
    mul_add::<FUSED>(x * INVERSE_SQRT_2_PI, exp::<FUSED>(-0.5 * x * x), below)
}

/// With s = 1 / (1 + e⁻²ᵘ) and u = √(2/π) (x + 0.044715 x³): s + x s (1 - s) 2u'.
#[inline(always)]
fn gelu_tanh_slope<const FUSED: bool>(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    // Beyond, the slope is 0 or 1 in single precision.
    let x = within(x, 10.0);
    let square = x * x;
    let twice_u = TWICE_SQRT_2_OVER_PI * x * mul_add::<FUSED>(0.044_715, square, 1.0);
    let share = 1.0 / (1.0 + exp::<FUSED>(-twice_u));
    let inner = TWICE_SQRT_2_OVER_PI * mul_add::<FUSED>(3.0 * 0.044_715, square, 1.0);
    mul_add::<FUSED>(x * share * (1.0 - share), inner, share)
}

/// 1 - tanh² x.
#[inline(always)]
fn tanh_slope<const FUSED: bool>(x: f32) -> f32 {
    let y = tanh::<FUSED>(x);
    (1.0 - y) * (1.0 + y)
}

/// With s = 1 / (1 + e⁻ˣ): s (1 + x (1 - s)).
#[inline(always)]
fn silu_slope<const FUSED: bool>(x: f32) -> f32 {
    // Beyond, the slope is 0 or 1 in single precision.
    let x = within(x, 80.0);
    let share = 1.0 / (1.0 + exp::<FUSED>(-x));
    share * mul_add::<FUSED>(x, 1.0 - share, 1.0)
}

/// Keeps a value between `-bound` and `bound`; written as comparisons, which let NaN through.
#[inline(always)]
fn within(x: f32, bound: f32) -> f32 {
    let x = if x > bound { bound } else { x };
    if x < -bound { -bound } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    /// Compares with central differences of the activation in double precision.
    fn check(activation: Activation, of: impl Fn(f64) -> f64) {
        let inputs: Vec<f32> = (-4800..=4800).map(|i| (i as f32 + 0.5) / 1000.0).collect();
        for level in Level::available() {
            let mut gradient = vec![2.0; inputs.len()];
            activation_gradient(level, activation, &inputs, &mut gradient);
            for (&x, &got) in inputs.iter().zip(&gradient) {
                let (x, step) = (f64::from(x), 1e-5);
                let expected = (of(x + step) - of(x - step)) / step;
                assert!(
                    (f64::from(got) - expected).abs() < 4e-6,
                    "{activation:?} at {x}: {got}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn slopes_are_those_of_the_activations() {
        let root_2 = std::f64::consts::SQRT_2;
        check(Activation::Gelu, |x| 0.5 * x * (1.0 + erf(x / root_2)));
        check(Activation::GeluTanh, |x| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        });
        check(Activation::Tanh, f64::tanh);
        check(Activation::Silu, |x| x / (1.0 + (-x).exp()));
        check(Activation::None, |x| x);
    }

    #[test]
    fn far_inputs_have_slope_zero_or_one() {
        let inputs = [-1e30, -1e4, -30.0, 0.0, 30.0, 1e4, 1e30];
        for activation in
            [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu]
        {
            for level in Level::available() {
                let mut gradient = [1.0; 7];
                activation_gradient(level, activation, &inputs, &mut gradient);
                assert!(gradient[..3].iter().all(|d| d.abs() < 1e-6), "{activation:?}");
                assert!(gradient[4..].iter().all(|d| (d - 1.0).abs() < 1e-6), "{activation:?}");
                let at_zero = if activation == Activation::Relu { 0.0 } else { 0.5 };
                assert!((gradient[3] - at_zero).abs() < 1e-6, "{activation:?}");
                let mut spoilt = [1.0];
                activation_gradient(level, activation, &[f32::NAN], &mut spoilt);
                assert!(spoilt[0].is_nan() || activation == Activation::Relu);
            }
        }
    }
}
