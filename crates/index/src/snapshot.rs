//! A consistent view of a collection that never changes under its holder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ecphory_core::nearest::nearest;
use ecphory_core::storage::Storage;
use ecphory_core::{DocAddress, DocNo, Document};
use ecphory_kernels::postings::CHUNK;

use crate::filter::{Bound, ID_FIELD};
use crate::format::manifest::{Manifest, PartEntry, PartKind, manifest_file};
use crate::schema::{ChannelKind, Schema, parse_analyzer};
use crate::segment::{OpenParts, Segment};
use crate::{Bm25, Dense, Error, Filter, Result, Selection};
use ecphory_text::Analyzer;

/// The documents and channels of one commit. Clones share everything; files stay open while one lives.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    manifest: Manifest,
    settings: Arc<Settings>,
    segments: Vec<Segment>,
    parts: OpenParts,
    /// Score arrays of finished searches, all zero, for the next ones.
    scores: Mutex<Vec<ScoreArray>>,
}

/// The schema with its analysers ready for use.
#[derive(Debug)]
pub(crate) struct Settings {
    pub schema: Schema,
    /// By channel; `None` for channels of other kinds.
    pub analyzers: Vec<Option<Analyzer>>,
}

/// The scores of one chunk.
pub(crate) type ScoreArray = Box<[f32; CHUNK]>;

/// How many documents a dense channel covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Documents whose rows are there.
    pub covered: u64,
    /// All documents.
    pub total: u64,
}

/// How many bytes a component of the collection has on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSize {
    /// `documents/ids`, `channel/bm25/dictionary` and so on.
    pub component: String,
    /// Its bytes in all segments.
    pub bytes: u64,
}

impl Settings {
    /// Parses the analysers of a schema.
    pub fn new(schema: Schema) -> Result<Self> {
        let analyzers = schema
            .channels
            .iter()
            .map(|channel| match &channel.kind {
                ChannelKind::Bm25(settings) => parse_analyzer(&channel.name, settings).map(Some),
                ChannelKind::Dense(_) => Ok(None),
            })
            .collect::<Result<_>>()?;
        Ok(Self { schema, analyzers })
    }
}

impl Snapshot {
    /// Opens the parts of a manifest, taking over those that `known` has.
    pub(crate) fn open(
        storage: &dyn Storage,
        settings: &Arc<Settings>,
        manifest: Manifest,
        known: &OpenParts,
    ) -> Result<Self> {
        let mut parts = OpenParts::new();
        let segments = manifest
            .segments
            .iter()
            .map(|entry| Segment::open(storage, &manifest, entry, known, &mut parts))
            .collect::<Result<_>>()?;
        let (settings, scores) = (Arc::clone(settings), Mutex::default());
        Ok(Self(Arc::new(Inner { manifest, settings, segments, parts, scores })))
    }

    /// Returns the channels.
    pub fn schema(&self) -> &Schema {
        &self.0.settings.schema
    }

    /// Returns how many documents there are.
    pub fn documents(&self) -> u64 {
        self.0.segments.iter().map(|segment| u64::from(segment.documents)).sum()
    }

    /// Returns how many segments there are.
    pub fn segments(&self) -> usize {
        self.0.segments.len()
    }

    /// Returns the number of the commit; a later commit has a larger one.
    pub fn generation(&self) -> u64 {
        self.0.manifest.generation
    }

    /// Reads a stored document.
    ///
    /// # Errors
    /// [`Error::Address`] for an address of another snapshot, [`Error::Corrupt`].
    pub fn document(&self, at: DocAddress) -> Result<Document> {
        self.segment_of(at)?.stored.get()?.document(at.doc)
    }

    /// Returns a document's id.
    ///
    /// # Errors
    /// As [`Snapshot::document`].
    pub fn id(&self, at: DocAddress) -> Result<&str> {
        self.segment_of(at)?.stored.get()?.id(at.doc)
    }

    /// Looks a document up by its id.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn find(&self, id: &str) -> Result<Option<DocAddress>> {
        for (segment, number) in self.0.segments.iter().zip(0..) {
            if let Some(doc) = segment.stored.get()?.find(id)? {
                return Ok(Some(DocAddress { segment: number, doc }));
            }
        }
        Ok(None)
    }

    /// Yields all documents in the order in which they were added.
    pub fn addresses(&self) -> impl Iterator<Item = DocAddress> + '_ {
        self.0.segments.iter().zip(0..).flat_map(|(segment, number)| {
            (0..segment.documents).map(move |doc| DocAddress::new(number, doc))
        })
    }

    /// Returns how many documents a dense channel covers so far.
    ///
    /// # Errors
    /// [`Error::UnknownChannel`], [`Error::ChannelKind`].
    pub fn coverage(&self, channel: &str) -> Result<Coverage> {
        let channel = self.dense_position(channel)?;
        let covered = self.0.segments.iter().map(|s| u64::from(s.covered(channel))).sum();
        Ok(Coverage { covered, total: self.documents() })
    }

    /// Finds the documents that match a filter: about a millisecond for a million documents and each field
    /// that has a column. Others (those of channels, and undeclared ones with long texts) are searched in
    /// the stored documents.
    ///
    /// # Errors
    /// [`Error::Filter`] for a literal that does not fit the declared kind of its field,
    /// [`Error::UnknownField`], [`Error::Corrupt`].
    pub fn select(&self, filter: &Filter) -> Result<Selection> {
        let filter = Bound::new(filter, self.schema())?;
        filter.fields().try_for_each(|field| self.check_field(field))?;
        let sets = self.0.segments.iter().map(|segment| filter.select(segment, self.schema()));
        sets.collect::<Result<_>>().map(Selection::from_sets)
    }

    /// Checks that a field is declared or covered by a channel, or that some document has it. Where there
    /// are no documents, any may come.
    pub(crate) fn check_field(&self, name: &str) -> Result<()> {
        let schema = self.schema();
        let known = name == ID_FIELD || schema.field(name).is_some() || schema.covers(name);
        if known || self.0.segments.is_empty() {
            return Ok(());
        }
        let mut names = BTreeSet::new();
        for segment in &self.0.segments {
            let stored = segment.stored.get()?;
            if stored.name_number(name).is_some() {
                return Ok(());
            }
            names.extend(stored.names().iter().map(String::as_str));
        }
        names.extend(schema.fields.iter().map(|field| field.name.as_str()));
        let nearest = nearest(name, names).map(str::to_owned);
        Err(Error::UnknownField { name: name.to_owned(), nearest })
    }

    /// Gives access to a BM25 channel.
    ///
    /// # Errors
    /// [`Error::UnknownChannel`] with the nearest name, [`Error::ChannelKind`], [`Error::Corrupt`].
    pub fn bm25(&self, channel: &str) -> Result<Bm25<'_>> {
        Bm25::open(self, channel)
    }

    /// Gives access to a dense channel.
    ///
    /// # Errors
    /// As [`Snapshot::bm25`].
    pub fn dense(&self, channel: &str) -> Result<Dense<'_>> {
        Dense::open(self, channel)
    }

    /// Returns the bytes of every component, and what the manifest and the frames of the files take.
    pub fn sizes(&self) -> Vec<ComponentSize> {
        let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
        let manifest = self.0.manifest.encode().len() as u64;
        sizes.insert(manifest_file(self.generation()), manifest);
        for entry in self.0.manifest.segments.iter().flat_map(|segment| &segment.parts) {
            let owner = match (&entry.channel, entry.kind) {
                (Some(channel), _) => format!("channel/{channel}"),
                (None, PartKind::Columns) => "columns".to_owned(),
                (None, _) => "documents".to_owned(),
            };
            let mut rest = entry.bytes;
            for (kind, bytes) in self.0.parts[&entry.part].file().sections() {
                let name = kind.map_or("unknown", |kind| kind.name());
                *sizes.entry(format!("{owner}/{name}")).or_default() += bytes;
                rest -= bytes.min(rest);
            }
            *sizes.entry(format!("{owner}/frame")).or_default() += rest;
        }
        sizes.into_iter().map(|(component, bytes)| ComponentSize { component, bytes }).collect()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn parts(&self) -> &OpenParts {
        &self.0.parts
    }

    /// Yields the files of all parts.
    pub(crate) fn part_files(&self) -> impl Iterator<Item = String> + '_ {
        self.0.manifest.segments.iter().flat_map(|segment| &segment.parts).map(PartEntry::file)
    }

    pub(crate) fn open_segments(&self) -> &[Segment] {
        &self.0.segments
    }

    /// Returns the position of a dense channel.
    pub(crate) fn dense_position(&self, name: &str) -> Result<usize> {
        dense_position(self.schema(), name)
    }

    pub(crate) fn check_address(&self, at: DocAddress) -> Result<()> {
        self.segment_of(at).map(|_| ())
    }

    pub(crate) fn check_selection(&self, selection: Option<&Selection>) -> Result<()> {
        let sizes = self.0.segments.iter().map(|segment| segment.documents);
        match selection {
            Some(selection) if !selection.fits(sizes) => Err(Error::ForeignSelection),
            _ => Ok(()),
        }
    }

    /// Lends an array of zeros; [`Snapshot::give_back`] takes it again.
    pub(crate) fn borrow_scores(&self) -> ScoreArray {
        let kept = self.0.scores.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| {
            let zeros = vec![0.0; CHUNK].into_boxed_slice();
            zeros.try_into().expect("the vector was made with CHUNK scores")
        })
    }

    /// Takes an array back, which has to be all zero.
    pub(crate) fn give_back(&self, scores: ScoreArray) {
        debug_assert!(scores.iter().all(|&score| score == 0.0), "the array is not clean");
        self.0.scores.lock().unwrap_or_else(PoisonError::into_inner).push(scores);
    }

    fn segment_of(&self, at: DocAddress) -> Result<&Segment> {
        let segment = self.0.segments.get(at.segment as usize);
        segment.filter(|segment| at.doc < DocNo(segment.documents)).ok_or(Error::Address { at })
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({}, {} documents)", self.generation(), self.documents())
    }
}

/// Returns the position of a dense channel in a schema.
pub(crate) fn dense_position(schema: &Schema, name: &str) -> Result<usize> {
    let position = schema.position(name)?;
    match &schema.channels[position].kind {
        ChannelKind::Dense(_) => Ok(position),
        other @ ChannelKind::Bm25(_) => Err(Error::ChannelKind {
            name: name.to_owned(),
            expected: "a dense channel",
            found: other.described(),
        }),
    }
}
