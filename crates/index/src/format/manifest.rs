//! The manifest, which says what a collection consists of, and `CURRENT`, which says which manifest counts.
//!
//! Both are text that ends with a line `crc32 XXXXXXXX` over everything before that line. A manifest is
//! a whole description, never a difference; the last two are kept.

use std::collections::BTreeSet;
use std::io;

use ecphory_core::checksum::crc32;
use ecphory_core::storage::Storage;
use serde::{Deserialize, Serialize};

use super::{CURRENT, MAX_NUMBER, MAX_SEGMENT, MAX_SEGMENT_DOCUMENTS, SEGMENTS, VERSION};
use crate::schema::{
    Bm25Settings, ChannelKind, ChannelSchema, DenseSettings, FieldKind, FieldSchema, Schema,
    SparseSettings,
};
use crate::{Error, Result};

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field in so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

const PREFIX: &str = "MANIFEST-";

/// A whole manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version that wrote it, at most [`VERSION`].
    pub format: u32,
    /// Which collection this is: backups are told apart by it. 0 where whoever made it did not say.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub collection: u64,
    /// The number in its file name; grows with every commit.
    pub generation: u64,
    /// The number of the next segment; numbers are never used again.
    pub next_segment: u32,
    /// The number of the next part; numbers are never used again.
    pub next_part: u64,
    /// The log file that holds the first batch after the segments. `None` where the log begins with the
    /// first file there is, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<u64>,
    /// The channels.
    pub channels: Vec<ChannelEntry>,
    /// The declared fields.
    #[serde(default)]
    pub fields: Vec<FieldEntry>,
    /// The segments, oldest first.
    pub segments: Vec<SegmentEntry>,
}

/// A channel in the manifest: the on-disk twin of [`ChannelSchema`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelEntry {
    /// Its name.
    pub name: String,
    /// The fields it covers.
    pub fields: Vec<String>,
    /// Its kind and settings.
    pub kind: KindEntry,
}

/// The on-disk twin of [`ChannelKind`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum KindEntry {
    /// See [`Bm25Settings`].
    Bm25 {
        /// Saturation.
        k1: f32,
        /// Length normalisation.
        b: f32,
        /// The analyser's spec.
        analyzer: String,
    },
    /// See [`DenseSettings`].
    Dense {
        /// The encoder's name.
        encoder: String,
        /// What the encoder said it is.
        fingerprint: String,
        /// The length of every vector.
        dimensions: u32,
        /// Where the encoder cuts.
        max_tokens: Option<u32>,
        /// How long texts are cut into passages.
        passages: Option<String>,
        /// In which precision the encoder holds its weights; missing where it is that of the files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        precision: Option<String>,
    },
    /// See [`SparseSettings`].
    Sparse {
        /// The encoder's name.
        encoder: String,
        /// What the encoder said it is.
        fingerprint: String,
        /// How many terms the vocabulary has.
        terms: u32,
        /// Where the encoder cuts.
        max_tokens: Option<u32>,
        /// In which precision the encoder holds its weights; missing where it is that of the files.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        precision: Option<String>,
    },
}

/// A declared field in the manifest: the on-disk twin of [`FieldSchema`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldEntry {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: FieldKindEntry,
}

/// The on-disk twin of [`FieldKind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the twin says what they are")]
pub enum FieldKindEntry {
    Text,
    Keyword,
    Integer,
    Float,
    Date,
    Bool,
    Geo,
}

/// A segment in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// Its number in the collection.
    pub segment: u32,
    /// How many documents it has.
    pub documents: u32,
    /// Its parts.
    pub parts: Vec<PartEntry>,
}

/// A part in the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// Its number in the collection.
    pub part: u64,
    /// What it holds.
    pub kind: PartKind,
    /// The channel it belongs to; none for documents and columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The first document of the segment that it covers.
    pub first: u32,
    /// How many documents it covers.
    pub documents: u32,
    /// The file's length.
    pub bytes: u64,
    /// The CRC-32 of the file's header and section table.
    pub crc32: u32,
}

/// What a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// Ids and stored fields.
    Documents,
    /// A BM25 channel.
    Bm25,
    /// Rows of a dense channel.
    Dense,
    /// Rows of a sparse channel, and their impacts by term.
    Sparse,
    /// Dead documents.
    Tombstones,
    /// The values of fields, field by field.
    Columns,
}

impl PartKind {
    /// Returns the number in a part's header.
    pub fn number(self) -> u32 {
        match self {
            PartKind::Documents => 1,
            PartKind::Bm25 => 2,
            PartKind::Dense => 3,
            PartKind::Tombstones => 4,
            PartKind::Columns => 5,
            PartKind::Sparse => 6,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            PartKind::Documents => "docs",
            PartKind::Bm25 => "bm25",
            PartKind::Dense => "dense",
            PartKind::Sparse => "sparse",
            PartKind::Tombstones => "dead",
            PartKind::Columns => "cols",
        }
    }
}

impl PartEntry {
    /// Returns the part's file, such as `seg/00000007.bm25`.
    pub fn file(&self) -> String {
        format!("{SEGMENTS}/{:08}.{}", self.part, self.kind.extension())
    }
}

/// Returns the number of a part from its file name without the folder.
pub(crate) fn part_number(file: &str) -> Option<u64> {
    file.split_once('.')?.0.parse().ok().filter(|&number| number <= MAX_NUMBER)
}

/// Returns a manifest's file name.
pub fn manifest_file(generation: u64) -> String {
    format!("{PREFIX}{generation:06}")
}

/// Returns a manifest's generation from its file name.
pub fn manifest_generation(file: &str) -> Option<u64> {
    let digits = file.strip_prefix(PREFIX)?;
    let generation = digits.parse().ok().filter(|&generation| generation <= MAX_NUMBER)?;
    (manifest_file(generation) == file).then_some(generation)
}

/// Lists the generations of the manifests in a storage, oldest first.
pub(crate) fn generations(storage: &dyn Storage) -> Result<Vec<u64>> {
    let names = storage.list("").map_err(Error::io("list", "the collection"))?;
    let mut found: Vec<u64> = names.iter().filter_map(|name| manifest_generation(name)).collect();
    found.sort_unstable();
    Ok(found)
}

impl Manifest {
    /// Makes the manifest of an empty collection.
    pub fn empty(schema: &Schema) -> Self {
        let channels = schema.channels.iter().map(ChannelEntry::from_schema).collect();
        let (next_segment, next_part) = (1, 1);
        Self {
            format: VERSION,
            collection: 0,
            generation: 1,
            next_segment,
            next_part,
            log: None,
            channels,
            fields: schema.fields.iter().map(FieldEntry::from_schema).collect(),
            segments: Vec::new(),
        }
    }

    /// Returns the schema as the rest of the crate knows it.
    pub fn schema(&self) -> Schema {
        Schema {
            channels: self.channels.iter().map(ChannelEntry::to_schema).collect(),
            fields: self.fields.iter().map(FieldEntry::to_schema).collect(),
        }
    }

    /// Returns the file's content.
    pub fn encode(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("a manifest has string keys only");
        seal(&(json + "\n"))
    }

    /// Parses a manifest's content and checks that it hangs together.
    ///
    /// # Errors
    /// [`Error::Corrupt`], or [`Error::Version`] for a manifest of the future.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let text = unseal(file, bytes)?;
        let wrong = |error: serde_json::Error| Error::corrupt(file, 0, error.to_string());
        let version: Version = serde_json::from_str(text).map_err(wrong)?;
        if !(1..=VERSION).contains(&version.format) {
            let (found, known) = (version.format, VERSION);
            return Err(Error::Version { file: file.to_owned(), found, known });
        }
        let manifest: Manifest = serde_json::from_str(text).map_err(wrong)?;
        if manifest_file(manifest.generation) != file {
            return Err(Error::corrupt(file, 0, "the manifest has another generation"));
        }
        manifest.check_numbers().map_err(|what| Error::corrupt(file, 0, what))?;
        for segment in &manifest.segments {
            manifest.check_segment(segment).map_err(|what| {
                Error::corrupt(file, 0, format!("segment {}: {what}", segment.segment))
            })?;
        }
        Ok(manifest)
    }

    /// Opens and decodes the manifest of a generation; a missing one is `None`.
    pub(crate) fn read(storage: &dyn Storage, generation: u64) -> Result<Option<Self>> {
        let file = manifest_file(generation);
        match storage.open(&file) {
            Ok(bytes) => Self::decode(&file, &bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", &file)(error)),
        }
    }

    /// Checks that every number is given once and those to come are beyond them.
    fn check_numbers(&self) -> std::result::Result<(), &'static str> {
        let possible = self.generation <= MAX_NUMBER
            && self.log.is_none_or(|log| log <= MAX_NUMBER)
            && self.next_segment <= MAX_SEGMENT
            && self.next_part <= MAX_NUMBER;
        if !possible {
            return Err("a number that no collection comes to");
        }
        let (mut segments, mut parts) = (BTreeSet::new(), BTreeSet::new());
        for segment in &self.segments {
            if segment.segment >= self.next_segment || !segments.insert(segment.segment) {
                return Err("a segment's number is there twice, or to come");
            }
            for part in &segment.parts {
                if part.part >= self.next_part || !parts.insert(part.part) {
                    return Err("a part's number is there twice, or to come");
                }
            }
        }
        Ok(())
    }

    fn check_segment(&self, segment: &SegmentEntry) -> std::result::Result<(), &'static str> {
        if segment.documents == 0 || segment.documents > MAX_SEGMENT_DOCUMENTS {
            return Err("an impossible number of documents");
        }
        let covers_all = |part: &&PartEntry| part.first == 0 && part.documents == segment.documents;
        let of = |kind: PartKind, channel: Option<&str>| {
            let found = segment.parts.iter();
            found
                .filter(|part| part.kind == kind && part.channel.as_deref() == channel)
                .collect::<Vec<_>>()
        };
        let tombstones = of(PartKind::Tombstones, None);
        if tombstones.len() > 1 || !tombstones.iter().all(covers_all) {
            return Err("more than one part with dead documents");
        }
        let mut known = 1 + tombstones.len();
        if of(PartKind::Documents, None).iter().filter(|part| covers_all(part)).count() != 1 {
            return Err("not exactly one part with all documents");
        }
        match &of(PartKind::Columns, None)[..] {
            [] => {}
            [part] if covers_all(part) => known += 1,
            _ => return Err("more than one part of columns, or one that does not cover all"),
        }
        for channel in &self.channels {
            match channel.kind {
                KindEntry::Bm25 { .. } => {
                    let parts = of(PartKind::Bm25, Some(&channel.name));
                    if parts.len() != 1 || !covers_all(&parts[0]) {
                        return Err("not exactly one part for a bm25 channel");
                    }
                    known += 1;
                }
                KindEntry::Dense { .. } => {
                    known += check_ranges(&of(PartKind::Dense, Some(&channel.name)), segment)?;
                }
                KindEntry::Sparse { .. } => {
                    known += check_ranges(&of(PartKind::Sparse, Some(&channel.name)), segment)?;
                }
            }
        }
        if known == segment.parts.len() { Ok(()) } else { Err("a part of no known channel") }
    }
}

/// Checks that the parts of a channel that is filled are in order and do not overlap; returns how many there are.
fn check_ranges(
    parts: &[&PartEntry],
    segment: &SegmentEntry,
) -> std::result::Result<usize, &'static str> {
    let mut next = 0;
    for part in parts {
        if part.first < next || part.documents == 0 {
            return Err("parts of rows that overlap");
        }
        next = part.first.saturating_add(part.documents);
    }
    if next > segment.documents {
        return Err("parts of rows beyond the last document");
    }
    Ok(parts.len())
}

impl FieldEntry {
    pub(crate) fn from_schema(field: &FieldSchema) -> Self {
        let kind = match field.kind {
            FieldKind::Text => FieldKindEntry::Text,
            FieldKind::Keyword => FieldKindEntry::Keyword,
            FieldKind::Integer => FieldKindEntry::Integer,
            FieldKind::Float => FieldKindEntry::Float,
            FieldKind::Date => FieldKindEntry::Date,
            FieldKind::Bool => FieldKindEntry::Bool,
            FieldKind::Geo => FieldKindEntry::Geo,
        };
        Self { name: field.name.clone(), kind }
    }

    fn to_schema(&self) -> FieldSchema {
        let kind = match self.kind {
            FieldKindEntry::Text => FieldKind::Text,
            FieldKindEntry::Keyword => FieldKind::Keyword,
            FieldKindEntry::Integer => FieldKind::Integer,
            FieldKindEntry::Float => FieldKind::Float,
            FieldKindEntry::Date => FieldKind::Date,
            FieldKindEntry::Bool => FieldKind::Bool,
            FieldKindEntry::Geo => FieldKind::Geo,
        };
        FieldSchema { name: self.name.clone(), kind }
    }
}

impl ChannelEntry {
    pub(crate) fn from_schema(channel: &ChannelSchema) -> Self {
        let kind = match channel.kind.clone() {
            ChannelKind::Bm25(Bm25Settings { k1, b, analyzer }) => {
                KindEntry::Bm25 { k1, b, analyzer }
            }
            ChannelKind::Dense(settings) => KindEntry::Dense {
                encoder: settings.encoder,
                fingerprint: settings.fingerprint,
                dimensions: settings.dimensions,
                max_tokens: settings.max_tokens,
                passages: settings.passages,
                precision: settings.precision,
            },
            ChannelKind::Sparse(settings) => KindEntry::Sparse {
                encoder: settings.encoder,
                fingerprint: settings.fingerprint,
                terms: settings.terms,
                max_tokens: settings.max_tokens,
                precision: settings.precision,
            },
        };
        Self { name: channel.name.clone(), fields: channel.fields.clone(), kind }
    }

    fn to_schema(&self) -> ChannelSchema {
        let kind = match self.kind.clone() {
            KindEntry::Bm25 { k1, b, analyzer } => {
                ChannelKind::Bm25(Bm25Settings { k1, b, analyzer })
            }
            KindEntry::Dense {
                encoder,
                fingerprint,
                dimensions,
                max_tokens,
                passages,
                precision,
            } => ChannelKind::Dense(DenseSettings {
                encoder,
                fingerprint,
                dimensions,
                max_tokens,
                passages,
                precision,
            }),
            KindEntry::Sparse { encoder, fingerprint, terms, max_tokens, precision } => {
                ChannelKind::Sparse(SparseSettings {
                    encoder,
                    fingerprint,
                    terms,
                    max_tokens,
                    precision,
                })
            }
        };
        ChannelSchema { name: self.name.clone(), fields: self.fields.clone(), kind }
    }
}

/// Returns the content of `CURRENT` for a generation.
pub fn encode_current(generation: u64) -> String {
    seal(&(manifest_file(generation) + "\n"))
}

/// What `CURRENT` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Current {
    /// It names this generation.
    Names(u64),
    /// It is missing, or its checksum or its content is wrong.
    Broken,
}

/// Reads `CURRENT`.
pub(crate) fn read_current(storage: &dyn Storage) -> Result<Current> {
    let bytes = match storage.open(CURRENT) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Current::Broken),
        Err(error) => return Err(Error::io("open", CURRENT)(error)),
    };
    let line = unseal(CURRENT, &bytes).ok().and_then(|text| text.strip_suffix('\n'));
    Ok(line.and_then(manifest_generation).map_or(Current::Broken, Current::Names))
}

fn seal(text: &str) -> String {
    format!("{text}crc32 {:08x}\n", crc32(text.as_bytes()))
}

/// Returns the text before the checksum line.
fn unseal<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str> {
    // `crc32 `, eight digits and the end of the line.
    const LINE: usize = 15;
    let start = bytes.len().saturating_sub(LINE);
    let (text, line) = bytes.split_at(start);
    if line != format!("crc32 {:08x}\n", crc32(text)).as_bytes() {
        return Err(Error::corrupt(file, start as u64, "the checksum line does not match"));
    }
    std::str::from_utf8(text)
        .map_err(|error| Error::corrupt(file, error.valid_up_to() as u64, "this is not UTF-8"))
}
