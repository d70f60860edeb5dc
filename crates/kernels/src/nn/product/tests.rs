use super::*;
use crate::nn::pack::Packed;
use half::{bf16, f16};
use proptest::prelude::*;

fn values(count: usize, seed: u64) -> Vec<f32> {
    // A multiplicative hash is random enough for sums, and needs no generator.
    (0..count as u64)
        .map(|i| (i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40)
        .map(|bits| bits as f32 / (1u64 << 23) as f32 - 1.0)
        .collect()
}

fn product<W: Weight>(level: Level, a: Rows<'_>, b: &Packed<W>, bias: Option<&[f32]>) -> Vec<f32> {
    let mut out = vec![f32::NAN; a.count() * b.width()];
    if a.count() > 0 {
        let epilogue = Epilogue { bias, ..Epilogue::default() };
        multiply(level, a, b.panels(), epilogue, RowsMut::dense(&mut out, b.width()));
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
            let out = product(level, a, &Packed::<f32>::transposed(weights), Some(&bias));
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
        let b = Packed::<f32>::transposed(Rows::dense(&b, depth));
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
        let mut packed = Packed::<f32>::transposed(Rows::dense(&old, 40));
        packed.set(Rows::dense(&plain, width));
        let transposed: Vec<f32> =
            (0..width).flat_map(|w| (0..depth).map(move |d| (w, d))).map(|(w, d)| plain[d * width + w]).collect();
        let fresh = Packed::<f32>::transposed(Rows::dense(&transposed, depth));
        prop_assert_eq!(&packed.steps_for_tests(), &fresh.steps_for_tests());
    }
}

/// A product with half-wide weights, and the one with the same weights in single precision.
fn narrow_and_wide<W: Weight>(level: Level, a: Rows<'_>, weights: &[f32]) -> [Vec<f32>; 2] {
    let depth = a.columns();
    let rounded: Vec<f32> = weights.iter().map(|&x| W::narrow(x).widen()).collect();
    let narrow = Packed::<W>::by_columns(depth, weights.len() / depth, |column, out| {
        out.copy_from_slice(&weights[column * depth..][..depth]);
    });
    let wide = Packed::<f32>::transposed(Rows::dense(&rounded, depth));
    [product(level, a, &narrow, None), product(level, a, &wide, None)]
}

#[test]
fn half_wide_weights_are_exact() {
    let (rows, depth, width) = (7, 397, 35);
    let a = values(rows * depth, 3);
    let weights = values(width * depth, 4);
    for level in Level::available() {
        let [narrow, wide] = narrow_and_wide::<f16>(level, Rows::dense(&a, depth), &weights);
        assert_eq!(narrow, wide);
        let [narrow, wide] = narrow_and_wide::<bf16>(level, Rows::dense(&a, depth), &weights);
        assert_eq!(narrow, wide);
    }
}

#[test]
fn a_part_of_the_columns_and_what_is_accumulated() {
    let (rows, depth, width) = (13, 500, 70);
    let a = values(rows * depth, 3);
    let weights = Packed::<f32>::transposed(Rows::dense(&values(width * depth, 4), depth));
    let bias = values(width, 5);
    for level in Level::available() {
        let a = Rows::dense(&a, depth);
        let whole = product(level, a, &weights, Some(&bias));
        let mut parts = vec![0.0; rows * width];
        let (left, right) = RowsMut::dense(&mut parts, width).split_at_column(48);
        let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
        for (columns, out) in [(0..48, left), (48..70, right)] {
            let b = weights.panels().columns(columns.clone());
            multiply(level, a, b, epilogue.columns(columns), out);
        }
        assert_eq!(parts, whole);
        let epilogue = Epilogue { accumulate: true, ..epilogue };
        multiply(level, a, weights.panels(), epilogue, RowsMut::dense(&mut parts, width));
        for (got, once) in parts.iter().zip(&whole) {
            assert!((got - 2.0 * once).abs() < 1e-3);
        }
    }
}

#[test]
fn results_are_written_between_the_columns_of_others() {
    let a = values(3 * 8, 1);
    let b = values(5 * 8, 2);
    let b = Packed::<f32>::transposed(Rows::dense(&b, 8));
    for level in Level::available() {
        let mut out = [9.0; 3 * 7];
        let target = RowsMut::new(&mut out[1..], 3, 5, 7);
        multiply(level, Rows::dense(&a, 8), b.panels(), Epilogue::default(), target);
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
    let b = Packed::<f32>::transposed(Rows::dense(&[1.0; 16], 16));
    for level in Level::available() {
        let mut out = [0.0];
        let rows = [f32::NAN; 16];
        let a = Rows::dense(&rows, 16);
        let epilogue = Epilogue { activation: Activation::Gelu, ..Epilogue::default() };
        multiply(level, a, b.panels(), epilogue, RowsMut::dense(&mut out, 1));
        assert!(out[0].is_nan());
    }
}
