//! InfoNCE: softmax cross-entropy of the relevant candidates among all (van den Oord et al. 2018), also of the relevant
//! queries of a candidate, or both (CLIP's symmetric form, VDR's).

use super::options::{Located, Options};
use super::row::{Outcome, Row, RowLoss, Side};
use super::softmax::softmax;

/// `-Σ t·log softmax(s / temperature)`, where `t` are the grades of a row, made to sum to 1.
///
/// The weight of a cell without a grade multiplies its term in the denominator (CET's weight of an unlabelled candidate);
/// that of a graded cell multiplies its share of the loss. Rows without a grade are skipped.
/// Keys of a queue are columns that no query owns.
#[derive(Clone, Debug, PartialEq)]
pub struct InfoNce {
    /// What scores are divided by.
    pub temperature: f64,
    /// Which way the block is read.
    pub side: Side,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { temperature: 1.0, side: Side::A }
    }
}

impl InfoNce {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.positive("temperature", &mut self.temperature)?;
        options.word("side", &mut self.side)
    }
}

impl RowLoss for InfoNce {
    fn side(&self) -> Side {
        self.side
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let total: f64 = row.gold.iter().sum();
        if total == 0.0 {
            return None;
        }
        let logits: Vec<f64> = row.scores.iter().map(|score| score / self.temperature).collect();
        let counts: Vec<f64> = (row.gold.iter().zip(&row.weights))
            .map(|(&gold, &weight)| if gold > 0.0 { 1.0 } else { weight })
            .collect();
        let (shares, log_sum) = softmax(&logits, &counts);
        let targets: Vec<f64> =
            row.gold.iter().zip(&row.weights).map(|(gold, weight)| weight * gold / total).collect();
        let mass: f64 = targets.iter().sum();
        let mut value = 0.0;
        for (index, target) in targets.iter().enumerate() {
            if *target > 0.0 {
                value += target * (log_sum - logits[index]);
            }
            slopes[index] = (mass * shares[index] - target) / self.temperature;
        }
        Some(value.into())
    }
}
