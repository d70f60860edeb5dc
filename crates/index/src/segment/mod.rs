//! The parts of a segment: how each kind is built, written and read.
//!
//! A segment is immutable but for its tombstones: one part with the documents, one with the columns of their
//! fields, one for each BM25 channel, and for each dense or sparse channel as many as it took to fill it so far.
//! Segments of the tail are the same, in memory.

pub mod bm25;
pub mod build;
pub mod columns;
pub mod dense;
pub mod documents;
pub mod impacts;
pub mod merge;
pub mod rows;
pub mod sparse;
pub mod survivors;
pub mod tombstones;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ecphory_core::storage::{Storage, publish};
use ecphory_core::{DocNo, DocSet};

use crate::format::manifest::{PartEntry, PartKind, SegmentEntry};
use crate::format::part::{PartFile, PartIdentity, Section, write_part};
use crate::snapshot::Settings;
use crate::{Error, Result};
use bm25::Bm25Part;
use columns::{Coding, ColumnsPart, Found};
use dense::DensePart;
use documents::DocumentsPart;
use rows::{RowPart, RowRange};
use sparse::SparsePart;
use tombstones::Tombstones;

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
    Rows(RowPart),
    Columns(Arc<Lazy<ColumnsPart>>),
    Tombstones(Arc<PartFile>, Arc<Tombstones>),
}

/// The open parts of the newest snapshot by number, so that the next one verifies only what is new.
pub(crate) type OpenParts = BTreeMap<u64, OpenPart>;

impl OpenPart {
    fn open(
        storage: &dyn Storage,
        segment: u32,
        entry: &PartEntry,
        channels: usize,
    ) -> Result<Self> {
        let file = PartFile::open(storage, segment, entry)?;
        Ok(match entry.kind {
            PartKind::Documents => {
                OpenPart::Documents(Arc::new(Lazy::new(file, DocumentsPart::verify)))
            }
            PartKind::Bm25 => OpenPart::Bm25(Arc::new(Lazy::new(file, Bm25Part::verify))),
            PartKind::Dense => {
                OpenPart::Rows(RowPart::Dense(Arc::new(Lazy::new(file, DensePart::verify))))
            }
            PartKind::Sparse => {
                OpenPart::Rows(RowPart::Sparse(Arc::new(Lazy::new(file, SparsePart::verify))))
            }
            PartKind::Columns => OpenPart::Columns(Arc::new(Lazy::new(file, ColumnsPart::verify))),
            PartKind::Tombstones => {
                let dead = Arc::new(Tombstones::read(&file, channels)?);
                OpenPart::Tombstones(Arc::new(file), dead)
            }
        })
    }

    pub fn file(&self) -> &PartFile {
        match self {
            OpenPart::Documents(part) => &part.file,
            OpenPart::Bm25(part) => &part.file,
            OpenPart::Rows(part) => part.file(),
            OpenPart::Columns(part) => &part.file,
            OpenPart::Tombstones(file, _) => file,
        }
    }
}

/// A segment of a snapshot, on disk or in the tail. Clones share all but the tombstones.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// What it consists of. The parts of a segment in the tail are numbered by the tail.
    pub entry: Arc<SegmentEntry>,
    /// Whether it is in the tail.
    pub in_memory: bool,
    /// How many documents it has, the dead included.
    pub documents: u32,
    pub stored: Arc<Lazy<DocumentsPart>>,
    /// `None` in segments of version 1.
    pub columns: Option<Arc<Lazy<ColumnsPart>>>,
    /// By channel; `None` for channels of other kinds.
    pub bm25: Vec<Option<Arc<Lazy<Bm25Part>>>>,
    /// By channel, in order of documents, possibly with holes; empty for channels of other kinds.
    pub rows: Vec<Vec<RowRange>>,
    pub dead: Arc<Tombstones>,
    /// All of its parts by number.
    pub parts: Arc<OpenParts>,
}

impl Segment {
    /// Opens a segment, taking parts that are open already from `known`.
    pub fn open(
        storage: &dyn Storage,
        settings: &Settings,
        entry: &SegmentEntry,
        known: &dyn Fn(u64) -> Option<OpenPart>,
    ) -> Result<Self> {
        let channels: Vec<&str> =
            settings.schema.channels.iter().map(|channel| channel.name.as_str()).collect();
        let (mut stored, mut columns) = (None, None);
        let mut bm25 = vec![None; channels.len()];
        let mut rows: Vec<Vec<RowRange>> = channels.iter().map(|_| Vec::new()).collect();
        let mut dead = None;
        let mut parts = OpenParts::new();
        for part in &entry.parts {
            // A number is never used twice; if it was, these are the bytes of another part.
            let same = |open: &OpenPart| open.file().is(part);
            let open = match known(part.part).filter(same) {
                Some(open) => open,
                None => OpenPart::open(storage, entry.segment, part, channels.len())?,
            };
            let channel = channels.iter().position(|&name| Some(name) == part.channel.as_deref());
            let channel = channel.unwrap_or(0);
            match open.clone() {
                OpenPart::Documents(open) => stored = Some(open),
                OpenPart::Columns(open) => columns = Some(open),
                OpenPart::Bm25(open) => bm25[channel] = Some(open),
                OpenPart::Rows(open) => {
                    let (first, documents) = (part.first, part.documents);
                    rows[channel].push(RowRange { first, documents, part: open });
                }
                OpenPart::Tombstones(_, open) => dead = Some(open.for_channels(channels.len())),
            }
            parts.insert(part.part, open);
        }
        Ok(Self {
            entry: Arc::new(entry.clone()),
            in_memory: false,
            documents: entry.documents,
            stored: stored.expect("a decoded manifest has a documents part in every segment"),
            columns,
            bm25,
            rows,
            dead: Arc::new(dead.unwrap_or_else(|| Tombstones::new(channels.len()))),
            parts: Arc::new(parts),
        })
    }

    /// Finds a field's values.
    pub fn column(&self, field: &str, coding: Coding) -> Result<Found<'_>> {
        let Some(columns) = &self.columns else {
            let known = self.stored.get()?.name_number(field).is_some();
            return Ok(if known { Found::Stored } else { Found::Nothing });
        };
        Ok(match columns.get()?.column(field)? {
            // The values were taken as another type before the field was declared.
            Found::Column(column) if column.coding() != coding => Found::Stored,
            found => found,
        })
    }

    /// Returns the living documents of `selected`, or of all; `None` means all there are.
    pub fn wanted(&self, selected: Option<&DocSet>) -> Option<DocSet> {
        if self.dead.count() == 0 {
            return selected.cloned();
        }
        let mut set = selected.cloned().unwrap_or_else(|| DocSet::full(self.documents as usize));
        self.dead.subtract_from(&mut set);
        Some(set)
    }

    /// Verifies all parts now, so that no query has to wait for it.
    pub fn verify(&self) -> Result<()> {
        self.stored.get()?;
        self.columns.as_ref().map(|part| part.get()).transpose()?;
        self.bm25.iter().flatten().try_for_each(|part| part.get().map(|_| ()))?;
        self.rows.iter().flatten().try_for_each(|range| range.table().map(|_| ()))
    }

    /// Returns how many documents live.
    pub fn living(&self) -> u32 {
        self.documents - self.dead.count()
    }

    /// Returns whether another view's segment is this one, but for tombstones.
    pub fn same_content(&self, other: &Self) -> bool {
        let content = |entry: &SegmentEntry| -> Vec<u64> {
            let parts = entry.parts.iter().filter(|part| part.kind != PartKind::Tombstones);
            parts.map(|part| part.part).collect()
        };
        Arc::ptr_eq(&self.entry, &other.entry)
            || (self.entry.segment == other.entry.segment
                && content(&self.entry) == content(&other.entry))
    }

    /// Returns how many documents are dead according to the parts on disk.
    pub fn written_dead(&self) -> u32 {
        let written = self.parts.values().find_map(|part| match part {
            OpenPart::Tombstones(_, dead) => Some(dead.count()),
            _ => None,
        });
        written.unwrap_or(0)
    }

    /// Returns whether a document is there and lives.
    #[inline]
    pub fn lives(&self, doc: DocNo) -> bool {
        doc.0 < self.documents && !self.dead.contains(doc.0)
    }

    /// Looks a living document up by its id.
    pub fn find(&self, id: &str) -> Result<Option<DocNo>> {
        self.stored.get()?.find(id, &|doc| self.lives(doc))
    }

    /// Returns the rows of a channel that cover a document; `None` where it has none yet.
    pub fn range_of(&self, channel: usize, doc: u32) -> Option<&RowRange> {
        let ranges = &self.rows[channel];
        let place = ranges.partition_point(|range| range.end() <= doc);
        ranges.get(place).filter(|range| range.first <= doc)
    }

    /// Returns how many living documents a dense or sparse channel covers.
    pub fn covered(&self, channel: usize) -> u32 {
        let all: u32 = self.rows[channel].iter().map(|range| range.documents).sum();
        let dead = self.dead.iter().filter(|&doc| self.range_of(channel, doc).is_some());
        all - dead.count() as u32
    }

    /// Returns the same segment with more dead documents.
    pub fn with_dead(&self, docs: &[DocNo]) -> Result<Self> {
        let mut lengths = Vec::with_capacity(self.bm25.len());
        for part in &self.bm25 {
            lengths.push(part.as_ref().map(|part| part.get()).transpose()?);
        }
        let mut dead = Tombstones::clone(&self.dead);
        for &doc in docs {
            dead.insert(doc.0, &|channel| lengths[channel].map_or(0, |p| p.document_length(doc)));
        }
        Ok(Self { dead: Arc::new(dead), ..self.clone() })
    }

    /// Returns the bytes of all parts.
    pub fn bytes(&self) -> u64 {
        self.entry.parts.iter().map(|part| part.bytes).sum()
    }
}

/// Gives out the numbers of segments and parts; shared with work that goes on beside the writer.
#[derive(Debug)]
pub(crate) struct Numbers {
    segment: AtomicU32,
    part: AtomicU64,
}

impl Numbers {
    /// Begins with these numbers.
    pub fn new(segment: u32, part: u64) -> Self {
        Self { segment: AtomicU32::new(segment), part: AtomicU64::new(part) }
    }

    pub fn segment(&self) -> u32 {
        self.segment.fetch_add(1, Ordering::Relaxed)
    }

    pub fn part(&self) -> u64 {
        self.part.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the numbers that come next.
    pub fn next(&self) -> (u32, u64) {
        (self.segment.load(Ordering::Relaxed), self.part.load(Ordering::Relaxed))
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
