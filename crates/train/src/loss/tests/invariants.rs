use super::samples::{cases, counting, evaluate, own, permuted, shared};
use crate::block::{BlockParts, Columns};
use crate::draws::Draws;

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * (1.0 + a.abs())
}

#[test]
fn what_stands_in_masked_cells_changes_nothing() {
    for (spec, parts) in cases() {
        let mut other = parts.clone();
        let mut draws = Draws::new(5);
        for (cell, counts) in counting(&parts).into_iter().enumerate() {
            if !counts {
                other.scores[cell] = 3.0 * draws.number();
                other.gold[cell] = if draws.one_in(2) { 1.0 } else { 0.0 };
                other.teachers[0].scores[cell] = draws.number();
            }
        }
        assert_eq!(evaluate(spec, &other), evaluate(spec, &parts), "{spec}");
    }
}

#[test]
fn masked_columns_can_be_left_out() {
    for (spec, parts) in cases() {
        let width = parts.candidates + 1;
        let wider = widened(&parts);
        let (found, expected) = (evaluate(spec, &wider), evaluate(spec, &parts));
        assert_eq!(found.value, expected.value, "{spec}");
        let kept: Vec<f32> = (0..parts.queries)
            .flat_map(|row| found.gradient[row * width..][..parts.candidates].to_vec())
            .collect();
        assert_eq!(kept, expected.gradient, "{spec}");
    }
}

/// Adds a column that does not count.
fn widened(parts: &BlockParts) -> BlockParts {
    fn add<T: Copy>(values: &[T], candidates: usize, value: T) -> Vec<T> {
        values.chunks(candidates).flat_map(|row| row.iter().copied().chain([value])).collect()
    }
    let mut wider = parts.clone();
    let count = parts.candidates;
    wider.candidates += 1;
    wider.scores = add(&parts.scores, count, f32::INFINITY);
    wider.gold = add(&parts.gold, count, 1.0);
    wider.valid = add(&parts.valid, count, false);
    wider.cell_weights = add(&parts.cell_weights, count, 1.0);
    for (teacher, before) in wider.teachers.iter_mut().zip(&parts.teachers) {
        teacher.scores = add(&before.scores, count, f32::NAN);
        teacher.known = add(&before.known, count, true);
    }
    if let Columns::Shared(owners) = &mut wider.columns {
        owners.push(Some(0));
    }
    wider
}

#[test]
fn candidates_in_another_order_have_the_same_derivatives() {
    for (spec, parts) in cases() {
        let order = Draws::new(9).order(parts.candidates);
        let (before, after) = (evaluate(spec, &parts), evaluate(spec, &permuted(&parts, &order)));
        assert!(near(before.value, after.value), "{spec}: {} {}", before.value, after.value);
        for row in 0..parts.queries {
            for (place, &from) in order.iter().enumerate() {
                let there = f64::from(after.gradient[row * parts.candidates + place]);
                let here = f64::from(before.gradient[row * parts.candidates + from]);
                assert!(near(here, there), "{spec}, row {row}, column {from}");
            }
        }
    }
}

#[test]
fn most_losses_do_not_change_when_a_row_is_shifted() {
    for (spec, mut parts) in cases() {
        // These look at single scores, or at several rows at once.
        if spec.contains("bce") || spec.starts_with("mse") || spec.contains("side=b") {
            continue;
        }
        let before = evaluate(spec, &parts);
        for row in parts.scores.chunks_mut(parts.candidates) {
            for score in row {
                *score += 0.75;
            }
        }
        let after = evaluate(spec, &parts);
        assert!(near(before.value, after.value), "{spec}: {} {}", before.value, after.value);
        let sum: f32 = before.gradient.iter().sum();
        assert!(sum.abs() < 1e-4, "{spec}: derivatives sum to {sum}");
    }
}

#[test]
fn only_proportions_of_query_weights_matter() {
    for (spec, mut parts) in cases().filter(|(_, parts)| !parts.weights.is_empty()) {
        let before = evaluate(spec, &parts);
        parts.weights.iter_mut().for_each(|weight| *weight *= 4.0);
        assert!(near(evaluate(spec, &parts).value, before.value), "{spec}");
    }
}

#[test]
fn a_query_of_weight_two_counts_as_two() {
    for seed in (0..20).step_by(2) {
        let mut weighted = own(seed);
        weighted.weights = vec![1.0; weighted.queries];
        weighted.weights[0] = 2.0;
        let mut twice = weighted.clone();
        let count = twice.candidates;
        twice.queries += 1;
        twice.weights = Vec::new();
        twice.scores.extend_from_within(..count);
        twice.gold.extend_from_within(..count);
        twice.valid.extend_from_within(..count);
        for teacher in &mut twice.teachers {
            teacher.scores.extend_from_within(..count);
            let known = teacher.known.len().min(count);
            teacher.known.extend_from_within(..known);
        }
        for spec in super::samples::SPECS {
            let (a, b) = (evaluate(spec, &weighted), evaluate(spec, &twice));
            assert!(near(a.value, b.value), "{spec}");
        }
    }
}

#[test]
fn an_ungraded_candidate_of_weight_two_counts_as_two() {
    for seed in (0..20).step_by(2) {
        let mut weighted = own(seed);
        let count = weighted.candidates;
        // No row may have a single cell: it is skipped, while two copies of it have a loss of 0.
        weighted.scores.iter_mut().filter(|score| score.is_nan()).for_each(|score| *score = 0.3);
        weighted.valid = vec![true; weighted.queries * count];
        weighted.teachers[1].known.clone_from(&weighted.valid);
        weighted.cell_weights = vec![1.0; weighted.queries * count];
        for row in 0..weighted.queries {
            let cell = row * count;
            weighted.cell_weights[cell] = 2.0;
            weighted.gold[cell] = 0.0;
        }
        // The first column once more, at the end.
        let copy = |values: &[f32]| -> Vec<f32> {
            values.chunks(count).flat_map(|row| row.iter().copied().chain([row[0]])).collect()
        };
        let flags = |values: &[bool]| -> Vec<bool> {
            values.chunks(count).flat_map(|row| row.iter().copied().chain([row[0]])).collect()
        };
        let mut twice = weighted.clone();
        twice.candidates += 1;
        twice.cell_weights = Vec::new();
        twice.scores = copy(&weighted.scores);
        twice.gold = copy(&weighted.gold);
        twice.valid = flags(&weighted.valid);
        for teacher in &mut twice.teachers {
            teacher.scores = copy(&teacher.scores);
            teacher.known = flags(&teacher.known);
        }
        for spec in super::samples::SPECS {
            // Copies take ranks of their own.
            if spec.contains("weights=") {
                continue;
            }
            let (a, b) = (evaluate(spec, &weighted), evaluate(spec, &twice));
            assert!(near(a.value, b.value), "{spec}, seed {seed}: {} {}", a.value, b.value);
        }
    }
}

#[test]
fn extreme_scores_keep_finite_values() {
    for (spec, mut parts) in cases() {
        for (cell, score) in parts.scores.iter_mut().enumerate() {
            *score += if cell % 2 == 0 { 3e4 } else { -3e4 };
        }
        let found = evaluate(spec, &parts);
        assert!(found.value.is_finite(), "{spec}");
    }
    let mut parts = shared(2);
    parts.scores.iter_mut().for_each(|score| *score = 3e38);
    let block = crate::block::Block::new(parts).unwrap();
    let message = super::samples::loss("mse").evaluate(&block).map(|found| found.value);
    assert!(message.is_ok_and(f64::is_finite));
}
