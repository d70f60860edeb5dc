//! Softmax over a row of attention scores.
#![allow(
    clippy::inline_always,
    reason = "the bodies have to be compiled for each level's instructions"
)]

use super::elementary::{exp_below_88, mul_add};
use crate::Level;

/// Replaces each score `s` of a row with `exp(scale · s + bias - m)`, `m` being the largest exponent, where `bias`
/// has as many values as `scores` or none; returns what to multiply them with to get the softmax.
///
/// That factor is left to the caller, who can apply it to the fewer values that are summed with these weights.
/// Two passes: the largest, then exponentials and their sum (Milakov and Gimelshein 2018 save the first, which
/// costs less here than their second exponential).
///
/// # Panics
/// Where `scores` is empty, or `bias` has another length.
pub fn softmax_weights(level: Level, scores: &mut [f32], scale: f32, bias: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2(scores: &mut [f32], scale: f32, bias: &[f32]) -> f32 {
        row::<true>(scores, scale, bias)
    }
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` exists only where the CPU was found to have AVX2 and FMA.
        Level::Avx2(_) => unsafe { avx2(scores, scale, bias) },
        _ => row::<false>(scores, scale, bias),
    }
}

#[inline(always)]
fn row<const FUSED: bool>(scores: &mut [f32], scale: f32, bias: &[f32]) -> f32 {
    assert!(!scores.is_empty(), "a softmax of nothing");
    assert!(bias.is_empty() || bias.len() == scores.len(), "scores and bias differ in length");
    if bias.is_empty() {
        // A positive scale keeps the order, so that the scale goes into the exponent.
        let largest = if scale > 0.0 { largest(scores) } else { smallest(scores) };
        let offset = -scale * largest;
        return 1.0 / exponentials::<FUSED>(scores, |x| mul_add::<FUSED>(x, scale, offset));
    }
    for (x, bias) in scores.iter_mut().zip(bias) {
        *x = mul_add::<FUSED>(*x, scale, *bias);
    }
    let largest = largest(scores);
    1.0 / exponentials::<FUSED>(scores, |x| x - largest)
}

/// Replaces each value `x` with the exponential of `exponent(x)`, and returns their sum: that of eight interleaved
/// partial sums.
#[inline(always)]
fn exponentials<const FUSED: bool>(row: &mut [f32], exponent: impl Fn(f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let (blocks, rest) = row.as_chunks_mut::<LANES>();
    let mut sums = [0.0f32; LANES];
    for block in blocks {
        for lane in 0..LANES {
            block[lane] = exp_below_88::<FUSED>(exponent(block[lane]));
            sums[lane] += block[lane];
        }
    }
    let mut total = sums.iter().sum();
    for x in rest {
        *x = exp_below_88::<FUSED>(exponent(*x));
        total += *x;
    }
    total
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    fold(row, f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
}

#[inline(always)]
fn smallest(row: &[f32]) -> f32 {
    fold(row, f32::INFINITY, |m, x| if x < m { x } else { m })
}

#[inline(always)]
fn fold(row: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let (blocks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = step(lanes[lane], block[lane]);
        }
    }
    lanes.iter().chain(rest).fold(start, |m, &x| step(m, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_close_to_double_precision(
            row in proptest::collection::vec((-30f32..30.0, -2f32..2.0), 1..40),
            scale in prop_oneof![0.01f32..2.0, -1f32..0.0],
        ) {
            let scores: Vec<f32> = row.iter().map(|r| r.0).collect();
            let bias: Vec<f32> = row.iter().map(|r| r.1).collect();
            for bias in [Vec::new(), bias] {
                let logits: Vec<f64> = scores.iter().enumerate()
                    .map(|(i, &s)| f64::from(s) * f64::from(scale) + bias.get(i).map_or(0.0, |&b| f64::from(b)))
                    .collect();
                let total: f64 = logits.iter().map(|x| x.exp()).sum();
                for level in Level::available() {
                    let mut weights = scores.clone();
                    let factor = softmax_weights(level, &mut weights, scale, &bias);
                    for (weight, logit) in weights.iter().zip(&logits) {
                        let got = f64::from(weight * factor);
                        prop_assert!((got - logit.exp() / total).abs() < 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn not_a_number_spoils_the_row() {
        for level in Level::available() {
            let mut scores = [1.0, f32::NAN];
            assert!(softmax_weights(level, &mut scores, 1.0, &[]).is_nan());
        }
    }
}
