//! Losses of single cells: logistic and squared.

use super::options::{Located, Options};
use super::problem::LossError;
use super::row::{Outcome, Row, RowLoss};
use super::softmax::{sigmoid, softplus};
use crate::block::Block;

/// The mean over a row of the logistic loss `log(1 + exp(s)) - t·s`.
///
/// The target `t` is a grade, which has to be a probability, or the sigmoid of a teacher's score. Rows without cells are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bce {
    /// The teacher; grades are the targets where there is none.
    pub teacher: Option<usize>,
}

/// The mean over a row of the squared difference of score and target, which is a grade or a teacher's score.
///
/// Rows without cells are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mse {
    /// The teacher; grades are the targets where there is none.
    pub teacher: Option<usize>,
}

impl Bce {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.optional("teacher", &mut self.teacher)
    }
}

impl Mse {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.optional("teacher", &mut self.teacher)
    }
}

impl RowLoss for Bce {
    fn teacher(&self) -> Option<usize> {
        self.teacher
    }

    fn check(&self, block: &Block) -> Result<(), LossError> {
        if self.teacher.is_some() {
            return Ok(());
        }
        for row in 0..block.queries() {
            for column in 0..block.candidates() {
                let value = block.gold(row, column);
                if block.counts(row, column) && value > 1.0 {
                    let (loss, expected) = ("bce", "a probability");
                    return Err(LossError::Target { loss, row, column, value, expected });
                }
            }
        }
        Ok(())
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        let logistic = self.teacher.is_some();
        mean(row, slopes, |score, target| {
            let target = if logistic { sigmoid(target) } else { target };
            (softplus(score) - target * score, sigmoid(score) - target)
        })
    }
}

impl RowLoss for Mse {
    fn teacher(&self) -> Option<usize> {
        self.teacher
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        mean(row, slopes, |score, target| {
            let error = score - target;
            (error * error, 2.0 * error)
        })
    }
}

/// The weighted mean of what `cell` returns for score and target: value and derivative.
fn mean(row: &Row, slopes: &mut [f64], cell: impl Fn(f64, f64) -> (f64, f64)) -> Option<Outcome> {
    let total: f64 = row.weights.iter().sum();
    if total == 0.0 {
        return None;
    }
    let mut sum = 0.0;
    for (index, target) in row.targets().into_iter().enumerate() {
        let share = row.weights[index] / total;
        let (value, slope) = cell(row.scores[index], target);
        sum += share * value;
        slopes[index] = share * slope;
    }
    Some(sum.into())
}
