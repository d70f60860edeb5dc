//! Rows in spans: the token states of some texts, their token vectors, or one vector each.
//!
//! Heads turn such rows into other such rows, scorers compare two sets of them.

mod problem;

pub use problem::ShapeError;

use std::ops::Range;

use ecphory_model::Recording;

/// Rows of equal length that belong to items, such as tokens to texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ragged {
    /// The rows, end to end.
    pub values: Vec<f32>,
    /// How long a row is.
    pub columns: usize,
    /// The row at which each item begins, and at last the number of rows: one more than there are items.
    pub offsets: Vec<usize>,
    /// Which rows count; empty where all do. Padding does not, nor what a template keeps out of pooling.
    pub counted: Vec<bool>,
    /// The whole word that each row is of, 0 for none (a special token); empty where words are unknown.
    pub words: Vec<u32>,
    /// The term of the vocabulary that each row's token is, [`NO_TERM`] for none; empty where tokens are unknown.
    pub terms: Vec<u32>,
}

/// What stands for a token that is no term: a special one, or one outside the vocabulary.
pub const NO_TERM: u32 = u32::MAX;

impl Ragged {
    /// Makes items of one row each.
    pub fn vectors(values: Vec<f32>, columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        Self { values, columns, offsets: (0..=rows).collect(), ..Self::default() }
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// Returns how many items there are.
    pub fn items(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Returns the rows of an item.
    ///
    /// # Panics
    /// Where there is no such item, as [`Ragged::row`] does where there is no such row.
    pub fn span(&self, item: usize) -> Range<usize> {
        self.offsets[item]..self.offsets[item + 1]
    }

    /// Returns whether a row counts.
    pub fn counts(&self, row: usize) -> bool {
        self.counted.get(row).is_none_or(|&counted| counted)
    }

    /// Returns a row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// Checks that the parts fit to each other.
    ///
    /// # Errors
    /// No item, no column, spans that do not ascend from 0, or parts of another length.
    pub fn check(&self) -> Result<(), ShapeError> {
        if self.columns == 0 || self.items() == 0 {
            return Err(ShapeError::Empty { items: self.items(), columns: self.columns });
        }
        let descends = self.offsets.windows(2).position(|pair| pair[0] > pair[1]);
        if let Some(item) = descends.or((self.offsets[0] != 0).then_some(0)) {
            return Err(ShapeError::Span { item });
        }
        let rows = self.rows();
        for (part, got, expected) in [
            ("values", self.values.len(), rows.saturating_mul(self.columns)),
            ("marks of counted rows", self.counted.len(), rows),
            ("words of rows", self.words.len(), rows),
            ("terms of rows", self.terms.len(), rows),
        ] {
            if got != expected && (part == "values" || got != 0) {
                return Err(ShapeError::Length { part, got, expected });
            }
        }
        Ok(())
    }

    /// Checks the parts, and that rows are so long.
    pub(crate) fn check_columns(&self, expected: usize) -> Result<(), ShapeError> {
        self.check()?;
        let found = self.columns;
        if found == expected { Ok(()) } else { Err(ShapeError::Columns { found, expected }) }
    }

    /// Checks that there is one derivative for each value of `self`.
    pub(crate) fn check_slopes(&self, slopes: &[f32]) -> Result<(), ShapeError> {
        check_length("derivatives", slopes.len(), self.values.len())
    }

    /// The rows of an item that count.
    pub(crate) fn counted_rows(&self, item: usize) -> impl DoubleEndedIterator<Item = usize> {
        self.span(item).filter(|&row| self.counts(row))
    }

    /// The same items with other rows of the same number.
    pub(crate) fn with_values(&self, values: Vec<f32>, columns: usize) -> Self {
        let (offsets, counted) = (self.offsets.clone(), self.counted.clone());
        let (words, terms) = (self.words.clone(), self.terms.clone());
        Self { values, columns, offsets, counted, words, terms }
    }

    /// Copies a range of items.
    ///
    /// # Panics
    /// Where there are not so many.
    #[must_use]
    pub fn slice(&self, items: Range<usize>) -> Self {
        let rows = self.offsets[items.start]..self.offsets[items.end];
        let part = |all: &[u32]| all.get(rows.clone()).unwrap_or_default().to_vec();
        let cells = rows.start * self.columns..rows.end * self.columns;
        let offsets = &self.offsets[items.start..=items.end];
        Self {
            values: self.values[cells].to_vec(),
            columns: self.columns,
            offsets: offsets.iter().map(|offset| offset - rows.start).collect(),
            counted: self.counted.get(rows.clone()).unwrap_or_default().to_vec(),
            words: part(&self.words),
            terms: part(&self.terms),
        }
    }
}

/// The token states of a recording, an item for each of its sequences.
impl From<&Recording> for Ragged {
    fn from(recording: &Recording) -> Self {
        let ends = recording.spans().iter().map(|span| span.end);
        Self {
            values: recording.states().to_vec(),
            columns: recording.columns(),
            offsets: std::iter::once(0).chain(ends).collect(),
            ..Self::default()
        }
    }
}

/// Checks the length of something.
pub(crate) fn check_length(
    part: &'static str,
    got: usize,
    expected: usize,
) -> Result<(), ShapeError> {
    if got == expected { Ok(()) } else { Err(ShapeError::Length { part, got, expected }) }
}

/// Adds `factor · values` to `to`.
pub(crate) fn add_scaled(to: &mut [f32], factor: f32, values: &[f32]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += factor * value;
    }
}

#[cfg(test)]
pub(crate) mod samples;
