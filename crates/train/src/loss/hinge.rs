//! The hinge loss of pairs, with the side from which the negatives come (bidirectional image-sentence ranking, Baqapuri 2016).

use super::options::{Located, Options};
use super::row::{Outcome, Row, RowLoss, Side};

/// The mean over pairs of `max(0, margin - s⁺ + s⁻)`, where the first has a higher grade than the second.
///
/// The mean is taken over hinges: a hinge of mean scores, which reference code has, is satisfied while single negatives still
/// stand above. The weight of a pair is the product of those of its cells. Rows without a pair are skipped. The
/// [share of active pairs](super::TermReport::active) says how much gradient is left. With `side=both` the value is half the sum of
/// the two sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Hinge {
    /// How far the better of a pair has to be ahead.
    pub margin: f64,
    /// Whose side the negatives come from: `a`, candidates for a query; `b`, queries for a candidate.
    pub side: Side,
}

impl Default for Hinge {
    fn default() -> Self {
        Self { margin: 1.0, side: Side::A }
    }
}

impl Hinge {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.not_negative("margin", &mut self.margin)?;
        options.word("side", &mut self.side)
    }
}

impl RowLoss for Hinge {
    fn side(&self) -> Side {
        self.side
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let pairs = ordered_pairs(&row.gold);
        let total: f64 = pairs.iter().map(|&(i, j)| row.weights[i] * row.weights[j]).sum();
        if total == 0.0 {
            return None;
        }
        let mut outcome = Outcome { pairs: pairs.len(), ..Outcome::default() };
        for (i, j) in pairs {
            let lacking = self.margin - row.scores[i] + row.scores[j];
            if lacking > 0.0 {
                let share = row.weights[i] * row.weights[j] / total;
                outcome.value += share * lacking;
                outcome.active += 1;
                slopes[i] -= share;
                slopes[j] += share;
            }
        }
        Some(outcome)
    }
}

/// Lists the pairs of which the first has the higher target.
pub(super) fn ordered_pairs(targets: &[f64]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, first) in targets.iter().enumerate() {
        for (j, second) in targets.iter().enumerate() {
            if first > second {
                pairs.push((i, j));
            }
        }
    }
    pairs
}
