//! What a pool goes by.

use crate::data::TrainingData;
use crate::error::Result;
use crate::run::batch::Batch;
use crate::teacher::{Normaliser, Shape, Teacher};

/// The lexical score, the place that it gives among the candidates, and the length of the document.
pub(super) const FEATURES: usize = 3;

/// Gives the features of pairs.
pub(super) struct Features<'a> {
    lexical: &'a dyn Teacher,
    /// The logarithm of each document's length, with mean 0 and deviation 1.
    lengths: Vec<f32>,
}

impl<'a> Features<'a> {
    pub(super) fn new(data: &TrainingData, lexical: &'a dyn Teacher) -> Self {
        let length = |text: &str| (1.0 + text.split_whitespace().count() as f32).ln();
        let lengths = data.documents().iter().map(|document| length(&document.text)).collect();
        Self { lexical, lengths: standardised(lengths) }
    }

    /// Returns [`FEATURES`] numbers for each cell of a batch, row-major. Scores and places of a row have mean 0 and deviation 1.
    pub(super) fn of(&self, batch: &Batch) -> Result<Vec<f32>> {
        let mut features = Vec::with_capacity(batch.cells() * FEATURES);
        for (row, &query) in batch.queries.iter().enumerate() {
            let candidates = batch.candidates(row);
            let scores = self.lexical.scores(query, candidates)?;
            let higher = |score: f32| scores.iter().filter(|other| **other > score).count();
            let places = scores.iter().map(|&score| -(1.0 + higher(score) as f32).ln()).collect();
            let (scores, places) = (standardised(scores), standardised(places));
            for ((&document, score), place) in candidates.iter().zip(scores).zip(places) {
                features.extend([score, place, self.lengths[document as usize]]);
            }
        }
        Ok(features)
    }
}

fn standardised(mut values: Vec<f32>) -> Vec<f32> {
    Normaliser::of(Shape::Z).apply(&mut values);
    values
}

#[cfg(test)]
mod tests {
    use super::standardised;

    #[test]
    fn numbers_are_brought_to_one_scale() {
        assert_eq!(standardised(vec![3.0, 1.0]), [1.0, -1.0]);
        assert_eq!(standardised(vec![2.0, 2.0]), [0.0, 0.0]);
    }
}
