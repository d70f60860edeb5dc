//! A range of a dense channel: f32 rows, one or more for each document.
//!
//! Four bytes per dimension, scanned exactly; a scan runs at the speed of the memory. Not for millions
//! of documents: there the codes of a quantised index read a thirtieth of the bytes.

use super::rows::{RowTable, Shape};
use crate::Result;
use crate::format::part::PartFile;

/// A verified dense part.
#[derive(Debug)]
pub(crate) struct DensePart {
    pub table: RowTable,
}

impl DensePart {
    /// Compares the checksums of all sections and checks that they fit together.
    pub fn verify(file: &PartFile) -> Result<Self> {
        let table = RowTable::verify(file, |dimensions| Shape::Dense { dimensions })?;
        Ok(Self { table })
    }
}
