//! One vector for each distinct word of a text (ColBERTer's bag of whole words, Hofstätter et al. 2022).

use std::collections::HashMap;

use ecphory_kernels::Level;

use super::Head;
use crate::ragged::{Ragged, ShapeError, add_scaled, check_length};

/// The mean of all pieces of all occurrences of each word, in the order in which words first occur.
///
/// Rows of word 0 belong to no word and are left out; so is a word none of whose pieces counts, such as one that was cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WordMean;

/// Which word each row went into.
#[derive(Clone, Debug)]
pub struct WordsKept {
    /// The place among the words of all texts; `None` for rows left out.
    places: Vec<Option<usize>>,
    /// How many rows each word has.
    counts: Vec<usize>,
}

impl Head for WordMean {
    type Kept = WordsKept;

    fn forward(&self, _level: Level, input: &Ragged) -> Result<(Ragged, WordsKept), ShapeError> {
        input.check()?;
        if input.words.is_empty() {
            return Err(ShapeError::NoWords);
        }
        let columns = input.columns;
        let mut kept = WordsKept { places: vec![None; input.rows()], counts: Vec::new() };
        let mut out = Ragged { columns, offsets: vec![0], ..Ragged::default() };
        let mut sums: Vec<f64> = Vec::new();
        for item in 0..input.items() {
            let mut known = HashMap::new();
            for row in input.counted_rows(item).filter(|&row| input.words[row] != 0) {
                let word = input.words[row];
                let place = *known.entry(word).or_insert_with(|| {
                    out.words.push(word);
                    kept.counts.push(0);
                    sums.resize(sums.len() + columns, 0.0);
                    out.words.len() - 1
                });
                kept.places[row] = Some(place);
                kept.counts[place] += 1;
                for (sum, &value) in sums[place * columns..].iter_mut().zip(input.row(row)) {
                    *sum += f64::from(value);
                }
            }
            out.offsets.push(out.words.len());
        }
        let means = sums.iter().enumerate();
        out.values =
            means.map(|(at, sum)| (sum / kept.counts[at / columns] as f64) as f32).collect();
        Ok((out, kept))
    }

    fn backward(
        &mut self,
        _level: Level,
        input: &Ragged,
        kept: &WordsKept,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        let columns = input.columns;
        check_length("derivatives", slopes.len(), kept.counts.len() * columns)?;
        let mut out = vec![0.0; input.values.len()];
        for (row, out) in out.chunks_exact_mut(columns).enumerate() {
            if let Some(place) = kept.places[row] {
                let share = 1.0 / kept.counts[place] as f32;
                add_scaled(out, share, &slopes[place * columns..][..columns]);
            }
        }
        Ok(out)
    }
}
