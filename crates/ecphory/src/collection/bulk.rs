//! Adding in bulk: any number of documents, one after the other, in one commit and bounded memory.
//!
//! Documents are collected up to a share of the memory, staged as a segment, and forgotten; the commit at
//! the end makes all segments visible at once. It takes no log and merges nothing: for a corpus that is
//! there from the start, not for documents that trickle in.

use std::fmt;
use std::sync::PoisonError;

use ecphory_core::{Document, Progress, Value};
use ecphory_index::{Collection as IndexCollection, Writer, WriterOptions};

use super::building::{Building, new_identity};
use super::{Collection, SEGMENT_DOCUMENTS_MAX, State};
use crate::Result;

/// How much memory making a segment takes beyond its documents, for each byte that it has on disk.
///
/// Measured as peak resident memory less what stays from segment to segment: 1.8 to 2.1 over abstracts, long
/// texts, titles, documents of many fields and texts in which every word is a new one, with one lexical
/// channel and with three.
const STAGE_FACTOR: usize = 2;

/// The first segment shows how large segments become on disk. It gets this share of the memory, so that even
/// one of nothing but different words, in three channels, fits.
const FIRST_SHARE: usize = 16;

/// How to add in bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkOptions {
    /// How much memory the documents may take that are collected or being made into a segment.
    pub memory_bytes: usize,
}

impl Default for BulkOptions {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30 }
    }
}

/// Documents on their way into a collection. Dropped before [`Bulk::commit`], it leaves nothing behind.
pub struct Bulk<'a> {
    collection: &'a Collection,
    progress: &'a dyn Progress,
    /// Where a collection is made that is not on disk yet.
    building: Option<Building>,
    writer: Writer,
    documents: Vec<Document>,
    documents_bytes: usize,
    memory_bytes: usize,
    /// How many bytes of documents go into the next segment.
    segment_bytes_max: usize,
    pub(super) segment_documents_max: usize,
}

impl fmt::Debug for Bulk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk").field("documents", &self.documents.len()).finish_non_exhaustive()
    }
}

impl Collection {
    /// Begins to add documents in bulk. Nothing of it is seen before [`Bulk::commit`].
    ///
    /// # Errors
    /// Where another writer is at work.
    pub fn bulk<'a>(
        &'a self,
        options: &BulkOptions,
        progress: &'a dyn Progress,
    ) -> Result<Bulk<'a>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, building) = match &*state {
            State::Open(index) => (index.clone(), None),
            State::Prepared(schema) => {
                let building = Building::start(&self.path)?;
                let index = IndexCollection::create_as(
                    building.storage()?,
                    schema.clone(),
                    new_identity(),
                )?;
                (index, Some(building))
            }
        };
        let memory_bytes = options.memory_bytes as u64;
        let writer =
            index.writer_with(WriterOptions { memory_bytes, ..WriterOptions::default() })?;
        Ok(Bulk {
            collection: self,
            progress,
            building,
            writer,
            documents: Vec::new(),
            documents_bytes: 0,
            memory_bytes: options.memory_bytes,
            segment_bytes_max: options.memory_bytes / FIRST_SHARE,
            segment_documents_max: SEGMENT_DOCUMENTS_MAX,
        })
    }
}

impl<'a> Bulk<'a> {
    /// Takes a document. Where it fills a segment, the segment is made now.
    ///
    /// # Errors
    /// Where an id of the segment is there already or comes twice, a document has no text for any channel,
    /// the disk is full, or the work is cancelled.
    pub fn push(&mut self, document: Document) -> Result<()> {
        let bytes = document_bytes(&document);
        if self.is_full(self.documents.len(), self.documents_bytes + bytes) {
            self.stage_collected()?;
        }
        self.documents_bytes += bytes;
        self.documents.push(document);
        Ok(())
    }

    /// Takes documents that stay where they are.
    pub(super) fn extend(&mut self, documents: &[Document]) -> Result<()> {
        self.stage_collected()?;
        let mut start = 0;
        let mut bytes = 0;
        for (end, document) in documents.iter().enumerate() {
            let more = document_bytes(document);
            if self.is_full(end - start, bytes + more) {
                self.stage(&documents[start..end], bytes)?;
                (start, bytes) = (end, 0);
            }
            bytes += more;
        }
        self.stage(&documents[start..], bytes)
    }

    /// Makes everything visible at once.
    ///
    /// # Errors
    /// As [`Bulk::push`]; and where something else has come to the path of a new collection meanwhile.
    pub fn commit(mut self) -> Result<()> {
        self.stage_collected()?;
        self.writer.commit()?;
        let Some(building) = self.building else { return Ok(()) };
        drop(self.writer);
        let mut state = self.collection.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State::Open(building.publish(&self.collection.path)?);
        Ok(())
    }

    /// Whether a segment that has documents has no room for one more, with which it would have `bytes`.
    fn is_full(&self, documents: usize, bytes: usize) -> bool {
        documents > 0 && (documents >= self.segment_documents_max || bytes > self.segment_bytes_max)
    }

    fn stage_collected(&mut self) -> Result<()> {
        let documents = std::mem::take(&mut self.documents);
        let bytes = std::mem::take(&mut self.documents_bytes);
        self.stage(&documents, bytes)
    }

    /// Makes a segment of documents of so many bytes, and learns from it how large the next may be.
    fn stage(&mut self, documents: &[Document], bytes: usize) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let before = disk_bytes(&self.writer);
        self.writer.stage(documents, self.pool(), self.progress)?;
        let made = disk_bytes(&self.writer).saturating_sub(before);
        let needed = bytes + STAGE_FACTOR * made;
        let share = bytes as f64 / needed.max(1) as f64;
        // An eighth is left for what every segment leaves behind.
        self.segment_bytes_max =
            ((self.memory_bytes - self.memory_bytes / 8) as f64 * share) as usize;
        Ok(())
    }

    fn pool(&self) -> &'a rayon::ThreadPool {
        self.collection.engine.pool()
    }
}

/// Returns the bytes of everything that a writer has on disk.
fn disk_bytes(writer: &Writer) -> usize {
    writer.snapshot().sizes().iter().map(|size| size.disk as usize).sum()
}

/// Returns about how much memory a document takes that was read from a file.
pub fn document_bytes(document: &Document) -> usize {
    let fields = document.fields.iter().map(|(name, value)| block(name.len()) + heap_bytes(value));
    size_of::<Document>()
        + block(document.id.len())
        + block(grown(document.fields.len()) * size_of::<(String, Value)>())
        + fields.sum::<usize>()
}

/// Lists nest as deep as the reader of documents allows.
fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => block(text.len()),
        Value::List(items) => {
            let inside = items.iter().map(heap_bytes);
            block(grown(items.len()) * size_of::<Value>()) + inside.sum::<usize>()
        }
        _ => 0,
    }
}

/// Returns how many items a vector has room for that grew to so many.
fn grown(items: usize) -> usize {
    if items == 0 { 0 } else { items.next_power_of_two().max(4) }
}

/// Returns what so many bytes take on the heap: allocators keep some for themselves, and round up.
fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}
