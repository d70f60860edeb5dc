//! Softmax, sigmoid and their logarithms, safe for any finite score.

/// Returns the softmax of scores that count `weights` times, and the logarithm of its denominator `Σ w·exp(s)`.
///
/// Without any weight the distribution is zero and the logarithm minus infinity.
pub(super) fn softmax(scores: &[f64], weights: &[f64]) -> (Vec<f64>, f64) {
    debug_assert_eq!(scores.len(), weights.len());
    let counted = scores.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
    let largest = counted.map(|(score, _)| *score).fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return (vec![0.0; scores.len()], f64::NEG_INFINITY);
    }
    let mut shares: Vec<f64> = scores
        .iter()
        .zip(weights)
        .map(|(score, weight)| if *weight > 0.0 { weight * (score - largest).exp() } else { 0.0 })
        .collect();
    let sum: f64 = shares.iter().sum();
    for share in &mut shares {
        *share /= sum;
    }
    (shares, largest + sum.ln())
}

/// Returns `log(exp(a) + exp(b))`; minus infinity stands for an empty sum.
pub(super) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// Returns `log(1 + exp(x))`.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Returns `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    if x < 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_scores_neither_overflow_nor_vanish() {
        let (shares, log) = softmax(&[1e6, 1e6 - 1.0, -1e6], &[1.0, 1.0, 1.0]);
        assert!((shares[0] - sigmoid(1.0)).abs() < 1e-12 && shares[2] == 0.0);
        assert!((log - 1e6 - softplus(-1.0)).abs() < 1e-9);
        assert_eq!((softplus(1e6), softplus(-1e6)), (1e6, 0.0));
        assert_eq!((sigmoid(1e6), sigmoid(-1e6)), (1.0, 0.0));
        assert!((log_add(-1e6, -1e6) + 1e6 - 2f64.ln()).abs() < 1e-9);
        assert_eq!(log_add(f64::NEG_INFINITY, 3.0), 3.0);
    }

    #[test]
    fn a_weight_counts_as_copies() {
        let (weighted, log) = softmax(&[0.3, -1.0], &[2.0, 1.0]);
        let (copies, same) = softmax(&[0.3, 0.3, -1.0], &[1.0; 3]);
        assert!((weighted[0] - copies[0] - copies[1]).abs() < 1e-15);
        assert!((log - same).abs() < 1e-15);
        assert_eq!(softmax(&[1.0], &[0.0]), (vec![0.0], f64::NEG_INFINITY));
    }
}
