use ecphory_kernels::Level;

use super::*;
use crate::draws::Draws;
use crate::ragged::samples::{check_slopes, padded, padded_slopes, ragged, weighed};

fn vectors(items: usize, columns: usize, seed: u64) -> Ragged {
    Ragged::vectors(Draws::new(seed).numbers(items * columns), columns)
}

/// Random sides in both layouts: queries, candidates, layout.
fn sides(make: impl Fn(usize, usize, u64) -> Ragged) -> Vec<(Ragged, Ragged, Layout)> {
    let mut sides = Vec::new();
    for seed in 0..8 {
        let (queries, columns) = (1 + seed as usize % 3, [1, 3, 17][seed as usize % 3]);
        for (layout, count) in [(Layout::Shared, 2 + seed as usize % 4), (Layout::Own, 2 * queries)]
        {
            sides.push((make(queries, columns, seed), make(count, columns, seed + 50), layout));
        }
    }
    sides
}

/// Checks a scorer of both sides: `scores` and `gradient` for given sides and scale.
fn check(
    what: &str,
    sides: &(Ragged, Ragged, Layout),
    scores: impl Fn(&Pairs<'_>, f64) -> Vec<f32>,
    gradient: impl Fn(&Pairs<'_>, f64, &[f32]) -> Gradient,
) {
    const SCALE: f64 = 0.75;
    let (queries, candidates, layout) = sides;
    let layout = *layout;
    let pairs = Pairs { queries, candidates, layout };
    let weights = Draws::new(3).numbers(scores(&pairs, SCALE).len());
    let found = gradient(&pairs, SCALE, &weights);
    check_slopes(what, &queries.values, &found.queries, |values| {
        let queries = &queries.with_values(values.to_vec(), queries.columns);
        weighed(&weights, &scores(&Pairs { queries, ..pairs }, SCALE))
    });
    check_slopes(what, &candidates.values, &found.candidates, |values| {
        let candidates = &candidates.with_values(values.to_vec(), candidates.columns);
        weighed(&weights, &scores(&Pairs { candidates, ..pairs }, SCALE))
    });
    check_slopes(what, &[0.75], &[found.scale as f32], |scale| {
        weighed(&weights, &scores(&pairs, scale[0].into()))
    });
}

#[test]
fn derivatives_of_vectors_are_those_of_differences() {
    for level in Level::available() {
        for sides in sides(vectors) {
            check(
                "dot",
                &sides,
                |pairs, scale| Dot { scale }.forward(level, pairs).unwrap(),
                |pairs, scale, slopes| Dot { scale }.backward(level, pairs, slopes).unwrap(),
            );
            let long = |side: &Ragged| {
                let values = side.values.iter().map(|x| x + x.signum()).collect();
                side.with_values(values, side.columns)
            };
            let sides = (long(&sides.0), long(&sides.1), sides.2);
            check(
                "cosine",
                &sides,
                |pairs, scale| Cosine { scale }.forward(level, pairs).unwrap().0,
                |pairs, scale, slopes| {
                    let cosine = Cosine { scale };
                    let kept = cosine.forward(level, pairs).unwrap().1;
                    cosine.backward(level, pairs, &kept, slopes).unwrap()
                },
            );
        }
    }
}

#[test]
fn derivatives_of_token_vectors_are_those_of_differences() {
    for level in Level::available() {
        for sides in sides(ragged) {
            for same_word in [false, true] {
                check(
                    "maxsim",
                    &sides,
                    |pairs, scale| MaxSim { scale, same_word }.forward(level, pairs).unwrap().0,
                    |pairs, scale, slopes| {
                        let scorer = MaxSim { scale, same_word };
                        let kept = scorer.forward(level, pairs).unwrap().1;
                        scorer.backward(pairs, &kept, slopes).unwrap()
                    },
                );
            }
        }
    }
}

#[test]
fn scores_are_those_of_their_definition() {
    for (queries, candidates, layout) in sides(ragged) {
        let pairs = Pairs { queries: &queries, candidates: &candidates, layout };
        let (scores, _) = MaxSim::default().forward(Level::detect(), &pairs).unwrap();
        let width = scores.len() / queries.items();
        for (cell, score) in scores.iter().enumerate() {
            let (query, column) = (cell / width, cell % width);
            let first = if layout == Layout::Own { query * width } else { 0 };
            let mut expected = 0.0;
            for q in queries.counted_rows(query) {
                let rows = candidates.counted_rows(first + column);
                let products = rows.map(|c| weighed(queries.row(q), candidates.row(c)));
                expected += products.fold(f64::NEG_INFINITY, f64::max);
            }
            assert!((f64::from(*score) - expected).abs() < 1e-4);
        }
    }
}

#[test]
fn padding_changes_no_score_and_gets_no_derivative() {
    for (queries, candidates, layout) in sides(ragged) {
        let plain = Pairs { queries: &queries, candidates: &candidates, layout };
        let (wide_queries, wide_candidates) = (padded(&queries), padded(&candidates));
        let wide = Pairs { queries: &wide_queries, candidates: &wide_candidates, layout };
        let level = Level::detect();
        for same_word in [false, true] {
            let scorer = MaxSim { scale: 2.0, same_word };
            let ((a, kept_a), (b, kept_b)) =
                (scorer.forward(level, &plain).unwrap(), scorer.forward(level, &wide).unwrap());
            assert_eq!(a, b);
            let slopes = Draws::new(4).numbers(a.len());
            let a = scorer.backward(&plain, &kept_a, &slopes).unwrap();
            let b = scorer.backward(&wide, &kept_b, &slopes).unwrap();
            assert_eq!(b.queries, padded_slopes(&queries, &a.queries));
            assert_eq!(b.candidates, padded_slopes(&candidates, &a.candidates));
        }
    }
}

#[test]
fn of_equal_maxima_the_first_alone_has_a_derivative() {
    let queries = Ragged::vectors(vec![1.0, 0.0], 2);
    let candidates =
        Ragged { offsets: vec![0, 3], ..Ragged::vectors(vec![0.0, 5.0, 2.0, 1.0, 2.0, 3.0], 2) };
    let pairs = Pairs { queries: &queries, candidates: &candidates, layout: Layout::Shared };
    let (scores, kept) = MaxSim::default().forward(Level::detect(), &pairs).unwrap();
    assert_eq!(scores, [2.0]);
    let found = MaxSim::default().backward(&pairs, &kept, &[1.0]).unwrap();
    assert_eq!(found.queries, [2.0, 1.0]);
    assert_eq!(found.candidates, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn what_is_no_number_comes_through_maxsim() {
    let queries = Ragged::vectors(vec![1.0], 1);
    for values in [vec![f32::NAN, 5.0], vec![5.0, f32::NAN], vec![5.0, f32::NAN, 7.0]] {
        let rows = values.len();
        let candidates = Ragged { offsets: vec![0, rows], ..Ragged::vectors(values, 1) };
        let pairs = Pairs { queries: &queries, candidates: &candidates, layout: Layout::Shared };
        let (scores, _) = MaxSim::default().forward(Level::detect(), &pairs).unwrap();
        assert!(scores[0].is_nan());
    }
}

#[test]
fn a_negative_match_of_words_loses_to_nothing() {
    let side = |values: Vec<f32>, words: Vec<u32>| Ragged {
        offsets: vec![0, values.len()],
        words,
        ..Ragged::vectors(values, 1)
    };
    let scorer = MaxSim { same_word: true, ..MaxSim::default() };
    let score = |values: Vec<f32>, words: Vec<u32>| {
        let (queries, candidates) = (side(vec![1.0], vec![7]), side(values, words));
        let pairs = Pairs { queries: &queries, candidates: &candidates, layout: Layout::Shared };
        let (scores, kept) = scorer.forward(Level::detect(), &pairs).unwrap();
        (scores[0], scorer.backward(&pairs, &kept, &[1.0]).unwrap().candidates)
    };
    assert_eq!(score(vec![-2.0, 9.0], vec![7, 8]), (0.0, vec![0.0, 0.0]));
    assert_eq!(score(vec![-2.0], vec![7]), (-2.0, vec![1.0]));
    assert_eq!(score(vec![3.0, 9.0], vec![7, 8]), (3.0, vec![1.0, 0.0]));
}

#[test]
fn a_candidate_without_rows_scores_nothing() {
    let queries = vectors(2, 3, 1);
    let candidates = Ragged { offsets: vec![0, 0, 2], ..vectors(2, 3, 2) };
    let pairs = Pairs { queries: &queries, candidates: &candidates, layout: Layout::Shared };
    let (scores, kept) = MaxSim::default().forward(Level::detect(), &pairs).unwrap();
    assert_eq!((scores[0], scores[2]), (0.0, 0.0));
    assert!(MaxSim::default().backward(&pairs, &kept, &[1.0; 4]).is_ok());
}

#[test]
fn sparse_products_equal_dense_ones() {
    let (terms, level) = (6, Level::detect());
    for seed in 0..6 {
        let mut draws = Draws::new(seed);
        let mut queries = SparseRows { offsets: vec![0], ..SparseRows::default() };
        let mut dense = vec![0.0; 2 * terms];
        for query in 0..2 {
            let chosen = &draws.order(terms)[..3];
            for &term in chosen {
                let weight = draws.number();
                queries.terms.push(term as u32);
                queries.weights.push(weight);
                dense[query * terms + term] = weight;
            }
            queries.offsets.push(queries.terms.len());
        }
        let candidates = vectors(4, terms, seed + 9);
        for layout in [Layout::Own, Layout::Shared] {
            let scorer = SparseDot { scale: 0.5 };
            let scores = scorer.forward(&queries, &candidates, layout).unwrap();
            let dense = Ragged::vectors(dense.clone(), terms);
            let pairs = Pairs { queries: &dense, candidates: &candidates, layout };
            let slopes = draws.numbers(scores.len());
            let expected = Dot { scale: 0.5 }.forward(level, &pairs).unwrap();
            for (a, b) in scores.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-5);
            }
            let found = scorer.backward(&queries, &candidates, layout, &slopes).unwrap();
            let expected = Dot { scale: 0.5 }.backward(level, &pairs, &slopes).unwrap();
            for (a, b) in found.candidates.iter().zip(&expected.candidates) {
                assert!((a - b).abs() < 1e-5);
            }
            for (at, weight) in found.weights.iter().enumerate() {
                let place = (at / 3) * terms + queries.terms[at] as usize;
                assert!((weight - expected.queries[place]).abs() < 1e-5);
            }
            assert!((found.scale - expected.scale).abs() < 1e-4);
        }
    }
}

#[test]
fn a_fusion_begins_with_half_of_each_and_learns_its_balance() {
    assert_eq!(Fusion::default().forward(&[1.0, 2.0], &[3.0, -2.0]).unwrap(), [2.0, 0.0]);
    let mut draws = Draws::new(1);
    let (first, second, slopes) = (draws.numbers(5), draws.numbers(5), draws.numbers(5));
    let fusion = Fusion { gamma: 0.5 };
    let found = fusion.backward(&first, &second, &slopes).unwrap();
    let value = |first: &[f32], second: &[f32], gamma: f64| {
        weighed(&slopes, &Fusion { gamma }.forward(first, second).unwrap())
    };
    check_slopes("first", &first, &found.first, |first| value(first, &second, 0.5));
    check_slopes("second", &second, &found.second, |second| value(&first, second, 0.5));
    check_slopes("gamma", &[0.5], &[found.gamma as f32], |gamma| {
        value(&first, &second, gamma[0].into())
    });
}

#[test]
fn what_does_not_fit_is_refused() {
    let level = Level::detect();
    let message = |queries: &Ragged, candidates: &Ragged, layout| {
        let pairs = Pairs { queries, candidates, layout };
        Dot::default().forward(level, &pairs).unwrap_err().to_string()
    };
    let two = vectors(2, 3, 0);
    assert_eq!(
        message(&two, &vectors(2, 4, 0), Layout::Shared),
        "rows of 3 columns are needed, found 4"
    );
    assert_eq!(
        message(&two, &vectors(3, 3, 0), Layout::Own),
        "3 candidates cannot be dealt to 2 queries"
    );
    let double = Ragged { offsets: vec![0, 2], ..two.clone() };
    assert_eq!(
        message(&two, &double, Layout::Shared),
        "item 0 has 2 rows, where one vector is needed"
    );
    let pairs = Pairs { queries: &two, candidates: &two, layout: Layout::Shared };
    let error = Dot::default().backward(level, &pairs, &[1.0]).unwrap_err();
    assert_eq!(error.to_string(), "derivatives by scores: 4 are needed, found 1");
    let scorer = MaxSim { same_word: true, ..MaxSim::default() };
    assert!(matches!(scorer.forward(level, &pairs), Err(ShapeError::NoWords)));
    let queries = SparseRows { offsets: vec![0, 1], terms: vec![3], weights: vec![1.0] };
    let error = SparseDot::default().forward(&queries, &two, Layout::Shared).unwrap_err();
    assert_eq!(error.to_string(), "term 3 of item 0: the vocabulary has 3 terms");
}
