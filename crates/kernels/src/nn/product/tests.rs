use super::*;
use proptest::prelude::*;

fn values(count: usize, seed: u64) -> Vec<f32> {
    // A multiplicative hash is random enough for sums, and needs no generator.
    (0..count as u64)
        .map(|i| (i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40)
        .map(|bits| bits as f32 / (1u64 << 23) as f32 - 1.0)
        .collect()
}

fn product(level: Level, a: Rows<'_>, b: &Packed, bias: Option<&[f32]>) -> Vec<f32> {
    let mut out = vec![f32::NAN; a.count() * b.width()];
    if a.count() > 0 {
        multiply(level, a, b, bias, Activation::None, RowsMut::dense(&mut out, b.width()));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn is_close_to_the_sum_in_double_precision(
        rows in 0usize..20,
        depth in prop_oneof![1usize..40, 380usize..390, 767usize..800],
        width in 1usize..50,
        gap in 0usize..5,
        seed in 0u64..1000,
    ) {
        let a = values(rows * (depth + gap) + depth, seed);
        let a = Rows::new(&a, rows, depth, depth + gap);
        let weights = values(width * depth, seed + 7);
        let weights = Rows::dense(&weights, depth);
        let bias = values(width, seed + 13);
        for level in Level::available() {
            let out = product(level, a, &Packed::transposed(weights), Some(&bias));
            for (index, &got) in out.iter().enumerate() {
                let (row, column) = (index / width, index % width);
                let terms = a.row(row).iter().zip(weights.row(column));
                let terms = terms.map(|(&x, &y)| f64::from(x) * f64::from(y));
                let exact = terms.clone().sum::<f64>() + f64::from(bias[column]);
                let magnitude = terms.map(f64::abs).sum::<f64>() + 1.0;
                let bound = (depth + 1) as f64 * f64::from(f32::EPSILON) * magnitude;
                prop_assert!((f64::from(got) - exact).abs() <= bound);
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_rows_around_it(
        rows in 1usize..220, depth in 1usize..500, width in 1usize..40, seed in 0u64..1000,
    ) {
        let a = values(rows * depth, seed);
        let b = values(width * depth, seed + 3);
        let b = Packed::transposed(Rows::dense(&b, depth));
        for level in Level::available() {
            let together = product(level, Rows::dense(&a, depth), &b, None);
            for row in [0, rows / 2, rows - 1] {
                let alone = product(level, Rows::dense(&a[row * depth..][..depth], depth), &b, None);
                prop_assert_eq!(&alone[..], &together[row * width..][..width]);
            }
        }
    }

    #[test]
    fn packing_reuses_memory_without_traces(first in 1usize..60, depth in 1usize..30, width in 1usize..60) {
        let old = values(first * 40, 1);
        let plain = values(depth * width, 2);
        let mut packed = Packed::transposed(Rows::dense(&old, 40));
        packed.set(Rows::dense(&plain, width));
        let transposed: Vec<f32> =
            (0..width).flat_map(|w| (0..depth).map(move |d| (w, d))).map(|(w, d)| plain[d * width + w]).collect();
        let fresh = Packed::transposed(Rows::dense(&transposed, depth));
        prop_assert_eq!(&packed.steps_for_tests(), &fresh.steps_for_tests());
    }
}

#[test]
fn results_are_written_between_the_columns_of_others() {
    let a = values(3 * 8, 1);
    let b = values(5 * 8, 2);
    let b = Packed::transposed(Rows::dense(&b, 8));
    for level in Level::available() {
        let mut out = [9.0; 3 * 7];
        let target = RowsMut::new(&mut out[1..], 3, 5, 7);
        multiply(level, Rows::dense(&a, 8), &b, None, Activation::None, target);
        let dense = product(level, Rows::dense(&a, 8), &b, None);
        for row in 0..3 {
            assert_eq!(out[row * 7], 9.0);
            assert_eq!(out[row * 7 + 1..][..5], dense[row * 5..][..5]);
            assert_eq!(out[row * 7 + 6], 9.0);
        }
    }
}

#[test]
fn not_a_number_comes_through() {
    let b = Packed::transposed(Rows::dense(&[1.0; 16], 16));
    for level in Level::available() {
        let mut out = [0.0];
        let rows = [f32::NAN; 16];
        let a = Rows::dense(&rows, 16);
        multiply(level, a, &b, None, Activation::Gelu, RowsMut::dense(&mut out, 1));
        assert!(out[0].is_nan());
    }
}
