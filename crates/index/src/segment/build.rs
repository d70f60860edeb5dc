//! From documents to a new segment: analysis in parallel, then one part after the other.
//!
//! The same code makes the large segments of a bulk build and the small ones of the tail. The bytes do not
//! depend on the number of threads.

use ecphory_core::{Document, Progress};
use rayon::prelude::*;

use super::Numbers;
use super::bm25::{UNIT_DOCUMENTS, UnitPostings, merge_units};
use super::columns::build_columns;
use super::documents::{FieldNames, Ids, StoredUnit, write_documents};
use super::rows::{RowRun, Rows, Shape, value_bytes, word_bytes, write_rows};
use crate::format::manifest::{PartKind, SegmentEntry};
use crate::format::part::PartIdentity;
use crate::format::spool::SpoolRoom;
use crate::snapshot::Settings;
use crate::{ChannelKind, Error, Result};

/// The rows of a new segment in one channel, which cover all of its documents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentRows<'a> {
    /// The channel's position.
    pub channel: usize,
    pub rows: Rows<'a>,
}

/// Where a new segment goes, and what it takes its numbers and its memory from.
#[derive(Clone, Copy)]
pub(crate) struct Site<'s> {
    pub storage: &'s dyn ecphory_core::storage::Storage,
    pub numbers: &'s Numbers,
    pub settings: &'s Settings,
    /// How many bytes a section keeps in memory before it spills.
    pub spool_bytes: usize,
}

impl<'s> Site<'s> {
    /// Gives out the number of a new part.
    pub fn identity(
        &self,
        kind: PartKind,
        segment: u32,
        first: u32,
        documents: u32,
    ) -> PartIdentity {
        PartIdentity { kind, part: self.numbers.part(), segment, first, documents }
    }

    pub fn room(&self, part: u64) -> SpoolRoom<'s> {
        SpoolRoom { storage: self.storage, limit: self.spool_bytes, part }
    }
}

/// What is made of one unit of documents.
struct Unit {
    stored: StoredUnit,
    /// One for each bm25 channel.
    postings: Vec<UnitPostings>,
}

/// Builds and writes a segment of documents that were checked.
pub(crate) fn build_segment(
    docs: &[Document],
    rows: &[SegmentRows<'_>],
    site: Site<'_>,
    pool: Option<&rayon::ThreadPool>,
    progress: &dyn Progress,
) -> Result<SegmentEntry> {
    let mut names = FieldNames::default();
    for (name, _) in docs.iter().flat_map(|document| &document.fields) {
        names.add(name);
    }
    let units = build_units(docs, &names, site.settings, pool, progress)?;
    let (stored, postings) = transpose(units);
    let (segment, documents) = (site.numbers.segment(), docs.len() as u32);
    let mut parts = Vec::new();

    let mut ids = Ids::default();
    for document in docs {
        ids.push(&document.id)?;
    }
    let (blocks, bytes) = StoredUnit::join(&stored);
    let identity = site.identity(PartKind::Documents, segment, 0, documents);
    parts.push(write_documents(site.storage, identity, ids, &names, &blocks, bytes)?);
    drop(stored);
    let identity = site.identity(PartKind::Columns, segment, 0, documents);
    let room = site.room(identity.part);
    let pool = pool.filter(|_| docs.len() > UNIT_DOCUMENTS);
    parts.push(build_columns(docs, &site.settings.schema, pool, room)?.write(identity, room)?);

    let channels = site.settings.schema.channels.iter();
    let bm25 = channels.filter(|channel| matches!(channel.kind, ChannelKind::Bm25(_)));
    for (channel, units) in bm25.zip(postings) {
        let identity = site.identity(PartKind::Bm25, segment, 0, documents);
        let room = site.room(identity.part);
        let sections = merge_units(&units, room)?;
        drop(units);
        parts.push(sections.write(identity, &channel.name, room)?);
    }
    for SegmentRows { channel, rows } in rows {
        let channel = &site.settings.schema.channels[*channel];
        let Some(shape) = Shape::of(&channel.kind) else { continue };
        let identity = site.identity(shape.part(), segment, 0, documents);
        let (terms, values) = (word_bytes(rows.terms), value_bytes(rows.values));
        let (terms, values) = (vec![&*terms], vec![&*values]);
        let run = RowRun { first: 0, counts: rows.counts.to_vec(), terms, values };
        let room = site.room(identity.part);
        parts.push(write_rows(room, identity, (&channel.name, shape), &run)?);
    }
    Ok(SegmentEntry { segment, documents, parts })
}

/// Analyses and compresses the documents, a unit at a time on each thread of the pool.
fn build_units(
    docs: &[Document],
    names: &FieldNames<'_>,
    settings: &Settings,
    pool: Option<&rayon::ThreadPool>,
    progress: &dyn Progress,
) -> Result<Vec<Unit>> {
    progress.begin("indexing documents", docs.len() as u64);
    let build = |(number, docs): (usize, &[Document])| {
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
    };
    let units = match pool.filter(|_| docs.len() > UNIT_DOCUMENTS) {
        Some(pool) => {
            pool.install(|| docs.par_chunks(UNIT_DOCUMENTS).enumerate().map(build).collect())
        }
        None => docs.chunks(UNIT_DOCUMENTS).enumerate().map(build).collect(),
    };
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
