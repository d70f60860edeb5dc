//! Reads a dense part.

use std::borrow::Cow;
use std::ops::Range;

use ecphory_core::storage::Bytes;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::{F32, U32};

use super::check_row;
use crate::Result;
use crate::format::part::{PartFile, SectionKind};
use crate::format::records::DenseTotals;

/// A verified dense part. Documents count from the part's first one.
#[derive(Debug)]
pub(crate) struct DensePart {
    dimensions: usize,
    starts: Bytes,
    rows: Bytes,
}

impl DensePart {
    /// Compares the checksums of all sections and checks that they fit together.
    pub fn verify(file: &PartFile) -> Result<Self> {
        let totals: DenseTotals = file.record(SectionKind::DenseTotals)?;
        let dimensions = totals.dimensions.get() as usize;
        let starts = file.checked(SectionKind::RowStarts)?;
        let rows = file.checked(SectionKind::Rows)?;
        let part = Self { dimensions, starts, rows };
        let starts = part.starts();
        let sound = starts.len() == file.documents as usize + 1
            && starts[0].get() == 0
            && starts.windows(2).all(|pair| pair[0].get() <= pair[1].get())
            && starts.last().is_some_and(|end| end.get() == totals.rows.get());
        if !sound {
            return Err(file.corrupt(SectionKind::RowStarts, 0, "the starts do not fit the rows"));
        }
        let expected = u64::from(totals.rows.get()) * u64::from(totals.dimensions.get()) * 4;
        if part.rows.len() as u64 != expected {
            return Err(file.corrupt(SectionKind::Rows, 0, "the section's length does not match"));
        }
        Ok(part)
    }

    /// Checks what only a reading of everything can: that every row can be compared with a query.
    pub fn check_all(&self, file: &PartFile) -> Result<()> {
        let rows = self.rows_of(0..self.starts().len() - 1);
        for (row, position) in self.values(rows).chunks_exact(self.dimensions).zip(0..) {
            if check_row(row).is_err() {
                let at = position * self.dimensions * 4;
                return Err(file.corrupt(SectionKind::Rows, at, "a value is not finite"));
            }
        }
        Ok(())
    }

    /// Returns the length of every row.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Returns the rows of some consecutive documents as numbers of rows.
    pub fn rows_of(&self, documents: Range<usize>) -> Range<usize> {
        let starts = self.starts();
        starts[documents.start].get() as usize..starts[documents.end].get() as usize
    }

    /// Returns some consecutive rows. They are copied only where the file's bytes cannot be used in place.
    pub fn values(&self, rows: Range<usize>) -> Cow<'_, [f32]> {
        let bytes = self.bytes_of(rows);
        if cfg!(target_endian = "little")
            && let Ok(values) = <[f32]>::ref_from_bytes(bytes)
        {
            return Cow::Borrowed(values);
        }
        let values = <[F32]>::ref_from_bytes(bytes).unwrap_or(&[]);
        Cow::Owned(values.iter().map(|value| value.get()).collect())
    }

    /// Returns the bytes of all rows.
    pub fn row_bytes(&self) -> &[u8] {
        &self.rows
    }

    /// Returns the bytes of some consecutive rows.
    pub fn bytes_of(&self, rows: Range<usize>) -> &[u8] {
        let width = 4 * self.dimensions;
        &self.rows[rows.start * width..rows.end * width]
    }

    /// Yields how many rows each document has.
    pub fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        self.starts().windows(2).map(|pair| pair[1].get() - pair[0].get())
    }

    fn starts(&self) -> &[U32] {
        <[U32]>::ref_from_bytes(&self.starts).unwrap_or(&[])
    }
}
