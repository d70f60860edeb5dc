//! Training on labels of a pool without taking what is unlabelled for irrelevant: coupled estimation (after Cai et al. 2022, CET).
//!
//! A document has a label where it was selected for judging *and* is relevant. The ranker estimates the second; a small model
//! of selection, `Selection`, the first, from what a pool goes by: a lexical score, the place that it gives, and the length of the
//! document. Each is trained with weights that the other gives: a positive counts inversely to how likely it was selected, and an
//! unlabelled candidate as much as it is likely not to be relevant, `(1 - r) / (1 - s·r)`.
//!
//! The paper's own weights are not published; these follow from `P(label) = P(selected)·P(relevant)`.

mod features;
mod spec;

pub use spec::DebiasSpec;

use crate::block::{Block, BlockParts, Columns};
use crate::data::TrainingData;
use crate::error::Result;
use crate::head::Parameter;
use crate::loss::Loss;
use crate::optimiser::{Group, Slot, Tensors, Update};
use crate::run::batch::{Batch, Weights};
use crate::teacher::Teacher;
use features::{FEATURES, Features};

/// The most and the least that a positive counts.
const POSITIVE: std::ops::RangeInclusive<f64> = 0.1..=10.0;
/// The least that an unlabelled candidate counts.
const UNLABELLED: f64 = 0.02;
/// How much faster the model of selection moves than the ranker: it has four numbers, which begin at a guess.
const FASTER: f32 = 20.0;
/// The name of its parameter.
const NAME: &str = "selection.weight";

/// A model of which documents were selected for judging, which learns beside a ranker.
pub(crate) struct Selection<'a> {
    spec: DebiasSpec,
    features: Features<'a>,
    loss: Loss,
    /// One number a feature.
    weight: Parameter,
}

/// The candidates of a query as one of the two models sees them.
struct Row<'r> {
    /// Scores over the temperature.
    logits: &'r [f64],
    /// The place of the positive.
    positive: usize,
    counts: &'r [bool],
}

impl<'a> Selection<'a> {
    /// Begins with the guess that what scores high lexically was selected.
    pub(crate) fn new(
        spec: DebiasSpec,
        data: &'a TrainingData,
        lexical: &'a dyn Teacher,
    ) -> Result<Self> {
        let mut values = vec![0.0; FEATURES];
        values[0] = 1.0;
        Ok(Self {
            spec,
            features: Features::new(data, lexical),
            loss: "infonce".parse()?,
            weight: Parameter::new(NAME, &[FEATURES], values)?,
        })
    }

    /// Returns how much the queries and candidates of a batch count for the ranker that gave the scores, and keeps the derivatives by
    /// what this model learns from the batch.
    pub(crate) fn weigh(
        &mut self,
        data: &TrainingData,
        batch: &Batch,
        scores: &[f32],
        step: u64,
    ) -> Result<Weights> {
        let rows = batch.queries.len();
        let columns = batch.cells() / rows.max(1);
        let features = self.features.of(batch)?;
        let dot = |cell: &[f32]| cell.iter().zip(&self.weight.values).map(|(x, w)| x * w).sum();
        let selected: Vec<f32> = features.chunks_exact(FEATURES).map(dot).collect();
        let counts = batch.valid(data);
        let wide = |scores: &[f32], temperature: f64| -> Vec<f64> {
            scores.iter().map(|&score| f64::from(score) / temperature).collect()
        };
        let (relevance, selection) = (wide(scores, self.spec.temperature), wide(&selected, 1.0));
        let row = |logits, row: usize| {
            let within = row * columns..(row + 1) * columns;
            let logits: &[f64] = logits;
            Row {
                logits: &logits[within.clone()],
                positive: batch.positive(row),
                counts: &counts[within],
            }
        };
        let (mut of_ranker, mut of_selection) = (Weights::default(), Weights::default());
        if step >= self.spec.warmup {
            let rows_of = |logits| (0..rows).map(|one| row(logits, one)).collect::<Vec<Row<'_>>>();
            let (relevance, selection) = (rows_of(&relevance), rows_of(&selection));
            of_ranker = weights(&relevance, &selection);
            of_selection = weights(&selection, &relevance);
        }
        let block = Block::new(BlockParts {
            queries: rows,
            candidates: columns,
            scores: selected,
            valid: counts,
            gold: batch.gold(),
            weights: of_selection.queries,
            cell_weights: of_selection.cells,
            columns: Columns::Own,
            ..BlockParts::default()
        })?;
        let found = self.loss.evaluate(&block)?;
        self.weight.clear();
        for (slope, cell) in found.gradient.iter().zip(features.chunks_exact(FEATURES)) {
            for (gradient, x) in self.weight.gradient.iter_mut().zip(cell) {
                *gradient += slope * x;
            }
        }
        Ok(of_ranker)
    }

    /// Returns the place of what moves in an optimiser.
    pub(crate) fn slot(&self) -> Slot {
        let slot = self.weight.slot(0.0);
        Slot { group: Group { rate_factor: FASTER, ..slot.group }, ..slot }
    }

    /// Returns what moves with the derivatives by it.
    pub(crate) fn update(&mut self) -> Update<'_> {
        self.weight.update()
    }

    /// Returns what is learned.
    pub(crate) fn parameter(&self) -> &Parameter {
        &self.weight
    }

    /// Sets what is learned.
    pub(crate) fn set(&mut self, values: &Tensors) -> Result<()> {
        self.weight.set(values)
    }
}

/// How much positives and unlabelled candidates count for `own`, as `other` sees them.
fn weights(own: &[Row<'_>], other: &[Row<'_>]) -> Weights {
    let shares: Vec<f64> = other.iter().map(Row::share).collect();
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let inverse = |share: &f64| (mean / share).clamp(*POSITIVE.start(), *POSITIVE.end());
    let queries = scaled(shares.iter().map(inverse).collect());
    let mut cells = Vec::new();
    for (own, other) in own.iter().zip(other) {
        let mut of_row: Vec<f64> =
            (0..own.logits.len()).map(|place| own.unlabelled(other, place)).collect();
        let counted = |place: usize| place != own.positive && own.counts[place];
        let places: Vec<usize> = (0..of_row.len()).filter(|&place| counted(place)).collect();
        let found = scaled(places.iter().map(|&place| of_row[place]).collect());
        places.into_iter().zip(found).for_each(|(place, weight)| of_row[place] = f64::from(weight));
        of_row[own.positive] = 1.0;
        cells.extend(of_row.into_iter().map(|weight| weight as f32));
    }
    Weights { queries, cells }
}

/// Brings weights to a mean of 1.
fn scaled(weights: Vec<f64>) -> Vec<f32> {
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    weights.into_iter().map(|weight| (weight / mean) as f32).collect()
}

impl Row<'_> {
    /// The share of the positive in a softmax over the row.
    fn share(&self) -> f64 {
        let positive = self.logits[self.positive];
        let counted = self.logits.iter().zip(self.counts).filter(|(_, counts)| **counts);
        let sum: f64 = counted.map(|(logit, _)| (logit - positive).exp()).sum();
        (1.0 / sum).max(f64::MIN_POSITIVE)
    }

    /// The probability that a candidate has the property of which the positive has it.
    fn probability(&self, place: usize) -> f64 {
        1.0 / (1.0 + (self.logits[self.positive] - self.logits[place]).exp())
    }

    /// The probability that a candidate without a label lacks what this model estimates.
    fn unlabelled(&self, other: &Self, place: usize) -> f64 {
        let (own, other) = (self.probability(place), other.probability(place));
        ((1.0 - own) / (1.0 - own * other)).clamp(UNLABELLED, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'r>(logits: &'r [f64], counts: &'r [bool]) -> Row<'r> {
        Row { logits, positive: 0, counts }
    }

    #[test]
    fn what_looks_relevant_and_was_not_selected_counts_least() {
        let counts = [true; 4];
        // Relevant and unseen, relevant and seen, irrelevant and seen.
        let (relevance, selection) = ([0.0, 2.0, 2.0, -4.0], [0.0, -6.0, 3.0, 3.0]);
        let own = [row(&relevance, &counts)];
        let found = weights(&own, &[row(&selection, &counts)]);
        let cells = &found.cells;
        assert_eq!(cells[0], 1.0);
        assert!(cells[1] < cells[2] && cells[2] < cells[3], "{cells:?}");
        assert!((cells[1..].iter().sum::<f32>() / 3.0 - 1.0).abs() < 1e-6, "{cells:?}");
        let (r, s) = (1.0 / (1.0 + (-2f64).exp()), 1.0 / (1.0 + 6f64.exp()));
        let direct = (1.0 - r) / (1.0 - r * s);
        assert!((own[0].unlabelled(&row(&selection, &counts), 1) - direct).abs() < 1e-12);
    }

    #[test]
    fn positives_count_inversely_to_how_likely_they_were_selected() {
        let counts = [true, true, false];
        let (likely, unlikely) = ([3.0, 0.0, 9.0], [-3.0, 0.0, 9.0]);
        let relevance = [0.0; 3];
        let own = [row(&relevance, &counts), row(&relevance, &counts)];
        let found = weights(&own, &[row(&likely, &counts), row(&unlikely, &counts)]);
        assert!(found.queries[0] < 1.0 && found.queries[1] > 1.0, "{:?}", found.queries);
        assert!((found.queries.iter().sum::<f32>() - 2.0).abs() < 1e-6);
    }
}
