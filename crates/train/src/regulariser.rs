//! Regularisers: what vectors cost whatever they score, with the derivative by each of their values.
//!
//! They look at vectors, not at a block of scores: [`Flops`] and [`L1`] make them sparse, [`EmbeddingMse`] holds them near
//! to those of another model. Cost: one or two passes over the values.

mod flops;
mod spec;

pub use flops::Flops;
pub use spec::{PenaltyKind, PenaltySpec};

/// A penalty and its derivative.
#[derive(Clone, Debug, PartialEq)]
pub struct Penalty {
    /// How much the vectors cost.
    pub value: f64,
    /// The derivative by each value, in the layout of the vectors.
    pub gradient: Vec<f32>,
}

/// Why a penalty cannot be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegulariserError {
    /// The values are no whole number of vectors, or there are none.
    #[error("{values} values are no whole number of vectors of {columns} dimensions, from one on")]
    Shape {
        /// How many values there are.
        values: usize,
        /// How many each vector should have.
        columns: usize,
    },
    /// The vectors cannot be dealt to the groups.
    #[error("{vectors} vectors cannot be dealt to {groups} groups of equal size")]
    Groups {
        /// How many vectors there are.
        vectors: usize,
        /// How many groups there should be.
        groups: usize,
    },
    /// Another number of weights of terms.
    #[error("vectors of {columns} dimensions need as many weights of terms, found {got}")]
    Idf {
        /// The dimensions.
        columns: usize,
        /// How many weights there are.
        got: usize,
    },
    /// A weight of a term that is not positive.
    #[error("the weight of term {term} is {value}, not a positive number")]
    Weight {
        /// The dimension.
        term: usize,
        /// The weight.
        value: f32,
    },
    /// Another number of targets.
    #[error("{values} values have {targets} targets")]
    Targets {
        /// How many values there are.
        values: usize,
        /// How many targets there are.
        targets: usize,
    },
    /// A value that is not finite.
    #[error("the value in vector {row}, dimension {column} is {value}, not a finite number")]
    Value {
        /// The vector.
        row: usize,
        /// The dimension.
        column: usize,
        /// The value.
        value: f32,
    },
}

/// The mean over vectors of the sum of absolute values.
///
/// Of gates, which are vectors of one dimension, this is the mean absolute gate (ColBERTer). A value of 0 has a derivative of 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1;

impl L1 {
    /// Computes the penalty of vectors of `columns` dimensions, which lie end to end.
    ///
    /// # Errors
    /// No vectors, or no whole number of them; a value that is not finite.
    pub fn evaluate(self, values: &[f32], columns: usize) -> Result<Penalty, RegulariserError> {
        let vectors = count(values, columns)?;
        let sum: f64 = values.iter().map(|value| f64::from(value.abs())).sum();
        let step = 1.0 / vectors as f64;
        let gradient = values.iter().map(|&value| (sign(value) * step) as f32).collect();
        Ok(Penalty { value: sum * step, gradient })
    }
}

/// The mean over all values of the squared difference from another model's vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbeddingMse;

impl EmbeddingMse {
    /// Computes the penalty of vectors of `columns` dimensions against `targets` of the same shape.
    ///
    /// # Errors
    /// No vectors, or no whole number of them; targets of another shape; a value or target that is not finite.
    pub fn evaluate(
        self,
        values: &[f32],
        targets: &[f32],
        columns: usize,
    ) -> Result<Penalty, RegulariserError> {
        count(values, columns)?;
        if targets.len() != values.len() {
            let (values, targets) = (values.len(), targets.len());
            return Err(RegulariserError::Targets { values, targets });
        }
        count(targets, columns)?;
        let step = 1.0 / values.len() as f64;
        let error = |(value, target): (&f32, &f32)| f64::from(*value) - f64::from(*target);
        let errors = || values.iter().zip(targets).map(error);
        let gradient = errors().map(|error| (2.0 * step * error) as f32).collect();
        Ok(Penalty { value: step * errors().map(|error| error * error).sum::<f64>(), gradient })
    }
}

/// Counts vectors and checks their values.
fn count(values: &[f32], columns: usize) -> Result<usize, RegulariserError> {
    if columns == 0 || values.is_empty() || !values.len().is_multiple_of(columns) {
        return Err(RegulariserError::Shape { values: values.len(), columns });
    }
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        let (row, column) = (at / columns, at % columns);
        return Err(RegulariserError::Value { row, column, value: values[at] });
    }
    Ok(values.len() / columns)
}

/// -1, 0 or 1.
fn sign(value: f32) -> f64 {
    if value == 0.0 { 0.0 } else { f64::from(value.signum()) }
}

#[cfg(test)]
mod tests;
