//! Part files: a header, sections on 64-byte boundaries, a section table, a footer.
//!
//! Opening a part checks the header, the table and the footer, and that they are the ones the manifest
//! means (a few hundred bytes). A section's checksum is compared when the section is first used, once.

use std::io::{self, Write};

use ecphory_core::checksum::{Crc32, crc32};
use ecphory_core::storage::{Bytes, Storage};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::VERSION;
use super::manifest::{PartEntry, PartKind};
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"ECPHPART";
const END_MAGIC: [u8; 8] = *b"ECPHTAIL";
const ALIGNMENT: u64 = 64;
const MAX_SECTIONS: usize = 64;

/// The first 64 bytes of a part.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// `ECPHPART`.
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: U32,
    /// [`PartKind::number`].
    pub kind: U32,
    /// The part's number in the collection.
    pub part: U64,
    /// The segment's number in the collection.
    pub segment: U32,
    /// The first document of the segment that the part covers.
    pub first: U32,
    /// How many documents it covers.
    pub documents: U32,
    /// How many sections it has.
    pub sections: U32,
    /// Zero.
    pub reserved: [u8; 20],
    /// The CRC-32 of the 60 bytes before.
    pub crc: U32,
}

/// One entry of the section table.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SectionEntry {
    /// Which section, see [`SectionKind`].
    pub kind: U32,
    /// The CRC-32 of its bytes.
    pub crc: U32,
    /// Where it starts in the file.
    pub offset: U64,
    /// How many bytes it has.
    pub length: U64,
    /// Zero.
    pub reserved: U64,
}

/// The last 32 bytes of a part.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Footer {
    /// Where the section table starts.
    pub table_offset: U64,
    /// The length of the whole file.
    pub file_length: U64,
    /// The CRC-32 of the header and the section table; the manifest has it too.
    pub table_crc: U32,
    /// The CRC-32 of the 20 bytes before.
    pub crc: U32,
    /// `ECPHTAIL`.
    pub magic: [u8; 8],
}

/// The sections of all kinds of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SectionKind {
    /// Documents: names of fields.
    FieldNames = 1,
    /// Documents: where each id starts.
    IdStarts = 2,
    /// Documents: all ids, one after the other.
    Ids = 3,
    /// Documents: the id lookup.
    IdHashes = 4,
    /// Documents: the blocks of stored documents.
    StoredBlocks = 5,
    /// Documents: the stored documents, compressed.
    Stored = 6,
    /// BM25: totals.
    Bm25Totals = 16,
    /// BM25: from term to ordinal.
    Dictionary = 17,
    /// BM25: terms by ordinal.
    Terms = 18,
    /// BM25: blocks.
    Blocks = 19,
    /// BM25: document numbers of postings.
    PostingDocs = 20,
    /// BM25: term frequencies of postings.
    PostingTfs = 21,
    /// BM25: postings with large term frequencies.
    HeavyPostings = 22,
    /// BM25: length of each document.
    Lengths = 23,
    /// Tombstones: the dead documents.
    Dead = 24,
    /// Dense and sparse: totals.
    RowTotals = 32,
    /// Dense and sparse: where each document's rows start.
    RowStarts = 33,
    /// Dense and sparse: the values of the rows.
    Rows = 34,
    /// Sparse: the terms of the rows.
    RowTerms = 48,
    /// Impacts: where each chunk's lists start.
    ImpactChunks = 49,
    /// Impacts: the lists.
    ImpactLists = 50,
    /// Impacts: document numbers of postings.
    ImpactDocs = 51,
    /// Impacts: impacts of postings.
    Impacts = 52,
    /// Columns: the fields' names, sorted.
    ColumnNames = 64,
    /// Columns: one record for each.
    ColumnTable = 65,
    /// Columns: keys and ordinals, column by column.
    ColumnData = 66,
}

impl SectionKind {
    /// Returns the section's name in listings.
    pub fn name(self) -> &'static str {
        match self {
            SectionKind::FieldNames => "field-names",
            SectionKind::IdStarts => "id-starts",
            SectionKind::Ids => "ids",
            SectionKind::IdHashes => "id-hashes",
            SectionKind::StoredBlocks => "stored-blocks",
            SectionKind::Stored => "stored",
            SectionKind::Bm25Totals | SectionKind::RowTotals => "totals",
            SectionKind::Dictionary => "dictionary",
            SectionKind::Terms => "terms",
            SectionKind::Blocks => "blocks",
            SectionKind::PostingDocs => "posting-docs",
            SectionKind::PostingTfs => "posting-tfs",
            SectionKind::HeavyPostings => "heavy-postings",
            SectionKind::Lengths => "lengths",
            SectionKind::Dead => "dead",
            SectionKind::RowStarts => "row-starts",
            SectionKind::Rows => "rows",
            SectionKind::RowTerms => "row-terms",
            SectionKind::ImpactChunks => "impact-chunks",
            SectionKind::ImpactLists => "impact-lists",
            SectionKind::ImpactDocs => "impact-docs",
            SectionKind::Impacts => "impacts",
            SectionKind::ColumnNames => "names",
            SectionKind::ColumnTable => "table",
            SectionKind::ColumnData => "data",
        }
    }

    /// Returns the section with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        use SectionKind as K;
        let all = [
            K::FieldNames,
            K::IdStarts,
            K::Ids,
            K::IdHashes,
            K::StoredBlocks,
            K::Stored,
            K::Bm25Totals,
            K::Dictionary,
            K::Terms,
            K::Blocks,
            K::PostingDocs,
            K::PostingTfs,
            K::HeavyPostings,
            K::Lengths,
            K::Dead,
            K::RowTotals,
            K::RowStarts,
            K::Rows,
            K::RowTerms,
            K::ImpactChunks,
            K::ImpactLists,
            K::ImpactDocs,
            K::Impacts,
            K::ColumnNames,
            K::ColumnTable,
            K::ColumnData,
        ];
        all.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// What the header of a part says, for the one who writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartIdentity {
    pub kind: PartKind,
    pub part: u64,
    pub segment: u32,
    pub first: u32,
    pub documents: u32,
}

/// A section to be written: its kind and its bytes, in pieces.
pub(crate) type Section<'a> = (SectionKind, Vec<&'a [u8]>);

/// Writes a whole part and returns its manifest entry's length and checksum.
pub(crate) fn write_part(
    out: &mut dyn Write,
    identity: PartIdentity,
    sections: &[Section<'_>],
) -> io::Result<(u64, u32)> {
    assert!(sections.len() <= MAX_SECTIONS, "more sections than a reader accepts");
    let mut header = Header {
        magic: MAGIC,
        version: U32::new(VERSION),
        kind: U32::new(identity.kind.number()),
        part: U64::new(identity.part),
        segment: U32::new(identity.segment),
        first: U32::new(identity.first),
        documents: U32::new(identity.documents),
        sections: U32::new(sections.len() as u32),
        reserved: [0; 20],
        crc: U32::new(0),
    };
    header.crc = U32::new(crc32(&header.as_bytes()[..60]));
    out.write_all(header.as_bytes())?;
    let mut offset = size_of::<Header>() as u64;
    let mut table = Vec::with_capacity(sections.len());
    for (kind, pieces) in sections {
        let mut crc = Crc32::default();
        let start = offset;
        for piece in pieces {
            crc.update(piece);
            out.write_all(piece)?;
            offset += piece.len() as u64;
        }
        table.push(SectionEntry {
            kind: U32::new(*kind as u32),
            crc: U32::new(crc.finish()),
            offset: U64::new(start),
            length: U64::new(offset - start),
            reserved: U64::new(0),
        });
        let padding = offset.next_multiple_of(ALIGNMENT) - offset;
        out.write_all(&[0; ALIGNMENT as usize][..padding as usize])?;
        offset += padding;
    }
    out.write_all(table.as_bytes())?;
    let mut table_crc = Crc32::default();
    table_crc.update(header.as_bytes());
    table_crc.update(table.as_bytes());
    let length = offset + (size_of_val(&*table) + size_of::<Footer>()) as u64;
    let mut footer = Footer {
        table_offset: U64::new(offset),
        file_length: U64::new(length),
        table_crc: U32::new(table_crc.finish()),
        crc: U32::new(0),
        magic: END_MAGIC,
    };
    footer.crc = U32::new(crc32(&footer.as_bytes()[..20]));
    out.write_all(footer.as_bytes())?;
    Ok((length, table_crc.finish()))
}

/// An open part whose header, table and footer are sound.
#[derive(Debug)]
pub(crate) struct PartFile {
    pub name: String,
    pub documents: u32,
    crc32: u32,
    bytes: Bytes,
    table: Vec<SectionEntry>,
}

impl PartFile {
    /// Opens a part of `segment` and checks that it is the one the manifest means.
    pub fn open(storage: &dyn Storage, segment: u32, entry: &PartEntry) -> Result<Self> {
        let name = entry.file();
        let bytes = match storage.open(&name) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::corrupt(&name, 0, "the file is missing"));
            }
            Err(error) => return Err(Error::io("open", &name)(error)),
        };
        let table = check_frame(&name, &bytes, segment, entry)?;
        Ok(Self { name, documents: entry.documents, crc32: entry.crc32, bytes, table })
    }

    /// Returns whether this is the part that a manifest means.
    pub fn is(&self, entry: &PartEntry) -> bool {
        self.name == entry.file()
            && self.documents == entry.documents
            && self.bytes.len() as u64 == entry.bytes
            && self.crc32 == entry.crc32
    }

    /// Returns a section's bytes after comparing its checksum.
    pub fn checked(&self, kind: SectionKind) -> Result<Bytes> {
        let (entry, bytes) = self.find(kind)?;
        if crc32(&bytes) != entry.crc.get() {
            return Err(self.corrupt(kind, 0, "the section's checksum does not match"));
        }
        Ok(bytes)
    }

    /// Returns a section's bytes, whose pieces have checksums of their own.
    pub fn unchecked(&self, kind: SectionKind) -> Result<Bytes> {
        self.find(kind).map(|(_, bytes)| bytes)
    }

    /// Returns a section of exactly one record.
    pub fn record<T: FromBytes + Immutable + Copy>(&self, kind: SectionKind) -> Result<T> {
        T::read_from_bytes(&self.checked(kind)?)
            .map_err(|_| self.corrupt(kind, 0, "the section's length does not match"))
    }

    /// Returns the whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Compares the checksums of all sections and returns what is wrong.
    pub fn check_sections(&self) -> Vec<Error> {
        let mut wrong = Vec::new();
        for entry in &self.table {
            if let Some(kind) = SectionKind::from_number(entry.kind.get()) {
                wrong.extend(self.checked(kind).err());
            } else {
                let what = format!("there is no section of kind {}", entry.kind.get());
                wrong.push(Error::corrupt(&self.name, entry.offset.get(), what));
            }
        }
        wrong
    }

    /// Makes an error about a place in a section.
    pub fn corrupt(&self, kind: SectionKind, offset: usize, what: &str) -> Error {
        let what = format!("{what} (section {})", kind.name());
        Error::corrupt(&self.name, self.offset(kind) + offset as u64, what)
    }

    /// Returns where a section starts; 0 for one that is not there.
    pub fn offset(&self, kind: SectionKind) -> u64 {
        self.find(kind).map_or(0, |(entry, _)| entry.offset.get())
    }

    /// Yields the sections' kinds and lengths.
    pub fn sections(&self) -> impl Iterator<Item = (Option<SectionKind>, u64)> + '_ {
        self.table.iter().map(|e| (SectionKind::from_number(e.kind.get()), e.length.get()))
    }

    fn find(&self, kind: SectionKind) -> Result<(SectionEntry, Bytes)> {
        let entry = self.table.iter().find(|entry| entry.kind.get() == kind as u32);
        let Some(&entry) = entry else {
            return Err(Error::corrupt(
                &self.name,
                0,
                format!("section {} is missing", kind.name()),
            ));
        };
        let (start, length) = (entry.offset.get() as usize, entry.length.get() as usize);
        let bytes = start.checked_add(length).and_then(|end| self.bytes.slice(start..end));
        bytes.map(|bytes| (entry, bytes)).ok_or_else(|| {
            let what = format!("section {} reaches beyond the file", kind.name());
            Error::corrupt(&self.name, entry.offset.get(), what)
        })
    }
}

/// Returns the section table after checking everything around the sections.
fn check_frame(
    name: &str,
    bytes: &[u8],
    segment: u32,
    entry: &PartEntry,
) -> Result<Vec<SectionEntry>> {
    let corrupt = |offset: usize, what: &str| Err(Error::corrupt(name, offset as u64, what));
    if bytes.len() as u64 != entry.bytes {
        let what = format!("the file has {} bytes, the manifest says {}", bytes.len(), entry.bytes);
        return corrupt(bytes.len(), &what);
    }
    let Ok((header, _)) = Header::read_from_prefix(bytes) else {
        return corrupt(0, "the file is shorter than a header");
    };
    if header.magic != MAGIC {
        return corrupt(0, "this is no part file");
    }
    if header.crc.get() != crc32(&bytes[..60]) {
        return corrupt(0, "the header's checksum does not match");
    }
    if !(1..=VERSION).contains(&header.version.get()) {
        let (found, known) = (header.version.get(), VERSION);
        return Err(Error::Version { file: name.to_owned(), found, known });
    }
    let end = bytes.len() - size_of::<Footer>().min(bytes.len());
    let Ok((footer, _)) = Footer::read_from_prefix(&bytes[end..]) else {
        return corrupt(end, "the file is shorter than a footer");
    };
    if footer.magic != END_MAGIC || footer.crc.get() != crc32(&bytes[end..end + 20]) {
        return corrupt(end, "the footer's checksum does not match");
    }
    if footer.file_length.get() != bytes.len() as u64 {
        return corrupt(end, "the footer's length is not the file's");
    }
    let table_start = footer.table_offset.get() as usize;
    let sections = header.sections.get() as usize;
    let table = bytes.get(table_start..end).filter(|_| sections <= MAX_SECTIONS);
    let table = table.and_then(|table| <[SectionEntry]>::ref_from_bytes(table).ok());
    let Some(table) = table.filter(|table| table.len() == sections) else {
        return corrupt(end, "the section table is not where the footer says");
    };
    let inside = |entry: &SectionEntry| {
        let end = entry.offset.get().checked_add(entry.length.get());
        end.is_some_and(|end| end <= table_start as u64)
    };
    let mut crc = Crc32::default();
    crc.update(header.as_bytes());
    crc.update(table.as_bytes());
    if crc.finish() != footer.table_crc.get() {
        return corrupt(table_start, "the section table's checksum does not match");
    }
    let same = header.kind.get() == entry.kind.number()
        && header.part.get() == entry.part
        && header.segment.get() == segment
        && header.first.get() == entry.first
        && header.documents.get() == entry.documents
        && footer.table_crc.get() == entry.crc32;
    if !same {
        return corrupt(0, "this is another part than the manifest means");
    }
    if !table.iter().all(inside) {
        return corrupt(table_start, "a section reaches beyond the table");
    }
    Ok(table.to_vec())
}
