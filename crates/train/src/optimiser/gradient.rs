//! Gradients as backward passes leave them, whole or for some rows; their norm, and clipping by it.

use super::{ParameterProblem, Update};
use crate::error::{Error, Result};

/// The gradient of one parameter.
#[derive(Clone, Copy, Debug)]
pub enum Gradient<'a> {
    /// One value for each of the parameter's.
    Dense(&'a [f32]),
    /// Some rows of a table; that of all others is zero.
    Rows {
        /// The rows, ascending, none twice.
        rows: &'a [u32],
        /// How long a row of the table is.
        columns: usize,
        /// `rows.len() · columns` values, row by row.
        values: &'a [f32],
    },
}

impl Gradient<'_> {
    /// Returns the values that are there.
    pub fn values(&self) -> &[f32] {
        match self {
            Gradient::Dense(values) | Gradient::Rows { values, .. } => values,
        }
    }

    /// Says what keeps it from being the gradient of a parameter of `length` values.
    pub(super) fn problem(&self, length: usize) -> Option<ParameterProblem> {
        let wrong = |expected: usize, got: usize| {
            (expected != got).then_some(ParameterProblem::GradientLength { expected, got })
        };
        match *self {
            Gradient::Dense(values) => wrong(length, values.len()),
            Gradient::Rows { rows, columns, values } => {
                if columns == 0 || !length.is_multiple_of(columns) {
                    return Some(ParameterProblem::Columns { length, columns });
                }
                let descends = rows.windows(2).position(|pair| pair[0] >= pair[1]);
                if let Some(at) = descends {
                    return Some(ParameterProblem::RowOrder { row: rows[at + 1] });
                }
                let outside = rows.last().filter(|&&row| row as usize >= length / columns);
                if let Some(&row) = outside {
                    return Some(ParameterProblem::Row { row, rows: length / columns });
                }
                wrong(rows.len() * columns, values.len())
            }
        }
    }
}

/// Computes the Euclidean length of all gradients together, in double precision.
///
/// # Errors
/// Where a value is NaN or infinite: names the parameter and the place.
pub fn global_norm(updates: &[Update<'_>]) -> Result<f64> {
    let mut sum = 0.0;
    for update in updates {
        let values = update.gradient.values();
        let part: f64 = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
        // Squares of finite floats do not overflow a double, so only such values make the sum so.
        if !part.is_finite() {
            let place = values.iter().position(|value| !value.is_finite()).unwrap_or_default();
            return Err(Error::Parameter {
                parameter: update.name.to_owned(),
                problem: ParameterProblem::NotFinite { place, value: values[place] },
            });
        }
        sum += part;
    }
    Ok(sum.sqrt())
}

/// Returns the factor that brings a norm down to `norm_max`: 1 where it is below.
pub fn clipping(norm: f64, norm_max: f64) -> f32 {
    // The small number keeps a norm of exactly `norm_max` at or below it after rounding, as PyTorch does.
    (norm_max / (norm + 1e-6)).min(1.0) as f32
}
