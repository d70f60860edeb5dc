//! Softmax over the rows of attention scores.
#![allow(
    clippy::inline_always,
    reason = "the bodies have to be compiled for each level's instructions"
)]

use super::compiled_per_level;
use super::elementary::exp;
use super::norm::sum;

compiled_per_level! {
    /// Replaces each row `s` of `scores` with the softmax of `scale · s + bias`, where `bias` has as many
    /// values as `scores` or none. All levels give equal bits.
    ///
    /// # Panics
    /// Where `scores` is not a whole number of rows, or `bias` has another length.
    pub fn softmax_rows(scores: &mut [f32], columns: usize, scale: f32, bias: &[f32]) = rows;
}

#[inline(always)]
fn rows(scores: &mut [f32], columns: usize, scale: f32, bias: &[f32]) {
    assert!(columns > 0 && scores.len().is_multiple_of(columns), "not a whole number of rows");
    if bias.is_empty() {
        for row in scores.chunks_exact_mut(columns) {
            for x in row.iter_mut() {
                *x *= scale;
            }
            one(row);
        }
        return;
    }
    assert_eq!(scores.len(), bias.len(), "scores and bias differ in length");
    for (row, bias) in scores.chunks_exact_mut(columns).zip(bias.chunks_exact(columns)) {
        for (x, bias) in row.iter_mut().zip(bias) {
            *x = *x * scale + bias;
        }
        one(row);
    }
}

#[inline(always)]
fn one(row: &mut [f32]) {
    const LANES: usize = 8;
    let (blocks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = if block[lane] > lanes[lane] { block[lane] } else { lanes[lane] };
        }
    }
    let largest =
        lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m });
    for x in row.iter_mut() {
        *x = exp(*x - largest);
    }
    let inverse = 1.0 / sum(row, |x| x);
    for x in row.iter_mut() {
        *x *= inverse;
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
            row in proptest::collection::vec((-30f32..30.0, -2f32..2.0), 1..40),
            scale in 0.01f32..2.0,
        ) {
            let scores: Vec<f32> = row.iter().map(|r| r.0).collect();
            let bias: Vec<f32> = row.iter().map(|r| r.1).collect();
            for bias in [Vec::new(), bias] {
                let logits: Vec<f64> = scores.iter().enumerate()
                    .map(|(i, &s)| f64::from(s) * f64::from(scale) + bias.get(i).map_or(0.0, |&b| f64::from(b)))
                    .collect();
                let total: f64 = logits.iter().map(|x| x.exp()).sum();
                let mut bits = Vec::new();
                for level in Level::available() {
                    // The same row twice: neither sees the other.
                    let mut both = [scores.clone(), scores.clone()].concat();
                    softmax_rows(level, &mut both, scores.len(), scale, &[bias.clone(), bias.clone()].concat());
                    prop_assert_eq!(&both[..scores.len()], &both[scores.len()..]);
                    for (got, logit) in both.iter().zip(&logits) {
                        prop_assert!((f64::from(*got) - logit.exp() / total).abs() < 1e-5);
                    }
                    bits.push(both);
                }
                prop_assert!(bits.windows(2).all(|pair| pair[0] == pair[1]));
            }
        }
    }

    #[test]
    fn not_a_number_spoils_its_own_row_only() {
        for level in Level::available() {
            let mut scores = [1.0, f32::NAN, 1.0, 1.0];
            softmax_rows(level, &mut scores, 2, 1.0, &[]);
            assert!(scores[0].is_nan() && scores[1].is_nan());
            assert_eq!(scores[2..], [0.5, 0.5]);
        }
    }
}
