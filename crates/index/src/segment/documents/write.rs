//! Builds the documents part: blocks are compressed by unit in parallel, then written in order.

use ecphory_core::Document;
use ecphory_core::checksum::crc32;
use ecphory_core::storage::Storage;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U32, U64};

use super::record::{FieldNames, encode};
use crate::format::manifest::PartEntry;
use crate::format::part::{PartIdentity, SectionKind};
use crate::format::records::{IdHash, StoredBlock, id_hash};
use crate::segment::publish_part;
use crate::{Error, Result};

/// A block is closed when it reaches this size before compression. Larger blocks compress better, but
/// every hit that is shown decompresses one.
pub(super) const BLOCK_BYTES: usize = 16 << 10;

/// Compresses records into blocks. Offsets count from where the packer began.
#[derive(Debug, Default)]
pub(crate) struct BlockPacker {
    raw: Vec<u8>,
    /// The first document of the block that is open, and the one that comes next.
    first: u32,
    next: u32,
}

/// The compressed blocks of some consecutive documents. Their offsets count from the unit's start.
#[derive(Debug, Default)]
pub(crate) struct StoredUnit {
    blocks: Vec<StoredBlock>,
    bytes: Vec<u8>,
}

impl StoredUnit {
    /// Compresses the documents of a unit; `first` is the first one's number in the segment.
    pub fn build(documents: &[Document], first: u32, names: &FieldNames<'_>) -> Self {
        let mut unit = Self::default();
        let mut packer = BlockPacker::new(first);
        for document in documents {
            let closed = packer.push(&mut |raw| encode(document, names, raw));
            unit.take(closed);
        }
        unit.take(packer.close());
        unit
    }

    fn take(&mut self, closed: Option<(StoredBlock, Vec<u8>)>) {
        if let Some((block, stored)) = closed {
            self.blocks.push(moved(block, self.bytes.len() as u64, 0));
            self.bytes.extend_from_slice(&stored);
        }
    }

    /// Joins units, in order, into the blocks of a segment and the bytes they point into.
    pub fn join(units: &[StoredUnit]) -> (Vec<StoredBlock>, Vec<&[u8]>) {
        let (mut blocks, mut pieces, mut offset) = (Vec::new(), Vec::new(), 0);
        for unit in units {
            blocks.extend(unit.blocks.iter().map(|&block| moved(block, offset, 0)));
            pieces.push(&*unit.bytes);
            offset += unit.bytes.len() as u64;
        }
        (blocks, pieces)
    }
}

/// Returns a block that lies `bytes` further on and whose documents have numbers larger by `documents`.
pub(super) fn moved(block: StoredBlock, bytes: u64, documents: u32) -> StoredBlock {
    StoredBlock {
        offset: U64::new(block.offset.get() + bytes),
        first: U32::new(block.first.get() + documents),
        ..block
    }
}

impl BlockPacker {
    pub fn new(first: u32) -> Self {
        Self { raw: Vec::with_capacity(2 * BLOCK_BYTES), first, next: first }
    }

    /// Adds the record that `encode` writes; returns a block, at offset 0, where that filled it.
    pub fn push(&mut self, encode: &mut dyn FnMut(&mut Vec<u8>)) -> Option<(StoredBlock, Vec<u8>)> {
        let start = self.raw.len();
        self.raw.extend_from_slice(&[0; 4]);
        encode(&mut self.raw);
        let length = (self.raw.len() - start - 4) as u32;
        self.raw[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.next += 1;
        if self.raw.len() >= BLOCK_BYTES { self.close() } else { None }
    }

    /// Compresses the open block; `None` where it is empty.
    pub fn close(&mut self) -> Option<(StoredBlock, Vec<u8>)> {
        if self.raw.is_empty() {
            return None;
        }
        let stored = lz4_flex::block::compress(&self.raw);
        let block = StoredBlock {
            offset: U64::new(0),
            first: U32::new(self.first),
            length: U32::new(stored.len() as u32),
            raw_length: U32::new(self.raw.len() as u32),
            crc: U32::new(crc32(&stored)),
        };
        self.raw.clear();
        self.first = self.next;
        Some((block, stored))
    }
}

/// The ids of a segment while they are collected.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    starts: Vec<U32>,
    bytes: Vec<u8>,
    hashes: Vec<(u32, u32)>,
}

impl Ids {
    /// Adds the id of the next document.
    pub fn push(&mut self, id: &str) -> Result<()> {
        self.push_hashed(id, id_hash(id))
    }

    /// Adds the id of the next document, whose hash is known.
    pub fn push_hashed(&mut self, id: &str, hash: u32) -> Result<()> {
        let limit = u64::from(u32::MAX);
        let got = (self.bytes.len() + id.len()) as u64;
        if got > limit {
            return Err(Error::TooMany { what: "bytes of ids in one segment", got, limit });
        }
        self.hashes.push((hash, self.starts.len() as u32));
        self.starts.push(U32::new(self.bytes.len() as u32));
        self.bytes.extend_from_slice(id.as_bytes());
        Ok(())
    }

    /// Ends the starts and returns the id lookup.
    fn finish(&mut self) -> Vec<IdHash> {
        self.starts.push(U32::new(self.bytes.len() as u32));
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.sort_unstable();
        let record = |(hash, doc)| IdHash { hash: U32::new(hash), doc: U32::new(doc) };
        hashes.into_iter().map(record).collect()
    }
}

/// Writes the documents part of a segment: its ids, the names of its fields, its blocks with the bytes they
/// point into.
pub(crate) fn write_documents(
    storage: &dyn Storage,
    identity: PartIdentity,
    mut ids: Ids,
    names: &FieldNames<'_>,
    blocks: &[StoredBlock],
    stored: Vec<&[u8]>,
) -> Result<PartEntry> {
    let hashes = ids.finish();
    let names = names.encode();
    let sections = [
        (SectionKind::FieldNames, vec![&*names]),
        (SectionKind::IdStarts, vec![ids.starts.as_bytes()]),
        (SectionKind::Ids, vec![&*ids.bytes]),
        (SectionKind::IdHashes, vec![hashes.as_bytes()]),
        (SectionKind::StoredBlocks, vec![blocks.as_bytes()]),
        (SectionKind::Stored, stored),
    ];
    publish_part(storage, identity, None, &sections)
}
