//! FLOPS (Paria et al. 2020), with the groups, IDF weights and threshold of inference-free sparse retrieval (Geng, Ru, Yang 2024).

use super::{Penalty, RegulariserError, count, sign};

/// `Σ_t (mean |w_t| / idf_t)²`: the squared mean weight of each term, a smooth stand-in for how many postings a query meets.
///
/// Vectors are dealt to `groups` in turn, as candidates of `groups` slots lie query by query: vector `i` belongs to group
/// `i % groups`. The means are taken within a group, so that relevant and irrelevant candidates are averaged apart, and the value
/// is the mean over groups. With one group all vectors are averaged together.
/// A statistic of a batch, not of a vector: small batches bias it upwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Flops {
    /// How many groups the vectors are dealt to.
    pub groups: usize,
    /// The weight of each term, by which its mean is divided: terms that are frequent pay more for a unit of score. For vectors
    /// whose weights already contain the IDF; leave it empty where the IDF is in the matching function.
    pub idf: Vec<f32>,
    /// A vector with at most so many terms other than 0 costs nothing; it still counts in the mean.
    pub free_terms: usize,
}

impl Default for Flops {
    fn default() -> Self {
        Self { groups: 1, idf: Vec::new(), free_terms: 0 }
    }
}

impl Flops {
    /// Computes the penalty of vectors of `columns` dimensions, which lie end to end.
    ///
    /// # Errors
    /// No vectors, or no whole number of them or of groups; weights of terms that do not fit or are not positive; a value
    /// that is not finite.
    pub fn evaluate(&self, values: &[f32], columns: usize) -> Result<Penalty, RegulariserError> {
        let vectors = count(values, columns)?;
        self.check(vectors, columns)?;
        let paying: Vec<bool> = values
            .chunks_exact(columns)
            .map(|row| row.iter().filter(|value| **value != 0.0).count() > self.free_terms)
            .collect();
        let per_group = (vectors / self.groups) as f64;
        let mut value = 0.0;
        let mut gradient = vec![0.0; values.len()];
        for group in 0..self.groups {
            let rows = || (group..vectors).step_by(self.groups).filter(|&row| paying[row]);
            let mut means = vec![0.0f64; columns];
            for row in rows() {
                for (mean, value) in means.iter_mut().zip(&values[row * columns..]) {
                    *mean += f64::from(value.abs()) / per_group;
                }
            }
            for (term, mean) in means.iter_mut().enumerate() {
                let idf = self.idf.get(term).map_or(1.0, |&idf| f64::from(idf));
                value += (*mean / idf).powi(2) / self.groups as f64;
                // From here on: what a unit of |w| in this group costs.
                *mean *= 2.0 / (idf * idf * per_group * self.groups as f64);
            }
            for row in rows() {
                let cells = row * columns..(row + 1) * columns;
                let slopes = gradient[cells.clone()].iter_mut().zip(&values[cells]);
                for ((slope, &value), price) in slopes.zip(&means) {
                    *slope = (sign(value) * price) as f32;
                }
            }
        }
        Ok(Penalty { value, gradient })
    }

    fn check(&self, vectors: usize, columns: usize) -> Result<(), RegulariserError> {
        if self.groups == 0 || !vectors.is_multiple_of(self.groups) {
            return Err(RegulariserError::Groups { vectors, groups: self.groups });
        }
        if !self.idf.is_empty() && self.idf.len() != columns {
            return Err(RegulariserError::Idf { columns, got: self.idf.len() });
        }
        let is_bad = |idf: &f32| !(idf.is_finite() && *idf > 0.0);
        if let Some(term) = self.idf.iter().position(is_bad) {
            return Err(RegulariserError::Weight { term, value: self.idf[term] });
        }
        Ok(())
    }
}
