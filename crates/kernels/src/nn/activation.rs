//! Activations, applied to a slice in place.
#![allow(
    clippy::inline_always,
    reason = "the bodies have to be compiled for each level's instructions"
)]

use super::compiled_per_level;
use super::elementary::{gelu, gelu_tanh, silu, tanh};

/// What is applied to every value of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// x Φ(x), called `gelu` in configurations of Hugging Face.
    Gelu,
    /// The approximation through tanh, called `gelu_new` and `gelu_pytorch_tanh`.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// x / (1 + e⁻ˣ), called `silu` or `swish`.
    Silu,
}

compiled_per_level! {
    /// Applies an activation to every value. The error is below 3·10⁻⁷ · |x|, for `Tanh` below 3·10⁻⁷.
    pub fn activate(activation: Activation, values: &mut [f32]) = apply;
}

#[inline(always)]
fn apply<const FUSED: bool>(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::None => {}
        Activation::Gelu => values.iter_mut().for_each(|x| *x = gelu::<FUSED>(*x)),
        Activation::GeluTanh => values.iter_mut().for_each(|x| *x = gelu_tanh::<FUSED>(*x)),
        Activation::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        Activation::Tanh => values.iter_mut().for_each(|x| *x = tanh::<FUSED>(*x)),
        Activation::Silu => values.iter_mut().for_each(|x| *x = silu::<FUSED>(*x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use crate::nn::elementary::exp;

    /// erf by its Maclaurin series in double precision; used for |x| ≤ 3.6 only, where it converges well.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn check(activation: Activation, bound: f64, expected: impl Fn(f64) -> f64) {
        let inputs: Vec<f32> = (-5000..=5000).map(|i| i as f32 / 1000.0).collect();
        for level in Level::available() {
            let mut values = inputs.clone();
            activate(level, activation, &mut values);
            for (&x, &got) in inputs.iter().zip(&values) {
                let expected = expected(f64::from(x));
                assert!(
                    (f64::from(got) - expected).abs() < bound,
                    "{activation:?}({x}): {got}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn activations_are_close_to_double_precision() {
        let root_2 = std::f64::consts::SQRT_2;
        check(Activation::Gelu, 1.5e-6, |x| 0.5 * x * (1.0 + erf(x / root_2)));
        check(Activation::GeluTanh, 1.5e-6, |x| {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        });
        check(Activation::Tanh, 3e-7, f64::tanh);
        check(Activation::Silu, 1.5e-6, |x| x / (1.0 + (-x).exp()));
        check(Activation::Relu, 1e-30, |x| x.max(0.0));
        check(Activation::None, 1e-30, |x| x);
    }

    #[test]
    fn the_exponential_is_close_over_its_whole_range() {
        for i in -87_000..=88_000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).exp();
            for got in [exp::<true>(x), exp::<false>(x)] {
                assert!(
                    (f64::from(got) - exact).abs() <= 2e-7 * exact,
                    "exp({x}): {got}, not {exact}"
                );
            }
        }
        assert!(exp::<true>(f32::NEG_INFINITY) < 1.3e-38 && exp::<true>(f32::NAN).is_nan());
    }

    #[test]
    fn far_values_lengths_and_levels() {
        for activation in [
            Activation::Gelu,
            Activation::GeluTanh,
            Activation::Relu,
            Activation::Tanh,
            Activation::Silu,
        ] {
            for length in 0..25 {
                let inputs: Vec<f32> = (0..length).map(|i| (i as f32 - 12.0) * 1e3 + 0.1).collect();
                for level in Level::available() {
                    let mut values = inputs.clone();
                    activate(level, activation, &mut values);
                    assert!(values.iter().all(|x| x.is_finite()));
                    // The same value alone, where no register is filled.
                    for (&input, &value) in inputs.iter().zip(&values) {
                        let mut alone = [input];
                        activate(level, activation, &mut alone);
                        assert_eq!(alone, [value]);
                    }
                    let mut nan = [f32::NAN; 9];
                    activate(level, activation, &mut nan);
                    assert!(nan.iter().all(|x| x.is_nan()));
                }
            }
        }
    }
}
