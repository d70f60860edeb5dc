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
const BLOCK_BYTES: usize = 16 << 10;

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
        let mut raw = Vec::with_capacity(2 * BLOCK_BYTES);
        let mut block_first = first;
        for (document, number) in documents.iter().zip(first..) {
            let start = raw.len();
            raw.extend_from_slice(&[0; 4]);
            encode(document, names, &mut raw);
            let length = (raw.len() - start - 4) as u32;
            raw[start..start + 4].copy_from_slice(&length.to_le_bytes());
            if raw.len() >= BLOCK_BYTES {
                unit.close_block(block_first, &raw);
                raw.clear();
                block_first = number + 1;
            }
        }
        if !raw.is_empty() {
            unit.close_block(block_first, &raw);
        }
        unit
    }

    fn close_block(&mut self, first: u32, raw: &[u8]) {
        let offset = self.bytes.len();
        let stored = lz4_flex::block::compress(raw);
        self.bytes.extend_from_slice(&stored);
        self.blocks.push(StoredBlock {
            offset: U64::new(offset as u64),
            first: U32::new(first),
            length: U32::new(stored.len() as u32),
            raw_length: U32::new(raw.len() as u32),
            crc: U32::new(crc32(&stored)),
        });
    }
}

/// Writes the documents part of a segment.
pub(crate) fn write_documents(
    storage: &dyn Storage,
    identity: PartIdentity,
    documents: &[Document],
    names: &FieldNames<'_>,
    units: &[StoredUnit],
) -> Result<PartEntry> {
    let id_bytes: u64 = documents.iter().map(|document| document.id.len() as u64).sum();
    if id_bytes > u64::from(u32::MAX) {
        let limit = u64::from(u32::MAX);
        return Err(Error::TooMany { what: "bytes of ids in one batch", got: id_bytes, limit });
    }
    let mut ids = Vec::with_capacity(id_bytes as usize);
    let mut starts = Vec::with_capacity(documents.len() + 1);
    let mut hashes = Vec::with_capacity(documents.len());
    for (document, number) in documents.iter().zip(0u32..) {
        starts.push(U32::new(ids.len() as u32));
        ids.extend_from_slice(document.id.as_bytes());
        hashes.push((id_hash(&document.id), number));
    }
    starts.push(U32::new(ids.len() as u32));
    hashes.sort_unstable();
    let hashes: Vec<IdHash> = hashes
        .into_iter()
        .map(|(hash, doc)| IdHash { hash: U32::new(hash), doc: U32::new(doc) })
        .collect();

    let mut blocks = Vec::new();
    let mut offset = 0;
    for unit in units {
        blocks.extend(unit.blocks.iter().map(|block| {
            let offset = U64::new(offset + block.offset.get());
            StoredBlock { offset, ..*block }
        }));
        offset += unit.bytes.len() as u64;
    }
    let names = names.encode();
    let sections = [
        (SectionKind::FieldNames, vec![&*names]),
        (SectionKind::IdStarts, vec![starts.as_bytes()]),
        (SectionKind::Ids, vec![&*ids]),
        (SectionKind::IdHashes, vec![hashes.as_bytes()]),
        (SectionKind::StoredBlocks, vec![blocks.as_bytes()]),
        (SectionKind::Stored, units.iter().map(|unit| &*unit.bytes).collect()),
    ];
    publish_part(storage, identity, None, &sections)
}
