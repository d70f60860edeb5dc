//! Vectors of equal length that somebody else holds: checked once, then read without checks.

use crate::error::{Error, Result};

/// Vectors of the same length, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    values: &'a [f32],
    columns: usize,
}

impl<'a> Vectors<'a> {
    /// Views rows of `columns` values; `what` names them in errors, in the singular.
    ///
    /// # Errors
    /// Where there is no row, the values are not whole rows, or one is NaN or infinite.
    pub fn new(what: &'static str, values: &'a [f32], columns: usize) -> Result<Self> {
        if values.is_empty() || columns == 0 {
            return Err(Error::Nothing { what: "vectors" });
        }
        let rest = values.len() % columns;
        if rest > 0 {
            let expected = values.len() - rest + columns;
            return Err(Error::Shape { what: "values of vectors", expected, got: values.len() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(Self { values, columns }),
            Some(at) => {
                let (row, column) = (at / columns, at % columns);
                Err(Error::NotFinite { what, row, column, value: values[at] })
            }
        }
    }

    /// Returns how many rows there are.
    pub fn count(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Returns how long a row is.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns one row.
    ///
    /// # Panics
    /// Where there are not so many.
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// Returns all values.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }
}
