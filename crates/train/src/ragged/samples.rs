//! Random rows, padding and differences for the tests of heads and scorers.

use super::Ragged;
use crate::draws::Draws;

/// Random items with words, and rows in between that do not count.
pub(crate) fn ragged(items: usize, columns: usize, seed: u64) -> Ragged {
    let mut draws = Draws::new(seed);
    let mut made = Ragged { columns, offsets: vec![0], ..Ragged::default() };
    for _ in 0..items {
        let rows = 1 + draws.below(4);
        for row in 0..rows {
            made.values.extend(draws.numbers(columns));
            made.counted.push(row == 0 || !draws.one_in(3));
            made.words.push(draws.below(3) as u32);
        }
        made.offsets.push(made.offsets.last().copied().unwrap_or(0) + rows);
    }
    made
}

/// Adds a row that does not count before and after those of every item.
pub(crate) fn padded(plain: &Ragged) -> Ragged {
    let mut made = Ragged { columns: plain.columns, offsets: vec![0], ..Ragged::default() };
    for item in 0..plain.items() {
        let mut push = |values: &[f32], counted: bool, word: u32| {
            made.values.extend_from_slice(values);
            made.counted.push(counted);
            made.words.push(word);
        };
        let junk = vec![9.0; plain.columns];
        push(&junk, false, 1);
        for row in plain.span(item) {
            push(plain.row(row), plain.counts(row), plain.words.get(row).copied().unwrap_or(0));
        }
        push(&junk, false, 2);
        made.offsets.push(made.counted.len());
    }
    if plain.words.is_empty() {
        made.words.clear();
    }
    made
}

/// What `padded` makes of derivatives by the values of `plain`: zeros for the rows that it adds.
pub(crate) fn padded_slopes(plain: &Ragged, slopes: &[f32]) -> Vec<f32> {
    let mut made = Vec::new();
    let zeros = vec![0.0; plain.columns];
    for item in 0..plain.items() {
        made.extend(&zeros);
        let span = plain.span(item);
        made.extend(&slopes[span.start * plain.columns..span.end * plain.columns]);
        made.extend(&zeros);
    }
    made
}

/// Compares derivatives with central differences of a function of some values.
pub(crate) fn check_slopes(
    what: &str,
    values: &[f32],
    found: &[f32],
    value: impl Fn(&[f32]) -> f64,
) {
    const STEP: f32 = 1.0 / 1024.0;
    assert_eq!(values.len(), found.len(), "{what}");
    for index in 0..values.len() {
        let at = |steps: f32| {
            let mut moved = values.to_vec();
            moved[index] += steps * STEP;
            value(&moved)
        };
        let expected = (at(1.0) - at(-1.0)) / f64::from(2.0 * STEP);
        let error = (f64::from(found[index]) - expected).abs();
        assert!(
            error < 3e-3 * (1.0 + expected.abs()),
            "{what}, value {index}: {} instead of {expected}",
            found[index]
        );
    }
}

/// `Σ weights · values` in double precision: a value whose derivatives are the weights.
pub(crate) fn weighed(weights: &[f32], values: &[f32]) -> f64 {
    assert_eq!(weights.len(), values.len());
    weights.iter().zip(values).map(|(w, v)| f64::from(*w) * f64::from(*v)).sum()
}
