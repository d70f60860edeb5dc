//! Adding in bulk: any number of documents, one after the other, in one commit and bounded memory.
//!
//! Documents are collected up to a share of the memory, staged as a segment, and forgotten; the commit at
//! the end makes all segments visible at once. It takes no log and merges nothing: for a corpus that is
//! there from the start, not for documents that trickle in.

use std::fmt;
use std::sync::PoisonError;

use ecphory_core::{Document, Progress, Value};
use ecphory_index::{Collection as IndexCollection, Writer, WriterOptions};

use super::building::Building;
use super::{Collection, SEGMENT_DOCUMENTS_MAX, State};
use crate::Result;

/// How much memory making a segment takes for each byte of its documents in memory, these included.
///
/// Measured as peak resident memory: 2.0 to 2.3 with one lexical channel over abstracts, pages of text, titles, or
/// documents of many fields, and 2.8 with three. Where every word is a new one (a corpus of random
/// numbers) it is 8.
const STAGE_FACTOR: usize = 3;

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
                let index = IndexCollection::create(building.storage()?, schema.clone())?;
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
            segment_bytes_max: options.memory_bytes / STAGE_FACTOR,
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
                self.writer.stage(&documents[start..end], self.pool(), self.progress)?;
                (start, bytes) = (end, 0);
            }
            bytes += more;
        }
        Ok(self.writer.stage(&documents[start..], self.pool(), self.progress)?)
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
        self.documents_bytes = 0;
        Ok(self.writer.stage(&documents, self.pool(), self.progress)?)
    }

    fn pool(&self) -> &'a rayon::ThreadPool {
        self.collection.engine.pool()
    }
}

/// What an allocation takes beyond its bytes.
const ALLOCATION: usize = 16;

/// Returns about how much memory a document takes.
pub fn document_bytes(document: &Document) -> usize {
    let fields = document.fields.iter().map(|(name, value)| {
        size_of::<(String, Value)>() + ALLOCATION + name.len() + heap_bytes(value)
    });
    size_of::<Document>() + 2 * ALLOCATION + document.id.len() + fields.sum::<usize>()
}

/// Lists nest as deep as the reader of documents allows.
fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => ALLOCATION + text.len(),
        Value::List(items) => {
            let inside = items.iter().map(|item| size_of::<Value>() + heap_bytes(item));
            ALLOCATION + inside.sum::<usize>()
        }
        _ => 0,
    }
}
