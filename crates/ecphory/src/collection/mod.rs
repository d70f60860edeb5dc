//! A collection: documents that come in bulk or batch by batch, and channels over them.
//!
//! A corpus that is there from the start goes in through [`Collection::add`] or [`Collection::bulk`], in one
//! commit, and [`Collection::fill`] encodes it afterwards. A collection that lives is written to through
//! [`Collection::writer`].
//!
//! A new collection is built in a directory beside its path and renamed into place by the first
//! successful commit: a corpus that turns out to be malformed leaves nothing behind. One
//! writer at a time; readers are never locked out.

mod building;
mod bulk;
mod care;
mod fill;
mod maintenance;
mod pace;
mod vectors;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ecphory_core::{Document, Progress};
use ecphory_index::{Collection as IndexCollection, Schema};

pub use bulk::{Bulk, BulkOptions, document_bytes};
pub use care::parse_field;
pub use fill::Filled;
pub use writer::{CollectionWriter, Durability, WriterOptions};

use crate::{Engine, Error, Reader, Result};
use building::{Building, new_identity};

/// How many documents go into one segment at most: larger batches are split inside their commit.
pub const SEGMENT_DOCUMENTS_MAX: usize = 1 << 18;

/// Documents and channels in a directory.
#[derive(Debug)]
pub struct Collection {
    engine: Engine,
    path: PathBuf,
    state: Mutex<State>,
}

/// Whether the collection is on disk.
#[derive(Clone, Debug)]
enum State {
    /// Nothing was added yet, so nothing is on disk.
    Prepared(Schema),
    Open(IndexCollection),
}

impl Collection {
    pub(crate) fn prepared(engine: Engine, path: PathBuf, schema: Schema) -> Self {
        Self { engine, path, state: Mutex::new(State::Prepared(schema)) }
    }

    pub(crate) fn opened(engine: Engine, path: PathBuf, index: IndexCollection) -> Self {
        Self { engine, path, state: Mutex::new(State::Open(index)) }
    }

    /// Returns where the collection is, or will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds documents in one commit: all of them become visible at once, or none.
    ///
    /// Lexical channels cover them at once; [`Collection::fill`] encodes them for the dense ones.
    ///
    /// # Errors
    /// Where an id is there already or comes twice, a document has no text for any channel, another
    /// writer is at work, the disk is full, or the work is cancelled. Nothing has changed then.
    pub fn add(&self, documents: &[Document], progress: &dyn Progress) -> Result<()> {
        let mut bulk = self.bulk(&BulkOptions::default(), progress)?;
        bulk.extend(documents)?;
        bulk.commit()
    }

    /// Encodes every document that a dense or sparse channel does not cover yet, and commits every few seconds.
    ///
    /// # Errors
    /// Where nothing was added yet or another writer is at work; otherwise as [`CollectionWriter::fill`].
    pub fn fill(&self, progress: &dyn Progress) -> Result<Filled> {
        let reader = self.snapshot()?;
        for channel in reader.encoded_channels() {
            let coverage = reader.coverage(&channel)?;
            if coverage.covered < coverage.total {
                return self.writing(|writer| writer.fill(progress));
            }
        }
        Ok(Filled::default())
    }

    /// Merges all segments, and gives the space of deleted documents back.
    ///
    /// # Errors
    /// Where nothing was added yet or another writer is at work; otherwise as [`CollectionWriter::compact`].
    pub fn compact(&self) -> Result<()> {
        self.writing(CollectionWriter::compact)
    }

    /// Erases deleted and replaced documents from all files of the collection.
    ///
    /// # Errors
    /// Where nothing was added yet or another writer is at work; otherwise as [`CollectionWriter::purge`].
    pub fn purge(&self) -> Result<()> {
        self.writing(CollectionWriter::purge)
    }

    /// Does something with a writer that is opened for it.
    fn writing<T>(&self, work: impl FnOnce(&CollectionWriter) -> Result<T>) -> Result<T> {
        self.index()?;
        let writer = self.writer(&WriterOptions::default())?;
        let done = work(&writer)?;
        writer.close()?;
        Ok(done)
    }

    /// Returns a view of what was written so far, which never changes.
    ///
    /// # Errors
    /// Where nothing was added yet, or a file is damaged.
    pub fn snapshot(&self) -> Result<Reader> {
        Ok(Reader::new(self.engine.clone(), self.index()?.snapshot()?))
    }

    /// Returns the index; where it is not on disk yet it is made, without documents.
    fn index_or_create(&self) -> Result<IndexCollection> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match &*state {
            State::Open(index) => return Ok(index.clone()),
            State::Prepared(schema) => {
                let building = Building::start(&self.path)?;
                IndexCollection::create_as(building.storage()?, schema.clone(), new_identity())?;
                building.publish(&self.path)?
            }
        };
        *state = State::Open(index.clone());
        Ok(index)
    }

    fn index(&self) -> Result<IndexCollection> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open(index) => Ok(index.clone()),
            State::Prepared(_) => Err(Error::NothingAdded { path: self.path.clone() }),
        }
    }
}

#[cfg(test)]
mod tests;
