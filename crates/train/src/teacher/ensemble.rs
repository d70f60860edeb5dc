//! Several teachers as one: the weighted mean of their normalised scores, times a scale.

use super::{Normaliser, Teacher, checked};
use crate::error::{Error, Result};

/// A teacher in an ensemble.
pub struct Member<'a> {
    /// The teacher.
    pub teacher: &'a dyn Teacher,
    /// Its weight; the weights need not add up to one.
    pub weight: f32,
    /// What is done to its scores first, over the documents that are asked for together.
    pub normaliser: Normaliser,
}

/// The weighted mean of teachers.
///
/// Scores depend on which documents are asked for together, since each member's are normalised over them.
/// A member whose scores are flat adds the same to all documents, hence nothing to their order or their softmax.
pub struct Ensemble<'a> {
    members: Vec<Member<'a>>,
    scale: f32,
}

impl<'a> Ensemble<'a> {
    /// Takes the members, and what their mean is multiplied with (30 in distillation to sparse models).
    ///
    /// # Errors
    /// Where there are none, a weight is not positive, or the scale is not.
    pub fn new(members: Vec<Member<'a>>, scale: f32) -> Result<Self> {
        if members.is_empty() {
            return Err(Error::Nothing { what: "teachers" });
        }
        let weights = members.iter().map(|member| ("weight of a teacher", member.weight));
        for (setting, value) in weights.chain([("scale of the ensemble", scale)]) {
            if !(value.is_finite() && value > 0.0) {
                let expected = "a positive number";
                return Err(Error::Setting { setting, expected, got: value.to_string() });
            }
        }
        Ok(Self { members, scale })
    }
}

impl Teacher for Ensemble<'_> {
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        let total: f64 = self.members.iter().map(|member| f64::from(member.weight)).sum();
        let mut sums = vec![0.0; documents.len()];
        for member in &self.members {
            let mut scores = checked(member.teacher, query, documents)?;
            member.normaliser.apply(&mut scores);
            let weight = f64::from(self.scale) * f64::from(member.weight) / total;
            for (sum, score) in sums.iter_mut().zip(scores) {
                *sum += weight * f64::from(score);
            }
        }
        Ok(sums.into_iter().map(|sum: f64| sum as f32).collect())
    }
}
