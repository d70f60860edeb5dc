//! MarginMSE: margins between relevant and other candidates should be those of a teacher (Hofstätter et al. 2020), for a query's own
//! pairs, or against the candidates of other queries (the in-batch part of TAS-Balanced, 2021).

use super::options::{Located, Options};
use super::row::{Origin, Outcome, Row, RowLoss};

/// The mean over pairs of `((s⁺ - s⁻) - (t⁺ - t⁻))²`.
///
/// A pair is one of the query's own graded candidates with one of its own ungraded ones. In-batch it is one of its own graded
/// candidates with one that it did not bring: half of the value is the mean over what is relevant for others, half the
/// mean over the rest, that of a queue included (all of it one of them where the other is empty). A query's own pair is no part of
/// that.
/// The weight of a pair is the product of those of its cells. Rows without a pair that the teacher knows are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MarginMse {
    /// Whether the candidates of other queries are meant.
    pub in_batch: bool,
    /// Which teacher.
    pub teacher: usize,
}

impl MarginMse {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.flag("in-batch", &mut self.in_batch)?;
        options.index("teacher", &mut self.teacher)
    }
}

impl RowLoss for MarginMse {
    fn teacher(&self) -> Option<usize> {
        Some(self.teacher)
    }

    fn needs_shared(&self) -> bool {
        self.in_batch
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        if !self.in_batch {
            let mean = mean(row, Origin::Own, slopes)?;
            return Some(mean.into());
        }
        let mut part = vec![0.0; slopes.len()];
        let positives = mean(row, Origin::OtherPositive, &mut part);
        let negatives = mean(row, Origin::OtherNegative, slopes);
        let halves = positives.iter().chain(&negatives).count() as f64;
        for (slope, part) in slopes.iter_mut().zip(part) {
            *slope = (*slope + part) / halves.max(1.0);
        }
        (halves > 0.0)
            .then(|| Outcome::from((positives.unwrap_or(0.0) + negatives.unwrap_or(0.0)) / halves))
    }
}

/// Adds the derivatives of the mean over the pairs with candidates of one origin; `None` where there is no pair.
fn mean(row: &Row, origin: Origin, slopes: &mut [f64]) -> Option<f64> {
    let teacher = row.targets();
    let positives: Vec<usize> =
        (0..slopes.len()).filter(|&i| row.origins[i] == Origin::Own && row.gold[i] > 0.0).collect();
    let negatives: Vec<usize> =
        (0..slopes.len()).filter(|&i| row.origins[i] == origin && row.gold[i] == 0.0).collect();
    let total: f64 = positives.iter().map(|&i| row.weights[i]).sum::<f64>()
        * negatives.iter().map(|&i| row.weights[i]).sum::<f64>();
    if total == 0.0 {
        return None;
    }
    let mut value = 0.0;
    for &i in &positives {
        for &j in &negatives {
            let share = row.weights[i] * row.weights[j] / total;
            let error = (row.scores[i] - row.scores[j]) - (teacher[i] - teacher[j]);
            value += share * error * error;
            slopes[i] += 2.0 * share * error;
            slopes[j] -= 2.0 * share * error;
        }
    }
    Some(value)
}
