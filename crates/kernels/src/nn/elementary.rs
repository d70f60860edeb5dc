//! The exponential and what follows from it, one value at a time, written so that a loop over them
//! becomes vector instructions.
#![allow(
    clippy::inline_always,
    reason = "a call would keep the loop around it from being vectorised"
)]

/// 1.5 · 2²³: adding it rounds to the nearest integer and leaves that integer in the low bits.
pub(super) const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts; the first has so few bits that its multiples by small integers are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// Computes `a · b + c`, in one rounding where `FUSED`: the level then has an instruction for it.
#[inline(always)]
pub(super) fn mul_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// Computes eˣ with a relative error below 2·10⁻⁷.
///
/// Below -87.3 the result is about 1.2·10⁻³⁸ instead of a smaller number; above 88 it is e⁸⁸.
#[inline(always)]
pub(super) fn exp<const FUSED: bool>(x: f32) -> f32 {
    exp_below_88::<FUSED>(if x > 88.0 { 88.0 } else { x })
}

/// Computes eˣ as [`exp`] does, for x of at most 88.
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2; eʳ is its Taylor polynomial of degree 7, whose remainder is
/// below 6·10⁻⁹, and 2ⁿ is put together from bits.
#[inline(always)]
pub(super) fn exp_below_88<const FUSED: bool>(x: f32) -> f32 {
    // Written as a comparison and not as `clamp`, whose handling of NaN costs two instructions; NaN
    // comes through all the same.
    let x = if x < -87.3 { -87.3 } else { x };
    let shifted = mul_add::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FUSED>(n, -LN2_HIGH, x);
    let r = mul_add::<FUSED>(n, -LN2_LOW, r);
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = mul_add::<FUSED>(p, r, coefficient);
    }
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(exponent)
}

/// Computes x Φ(x), the exact form of GELU, with an error below 3·10⁻⁷ · |x|.
#[inline(always)]
pub(super) fn gelu<const FUSED: bool>(x: f32) -> f32 {
    let half = 0.5 * x;
    mul_add::<FUSED>(half, erf::<FUSED>(x * std::f32::consts::FRAC_1_SQRT_2), half)
}

/// Computes erf x with an absolute error below 3·10⁻⁷: an odd polynomial over an even one, whose coefficients are
/// those of Eigen's `generic_fast_erf_float`. From 4 on it is constant.
#[inline(always)]
pub(super) fn erf<const FUSED: bool>(x: f32) -> f32 {
    // As in `exp_below_88`, comparisons let NaN through.
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let square = x * x;
    let mut odd = -2.726_142_4e-10;
    for coefficient in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        odd = mul_add::<FUSED>(odd, square, coefficient);
    }
    let mut even = -1.456_607_2e-5;
    for coefficient in [-2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2] {
        even = mul_add::<FUSED>(even, square, coefficient);
    }
    x * odd / even
}

/// Computes the approximation of GELU through tanh: with u = √(2/π) (x + 0.044715 x³), it is
/// x (1 + tanh u) / 2 = x / (1 + e⁻²ᵘ).
#[inline(always)]
pub(super) fn gelu_tanh<const FUSED: bool>(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    let twice_u = TWICE_SQRT_2_OVER_PI * x * mul_add::<FUSED>(0.044_715 * x, x, 1.0);
    x / (1.0 + exp::<FUSED>(-twice_u))
}

/// Computes tanh x with an absolute error below 3·10⁻⁷.
#[inline(always)]
pub(super) fn tanh<const FUSED: bool>(x: f32) -> f32 {
    1.0 - 2.0 / (exp::<FUSED>(2.0 * x) + 1.0)
}

/// Computes x / (1 + e⁻ˣ) with an error below 3·10⁻⁷ · |x|.
#[inline(always)]
pub(super) fn silu<const FUSED: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FUSED>(-x))
}
