//! The adversarial half of AR2 (Zhang et al. 2022): a retriever learns to propose what a ranker confuses with the gold candidate.

use super::options::{Located, Options};
use super::row::{Outcome, Row, RowLoss};
use super::softmax::{softmax, softplus};

/// `Σ_d log σ(r_gold - r_d) · log p_d`, where `r` are the ranker's scores, which have no derivative here, and `p` is the
/// softmax of the row's scores over `temperature`.
///
/// Both factors are at most 0, so that the value falls as `p` rises where the ranker is unsure. `p` is over all candidates,
/// the sum over those without a grade; with `with-gold` over all, as in the reference code. That code also sums over the batch while it
/// averages its distillation: here both are means over the queries, and their balance does not depend on the batch.
/// Rows are skipped that have no grade, or nothing else. The gold candidate is the one with the highest grade, of equal
/// grades the one that the ranker likes best.
#[derive(Clone, Debug, PartialEq)]
pub struct Adversarial {
    /// Which teacher is the ranker.
    pub teacher: usize,
    /// Whether the sum has a term for graded candidates.
    pub with_gold: bool,
    /// What scores are divided by; the ranker's are not.
    pub temperature: f64,
}

impl Default for Adversarial {
    fn default() -> Self {
        Self { teacher: 0, with_gold: false, temperature: 1.0 }
    }
}

impl Adversarial {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.index("teacher", &mut self.teacher)?;
        options.positive("temperature", &mut self.temperature)?;
        options.flag("with-gold", &mut self.with_gold)
    }
}

impl RowLoss for Adversarial {
    fn teacher(&self) -> Option<usize> {
        Some(self.teacher)
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let ranker = row.targets();
        let graded = (0..row.gold.len()).filter(|&d| row.gold[d] > 0.0);
        let gold = graded.max_by(|&a, &b| {
            row.gold[a].total_cmp(&row.gold[b]).then(ranker[a].total_cmp(&ranker[b]))
        });
        let gold = gold?;
        if row.gold.iter().all(|&grade| grade > 0.0) {
            return None;
        }
        let logits: Vec<f64> = row.scores.iter().map(|score| score / self.temperature).collect();
        let (shares, log_sum) = softmax(&logits, &row.weights);
        let rewards: Vec<f64> = (0..shares.len())
            .map(|d| {
                let counted = self.with_gold || row.gold[d] == 0.0;
                let reward = -softplus(ranker[d] - ranker[gold]);
                if counted { row.weights[d] * reward } else { 0.0 }
            })
            .collect();
        let total: f64 = rewards.iter().sum();
        let mut value = 0.0;
        for (d, reward) in rewards.iter().enumerate() {
            value += reward * (logits[d] - log_sum);
            slopes[d] = (reward - shares[d] * total) / self.temperature;
        }
        Some(value.into())
    }
}
