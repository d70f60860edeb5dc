//! Holm's step-down correction (1979): the chance of even one false alarm among all comparisons
//! stays below the level tested at, whatever the tests have to do with each other.

/// Returns the corrected p values in the order given: the k-th least (from 0) times `n - k`, made
/// monotone and at most 1.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let count = p_values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; count];
    let mut highest: f64 = 0.0;
    for (rank, &at) in order.iter().enumerate() {
        highest = highest.max(p_values[at] * (count - rank) as f64).min(1.0);
        corrected[at] = highest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, expect) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - expect).abs() < 1e-15, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
