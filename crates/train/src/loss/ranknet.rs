//! RankNet (Burges et al. 2005) with the weights of LambdaRank (2006): of MRR as in UDR (Li et al. 2023), or of nDCG.

use super::hinge::ordered_pairs;
use super::options::{Located, Options, Words};
use super::problem::SpecProblem;
use super::row::{Outcome, Row, RowLoss};
use super::softmax::{sigmoid, softplus};

/// What a pair of candidates weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PairWeights {
    /// 1.
    #[default]
    One,
    /// How much the reciprocal rank would change if they were swapped.
    Mrr,
    /// How much nDCG would change if they were swapped, with gains of `2^grade - 1`.
    Ndcg,
}

impl Words for PairWeights {
    const WORDS: &'static [(&'static str, Self)] =
        &[("one", Self::One), ("mrr", Self::Mrr), ("ndcg", Self::Ndcg)];
}

/// The mean over pairs of `w · log(1 + exp(-(sᵢ - sⱼ)))`, where `i` has a higher target than `j`.
///
/// Targets are grades or a teacher's scores. The weights `w` come from the ranks that the scores have now (a higher score
/// first, of ties the first column), are computed at each step, and have no derivative.
/// The mean divides by the number of pairs, not by the sum of `w`. Rows without a pair are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RankNet {
    /// What a pair weighs.
    pub weights: PairWeights,
    /// The teacher that orders the candidates; grades do where there is none.
    pub teacher: Option<usize>,
}

impl RankNet {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.word("weights", &mut self.weights)?;
        options.optional("teacher", &mut self.teacher)?;
        if self.weights == PairWeights::Ndcg && self.teacher.is_some() {
            let reason = "nDCG has its gains from grades";
            let (first, second) = ("weights=ndcg", "teacher");
            return Err((0, SpecProblem::Exclusive { first, second, reason }));
        }
        Ok(())
    }
}

impl RowLoss for RankNet {
    fn teacher(&self) -> Option<usize> {
        self.teacher
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let pairs = ordered_pairs(&row.targets());
        let total: f64 = pairs.iter().map(|&(i, j)| row.weights[i] * row.weights[j]).sum();
        if total == 0.0 {
            return None;
        }
        let merits = self.merits(row);
        let mut value = 0.0;
        for (i, j) in pairs {
            let share = row.weights[i] * row.weights[j] / total * merits.swap(i, j);
            let ahead = row.scores[i] - row.scores[j];
            value += share * softplus(-ahead);
            let pull = share * sigmoid(-ahead);
            slopes[i] -= pull;
            slopes[j] += pull;
        }
        Some(value.into())
    }
}

/// What a swap of two candidates would change: the product of the differences of their gains and of their discounts.
struct Merits {
    gains: Vec<f64>,
    discounts: Vec<f64>,
    ideal: f64,
    weights: PairWeights,
}

impl RankNet {
    fn merits(&self, row: &Row) -> Merits {
        let ranks = ranks(&row.scores);
        let weights = self.weights;
        match weights {
            PairWeights::One => Merits { gains: vec![], discounts: vec![], ideal: 1.0, weights },
            PairWeights::Mrr => {
                let discounts = ranks.iter().map(|&rank| 1.0 / rank as f64).collect();
                Merits { gains: vec![], discounts, ideal: 1.0, weights }
            }
            PairWeights::Ndcg => {
                let discount = |rank: usize| 1.0 / (1.0 + rank as f64).log2();
                let discounts = ranks.iter().map(|&rank| discount(rank)).collect();
                let gains: Vec<f64> = row.gold.iter().map(|gold| gold.exp2() - 1.0).collect();
                let mut best = gains.clone();
                best.sort_by(|a, b| b.total_cmp(a));
                let ideal = best.iter().zip(1..).map(|(gain, rank)| gain * discount(rank)).sum();
                Merits { gains, discounts, ideal, weights }
            }
        }
    }
}

impl Merits {
    fn swap(&self, i: usize, j: usize) -> f64 {
        match self.weights {
            PairWeights::One => 1.0,
            PairWeights::Mrr => (self.discounts[i] - self.discounts[j]).abs(),
            PairWeights::Ndcg => {
                let gain = (self.gains[i] - self.gains[j]).abs();
                gain * (self.discounts[i] - self.discounts[j]).abs() / self.ideal
            }
        }
    }
}

/// Returns the rank of each score, from 1 on; of ties the first comes first.
fn ranks(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut ranks = vec![0; scores.len()];
    for (place, index) in order.into_iter().enumerate() {
        ranks[index] = place + 1;
    }
    ranks
}
