use super::*;
use crate::draws::Draws;

const STEP: f32 = 1.0 / 16384.0;

/// Values on a grid, none within two steps of 0 unless it is 0.
fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut draws = Draws::new(seed);
    let mut value = || (8 + draws.below(30000)) as f32 * STEP * [0.0, -1.0, 1.0][draws.below(3)];
    (0..count).map(|_| value()).collect()
}

/// Compares derivatives with central differences; of zeros, where absolute values have a corner, only that they are 0.
fn check(values: &[f32], penalty: impl Fn(&[f32]) -> Penalty, smooth: bool) {
    let found = penalty(values);
    for index in 0..values.len() {
        if values[index] == 0.0 && !smooth {
            assert_eq!(found.gradient[index], 0.0);
            continue;
        }
        let mut moved = values.to_vec();
        moved[index] = values[index] + STEP;
        let above = penalty(&moved).value;
        moved[index] = values[index] - STEP;
        let below = penalty(&moved).value;
        let expected = (above - below) / (2.0 * f64::from(STEP));
        assert!((f64::from(found.gradient[index]) - expected).abs() < 1e-6, "value {index}");
    }
}

#[test]
fn derivatives_are_those_of_differences() {
    for seed in 0..12 {
        let (groups, columns) = (1 + seed as usize % 3, 1 + seed as usize % 5);
        let values = values(groups * 4 * columns, seed + 1);
        let idf: Vec<f32> = (0..columns).map(|t| 0.5 + t as f32).collect();
        for flops in [
            Flops::default(),
            Flops { groups, ..Flops::default() },
            Flops { groups, idf, free_terms: columns / 2 },
        ] {
            check(&values, |v| flops.evaluate(v, columns).unwrap(), false);
        }
        check(&values, |v| L1.evaluate(v, columns).unwrap(), false);
        let targets = self::values(values.len(), seed + 100);
        check(&values, |v| EmbeddingMse.evaluate(v, &targets, columns).unwrap(), true);
    }
}

#[test]
fn flops_is_the_squared_mean_of_each_term() {
    let values = [1.0, 0.0, -3.0, 2.0];
    // Means of absolute values: 2 and 1.
    assert_eq!(Flops::default().evaluate(&values, 2).unwrap().value, 5.0);
    // Each vector by itself: 1 and 9 + 4, of which the mean.
    let apart = Flops { groups: 2, ..Flops::default() };
    assert_eq!(apart.evaluate(&values, 2).unwrap().value, 7.0);
}

#[test]
fn idf_weights_undo_an_idf_within_the_vectors() {
    let plain = [0.5, 1.0, 2.0, 0.25];
    let idf = vec![2.0, 4.0];
    let scaled = [1.0, 4.0, 4.0, 1.0];
    let flops = Flops { idf, ..Flops::default() };
    let value = flops.evaluate(&scaled, 2).unwrap().value;
    assert_eq!(value, Flops::default().evaluate(&plain, 2).unwrap().value);
}

#[test]
fn a_vector_of_few_terms_is_free() {
    let values = [1.0, 0.0, 1.0, 1.0];
    let flops = Flops { free_terms: 1, ..Flops::default() };
    let found = flops.evaluate(&values, 2).unwrap();
    assert_eq!(found.value, 0.5);
    assert_eq!(found.gradient, [0.0, 0.0, 0.5, 0.5]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let message = |result: Result<Penalty, RegulariserError>| result.unwrap_err().to_string();
    assert_eq!(
        message(L1.evaluate(&[1.0; 3], 2)),
        "3 values are no whole number of vectors of 2 dimensions, from one on"
    );
    assert_eq!(
        message(L1.evaluate(&[1.0, 2.0, f32::NAN, 0.0], 2)),
        "the value in vector 1, dimension 0 is NaN, not a finite number"
    );
    let grouped = Flops { groups: 2, ..Flops::default() };
    assert!(matches!(
        grouped.evaluate(&[1.0; 3], 1),
        Err(RegulariserError::Groups { vectors: 3, groups: 2 })
    ));
    let weighted = Flops { idf: vec![1.0, 0.0], ..Flops::default() };
    assert!(matches!(
        weighted.evaluate(&[1.0; 4], 2),
        Err(RegulariserError::Weight { term: 1, .. })
    ));
    assert!(matches!(
        weighted.evaluate(&[1.0; 3], 3),
        Err(RegulariserError::Idf { columns: 3, got: 2 })
    ));
    assert!(matches!(
        EmbeddingMse.evaluate(&[1.0; 2], &[1.0], 1),
        Err(RegulariserError::Targets { .. })
    ));
}
