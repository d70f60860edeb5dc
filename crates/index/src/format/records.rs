//! The fixed-width records inside the sections of a part.

use zerocopy::byteorder::little_endian::{F32, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One entry of the id lookup, sorted by hash, then by document.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IdHash {
    /// [`id_hash`] of the id.
    pub hash: U32,
    /// The document.
    pub doc: U32,
}

/// One compressed block of stored documents.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StoredBlock {
    /// Where it starts in the section of stored documents.
    pub offset: U64,
    /// The first document in it; it reaches to the next block's first.
    pub first: U32,
    /// Its length as stored.
    pub length: U32,
    /// Its length after decompression.
    pub raw_length: U32,
    /// The CRC-32 of the stored bytes.
    pub crc: U32,
}

/// Totals of a BM25 part.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Bm25Totals {
    /// Documents with at least one term.
    pub documents: U64,
    /// The sum of all documents' lengths in terms.
    pub length: U64,
    /// How many distinct terms there are.
    pub terms: U64,
    /// How many postings there are, heavy ones included.
    pub postings: U64,
}

/// One term of the dictionary, by ordinal; one more record ends the last term's blocks.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Term {
    /// Its first block; it reaches to the next term's first.
    pub first_block: U32,
    /// How many documents have the term.
    pub documents: U32,
}

/// One term's postings in one chunk; one more record ends the last block's postings.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Block {
    /// Its first posting; it reaches to the next block's first.
    pub first_posting: U32,
    /// Its first heavy posting; it reaches to the next block's first.
    pub first_heavy: U32,
    /// The chunk: documents `65536 · chunk` and following.
    pub chunk: U16,
    /// Zero.
    pub reserved: U16,
}

/// A posting whose term frequency does not fit a byte.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Heavy {
    /// The document in its segment.
    pub doc: U32,
    /// The term frequency, above 255.
    pub tf: U32,
}

/// Totals of a part of rows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RowTotals {
    /// Of a dense part the length of every row, of a sparse one how many terms the vocabulary has.
    pub size: U32,
    /// How many rows there are.
    pub rows: U32,
}

/// One term's impacts in one chunk; one more record ends the last list's postings.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ImpactList {
    /// The term; terms increase in a chunk.
    pub term: U32,
    /// Its first posting; it reaches to the next list's first.
    pub first_posting: U32,
    /// What an impact of 1 stands for: no weight is above its impact times this.
    pub unit: F32,
}

/// One column of a columns part, in the order of the fields' names; all zero for a field without one.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ColumnEntry {
    /// Where it starts in the section of columns.
    pub offset: U64,
    /// Its length.
    pub length: U64,
    /// How many different keys it has.
    pub keys: U32,
    /// How many ordinals it has.
    pub ordinals: U32,
    /// The CRC-32 of its bytes.
    pub crc: U32,
    /// How values became keys: 0 as they are, 1 as fractional numbers, 2 as dates, 3 as points.
    pub coding: u8,
    /// The length of every key; 0 where they differ.
    pub key_width: u8,
    /// The length of an ordinal: 1, 2 or 4.
    pub ordinal_width: u8,
    /// 1 where a document may have several ordinals, 0 where each has one.
    pub lists: u8,
}

/// Returns the hash by which ids are looked up: 64-bit FNV-1a, its halves folded together.
pub fn id_hash(id: &str) -> u32 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = id.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    (hash >> 32) as u32 ^ hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_folded() {
        // The published value of 64-bit FNV-1a for "a" is af63dc4c8601ec8c.
        assert_eq!(id_hash("a"), 0xaf63_dc4c ^ 0x8601_ec8c);
        assert_eq!(id_hash(""), 0xcbf2_9ce4 ^ 0x8422_2325);
    }
}
