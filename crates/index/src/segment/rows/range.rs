//! A part of rows and the documents of its segment that it covers.

use std::sync::Arc;

use super::{RowTable, Shape};
use crate::format::part::PartFile;
use crate::segment::Lazy;
use crate::segment::dense::DensePart;
use crate::segment::sparse::SparsePart;
use crate::{Error, Result};

/// One part of rows and the documents it covers.
#[derive(Clone, Debug)]
pub(crate) struct RowRange {
    pub first: u32,
    pub documents: u32,
    pub part: RowPart,
}

/// An open part of rows.
#[derive(Clone, Debug)]
pub(crate) enum RowPart {
    Dense(Arc<Lazy<DensePart>>),
    Sparse(Arc<Lazy<SparsePart>>),
}

impl RowPart {
    pub fn file(&self) -> &PartFile {
        match self {
            RowPart::Dense(part) => &part.file,
            RowPart::Sparse(part) => &part.file,
        }
    }
}

impl RowRange {
    /// Returns the number of the document after the last.
    pub fn end(&self) -> u32 {
        self.first + self.documents
    }

    /// Returns the verified rows.
    pub fn table(&self) -> Result<&RowTable> {
        match &self.part {
            RowPart::Dense(part) => Ok(&part.get()?.table),
            RowPart::Sparse(part) => Ok(&part.get()?.table),
        }
    }

    /// Returns the verified rows, which have to be those of a channel.
    pub fn table_of(&self, shape: Shape) -> Result<&RowTable> {
        let table = self.table()?;
        if table.shape() == shape { Ok(table) } else { Err(self.other_than(shape)) }
    }

    /// Returns the verified part of a sparse channel.
    pub fn sparse(&self, shape: Shape) -> Result<&SparsePart> {
        match &self.part {
            RowPart::Sparse(part) if part.get()?.table.shape() == shape => part.get(),
            _ => Err(self.other_than(shape)),
        }
    }

    fn other_than(&self, shape: Shape) -> Error {
        let what = match self.table() {
            Ok(table) => format!("rows that are {:?}, the channel's are {shape:?}", table.shape()),
            Err(error) => return error,
        };
        Error::corrupt(&self.part.file().name, 0, what)
    }

    /// Checks what only a reading of everything can.
    pub fn check_all(&self, shape: Shape) -> Result<()> {
        self.table_of(shape)?.check_all(self.part.file())?;
        match &self.part {
            RowPart::Dense(_) => Ok(()),
            RowPart::Sparse(part) => part.get()?.check_impacts(&part.file),
        }
    }
}
