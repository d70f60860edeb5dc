//! Writing to a collection that lives: batches that are atomic, durable as asked, and at once searchable
//! in every channel.
//!
//! A writer holds the collection's lock and has threads of its own that seal, merge and sync. Threads may
//! share it; what they put at the same time is synced together. For a corpus that is there from the start
//! [`Collection::bulk`] is several times faster.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ecphory_core::storage::FullSpeed;
use ecphory_core::{Document, Silent};
use ecphory_index::{
    Batch, ChannelKind, Durability as IndexDurability, Filter, Writer as IndexWriter,
    WriterOptions as IndexOptions, Written,
};

use super::Collection;
use super::maintenance::Maintenance;
use super::vectors::EncodedChannel;
use crate::{Engine, Reader, Result};

/// How a writer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// When a batch counts as written.
    pub durability: Durability,
    /// About how much memory sealing and merging may take.
    pub memory_bytes: usize,
    /// How fast merging in the background may write; as fast as it can where this is `None`.
    pub merge_bytes_per_second: Option<u64>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        let memory_bytes = super::BulkOptions::default().memory_bytes;
        Self { durability: Durability::Always, memory_bytes, merge_bytes_per_second: None }
    }
}

/// When a batch counts as written. It survives the end of the process at every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk.
    Always,
    /// When the operating system has it; it is put on the disk at this interval, and a power failure
    /// loses no more than that.
    Interval(Duration),
    /// When the operating system has it, which puts it on the disk in its own time.
    Os,
}

/// Writes to a collection. While it lives, no other writer can be opened; readers are never locked out.
///
/// Dropped, it leaves everything as durable as it was acknowledged to be; [`CollectionWriter::close`]
/// also seals what would take long to read again.
pub struct CollectionWriter {
    maintenance: Maintenance,
    inner: Arc<Inner>,
}

/// What a writer's threads share.
pub(super) struct Inner {
    pub engine: Engine,
    pub index: IndexWriter,
    /// Held shared by those who put and merge, exclusively by those for whom segments must stay in place.
    pub gate: RwLock<()>,
}

impl std::fmt::Debug for CollectionWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CollectionWriter").field("index", &self.inner.index).finish_non_exhaustive()
    }
}

impl Collection {
    /// Opens a writer. A collection that is not on disk yet begins to exist, without documents.
    ///
    /// # Errors
    /// Where another writer is at work, or a file is damaged.
    pub fn writer(&self, options: &WriterOptions) -> Result<CollectionWriter> {
        let (durability, sync_interval) = match options.durability {
            Durability::Always => (IndexDurability::Synced, None),
            Durability::Interval(interval) => (IndexDurability::Logged, Some(interval)),
            Durability::Os => (IndexDurability::Logged, None),
        };
        let memory_bytes = options.memory_bytes as u64;
        let index =
            self.index_or_create()?.writer_with(IndexOptions { durability, memory_bytes })?;
        let inner = Inner { engine: self.engine.clone(), index, gate: RwLock::default() };
        let inner = Arc::new(inner);
        let maintenance =
            Maintenance::start(&inner, sync_interval, options.merge_bytes_per_second)?;
        Ok(CollectionWriter { maintenance, inner })
    }
}

impl CollectionWriter {
    /// Writes a batch: all of it or nothing. When this returns, every reader opened from now on finds it,
    /// in the dense and sparse channels too, unless they lack other documents still ([`CollectionWriter::fill`]).
    ///
    /// # Errors
    /// Nothing is kept where an added id is there already, an id comes twice, a document has no text for any
    /// channel, or an encoder's model is missing or another one. Where the disk fails the writer stops.
    /// What went wrong in the background since the last call is told here; the batch is not written then.
    pub fn put(&self, mut batch: Batch) -> Result<Written> {
        let inner = self.inner()?;
        inner.encode(&mut batch)?;
        let gate = shared(&inner.gate);
        let written = inner.index.put(batch, Some(inner.engine.pool()))?;
        drop(gate);
        self.maintenance.wake();
        Ok(written)
    }

    /// Adds documents, whose ids must be new, as one batch.
    ///
    /// # Errors
    /// As [`CollectionWriter::put`].
    pub fn add(&self, documents: Vec<Document>) -> Result<Written> {
        let mut batch = Batch::new();
        for document in documents {
            batch.add(document);
        }
        self.put(batch)
    }

    /// Adds documents as one batch; each replaces the one with its id, where there is one.
    ///
    /// # Errors
    /// As [`CollectionWriter::put`].
    pub fn upsert(&self, documents: Vec<Document>) -> Result<Written> {
        let mut batch = Batch::new();
        for document in documents {
            batch.upsert(document);
        }
        self.put(batch)
    }

    /// Deletes the documents with these ids as one batch. Ids that no document has are counted, no error.
    ///
    /// # Errors
    /// As [`CollectionWriter::put`].
    pub fn delete(&self, ids: impl IntoIterator<Item = impl Into<String>>) -> Result<Written> {
        let mut batch = Batch::new();
        for id in ids {
            batch.delete(id);
        }
        self.put(batch)
    }

    /// Deletes all documents that match a filter, as one batch.
    ///
    /// # Errors
    /// As [`CollectionWriter::put`].
    pub fn delete_where(&self, filter: &Filter) -> Result<Written> {
        let inner = self.inner()?;
        let gate = shared(&inner.gate);
        let written = inner.index.delete_where(filter)?;
        drop(gate);
        self.maintenance.wake();
        Ok(written)
    }

    /// Puts on the disk everything written so far, whatever the durability.
    ///
    /// # Errors
    /// Where the disk fails; then the writer stops.
    pub fn sync(&self) -> Result<()> {
        Ok(self.inner()?.index.sync()?)
    }

    /// Merges all segments, and gives the space of deleted documents back.
    ///
    /// # Errors
    /// Where the disk fails or is full, or a file is damaged. Nothing has changed then.
    pub fn compact(&self) -> Result<()> {
        let inner = self.inner()?;
        let _gate = shared(&inner.gate);
        Ok(inner.index.compact(&FullSpeed)?)
    }

    /// Erases deleted and replaced documents from all files of the collection. Readers that are open,
    /// backups, and what the file system and the disk keep of removed files are out of its reach.
    ///
    /// # Errors
    /// As [`CollectionWriter::compact`], and where a file cannot be removed.
    pub fn purge(&self) -> Result<()> {
        let inner = self.inner()?;
        let _gate = shared(&inner.gate);
        Ok(inner.index.purge(&FullSpeed)?)
    }

    /// Returns a view of everything that was written.
    ///
    /// # Errors
    /// With what went wrong in the background since the last call.
    pub fn snapshot(&self) -> Result<Reader> {
        let inner = self.inner()?;
        Ok(Reader::new(inner.engine.clone(), inner.index.snapshot()))
    }

    /// Ends the background work, seals what would take long to read again, and releases the lock.
    ///
    /// # Errors
    /// Where the disk fails, or with what went wrong in the background since the last call.
    pub fn close(self) -> Result<()> {
        let Self { mut maintenance, inner } = self;
        maintenance.end();
        let inner = Arc::into_inner(inner).expect("the threads that shared it have ended");
        inner.index.close()?;
        maintenance.check()
    }

    /// Returns the parts to work with, or what went wrong in the background.
    pub(super) fn inner(&self) -> Result<&Inner> {
        self.maintenance.check()?;
        Ok(&self.inner)
    }
}

impl Inner {
    /// Encodes a batch's documents for every dense and sparse channel that covers all others.
    ///
    /// A channel that lacks documents is filled later anyway, and may be without its model until then.
    fn encode(&self, batch: &mut Batch) -> Result<()> {
        if batch.documents().is_empty() {
            return Ok(());
        }
        let snapshot = self.index.snapshot();
        for channel in &snapshot.schema().channels {
            if matches!(channel.kind, ChannelKind::Bm25(_)) || batch.has_rows(&channel.name) {
                continue;
            }
            let coverage = snapshot.coverage(&channel.name)?;
            if coverage.covered < coverage.total {
                continue;
            }
            let Some(encoded) = EncodedChannel::open(&self.engine, channel)? else { continue };
            let documents = batch.documents().iter();
            let texts: Vec<String> =
                documents.map(|document| document.joined_text(&encoded.fields)).collect();
            let made = encoded.encode(&self.engine, &texts, &Silent)?;
            batch.sparse_rows(&channel.name, made.counts, made.terms, made.values);
        }
        Ok(())
    }
}

/// Passes a gate together with others.
pub(super) fn shared(gate: &RwLock<()>) -> RwLockReadGuard<'_, ()> {
    gate.read().unwrap_or_else(PoisonError::into_inner)
}

/// Passes a gate alone.
pub(super) fn exclusive(gate: &RwLock<()>) -> RwLockWriteGuard<'_, ()> {
    gate.write().unwrap_or_else(PoisonError::into_inner)
}
