//! Rank-masked cross-entropy, LLM-Embedder's stable distillation (Zhang et al. 2023).

use super::options::{Located, Options};
use super::ranked::Ranked;
use super::row::{Origin, Outcome, Row, RowLoss};
use super::softmax::softmax;

/// `Σᵢ softmax(reward / temperature)ᵢ · CE(i)` over a query's own candidates; `CE(i)` is the cross-entropy of `i` among all
/// candidates of the row but those that the teacher ranks above it.
///
/// Every candidate is thus pulled above what ranks below it, and all of them above the candidates of other queries, even where
/// rewards are nearly equal. Ties do not compete with each other. Repeated candidates should be masked
/// ([`crate::block::Mask::without_repeats`]): they would compete with themselves.
/// Rows without an own candidate that the teacher knows are skipped, and those whose rewards differ by less than `range_min`.
#[derive(Clone, Debug, PartialEq)]
pub struct RankCe {
    /// Which teacher gives the rewards.
    pub teacher: usize,
    /// What rewards are divided by in the softmax.
    pub temperature: f64,
    /// The difference between the highest and the lowest reward below which a row is skipped.
    pub range_min: f64,
    /// Whether graded candidates rank above all others whatever their reward, as in the reference code.
    pub gold_first: bool,
}

impl Default for RankCe {
    fn default() -> Self {
        Self { teacher: 0, temperature: 1.0, range_min: 0.0, gold_first: false }
    }
}

impl RankCe {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.index("teacher", &mut self.teacher)?;
        options.positive("temperature", &mut self.temperature)?;
        options.not_negative("range-min", &mut self.range_min)?;
        options.flag("gold-first", &mut self.gold_first)
    }
}

impl RowLoss for RankCe {
    fn teacher(&self) -> Option<usize> {
        Some(self.teacher)
    }

    fn keeps_unknown(&self) -> bool {
        true
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let length = row.scores.len();
        let reward = |i: usize| row.teacher[i].filter(|_| row.origins[i] == Origin::Own);
        let rewards: Vec<f64> = (0..length).filter_map(reward).collect();
        let highest = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lowest = rewards.iter().copied().fold(f64::INFINITY, f64::min);
        if rewards.is_empty() || highest - lowest < self.range_min {
            return None;
        }
        let (mut merits, mut logits, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..length {
            let own = reward(i);
            let first = self.gold_first && row.gold[i] > 0.0;
            // What has no reward stands below all that have one, and has no term.
            merits.push(own.map_or(f64::NEG_INFINITY, |r| if first { f64::INFINITY } else { r }));
            logits.push(own.unwrap_or(0.0) / self.temperature);
            counts.push(if own.is_some() { row.weights[i] } else { 0.0 });
        }
        let (shares, _) = softmax(&logits, &counts);
        let list =
            Ranked { scores: &row.scores, merits: &merits, shares: &shares, weights: &row.weights };
        Some(list.loss(slopes).into())
    }
}
