//! The sections that parts of rows have in common: where each document's rows start, their terms and values.

use std::borrow::Cow;
use std::ops::Range;

use ecphory_core::storage::Bytes;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{F32, U32};

use super::{Rows, Shape, check_rows};
use crate::Result;
use crate::format::part::{PartFile, SectionKind};
use crate::format::records::RowTotals;

/// Verified rows. Documents count from the part's first one.
#[derive(Debug)]
pub(crate) struct RowTable {
    shape: Shape,
    starts: Bytes,
    /// Empty in a dense part.
    terms: Bytes,
    values: Bytes,
}

impl RowTable {
    /// Compares the checksums of the sections and checks that they fit together; `shape` makes one of what the
    /// totals say.
    pub fn verify(file: &PartFile, shape: fn(u32) -> Shape) -> Result<Self> {
        let totals: RowTotals = file.record(SectionKind::RowTotals)?;
        let shape = shape(totals.size.get());
        let starts = file.checked(SectionKind::RowStarts)?;
        let values = file.checked(SectionKind::Rows)?;
        let terms = match shape {
            Shape::Dense { .. } => Bytes::from_vec(Vec::new()),
            Shape::Sparse { .. } => file.checked(SectionKind::RowTerms)?,
        };
        let table = Self { shape, starts, terms, values };
        let starts = table.starts();
        let sound = starts.len() == file.documents as usize + 1
            && starts[0].get() == 0
            && starts.windows(2).all(|pair| pair[0].get() <= pair[1].get())
            && starts.last().is_some_and(|end| end.get() == totals.rows.get());
        if !sound {
            return Err(file.corrupt(SectionKind::RowStarts, 0, "the starts do not fit the rows"));
        }
        let check = |section, bytes: &Bytes, each: usize| {
            let expected = u64::from(totals.rows.get()) * each as u64 * 4;
            let same = bytes.len() as u64 == expected;
            let what = "the section's length does not match";
            if same { Ok(()) } else { Err(file.corrupt(section, 0, what)) }
        };
        check(SectionKind::Rows, &table.values, shape.values())?;
        check(SectionKind::RowTerms, &table.terms, shape.terms())?;
        Ok(table)
    }

    /// Checks what only a reading of everything can: that every row can be compared with a query.
    pub fn check_all(&self, file: &PartFile) -> Result<()> {
        for (doc, count) in self.counts().enumerate() {
            let rows = self.rows_of(doc..doc + 1);
            let (terms, values) = (self.terms(rows.clone()), self.values(rows.clone()));
            let rows_of_one = Rows { counts: &[count], terms: &terms, values: &values };
            if let Err(error) = check_rows("", self.shape, doc as u32, rows_of_one) {
                let at = rows.start * self.shape.values() * 4;
                let what = match error {
                    crate::Error::Vector { fault, .. } => fault.to_string(),
                    other => other.to_string(),
                };
                return Err(file.corrupt(SectionKind::Rows, at, &what));
            }
        }
        Ok(())
    }

    /// Returns what the rows are.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the rows of some consecutive documents as numbers of rows.
    pub fn rows_of(&self, documents: Range<usize>) -> Range<usize> {
        let starts = self.starts();
        starts[documents.start].get() as usize..starts[documents.end].get() as usize
    }

    /// Returns the values of some consecutive rows. They are copied only where the file's bytes cannot be used in
    /// place.
    pub fn values(&self, rows: Range<usize>) -> Cow<'_, [f32]> {
        let bytes = self.value_bytes(rows);
        if cfg!(target_endian = "little")
            && let Ok(values) = <[f32]>::ref_from_bytes(bytes)
        {
            return Cow::Borrowed(values);
        }
        let values = <[F32]>::ref_from_bytes(bytes).unwrap_or(&[]);
        Cow::Owned(values.iter().map(|value| value.get()).collect())
    }

    /// Returns the terms of some consecutive rows, as [`RowTable::values`].
    pub fn terms(&self, rows: Range<usize>) -> Cow<'_, [u32]> {
        let bytes = self.term_bytes(rows);
        if cfg!(target_endian = "little")
            && let Ok(terms) = <[u32]>::ref_from_bytes(bytes)
        {
            return Cow::Borrowed(terms);
        }
        let terms = <[U32]>::ref_from_bytes(bytes).unwrap_or(&[]);
        Cow::Owned(terms.iter().map(|term| term.get()).collect())
    }

    /// Returns how many bytes the rows take, without their starts.
    pub fn bytes(&self) -> usize {
        self.terms.len() + self.values.len()
    }

    /// Returns the bytes of the values of some consecutive rows.
    pub fn value_bytes(&self, rows: Range<usize>) -> &[u8] {
        let width = 4 * self.shape.values();
        &self.values[rows.start * width..rows.end * width]
    }

    /// Returns the bytes of the terms of some consecutive rows.
    pub fn term_bytes(&self, rows: Range<usize>) -> &[u8] {
        let width = 4 * self.shape.terms();
        &self.terms[rows.start * width..rows.end * width]
    }

    /// Returns how many documents there are.
    pub fn documents(&self) -> usize {
        self.starts().len() - 1
    }

    /// Yields how many rows each document has.
    pub fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        self.starts().windows(2).map(|pair| pair[1].get() - pair[0].get())
    }

    fn starts(&self) -> &[U32] {
        <[U32]>::ref_from_bytes(&self.starts).unwrap_or(&[])
    }
}
