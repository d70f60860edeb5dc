//! ListMLE (Xia et al. 2008): the likelihood of an order under the Plackett-Luce model.

use super::options::{Located, Options};
use super::ranked::Ranked;
use super::row::{Outcome, Row, RowLoss};

/// `Σᵢ (log Σₖ exp(sₖ) - sᵢ)`, with `k` over candidate `i` and those with a lower target.
///
/// Targets are grades or a teacher's scores. Where all differ, this is minus the logarithm of the probability of their order. Ties do
/// not compete with each other, so that the value does not depend on the order of columns. The value is a sum over the list, which
/// grows with its length. Rows in which no target differs are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListMle {
    /// The teacher; grades are the targets where there is none.
    pub teacher: Option<usize>,
}

impl ListMle {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.optional("teacher", &mut self.teacher)
    }
}

impl RowLoss for ListMle {
    fn teacher(&self) -> Option<usize> {
        self.teacher
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let targets = row.targets();
        if targets.windows(2).all(|pair| pair[0] == pair[1]) {
            return None;
        }
        let list = Ranked {
            scores: &row.scores,
            merits: &targets,
            shares: &row.weights,
            weights: &row.weights,
        };
        Some(list.loss(slopes).into())
    }
}
