//! What a writer is asked to do at once: deletions, then documents that are added or replace others.

use std::collections::BTreeSet;

use ecphory_core::{Document, Value};
use rustc_hash::FxHashMap;

use crate::error::{DocumentFault, DuplicatePlace, VectorFault};
use crate::filter::ID_FIELD;
use crate::format::log::{LoggedBatch, LoggedRows};
use crate::segment::documents::{MAX_DOCUMENT_BYTES, MAX_ID_BYTES, MAX_LIST_DEPTH};
use crate::segment::rows::{OwnedRows, check_rows};
use crate::snapshot::Settings;
use crate::view::View;
use crate::{Error, Result, Schema};

/// Changes that become visible and durable together, or not at all.
///
/// Deletions come first whatever the order of the calls; then the documents are put in order. An id may be
/// put only once in a batch.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    deletes: Vec<String>,
    documents: Vec<Document>,
    /// Whether each document may replace one with its id.
    replaces: Vec<bool>,
    rows: Vec<LoggedRows>,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents that were put.
    pub put: u64,
    /// How many of them replaced another.
    pub replaced: u64,
    /// Documents that were deleted.
    pub deleted: u64,
    /// Ids to delete that no document has.
    pub missing: u64,
}

impl Batch {
    /// Makes an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a document, whose id must be new.
    pub fn add(&mut self, document: Document) -> &mut Self {
        self.documents.push(document);
        self.replaces.push(false);
        self
    }

    /// Adds a document that replaces the one with its id, where there is one.
    pub fn upsert(&mut self, document: Document) -> &mut Self {
        self.documents.push(document);
        self.replaces.push(true);
        self
    }

    /// Deletes the document with an id; nothing happens where there is none.
    pub fn delete(&mut self, id: impl Into<String>) -> &mut Self {
        self.deletes.push(id.into());
        self
    }

    /// Gives the rows of all documents of the batch in a dense channel: how many each document has, in
    /// their order, and the rows one after the other. Without them the channel does not cover the
    /// documents yet.
    pub fn rows(&mut self, channel: &str, counts: Vec<u32>, values: Vec<f32>) -> &mut Self {
        self.sparse_rows(channel, counts, Vec::new(), values)
    }

    /// Gives the weighted terms of all documents of the batch in a sparse channel, as [`Batch::rows`] does in
    /// a dense one: how many terms each document has, the terms, and their weights.
    pub fn sparse_rows(
        &mut self,
        channel: &str,
        counts: Vec<u32>,
        terms: Vec<u32>,
        weights: Vec<f32>,
    ) -> &mut Self {
        let rows = OwnedRows { counts, terms, values: weights };
        self.rows.push(LoggedRows { channel: channel.to_owned(), rows });
        self
    }

    /// Returns the documents to put, in order.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Returns whether the rows of a channel are given.
    pub fn has_rows(&self, channel: &str) -> bool {
        self.rows.iter().any(|rows| rows.channel == channel)
    }

    /// Returns how many changes there are.
    pub fn len(&self) -> usize {
        self.deletes.len() + self.documents.len()
    }

    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks the batch against a view, and returns what it does to it.
    pub(super) fn resolve(self, view: &View) -> Result<(LoggedBatch, Written)> {
        let mut written = Written::default();
        let mut deletes: BTreeSet<String> = BTreeSet::new();
        for id in self.deletes {
            if view.find(&id)?.is_none() {
                written.missing += 1;
            } else if deletes.insert(id) {
                written.deleted += 1;
            }
        }
        check_ids(&self.documents)?;
        for (position, document) in self.documents.iter().enumerate() {
            if deletes.contains(&document.id) || view.find(&document.id)?.is_none() {
                continue;
            }
            if !self.replaces[position] {
                let (id, place) = (document.id.clone(), DuplicatePlace::Collection { position });
                return Err(Error::DuplicateId { id, place });
            }
            written.replaced += 1;
        }
        for document in &self.documents {
            check_document(document, &view.settings.schema)?;
        }
        for (position, rows) in self.rows.iter().enumerate() {
            let twice = self.rows[..position].iter().any(|other| other.channel == rows.channel);
            check_batch_rows(rows, self.documents.len(), twice, &view.settings)?;
        }
        written.put = self.documents.len() as u64;
        let deletes = deletes.into_iter().collect();
        let rows = if self.documents.is_empty() { Vec::new() } else { self.rows };
        Ok((LoggedBatch { deletes, documents: self.documents, rows }, written))
    }
}

fn check_batch_rows(
    LoggedRows { channel, rows }: &LoggedRows,
    documents: usize,
    twice: bool,
    settings: &Settings,
) -> Result<()> {
    let (_, shape) = settings.rows_position(channel)?;
    let wrong = |subject: &str, fault| {
        let (channel, subject) = (channel.clone(), subject.to_owned());
        Err(Error::Vector { channel, subject, fault })
    };
    if twice {
        return wrong("the batch", VectorFault::Twice);
    }
    if rows.counts.len() != documents {
        let (expected, got) = (documents as u64, rows.counts.len() as u64);
        return wrong("the counts of rows", VectorFault::Length { expected, got });
    }
    check_rows(channel, shape, 0, rows.as_rows())
}

/// Checks that ids can be stored and differ from each other.
pub(super) fn check_ids(docs: &[Document]) -> Result<()> {
    let mut seen: FxHashMap<&str, usize> = FxHashMap::default();
    seen.reserve(docs.len());
    for (position, document) in docs.iter().enumerate() {
        let fault = |fault| {
            Err(Error::Document { document: format!("number {position} of the batch"), fault })
        };
        if document.id.is_empty() {
            return fault(DocumentFault::EmptyId);
        }
        if document.id.len() > MAX_ID_BYTES {
            let (got, limit) = (document.id.len(), MAX_ID_BYTES);
            return fault(DocumentFault::LongId { got, limit });
        }
        let id = document.id.as_str();
        if let Some(first) = seen.insert(id, position) {
            let place = DuplicatePlace::Batch { first, second: position };
            return Err(Error::DuplicateId { id: id.to_owned(), place });
        }
    }
    Ok(())
}

/// Checks that a document's fields can be stored and that some channel finds text in it.
pub(super) fn check_document(document: &Document, schema: &Schema) -> Result<()> {
    let wrong = |fault| Err(Error::Document { document: document.id.clone(), fault });
    let mut bytes = 0;
    for (position, (name, value)) in document.fields.iter().enumerate() {
        let name_problem = match name.as_str() {
            "" => Some("empty"),
            ID_FIELD => Some("that of the id"),
            _ if document.fields[..position].iter().any(|(other, _)| other == name) => {
                Some("there twice")
            }
            _ => None,
        };
        if let Some(problem) = name_problem {
            return wrong(DocumentFault::FieldName { field: name.clone(), problem });
        }
        if let Err(fault) = schema.check_value(name, value) {
            return wrong(fault);
        }
        match check_value(value, MAX_LIST_DEPTH) {
            Ok(size) => bytes += name.len() + 4 + size,
            Err(ValueProblem::NotFinite) => {
                return wrong(DocumentFault::NotFinite { field: name.clone() });
            }
            Err(ValueProblem::Deep) => {
                let limit = MAX_LIST_DEPTH;
                return wrong(DocumentFault::DeepList { field: name.clone(), limit });
            }
        }
    }
    if bytes > MAX_DOCUMENT_BYTES {
        return wrong(DocumentFault::TooLarge { got: bytes, limit: MAX_DOCUMENT_BYTES });
    }
    let covered = schema.channels.iter().flat_map(|channel| &channel.fields);
    if covered.clone().any(|field| document.get(field).is_some_and(has_text)) {
        return Ok(());
    }
    let mut fields: Vec<&str> = covered.map(String::as_str).collect();
    fields.sort_unstable();
    fields.dedup();
    wrong(DocumentFault::NoText { fields: fields.join(", ") })
}

enum ValueProblem {
    NotFinite,
    Deep,
}

/// Returns about how many bytes a value takes. The recursion ends at the largest depth of lists.
fn check_value(value: &Value, depth: usize) -> std::result::Result<usize, ValueProblem> {
    match value {
        Value::Float(number) if !number.is_finite() => Err(ValueProblem::NotFinite),
        Value::Text(text) => Ok(text.len() + 5),
        Value::List(_) if depth == 0 => Err(ValueProblem::Deep),
        Value::List(items) => {
            items.iter().try_fold(5, |sum, item| Ok(sum + check_value(item, depth - 1)?))
        }
        _ => Ok(9),
    }
}

/// Whether [`Document::joined_text`] finds anything in a value.
fn has_text(value: &Value) -> bool {
    let filled = |value: &Value| matches!(value, Value::Text(text) if !text.trim().is_empty());
    match value {
        Value::List(items) => items.iter().any(filled),
        single => filled(single),
    }
}
