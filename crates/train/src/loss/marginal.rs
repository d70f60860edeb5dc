//! The marginal likelihood of an answer over retrieved candidates, the retriever's loss of EMDR2 (Sachan et al. 2021).

use super::options::{Located, Options};
use super::row::{Outcome, Row, RowLoss};
use super::softmax::softmax;

/// `-log Σ_z p(answer | z) · p(z)`, where `p(z)` is the softmax of the row and the teacher's scores are `log p(answer | z)`,
/// which have no derivative: no gradient of the retriever reaches the reader.
///
/// This is the likelihood of the whole answer. The reference code marginalises each token of the answer by itself, which is the sum of
/// this loss over one teacher for each token: `marginal + marginal(teacher=1) + ...`.
/// Rows without a candidate that the reader knows are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marginal {
    /// Which teacher is the reader.
    pub teacher: usize,
}

impl Marginal {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.index("teacher", &mut self.teacher)
    }
}

impl RowLoss for Marginal {
    fn teacher(&self) -> Option<usize> {
        Some(self.teacher)
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        if row.scores.is_empty() {
            return None;
        }
        let (prior, log_prior) = softmax(&row.scores, &row.weights);
        let joint: Vec<f64> =
            row.targets().iter().zip(&row.scores).map(|(answer, score)| answer + score).collect();
        let (posterior, log_joint) = softmax(&joint, &row.weights);
        for (slope, (prior, posterior)) in slopes.iter_mut().zip(prior.iter().zip(&posterior)) {
            *slope = prior - posterior;
        }
        Some((log_prior - log_joint).into())
    }
}
