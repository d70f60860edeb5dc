//! One test for each trap that reference code fell into.

use super::samples::{evaluate, loss};
use crate::block::{Block, BlockParts, Columns, Teacher};

fn row(scores: &[f32], gold: &[f32]) -> BlockParts {
    BlockParts {
        queries: 1,
        candidates: scores.len(),
        scores: scores.to_vec(),
        gold: gold.to_vec(),
        ..Default::default()
    }
}

fn taught(scores: &[f32], teacher: &[f32]) -> BlockParts {
    let teachers = vec![Teacher::of_all(teacher.to_vec())];
    BlockParts { teachers, ..row(scores, &vec![0.0; scores.len()]) }
}

#[test]
fn kl_is_of_logarithms_and_zero_where_both_sides_agree() {
    // Fed with probabilities, the divergence of equal sides is not 0 and its derivative neither.
    let found = evaluate("kl", &taught(&[1.0, -2.0, 0.5], &[2.0, -1.0, 1.5]));
    assert!(found.value.abs() < 1e-12);
    assert!(found.gradient.iter().all(|slope| slope.abs() < 1e-7));
    // Two candidates, by hand: p = (3/4, 1/4), q = (1/2, 1/2).
    let found = evaluate("kl", &taught(&[0.0, 0.0], &[3f32.ln(), 0.0]));
    let expected = 0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln();
    assert!((found.value - expected).abs() < 1e-7);
    assert!((found.gradient[0] + 0.25).abs() < 1e-6);
}

#[test]
fn min_max_skips_ties_instead_of_blowing_up_noise() {
    let flat = taught(&[1.0, 0.5, 0.0], &[0.7, 0.7, 0.7 + 1e-7]);
    for spec in ["kl(normalise=minmax)", "kl(normalise=teacher)"] {
        let found = evaluate(spec, &flat);
        assert_eq!((found.value, found.gradient), (0.0, vec![0.0; 3]));
        assert_eq!((found.terms[0].counted, found.terms[0].skipped), (0, 1));
    }
    let flat_student = taught(&[0.5, 0.5, 0.5], &[1.0, 0.5, 0.0]);
    assert_eq!(evaluate("kl(normalise=minmax)", &flat_student).terms[0].skipped, 1);
    assert_eq!(evaluate("kl(normalise=teacher)", &flat_student).terms[0].counted, 1);
}

#[test]
fn min_max_makes_units_and_offsets_equal() {
    let teacher = [3.0, 1.0, 2.0, 0.0];
    let a = evaluate("kl(scale=10,normalise=minmax)", &taught(&[0.4, 0.1, 0.2, 0.3], &teacher));
    let scaled = [40.0, 10.0, 20.0, 30.0].map(|score| score + 7.0);
    let b = evaluate("kl(scale=10,normalise=minmax)", &taught(&scaled, &teacher.map(|t| 5.0 * t)));
    assert!((a.value - b.value).abs() < 1e-5);
    assert!(a.value > 0.1);
}

#[test]
fn a_hinge_is_not_satisfied_by_the_mean_of_its_negatives() {
    // The mean of the negatives is far below, one of them above.
    let found = evaluate("hinge(margin=0.5)", &row(&[1.0, 2.0, -9.0], &[1.0, 0.0, 0.0]));
    assert_eq!(found.value, 0.75);
    assert_eq!(found.gradient, [-0.5, 0.5, 0.0]);
    assert_eq!(found.terms[0].active, Some(0.5));
}

#[test]
fn the_side_of_a_hinge_draws_its_negatives() {
    // Query 0 ranks both candidates right, candidate 0 prefers query 1.
    let parts = BlockParts {
        queries: 2,
        candidates: 2,
        scores: vec![1.0, 0.0, 2.0, 3.0],
        gold: vec![1.0, 0.0, 0.0, 1.0],
        columns: Columns::Shared(vec![Some(0), Some(1)]),
        ..Default::default()
    };
    let by = |side: &str| evaluate(&format!("hinge(margin=0.5,side={side})"), &parts);
    assert_eq!((by("a").value, by("a").gradient), (0.0, vec![0.0; 4]));
    assert_eq!((by("b").value, by("b").gradient), (0.75, vec![-0.5, 0.0, 0.5, 0.0]));
    assert_eq!((by("both").value, by("both").gradient), (0.375, vec![-0.25, 0.0, 0.25, 0.0]));
}

#[test]
fn in_batch_margins_leave_out_the_own_pair_and_halve_the_kinds() {
    let teachers = vec![Teacher::of_all(vec![0.0; 8])];
    let mut parts = BlockParts {
        queries: 2,
        candidates: 4,
        // Columns: positive and negative of query 0, positive and negative of query 1.
        scores: vec![3.0, 99.0, 1.0, 0.0, 2.0, 1.0, 5.0, 77.0],
        gold: vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        columns: Columns::Shared(vec![Some(0), Some(0), Some(1), Some(1)]),
        teachers,
        ..Default::default()
    };
    let found = evaluate("margin-mse(in-batch)", &parts);
    let positives = f64::midpoint(2f64.powi(2), 3f64.powi(2));
    let negatives = f64::midpoint(3f64.powi(2), 4f64.powi(2));
    assert_eq!(found.value, f64::midpoint(positives, negatives));
    assert_eq!((found.gradient[1], found.gradient[7]), (0.0, 0.0));
    // The pair's own loss sees nothing else.
    let own = f64::midpoint(96f64.powi(2), 72f64.powi(2));
    assert_eq!(evaluate("margin-mse", &parts).value, own);
    // Without shared columns there is no batch to compare with.
    parts.columns = Columns::Own;
    let error = loss("margin-mse(in-batch)").evaluate(&Block::new(parts).unwrap()).unwrap_err();
    assert!(error.to_string().contains("compares queries by the columns that they share"));
}

#[test]
fn the_adversarial_term_does_not_grow_with_the_batch() {
    let one = BlockParts {
        teachers: vec![Teacher::of_all(vec![1.0, 2.0, 0.0])],
        ..row(&[0.5, 0.25, 1.0], &[1.0, 0.0, 0.0])
    };
    let mut four = one.clone();
    four.queries = 4;
    four.scores = one.scores.repeat(4);
    four.gold = one.gold.repeat(4);
    four.teachers[0].scores = one.teachers[0].scores.repeat(4);
    let (a, b) = (evaluate("adversarial", &one), evaluate("adversarial", &four));
    assert!(a.value > 0.0 && (a.value - b.value).abs() < 1e-12);
    assert!((a.gradient[1] / 4.0 - b.gradient[1]).abs() < 1e-7);
    // What the ranker confuses most with the gold candidate is raised most.
    assert!(a.gradient[1] < a.gradient[2]);
}

#[test]
fn lambda_weights_use_the_ranks_that_scores_have_now() {
    // Sorted by score: columns 2, 0, 1; the masked column would be first.
    let mut parts = row(&[1.0, 0.0, 2.0, 9.0], &[1.0, 0.0, 0.0, 0.0]);
    parts.valid = vec![true, true, true, false];
    let expected = |discount: fn(f64) -> f64| {
        let below = (discount(2.0) - discount(3.0)) * (-1f64).exp().ln_1p();
        let above = (discount(1.0) - discount(2.0)) * 1f64.exp().ln_1p();
        f64::midpoint(below, above)
    };
    let mrr = expected(|rank| 1.0 / rank);
    assert!((evaluate("ranknet(weights=mrr)", &parts).value - mrr).abs() < 1e-12);
    let ndcg = expected(|rank| 1.0 / (1.0 + rank).log2());
    assert!((evaluate("ranknet(weights=ndcg)", &parts).value - ndcg).abs() < 1e-12);
}

#[test]
fn rank_masked_cross_entropy_survives_flat_rewards() {
    let teacher = [0.03f32, 0.02, 0.01].map(|reward| reward * 0.05);
    let parts = taught(&[0.0, 0.0, 0.0], &teacher);
    let pull = |spec: &str| evaluate(spec, &parts).gradient.iter().map(|s| s.abs()).sum::<f32>();
    assert!(pull("rank-ce") > 100.0 * pull("kl"));
}

#[test]
fn a_chosen_positive_of_low_reward_ranks_first_only_on_request() {
    let mut parts = taught(&[0.0, 0.0], &[0.0, 1.0]);
    parts.gold = vec![1.0, 0.0];
    assert!(evaluate("rank-ce", &parts).gradient[0] > 0.0);
    assert!(evaluate("rank-ce(gold-first)", &parts).gradient[0] < 0.0);
}

#[test]
fn a_weight_multiplies_the_term_of_a_negative_in_the_denominator() {
    let mut parts = row(&[1.0, 0.5, 0.0], &[1.0, 0.0, 0.0]);
    parts.cell_weights = vec![1.0, 0.25, 3.0];
    let expected = (1f64.exp() + 0.25 * 0.5f64.exp() + 3.0).ln() - 1.0;
    assert!((evaluate("infonce", &parts).value - expected).abs() < 1e-12);
}

#[test]
fn a_queue_is_only_ever_a_negative() {
    let queued = BlockParts {
        queries: 2,
        candidates: 3,
        scores: vec![1.0, 0.5, 0.25, 0.0, 2.0, 0.75],
        gold: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        columns: Columns::Shared(vec![Some(0), Some(1), None]),
        ..Default::default()
    };
    let both = evaluate("infonce(side=both)", &queued);
    assert_eq!((both.terms[0].counted, both.terms[0].skipped), (4, 0));
    assert!(evaluate("infonce", &queued).gradient[2] > 0.0);
    assert_eq!(evaluate("infonce(side=b)", &queued).gradient[2], 0.0);
}

#[test]
fn the_marginal_of_an_answer_is_of_the_sequence_and_by_token_a_sum() {
    let tokens: [&[f32]; 2] = [&[-0.5, -2.0], &[-3.0, -0.25]];
    let whole: Vec<f32> = (0..2).map(|z| tokens[0][z] + tokens[1][z]).collect();
    let mut parts = taught(&[0.0, 0.0], &whole);
    parts.teachers.extend(tokens.map(|token| Teacher::of_all(token.to_vec())));
    let mean = |values: &[f32]| values.iter().map(|v| f64::from(*v).exp()).sum::<f64>() / 2.0;
    let sequence = -mean(&whole).ln();
    assert!((evaluate("marginal", &parts).value - sequence).abs() < 1e-7);
    let by_token = -mean(tokens[0]).ln() - mean(tokens[1]).ln();
    let sum = evaluate("marginal(teacher=1) + marginal(teacher=2)", &parts).value;
    assert!((sum - by_token).abs() < 1e-7);
    assert!((sequence - by_token).abs() > 0.1);
}

#[test]
fn rows_without_what_it_takes_are_counted() {
    let parts = BlockParts {
        queries: 3,
        candidates: 2,
        scores: vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
        gold: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        valid: vec![true, true, true, true, false, false],
        ..Default::default()
    };
    let found = evaluate("infonce", &parts);
    assert_eq!((found.terms[0].counted, found.terms[0].skipped), (1, 2));
    assert!((found.value - (1f64.exp() + 1.0).ln() + 1.0).abs() < 1e-12);
}

#[test]
fn a_block_that_lacks_something_is_refused() {
    let message = |spec: &str, parts: &BlockParts| {
        loss(spec).evaluate(&Block::new(parts.clone()).unwrap()).unwrap_err().to_string()
    };
    let parts = row(&[1.0, 0.0], &[2.0, 0.0]);
    assert_eq!(message("kl", &parts), "`kl` reads teacher 0, but the block has 0");
    assert_eq!(
        message("bce", &parts),
        "`bce`: the target in row 0, column 0 is 2, not a probability"
    );
    assert!(message("infonce(side=both)", &parts).contains("each has its own"));
    let huge = taught(&[3e38, 0.0], &[-3e38, 0.0]);
    assert!(message("1e300*mse(teacher=0)", &huge).contains("overflows"));
}
