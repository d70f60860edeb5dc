//! Staging documents: checks, analysis in parallel, one new segment.

use ecphory_core::{Document, Progress, Value};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::Writer;
use crate::error::{DocumentFault, DuplicatePlace};
use crate::filter::ID_FIELD;
use crate::format::MAX_SEGMENT_DOCUMENTS;
use crate::format::manifest::{PartKind, SegmentEntry};
use crate::segment::bm25::{Bm25Sections, UNIT_DOCUMENTS, UnitPostings, merge_units};
use crate::segment::columns::{Columns, build_columns};
use crate::segment::documents::{
    FieldNames, MAX_DOCUMENT_BYTES, MAX_ID_BYTES, MAX_LIST_DEPTH, StoredUnit, write_documents,
};
use crate::snapshot::{Settings, Snapshot};
use crate::{ChannelKind, Error, Result, Schema};

/// What is made of one unit of documents.
struct Unit {
    stored: StoredUnit,
    /// One for each bm25 channel.
    postings: Vec<UnitPostings>,
}

impl Writer {
    /// Stages documents as one new segment, which the next [`Writer::commit`] makes visible. Nothing is
    /// kept where anything is wrong. The bytes written do not depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::DuplicateId`], [`Error::Document`] for one that cannot be stored or has no text,
    /// [`Error::TooMany`], [`Error::Interrupted`], [`Error::Io`], [`Error::WriterStopped`].
    pub fn stage(
        &mut self,
        docs: &[Document],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.check_running()?;
        if docs.is_empty() {
            return Ok(());
        }
        let limit = u64::from(MAX_SEGMENT_DOCUMENTS);
        if docs.len() as u64 > limit {
            let got = docs.len() as u64;
            return Err(Error::TooMany { what: "documents in one batch", got, limit });
        }
        check_ids(docs, &self.snapshot)?;
        pool.install(|| docs.par_iter().try_for_each(|doc| check_document(doc, self.schema())))?;
        let mut names = FieldNames::default();
        for (name, _) in docs.iter().flat_map(|document| &document.fields) {
            names.add(name);
        }
        let units = build_units(docs, &names, self.shared.settings(), pool, progress)?;
        let (stored, postings) = transpose(units);
        let columns = pool.install(|| build_columns(docs, self.schema()));
        let outcome = self.write_segment(docs, &names, (&stored, &columns), postings);
        self.stop_on_error(outcome)?;
        self.changed = true;
        self.reopen()
    }

    fn schema(&self) -> &Schema {
        self.snapshot.schema()
    }

    fn write_segment(
        &mut self,
        docs: &[Document],
        names: &FieldNames<'_>,
        (stored, columns): (&[StoredUnit], &Columns),
        postings: Vec<Vec<UnitPostings>>,
    ) -> Result<()> {
        let segment = self.staged.next_segment;
        let documents = docs.len() as u32;
        self.staged.next_segment += 1;
        let identity = self.next_part(PartKind::Documents, segment, 0, documents);
        let storage = self.shared.storage.clone();
        let mut parts = vec![write_documents(&*storage, identity, docs, names, stored)?];
        if !columns.is_empty() {
            let identity = self.next_part(PartKind::Columns, segment, 0, documents);
            parts.push(columns.write(&*storage, identity)?);
        }
        let channels = self.schema().channels.iter();
        let bm25: Vec<String> = channels
            .filter(|channel| matches!(channel.kind, ChannelKind::Bm25(_)))
            .map(|channel| channel.name.clone())
            .collect();
        for (channel, units) in bm25.iter().zip(postings) {
            let sections: Bm25Sections = merge_units(&units)?;
            drop(units);
            let identity = self.next_part(PartKind::Bm25, segment, 0, documents);
            parts.push(sections.write(&*storage, identity, channel)?);
        }
        self.staged.segments.push(SegmentEntry { segment, documents, parts });
        Ok(())
    }
}

/// Analyses and compresses the documents, a unit at a time on each thread of the pool.
fn build_units(
    docs: &[Document],
    names: &FieldNames<'_>,
    settings: &Settings,
    pool: &rayon::ThreadPool,
    progress: &dyn Progress,
) -> Result<Vec<Unit>> {
    progress.begin("indexing documents", docs.len() as u64);
    let units = pool.install(|| {
        docs.par_chunks(UNIT_DOCUMENTS)
            .enumerate()
            .map(|(number, docs)| {
                if progress.cancelled() {
                    return Err(Error::Interrupted);
                }
                let first = (number * UNIT_DOCUMENTS) as u32;
                let channels = settings.schema.channels.iter().zip(&settings.analyzers);
                let postings = channels
                    .filter_map(|(channel, analyzer)| {
                        let analyzer = analyzer.as_ref()?;
                        Some(UnitPostings::build(docs, first, &channel.fields, analyzer))
                    })
                    .collect();
                let stored = StoredUnit::build(docs, first, names);
                progress.advance(docs.len() as u64);
                Ok(Unit { stored, postings })
            })
            .collect()
    });
    progress.end();
    units
}

/// Turns a list of units into the stored units and a list of units for each bm25 channel.
fn transpose(units: Vec<Unit>) -> (Vec<StoredUnit>, Vec<Vec<UnitPostings>>) {
    let mut stored = Vec::with_capacity(units.len());
    let mut postings: Vec<Vec<UnitPostings>> = Vec::new();
    for unit in units {
        stored.push(unit.stored);
        postings.resize_with(unit.postings.len(), Vec::new);
        for (channel, unit) in postings.iter_mut().zip(unit.postings) {
            channel.push(unit);
        }
    }
    (stored, postings)
}

/// Checks that ids can be stored and are new.
fn check_ids(docs: &[Document], known: &Snapshot) -> Result<()> {
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
        let place = match seen.insert(id, position) {
            Some(first) => Some(DuplicatePlace::Batch { first, second: position }),
            None => known.find(id)?.map(|_| DuplicatePlace::Collection { position }),
        };
        if let Some(place) = place {
            return Err(Error::DuplicateId { id: id.to_owned(), place });
        }
    }
    Ok(())
}

/// Checks that a document's fields can be stored and that some channel finds text in it.
fn check_document(document: &Document, schema: &Schema) -> Result<()> {
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
