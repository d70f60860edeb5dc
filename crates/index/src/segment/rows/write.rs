//! Writes rows as a part.

use std::borrow::Cow;
use std::ops::Range;

use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{F32, U32};

use super::{RowTable, Shape};
use crate::format::manifest::PartEntry;
use crate::format::part::{PartIdentity, Section, SectionKind};
use crate::format::records::RowTotals;
use crate::format::spool::SpoolRoom;
use crate::segment::impacts::build_impacts;
use crate::segment::publish_part;
use crate::{Error, Result};

/// Rows of consecutive documents of a segment, as they are stored, in pieces.
#[derive(Debug, Default)]
pub(crate) struct RowRun<'a> {
    /// The first document's number.
    pub first: u32,
    /// How many rows each document has.
    pub counts: Vec<u32>,
    /// The terms of the rows; empty in a dense channel.
    pub terms: Vec<&'a [u8]>,
    /// The values of the rows.
    pub values: Vec<&'a [u8]>,
}

impl<'a> RowRun<'a> {
    /// Returns the number of the document after the last.
    pub fn end(&self) -> u32 {
        self.first + self.counts.len() as u32
    }

    /// Adds the rows of some documents of a part.
    pub fn push(&mut self, table: &'a RowTable, documents: Range<usize>) {
        let rows = table.rows_of(documents.clone());
        self.counts.extend(table.counts().skip(documents.start).take(documents.len()));
        self.terms.push(table.term_bytes(rows.clone()));
        self.values.push(table.value_bytes(rows));
    }
}

/// Writes rows as a part, in a sparse channel with their impacts by term.
pub(crate) fn write_rows(
    room: SpoolRoom<'_>,
    identity: PartIdentity,
    (channel, shape): (&str, Shape),
    run: &RowRun<'_>,
) -> Result<PartEntry> {
    let mut starts = vec![U32::new(0)];
    let mut rows = 0u64;
    for &count in &run.counts {
        rows += u64::from(count);
        starts.push(U32::new(rows as u32));
    }
    if rows > u64::from(u32::MAX) {
        let limit = u64::from(u32::MAX);
        return Err(Error::TooMany { what: "rows in one part", got: rows, limit });
    }
    let totals = RowTotals { size: U32::new(shape.size()), rows: U32::new(rows as u32) };
    let mut sections: Vec<Section<'_>> = vec![
        (SectionKind::RowTotals, vec![totals.as_bytes()]),
        (SectionKind::RowStarts, vec![starts.as_bytes()]),
        (SectionKind::Rows, run.values.clone()),
    ];
    let impacts = match shape {
        Shape::Dense { .. } => None,
        Shape::Sparse { terms } => Some(build_impacts(run, terms, room)?),
    };
    if let Some(impacts) = &impacts {
        sections.push((SectionKind::RowTerms, run.terms.clone()));
        sections.extend(impacts.sections());
    }
    publish_part(room.storage, identity, Some(channel), &sections)
}

/// Returns values as they are stored.
pub(crate) fn value_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(values.as_bytes());
    }
    let values: Vec<F32> = values.iter().copied().map(F32::new).collect();
    Cow::Owned(values.as_bytes().to_vec())
}

/// Returns numbers as they are stored.
pub(crate) fn word_bytes(words: &[u32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(words.as_bytes());
    }
    let words: Vec<U32> = words.iter().copied().map(U32::new).collect();
    Cow::Owned(words.as_bytes().to_vec())
}
