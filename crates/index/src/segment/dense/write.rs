//! Checks rows and writes them as a part.

use std::borrow::Cow;

use ecphory_core::storage::Storage;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{F32, U32};

use crate::error::VectorFault;
use crate::format::manifest::PartEntry;
use crate::format::part::{PartIdentity, SectionKind};
use crate::format::records::DenseTotals;
use crate::segment::publish_part;
use crate::{Error, Result};

/// The square of the largest norm: products of two such vectors stay far below the largest f32.
const MAX_SQUARED_NORM: f64 = 1e36;

/// Rows that were staged and are not yet in a file: consecutive documents of one segment.
#[derive(Debug, Default)]
pub(crate) struct PendingRows {
    /// The segment's position.
    pub segment: usize,
    /// The first document.
    pub first: u32,
    /// How many rows each document has.
    pub counts: Vec<u32>,
    /// The rows, one after the other.
    pub values: Vec<f32>,
}

/// Says what is wrong with a vector, if anything.
pub(crate) fn check_row(row: &[f32]) -> std::result::Result<(), VectorFault> {
    let squared: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if squared <= MAX_SQUARED_NORM {
        return Ok(());
    }
    match row.iter().position(|x| !x.is_finite()) {
        Some(coordinate) => Err(VectorFault::NotFinite { coordinate }),
        None => Err(VectorFault::TooLong),
    }
}

/// Writes the rows of some consecutive documents as a part: how many rows each has, and the rows in pieces.
pub(crate) fn write_rows(
    storage: &dyn Storage,
    identity: PartIdentity,
    (channel, dimensions): (&str, u32),
    counts: impl Iterator<Item = u32>,
    pieces: Vec<&[u8]>,
) -> Result<PartEntry> {
    let mut starts = vec![U32::new(0)];
    let mut rows = 0u64;
    for count in counts {
        rows += u64::from(count);
        starts.push(U32::new(rows as u32));
    }
    if rows > u64::from(u32::MAX) {
        let limit = u64::from(u32::MAX);
        return Err(Error::TooMany { what: "rows in one part", got: rows, limit });
    }
    let totals = DenseTotals { dimensions: U32::new(dimensions), rows: U32::new(rows as u32) };
    let sections = [
        (SectionKind::DenseTotals, vec![totals.as_bytes()]),
        (SectionKind::RowStarts, vec![starts.as_bytes()]),
        (SectionKind::Rows, pieces),
    ];
    publish_part(storage, identity, Some(channel), &sections)
}

/// Returns values as they are stored.
pub(crate) fn row_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(values.as_bytes());
    }
    let values: Vec<F32> = values.iter().copied().map(F32::new).collect();
    Cow::Owned(values.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_vector_is_named() {
        assert_eq!(check_row(&[0.5, -0.5]), Ok(()));
        assert_eq!(check_row(&[]), Ok(()));
        let not_finite = |coordinate| Err(VectorFault::NotFinite { coordinate });
        assert_eq!(check_row(&[0.0, f32::NAN]), not_finite(1));
        assert_eq!(check_row(&[f32::NEG_INFINITY, f32::INFINITY]), not_finite(0));
        assert_eq!(check_row(&[1e18, 1e18]), Err(VectorFault::TooLong));
    }
}
