//! A collection: documents that are added in atomic commits, and channels that are filled afterwards.
//!
//! A new collection is built in a directory beside its path and renamed into place by the first
//! successful commit: a corpus that turns out to be malformed leaves nothing behind. One
//! writer at a time; readers are never locked out. Documents cannot be changed or deleted yet.

mod building;
mod bulk;
mod fill;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ecphory_core::{Document, Progress};
use ecphory_index::{Collection as IndexCollection, Schema};

pub use bulk::{Bulk, BulkOptions};
pub use fill::Filled;

use crate::{Engine, Error, Reader, Result};

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

    /// Returns a view of the newest commit, which never changes.
    ///
    /// # Errors
    /// Where nothing was added yet, or a file is damaged.
    pub fn snapshot(&self) -> Result<Reader> {
        Ok(Reader::new(self.engine.clone(), self.index()?.snapshot()?))
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
