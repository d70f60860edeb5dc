//! ListNet (Cao et al. 2007): cross-entropy between top-one probabilities.

use super::options::{Located, Options};
use super::row::{Outcome, Row, RowLoss};
use super::softmax::softmax;

/// `-Σ softmax(target) · log softmax(score)`.
///
/// Targets are grades or a teacher's scores: unlike [`super::InfoNce`], a softmax is taken of grades too, so that an ungraded
/// candidate keeps a share. Rows of fewer than two candidates are skipped, and those without a grade where targets are grades.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListNet {
    /// The teacher; grades are the targets where there is none.
    pub teacher: Option<usize>,
}

impl ListNet {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.optional("teacher", &mut self.teacher)
    }
}

impl RowLoss for ListNet {
    fn teacher(&self) -> Option<usize> {
        self.teacher
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let ungraded = self.teacher.is_none() && row.gold.iter().all(|&gold| gold == 0.0);
        if row.scores.len() < 2 || ungraded {
            return None;
        }
        let (wanted, _) = softmax(&row.targets(), &row.weights);
        let (shares, log_sum) = softmax(&row.scores, &row.weights);
        let mut value = 0.0;
        for (index, slope) in slopes.iter_mut().enumerate() {
            value += wanted[index] * (log_sum - row.scores[index]);
            *slope = shares[index] - wanted[index];
        }
        Some(value.into())
    }
}
