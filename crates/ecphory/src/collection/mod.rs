//! A collection: documents that are added in atomic commits, and channels that are filled afterwards.
//!
//! A new collection is built in a directory beside its path and renamed into place by the first
//! successful [`Collection::add`]: a corpus that turns out to be malformed leaves nothing behind. One
//! writer at a time; readers are never locked out. Documents cannot be changed or deleted yet.

mod fill;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ecphory_core::storage::{Directory, Storage};
use ecphory_core::{Document, Progress};
use ecphory_index::{Collection as IndexCollection, Schema};
use fs_err as fs;

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
        self.add_in_parts(documents, SEGMENT_DOCUMENTS_MAX, progress)
    }

    fn add_in_parts(
        &self,
        documents: &[Document],
        segment: usize,
        progress: &dyn Progress,
    ) -> Result<()> {
        // The lock is held for the whole first commit: two of them would build in the same place.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Open(index) => {
                let index = index.clone();
                drop(state);
                self.stage(&index, documents, segment, progress)
            }
            State::Prepared(schema) => {
                let building = Building::start(&self.path)?;
                let index = IndexCollection::create(building.storage()?, schema.clone())?;
                self.stage(&index, documents, segment, progress)?;
                drop(index);
                building.publish(&self.path)?;
                let storage: Arc<dyn Storage> = Arc::new(Directory::open(&self.path)?);
                *state = State::Open(IndexCollection::open(storage)?);
                Ok(())
            }
        }
    }

    fn stage(
        &self,
        index: &IndexCollection,
        documents: &[Document],
        segment: usize,
        progress: &dyn Progress,
    ) -> Result<()> {
        let writer = index.writer()?;
        for part in documents.chunks(segment) {
            writer.stage(part, self.engine.pool(), progress)?;
        }
        Ok(writer.commit()?)
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

/// The directory in which a new collection is built; it goes away unless it is published.
struct Building {
    path: PathBuf,
    published: bool,
}

impl Building {
    /// Takes the directory `.NAME.building` beside the path; one that a dead process left is emptied.
    fn start(path: &Path) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Error::NoName { path: path.to_owned() })?;
        let building = path.with_file_name(format!(".{}.building", name.to_string_lossy()));
        if building.is_dir() {
            let left: Arc<dyn Storage> = Arc::new(Directory::open(&building)?);
            // A living process holds the lock while it builds.
            let guard = left.lock().map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock => Error::Index(ecphory_index::Error::Locked),
                _ => Error::Io(error),
            })?;
            fs::remove_dir_all(&building)?;
            drop(guard);
        }
        if let Some(parent) = building.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
        Ok(Self { path: building, published: false })
    }

    fn storage(&self) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(Directory::create(&self.path, &[ecphory_index::format::SEGMENTS])?))
    }

    fn publish(mut self, path: &Path) -> Result<()> {
        // Renaming would replace an empty directory; whatever has come here meanwhile is not ours.
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        fs::rename(&self.path, path)?;
        self.published = true;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if !self.published {
            // The error that brought us here is the one to report; a rest is emptied by the next start.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
