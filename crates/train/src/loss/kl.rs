//! Kullback-Leibler divergence of the scores from a teacher's, as in distillation from a cross-encoder.
//!
//! Both sides enter as logarithms of probabilities: a library class of which one side expects probabilities has led
//! reference code to train on something else.

use super::options::{Located, Options, Words};
use super::row::{Outcome, Row, RowLoss};
use super::softmax::softmax;

/// The range of a list below which it is taken as one of ties: dividing by it would blow up noise.
pub const RANGE_MIN: f64 = 1e-6;

/// Which scores of a row are moved linearly so that the lowest is 0 and the highest 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Normalise {
    /// None.
    #[default]
    None,
    /// Those of both sides (JaColBERTv2.5).
    MinMax,
    /// The teacher's only (inference-free sparse retrieval, with a scale of 30).
    Teacher,
}

impl Words for Normalise {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("minmax", Self::MinMax), ("teacher", Self::Teacher)];
}

/// `KL(softmax(scale · teacher) ‖ softmax(student / temperature))`, over the candidates that the teacher knows.
///
/// With `normalise=minmax` the student's scores are normalised and scaled as well, and the derivative goes through the lowest
/// and the highest of them. A softmax over numbers between 0 and 1 is nearly flat, hence `scale`.
/// Rows of fewer than two candidates, or whose range is below [`RANGE_MIN`] where it is divided by, are skipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Kl {
    /// Which teacher.
    pub teacher: usize,
    /// What is normalised.
    pub normalise: Normalise,
    /// What the teacher's scores are multiplied with, and the student's where they are normalised.
    pub scale: f64,
    /// What the student's scores are divided by, after they were normalised where they are: cosines need one, or their softmax is flat.
    pub temperature: f64,
}

impl Default for Kl {
    fn default() -> Self {
        Self { teacher: 0, normalise: Normalise::None, scale: 1.0, temperature: 1.0 }
    }
}

impl Kl {
    pub(super) fn options(&mut self, options: &mut Options<'_>) -> Result<(), Located> {
        options.index("teacher", &mut self.teacher)?;
        options.positive("scale", &mut self.scale)?;
        options.positive("temperature", &mut self.temperature)?;
        options.word("normalise", &mut self.normalise)
    }
}

impl RowLoss for Kl {
    fn teacher(&self) -> Option<usize> {
        Some(self.teacher)
    }

    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome> {
        if row.scores.len() < 2 {
            return None;
        }
        let mut teacher = row.targets();
        let mut student = row.scores.clone();
        if self.normalise != Normalise::None {
            Extremes::of(&teacher)?.normalise(&mut teacher);
        }
        let extremes = match self.normalise {
            Normalise::MinMax => Some(Extremes::of(&student)?),
            _ => None,
        };
        let mut scale = 1.0 / self.temperature;
        if let Some(extremes) = &extremes {
            extremes.normalise(&mut student);
            scale *= self.scale;
        }
        let logits: Vec<f64> = student.iter().map(|score| scale * score).collect();
        let wanted: Vec<f64> = teacher.iter().map(|score| self.scale * score).collect();
        let (p, log_p) = softmax(&wanted, &row.weights);
        let (q, log_q) = softmax(&logits, &row.weights);
        let mut value = 0.0;
        for index in 0..p.len() {
            if p[index] > 0.0 {
                value += p[index] * ((wanted[index] - log_p) - (logits[index] - log_q));
            }
            slopes[index] = scale * (q[index] - p[index]);
        }
        if let Some(extremes) = &extremes {
            extremes.backward(&student, slopes);
        }
        Some(value.into())
    }
}

/// The lowest and the highest score of a list, each the first of its kind.
struct Extremes {
    lowest: usize,
    highest: usize,
    least: f64,
    range: f64,
}

impl Extremes {
    /// Finds them, or nothing where they are too near to each other.
    fn of(scores: &[f64]) -> Option<Self> {
        let (mut lowest, mut highest) = (0, 0);
        for (index, &score) in scores.iter().enumerate() {
            if score < scores[lowest] {
                lowest = index;
            }
            if score > scores[highest] {
                highest = index;
            }
        }
        let least = *scores.get(lowest)?;
        let range = scores[highest] - least;
        (range >= RANGE_MIN).then_some(Self { lowest, highest, least, range })
    }

    fn normalise(&self, scores: &mut [f64]) {
        for score in scores {
            *score = (*score - self.least) / self.range;
        }
    }

    /// Turns derivatives by normalised scores into those by the scores themselves. The lowest moves all others through the
    /// offset and the range, the highest through the range; of ties the first takes all.
    fn backward(&self, normalised: &[f64], slopes: &mut [f64]) {
        let sum: f64 = slopes.iter().sum();
        let along: f64 = slopes.iter().zip(normalised).map(|(slope, score)| slope * score).sum();
        slopes[self.lowest] -= sum - along;
        slopes[self.highest] -= along;
        for slope in slopes {
            *slope /= self.range;
        }
    }
}
