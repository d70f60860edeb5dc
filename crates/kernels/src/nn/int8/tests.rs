use super::quantize::most;
use super::*;
use crate::Level;
use crate::nn::Activation;
use crate::nn::rows::Rows;
use proptest::prelude::*;

fn values(count: usize, seed: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|i| (i + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40)
        .map(|bits| bits as f32 / (1u64 << 23) as f32 - 1.0)
        .collect()
}

fn quantized(level: Level, values: &[f32], weights: &Int8Packed) -> Int8Rows {
    let mut rows = Int8Rows::new(level);
    rows.set(Rows::dense(values, weights.depth()), weights);
    rows
}

fn packed(weights: &[f32], depth: usize) -> Int8Packed {
    Int8Packed::by_columns(depth, weights.len() / depth, |column, out| {
        out.copy_from_slice(&weights[column * depth..][..depth]);
    })
}

fn product(level: Level, a: &[f32], b: &Int8Packed, bias: Option<&[f32]>) -> Vec<f32> {
    let rows = quantized(level, a, b);
    let mut out = vec![f32::NAN; rows.count() * b.width()];
    let epilogue = Epilogue { bias, ..Epilogue::default() };
    multiply_int8(&rows, b.panels(), epilogue, RowsMut::dense(&mut out, b.width()));
    out
}

/// What a row and a column mean after rounding, multiplied in double precision.
fn exact(rows: &Int8Rows, row: usize, b: &Int8Packed, column: usize) -> f64 {
    let panel = b.panels().panel(column / PANEL);
    let lane = column % PANEL;
    let a = rows.row(row).quads.as_flattened()[..b.depth()].iter().enumerate();
    a.map(|(i, &q)| {
        let range = rows.row(row).ranges[i / BLOCK];
        let x = f64::from(range.least) + f64::from(range.step) * f64::from(q);
        let scale = f64::from(panel.blocks[i / BLOCK].scales[lane]);
        x * scale * f64::from(panel.quads[i / QUAD].0[lane][i % QUAD])
    })
    .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn is_the_product_of_what_was_rounded(
        rows in 1usize..14,
        depth in prop_oneof![1usize..40, 120usize..140, 380usize..390],
        width in 1usize..40,
        seed in 0u64..1000,
    ) {
        let a = values(rows * depth, seed);
        let b = packed(&values(width * depth, seed + 7), depth);
        let bias = values(width, seed + 13);
        for level in Level::available() {
            let out = product(level, &a, &b, Some(&bias));
            let rounded = quantized(level, &a, &b);
            for (index, &got) in out.iter().enumerate() {
                let (row, column) = (index / width, index % width);
                let exact = exact(&rounded, row, &b, column) + f64::from(bias[column]);
                prop_assert!((f64::from(got) - exact).abs() < 1e-5 * depth as f64);
            }
            // A row does not depend on those around it.
            let alone = product(level, &a[(rows - 1) * depth..], &b, Some(&bias));
            prop_assert_eq!(&alone[..], &out[(rows - 1) * width..]);
        }
    }

    #[test]
    fn rounding_is_to_the_nearest(row in proptest::collection::vec(-9f32..9.0, 1..300)) {
        for level in Level::available() {
            let weights = packed(&values(row.len() * 3, 5), row.len());
            let rows = quantized(level, &row, &weights);
            let balanced = row.iter().zip(weights.balance()).map(|(x, by)| x * by);
            for (i, (x, &q)) in balanced.zip(rows.row(0).quads.as_flattened()).enumerate() {
                let range = rows.row(0).ranges[i / BLOCK];
                let got = range.least + range.step * f32::from(q);
                prop_assert!((got - x).abs() <= 0.501 * range.step + 1e-6);
            }
        }
    }
}

#[test]
fn the_largest_products_do_not_saturate() {
    // Rows that are all the largest integer but for the one value that sets the range, and weights that are all ±127.
    let depth = 2 * BLOCK;
    let mut a = vec![1.0; depth];
    (a[0], a[BLOCK]) = (0.0, 0.0);
    for sign in [1.0, -1.0] {
        let b = packed(&vec![sign; depth * 3], depth);
        for level in Level::available() {
            for &got in &product(level, &a, &b, None) {
                assert!((got - sign * (depth - 2) as f32).abs() < 1e-2, "{got}");
            }
        }
    }
}

/// The length of what rounding changes in a product, as a part of the product's.
fn relative_error(level: Level, a: &[f32], weights: &[f32], depth: usize) -> f32 {
    let width = weights.len() / depth;
    let got = product(level, a, &packed(weights, depth), None);
    let plain = |index: usize| -> f32 {
        let (row, column) = (index / width, index % width);
        let row = &a[row * depth..][..depth];
        row.iter().zip(&weights[column * depth..][..depth]).map(|(a, b)| a * b).sum()
    };
    let error: f32 = got.iter().enumerate().map(|(i, x)| (x - plain(i)).powi(2)).sum();
    let length: f32 = (0..got.len()).map(|i| plain(i).powi(2)).sum();
    (error / length).sqrt()
}

#[test]
fn the_product_is_near_that_of_single_precision() {
    let (depth, width) = (384, 64);
    let (a, weights) = (values(depth * 5, 1), values(depth * width, 2));
    for level in Level::available() {
        let most = if most(level) > 127.0 { 0.006 } else { 0.01 };
        let error = relative_error(level, &a, &weights, depth);
        assert!(error < most, "{level:?}: {error}");
    }
}

#[test]
fn inputs_that_count_for_little_take_no_resolution_from_the_others() {
    let (depth, width) = (384, 64);
    let mut a = values(depth * 5, 1);
    let mut weights = values(depth * width, 2);
    // One input in sixteen is a hundred times as large, and its weights are as much smaller.
    a.iter_mut().step_by(16).for_each(|x| *x *= 100.0);
    weights.iter_mut().step_by(16).for_each(|w| *w /= 100.0);
    for level in Level::available() {
        // 0.075 without the balance, because the others share the steps of the large ones.
        let error = relative_error(level, &a, &weights, depth);
        assert!(error < 0.03, "{level:?}: {error}");
    }
}

#[test]
fn columns_in_parts_activations_and_what_is_accumulated() {
    let (depth, width) = (200, 40);
    let a = values(depth * 7, 1);
    let b = packed(&values(depth * width, 2), depth);
    for level in Level::available() {
        let rows = quantized(level, &a, &b);
        let whole = product(level, &a, &b, None);
        let mut parts = vec![0.0; 7 * width];
        let (left, right) = RowsMut::dense(&mut parts, width).split_at_column(32);
        let none = Epilogue::default();
        multiply_int8(&rows, b.panels().columns(0..32), none, left);
        multiply_int8(&rows, b.panels().columns(32..40), none, right);
        assert_eq!(parts, whole);
        let twice = Epilogue { accumulate: true, ..none };
        multiply_int8(&rows, b.panels(), twice, RowsMut::dense(&mut parts, width));
        assert!(parts.iter().zip(&whole).all(|(two, one)| (two - 2.0 * one).abs() < 1e-4));
        let relu = Epilogue { activation: Activation::Relu, ..none };
        multiply_int8(&rows, b.panels(), relu, RowsMut::dense(&mut parts, width));
        assert!(parts.iter().zip(&whole).all(|(got, x)| *got == x.max(0.0)));
    }
}

#[test]
fn what_is_not_finite_comes_through_and_zeros_stay() {
    let b = packed(&[1.0; 2 * 150], 150);
    for level in Level::available() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut a = vec![0.5; 300];
            a[170] = bad;
            let out = product(level, &a, &b, None);
            assert!(out[..2].iter().all(|x| (x - 75.0).abs() < 0.1), "{out:?}");
            assert!(out[2..].iter().all(|x| x.is_nan()), "{out:?}");
        }
        assert_eq!(product(level, &[0.0; 150], &b, None), [0.0; 2]);
    }
}
