//! Rows: what an encoder makes of documents, whatever the kind of channel.
//!
//! A document has a number of rows. In a dense channel a row is a vector, in a sparse one a term with its weight. Rows
//! are staged, logged, written, merged and filled in the same way; a segment has them in parts, each of
//! which covers a range of its documents, and documents that no part covers have none yet.

mod check;
mod merge;
mod range;
mod table;
mod write;

pub(crate) use check::{MAX_WEIGHT, check_row, check_rows, check_weighted_terms};
pub(crate) use merge::merge_ranges;
pub(crate) use range::{RowPart, RowRange};
pub(crate) use table::RowTable;
pub(crate) use write::{RowRun, value_bytes, word_bytes, write_rows};

use crate::ChannelKind;
use crate::format::manifest::PartKind;

/// What the rows of a channel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Vectors of so many dimensions.
    Dense { dimensions: u32 },
    /// Terms of a vocabulary of so many, each with a weight.
    Sparse { terms: u32 },
}

impl Shape {
    /// Returns what the rows of a channel are; `None` for a kind that has none.
    pub fn of(kind: &ChannelKind) -> Option<Self> {
        match kind {
            ChannelKind::Bm25(_) => None,
            ChannelKind::Dense(settings) => Some(Shape::Dense { dimensions: settings.dimensions }),
            ChannelKind::Sparse(settings) => Some(Shape::Sparse { terms: settings.terms }),
        }
    }

    /// Returns the kind of the channel's parts.
    pub fn part(self) -> PartKind {
        match self {
            Shape::Dense { .. } => PartKind::Dense,
            Shape::Sparse { .. } => PartKind::Sparse,
        }
    }

    /// Returns how many values a row has.
    pub fn values(self) -> usize {
        match self {
            Shape::Dense { dimensions } => dimensions as usize,
            Shape::Sparse { .. } => 1,
        }
    }

    /// Returns how many terms a row has.
    pub fn terms(self) -> usize {
        usize::from(matches!(self, Shape::Sparse { .. }))
    }

    /// Returns the number that a part's totals have.
    pub fn size(self) -> u32 {
        match self {
            Shape::Dense { dimensions: size } | Shape::Sparse { terms: size } => size,
        }
    }
}

/// The rows of consecutive documents in a dense or sparse channel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows<'a> {
    /// How many rows each document has; 0 for one without text.
    pub counts: &'a [u32],
    /// The term of each row in a sparse channel, increasing in a document; none in a dense one.
    pub terms: &'a [u32],
    /// The values of all rows, one after the other: vectors, or weights above 0.
    pub values: &'a [f32],
}

/// Rows that are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OwnedRows {
    pub counts: Vec<u32>,
    pub terms: Vec<u32>,
    pub values: Vec<f32>,
}

impl OwnedRows {
    pub fn as_rows(&self) -> Rows<'_> {
        Rows { counts: &self.counts, terms: &self.terms, values: &self.values }
    }

    pub fn extend(&mut self, more: Rows<'_>) {
        self.counts.extend_from_slice(more.counts);
        self.terms.extend_from_slice(more.terms);
        self.values.extend_from_slice(more.values);
    }

    /// Returns how many bytes the rows take, without their counts.
    pub fn bytes(&self) -> usize {
        4 * (self.terms.len() + self.values.len())
    }

    /// Keeps the rows of the documents whose flag is set.
    pub fn keep(&mut self, shape: Shape, flags: &[bool]) {
        let counts = std::mem::take(&mut self.counts);
        let (terms, values) = (std::mem::take(&mut self.terms), std::mem::take(&mut self.values));
        let mut row = 0;
        for (&count, &kept) in counts.iter().zip(flags) {
            let rows = row..row + count as usize;
            row = rows.end;
            if !kept {
                continue;
            }
            let of = |each: usize| rows.start * each..rows.end * each;
            self.counts.push(count);
            self.terms.extend_from_slice(&terms[of(shape.terms())]);
            self.values.extend_from_slice(&values[of(shape.values())]);
        }
    }
}
