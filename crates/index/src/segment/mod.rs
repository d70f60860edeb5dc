//! The parts of a segment: how each kind is built, written and read.
//!
//! A segment is immutable: one part with the documents, one with the columns of their fields, one for each
//! BM25 channel, and for each dense channel as many as it took to fill it so far.

pub mod bm25;
pub mod columns;
pub mod dense;
pub mod documents;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ecphory_core::DocSet;
use ecphory_core::storage::{Storage, publish};

use crate::format::manifest::{Manifest, PartEntry, PartKind, SegmentEntry};
use crate::format::part::{PartFile, PartIdentity, Section, write_part};
use crate::{Error, Result};
use bm25::Bm25Part;
use columns::{Coding, Column, ColumnsPart};
use dense::DensePart;
use documents::DocumentsPart;

/// A part that is opened at once, so that its file cannot go away, but verified at its first use.
#[derive(Debug)]
pub(crate) struct Lazy<T> {
    pub file: PartFile,
    verify: fn(&PartFile) -> Result<T>,
    part: OnceLock<T>,
}

impl<T> Lazy<T> {
    fn new(file: PartFile, verify: fn(&PartFile) -> Result<T>) -> Self {
        Self { file, verify, part: OnceLock::new() }
    }

    /// Returns the verified part. Two threads that come first both verify; one result is kept.
    pub fn get(&self) -> Result<&T> {
        if let Some(part) = self.part.get() {
            return Ok(part);
        }
        let part = (self.verify)(&self.file)?;
        Ok(self.part.get_or_init(|| part))
    }
}

/// An open part of any kind.
#[derive(Clone, Debug)]
pub(crate) enum OpenPart {
    Documents(Arc<Lazy<DocumentsPart>>),
    Bm25(Arc<Lazy<Bm25Part>>),
    Dense(Arc<Lazy<DensePart>>),
    Columns(Arc<Lazy<ColumnsPart>>),
}

/// The open parts of the newest snapshot by number, so that the next one verifies only what is new.
pub(crate) type OpenParts = BTreeMap<u64, OpenPart>;

impl OpenPart {
    fn open(storage: &dyn Storage, segment: u32, entry: &PartEntry) -> Result<Self> {
        let file = PartFile::open(storage, segment, entry)?;
        Ok(match entry.kind {
            PartKind::Documents => {
                OpenPart::Documents(Arc::new(Lazy::new(file, DocumentsPart::verify)))
            }
            PartKind::Bm25 => OpenPart::Bm25(Arc::new(Lazy::new(file, Bm25Part::verify))),
            PartKind::Dense => OpenPart::Dense(Arc::new(Lazy::new(file, DensePart::verify))),
            PartKind::Columns => OpenPart::Columns(Arc::new(Lazy::new(file, ColumnsPart::verify))),
        })
    }

    pub fn file(&self) -> &PartFile {
        match self {
            OpenPart::Documents(part) => &part.file,
            OpenPart::Bm25(part) => &part.file,
            OpenPart::Dense(part) => &part.file,
            OpenPart::Columns(part) => &part.file,
        }
    }
}

/// One dense part and the documents it covers.
#[derive(Debug)]
pub(crate) struct DenseRange {
    pub first: u32,
    pub documents: u32,
    pub part: Arc<Lazy<DensePart>>,
}

/// A segment of a snapshot.
#[derive(Debug)]
pub(crate) struct Segment {
    pub documents: u32,
    pub stored: Arc<Lazy<DocumentsPart>>,
    /// `None` where no field has a column.
    pub columns: Option<Arc<Lazy<ColumnsPart>>>,
    /// By channel; `None` for channels of other kinds.
    pub bm25: Vec<Option<Arc<Lazy<Bm25Part>>>>,
    /// By channel, in order of documents, without holes; empty for channels of other kinds.
    pub dense: Vec<Vec<DenseRange>>,
}

impl Segment {
    /// Opens a segment, taking parts that are open already from `known`; `used` receives all of them.
    pub fn open(
        storage: &dyn Storage,
        manifest: &Manifest,
        entry: &SegmentEntry,
        known: &OpenParts,
        used: &mut OpenParts,
    ) -> Result<Self> {
        let (mut stored, mut columns) = (None, None);
        let mut bm25 = vec![None; manifest.channels.len()];
        let mut dense: Vec<Vec<DenseRange>> =
            manifest.channels.iter().map(|_| Vec::new()).collect();
        for part in &entry.parts {
            let open = match known.get(&part.part) {
                Some(open) => open.clone(),
                None => OpenPart::open(storage, entry.segment, part)?,
            };
            let channel = manifest.channels.iter();
            let channel = channel.zip(0..).find(|(c, _)| Some(&c.name) == part.channel.as_ref());
            let channel = channel.map_or(0, |(_, position)| position);
            match open.clone() {
                OpenPart::Documents(open) => stored = Some(open),
                OpenPart::Columns(open) => columns = Some(open),
                OpenPart::Bm25(open) => bm25[channel] = Some(open),
                OpenPart::Dense(open) => {
                    let (first, documents) = (part.first, part.documents);
                    dense[channel].push(DenseRange { first, documents, part: open });
                }
            }
            used.insert(part.part, open);
        }
        let stored = stored.expect("a decoded manifest has a documents part in every segment");
        Ok(Self { documents: entry.documents, stored, columns, bm25, dense })
    }

    /// Returns a field's column; `None` where it has none, or one of a type that the field had before.
    pub fn column(&self, field: &str, coding: Coding) -> Result<Option<&Column>> {
        let Some(columns) = &self.columns else { return Ok(None) };
        let column = columns.get()?.column(field)?;
        Ok(column.filter(|column| column.coding() == coding))
    }

    /// Returns the documents to look at where `selected` are asked for (or all); `None` means all.
    pub fn wanted(&self, selected: Option<&DocSet>) -> Option<DocSet> {
        selected.cloned()
    }

    /// Returns how many of the segment's documents a dense channel covers.
    pub fn covered(&self, channel: usize) -> u32 {
        self.dense[channel].last().map_or(0, |range| range.first + range.documents)
    }
}

/// Publishes a part and returns its manifest entry.
pub(crate) fn publish_part(
    storage: &dyn Storage,
    identity: PartIdentity,
    channel: Option<&str>,
    sections: &[Section<'_>],
) -> Result<PartEntry> {
    let PartIdentity { kind, part, first, documents, .. } = identity;
    let channel = channel.map(str::to_owned);
    let mut entry = PartEntry { part, kind, channel, first, documents, bytes: 0, crc32: 0 };
    let file = entry.file();
    publish(storage, &file, &mut |out| {
        (entry.bytes, entry.crc32) = write_part(out, identity, sections)?;
        Ok(())
    })
    .map_err(Error::io("write", &file))?;
    Ok(entry)
}
