//! A consistent view of a collection that never changes under its holder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ecphory_core::nearest::nearest;
use ecphory_core::{DocAddress, DocNo, Document};
use ecphory_kernels::postings::CHUNK;

use crate::filter::{Bound, ID_FIELD};
use crate::format::manifest::{Manifest, PartKind, manifest_file};
use crate::schema::{ChannelKind, Schema, parse_analyzer};
use crate::segment::Segment;
use crate::segment::rows::Shape;
use crate::{Bm25, Dense, Error, Filter, Result, Selection, Sparse};
use ecphory_text::Analyzer;

/// The documents and channels of one moment. Clones share everything; files stay open while one lives.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

struct Inner {
    manifest: Arc<Manifest>,
    settings: Arc<Settings>,
    segments: Vec<Arc<Segment>>,
    /// How many bytes of the log hold what is in no segment on disk.
    log_bytes: u64,
}

/// The schema with its analysers ready for use.
#[derive(Debug)]
pub(crate) struct Settings {
    pub schema: Schema,
    /// By channel; `None` for channels of other kinds.
    pub analyzers: Vec<Option<Analyzer>>,
    /// Score arrays of finished searches, all zero, for the next ones.
    scores: Mutex<Vec<ScoreArray>>,
    /// The same for sums of impacts.
    sums: Mutex<Vec<SumArray>>,
}

/// The scores of one chunk.
pub(crate) type ScoreArray = Box<[f32; CHUNK]>;

/// The sums of impacts of one chunk.
pub(crate) type SumArray = Box<[u16; CHUNK]>;

/// How many documents a dense or sparse channel covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Documents whose rows are there.
    pub covered: u64,
    /// All documents.
    pub total: u64,
}

/// How many bytes a component of the collection has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSize {
    /// `documents/ids`, `channel/bm25/dictionary`, `tail/ids` and so on.
    pub component: String,
    /// Its bytes on disk, in all segments.
    pub disk: u64,
    /// Its bytes in memory.
    pub memory: u64,
}

impl Settings {
    /// Checks the schema of a manifest and parses its analysers.
    pub fn of_manifest(manifest: &Manifest) -> Result<Self> {
        let schema = manifest.schema();
        let settings = schema.validate().and_then(|()| Self::new(schema));
        settings.map_err(|error| {
            Error::corrupt(&manifest_file(manifest.generation), 0, error.to_string())
        })
    }

    /// Parses the analysers of a schema.
    pub fn new(schema: Schema) -> Result<Self> {
        let analyzers = schema
            .channels
            .iter()
            .map(|channel| match &channel.kind {
                ChannelKind::Bm25(settings) => parse_analyzer(&channel.name, settings).map(Some),
                ChannelKind::Dense(_) | ChannelKind::Sparse(_) => Ok(None),
            })
            .collect::<Result<_>>()?;
        Ok(Self { schema, analyzers, scores: Mutex::default(), sums: Mutex::default() })
    }

    /// Returns the position of a dense or sparse channel, and what its rows are.
    pub fn rows_position(&self, name: &str) -> Result<(usize, Shape)> {
        let position = self.schema.position(name)?;
        let kind = &self.schema.channels[position].kind;
        let shape = Shape::of(kind).ok_or_else(|| Error::ChannelKind {
            name: name.to_owned(),
            expected: "a dense or sparse channel",
            found: kind.described(),
        })?;
        Ok((position, shape))
    }
}

impl Snapshot {
    /// Makes a snapshot of segments, in order.
    pub(crate) fn new(
        settings: Arc<Settings>,
        manifest: Arc<Manifest>,
        segments: Vec<Arc<Segment>>,
        log_bytes: u64,
    ) -> Self {
        Self(Arc::new(Inner { manifest, settings, segments, log_bytes }))
    }

    /// Returns the channels.
    pub fn schema(&self) -> &Schema {
        &self.0.settings.schema
    }

    /// Returns how many documents there are.
    pub fn documents(&self) -> u64 {
        self.0.segments.iter().map(|segment| u64::from(segment.living())).sum()
    }

    /// Returns how many documents were deleted or replaced and still take up space.
    pub fn dead(&self) -> u64 {
        self.0.segments.iter().map(|segment| u64::from(segment.dead.count())).sum()
    }

    /// Returns how many documents are in the tail: logged, but in no segment on disk yet.
    pub fn tail_documents(&self) -> u64 {
        let tail = self.0.segments.iter().filter(|segment| segment.in_memory);
        tail.map(|segment| u64::from(segment.living())).sum()
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
            if let Some(doc) = segment.find(id)? {
                return Ok(Some(DocAddress { segment: number, doc }));
            }
        }
        Ok(None)
    }

    /// Yields all documents in the order in which they were added.
    pub fn addresses(&self) -> impl Iterator<Item = DocAddress> + '_ {
        self.0.segments.iter().zip(0..).flat_map(|(segment, number)| {
            let living = (0..segment.documents).filter(|&doc| segment.lives(DocNo(doc)));
            living.map(move |doc| DocAddress::new(number, doc))
        })
    }

    /// Returns how many documents a dense or sparse channel covers so far.
    ///
    /// # Errors
    /// [`Error::UnknownChannel`], [`Error::ChannelKind`].
    pub fn coverage(&self, channel: &str) -> Result<Coverage> {
        let (channel, _) = self.0.settings.rows_position(channel)?;
        let covered = self.0.segments.iter().map(|s| u64::from(s.covered(channel))).sum();
        Ok(Coverage { covered, total: self.documents() })
    }

    /// Finds the documents that match a filter: about a millisecond for a million documents and each field
    /// that has a column. Others (those of channels, and undeclared ones with long texts) are searched in
    /// the stored documents.
    ///
    /// # Errors
    /// [`Error::Filter`] for a literal that does not fit the declared kind of its field, or words that cannot be looked for,
    /// [`Error::UnknownField`], [`Error::Corrupt`].
    pub fn select(&self, filter: &Filter) -> Result<Selection> {
        let filter = Bound::new(filter, self.schema(), &self.settings().analyzers)?;
        filter.fields().try_for_each(|field| self.check_field(field))?;
        let sets = self.0.segments.iter().map(|segment| {
            let mut set = filter.select(segment, self.schema())?;
            segment.dead.subtract_from(&mut set);
            Ok(set)
        });
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

    /// Gives access to a sparse channel.
    ///
    /// # Errors
    /// As [`Snapshot::bm25`].
    pub fn sparse(&self, channel: &str) -> Result<Sparse<'_>> {
        Sparse::open(self, channel)
    }

    /// Returns the bytes of every component on disk and in memory: parts with their frames, the manifest,
    /// the log, the tail, the tombstones. Parts on disk are mapped and take memory only while the system
    /// has it to spare; they are not counted under memory.
    pub fn sizes(&self) -> Vec<ComponentSize> {
        let mut sizes: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let manifest = self.0.manifest.encode().len() as u64;
        sizes.insert(manifest_file(self.generation()), (manifest, 0));
        sizes.insert("log".to_owned(), (self.0.log_bytes, 0));
        for segment in &self.0.segments {
            for entry in &segment.entry.parts {
                let owner = match (segment.in_memory, &entry.channel, entry.kind) {
                    (true, _, _) => "tail".to_owned(),
                    (false, Some(channel), _) => format!("channel/{channel}"),
                    (false, None, PartKind::Tombstones) => "tombstones".to_owned(),
                    (false, None, PartKind::Columns) => "columns".to_owned(),
                    (false, None, _) => "documents".to_owned(),
                };
                let mut add = |name: &str, bytes: u64| {
                    let component = sizes.entry(format!("{owner}/{name}")).or_default();
                    *(if segment.in_memory { &mut component.1 } else { &mut component.0 }) += bytes;
                };
                let mut rest = entry.bytes;
                for (kind, bytes) in segment.parts[&entry.part].file().sections() {
                    add(kind.map_or("unknown", |kind| kind.name()), bytes);
                    rest -= bytes.min(rest);
                }
                add("frame", rest);
            }
            sizes.entry("tombstones/bits".to_owned()).or_default().1 += segment.dead.bytes();
        }
        let components = sizes.into_iter();
        components
            .map(|(component, (disk, memory))| ComponentSize { component, disk, memory })
            .collect()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn open_segments(&self) -> &[Arc<Segment>] {
        &self.0.segments
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
        let kept = self.0.settings.scores.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| {
            let zeros = vec![0.0; CHUNK].into_boxed_slice();
            zeros.try_into().expect("the vector was made with CHUNK scores")
        })
    }

    /// Takes an array back, which has to be all zero.
    pub(crate) fn give_back(&self, scores: ScoreArray) {
        debug_assert!(scores.iter().all(|&score| score == 0.0), "the array is not clean");
        self.0.settings.scores.lock().unwrap_or_else(PoisonError::into_inner).push(scores);
    }

    /// Lends an array of sums that are all zero; [`Snapshot::give_sums_back`] takes it again.
    pub(crate) fn borrow_sums(&self) -> SumArray {
        let kept = self.0.settings.sums.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| {
            let zeros = vec![0; CHUNK].into_boxed_slice();
            zeros.try_into().expect("the vector was made with CHUNK sums")
        })
    }

    /// Takes an array back, which has to be all zero.
    pub(crate) fn give_sums_back(&self, sums: SumArray) {
        debug_assert!(sums.iter().all(|&sum| sum == 0), "the array is not clean");
        self.0.settings.sums.lock().unwrap_or_else(PoisonError::into_inner).push(sums);
    }

    fn segment_of(&self, at: DocAddress) -> Result<&Segment> {
        let segment = self.0.segments.get(at.segment as usize);
        segment
            .filter(|segment| segment.lives(at.doc))
            .map(|found| &**found)
            .ok_or(Error::Address { at })
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot({}, {} documents)", self.generation(), self.documents())
    }
}
