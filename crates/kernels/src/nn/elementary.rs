//! The exponential and what follows from it, one value at a time, written so that a loop over them
//! becomes vector instructions.
#![allow(
    clippy::inline_always,
    reason = "a call would keep the loop around it from being vectorised"
)]

/// 1.5 · 2²³: adding it rounds to the nearest integer and leaves that integer in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has so few bits that its multiples by small integers are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// Computes eˣ with a relative error below 2·10⁻⁷.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2; eʳ is its Taylor polynomial of degree 7, whose remainder is
/// below 6·10⁻⁹, and 2ⁿ is put together from bits. Below -87.3 the result is about 1.2·10⁻³⁸ instead of a
/// smaller number; above 88 it is e⁸⁸.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Written as comparisons and not as `clamp`, whose handling of NaN costs two instructions; NaN
    // comes through all the same.
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(exponent)
}

/// Computes x Φ(x), the exact form of GELU, with an absolute error below 5·10⁻⁷.
///
/// The tail Φ(-|x|) = erfc(|x|/√2)/2 is formula 7.1.26 of Abramowitz and Stegun, good to 7.5·10⁻⁸, which
/// keeps the small values on the negative side without cancellation.
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut p = 1.061_405_4;
    p = p * t - 1.453_152;
    p = p * t + 1.421_413_7;
    p = p * t - 0.284_496_74;
    p = p * t + 0.254_829_6;
    let tail = 0.5 * p * t * exp(-z * z);
    if x < 0.0 { x * tail } else { x - x * tail }
}

/// Computes the approximation of GELU through tanh: with u = √(2/π) (x + 0.044715 x³), it is
/// x (1 + tanh u) / 2 = x / (1 + e⁻²ᵘ).
#[inline(always)]
pub(super) fn gelu_tanh(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    let twice_u = TWICE_SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x);
    x / (1.0 + exp(-twice_u))
}

/// Computes tanh x with an absolute error below 3·10⁻⁷.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// Computes x / (1 + e⁻ˣ) with an error below 3·10⁻⁷ · |x|.
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}
