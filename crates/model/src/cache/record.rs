//! What lies in a file of the cache: a header, then records end to end, all in little-endian order.
//!
//! | bytes | file header |
//! |---|---|
//! | 0..8 | `ecphENC1` |
//! | 8..40 | SHA-256 of the shelf's name: model, role, and what is kept |
//! | 40..44 | values of a vector or a token's state |
//! | 44..48 | CRC-32 of the bytes before |
//!
//! | bytes | record |
//! |---|---|
//! | 0..32 | SHA-256 of the text |
//! | 32..36 | tokens; 0 for a vector |
//! | 36..40 | bytes of the content |
//! | 40..44 | CRC-32 of the content |
//! | 44..48 | CRC-32 of the bytes before |
//! | 48.. | content: a vector in f32; or token ids, word numbers (u32 each), then a row of f16 for each token |
//!
//! Where any of this comes to mean something else, the first eight bytes have to change: older files are then not found.

use ecphory_core::checksum::crc32;
use ecphory_kernels::Level;
use ecphory_kernels::half_float::widen_f16;
use half::f16;
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"ecphENC1";

/// The length of both headers.
pub(super) const HEADER: usize = 48;

/// What a text is found by.
pub(super) type Key = [u8; 32];

/// Returns what a text is found by.
pub(super) fn key(text: &str) -> Key {
    Sha256::digest(text.as_bytes()).into()
}

/// What is kept of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Vector,
    States,
}

impl Kept {
    /// Returns its name in those of files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kept::Vector => "vectors",
            Kept::States => "states",
        }
    }

    /// Returns how many bytes the content of a record has.
    pub(super) fn bytes(self, tokens: usize, columns: usize) -> usize {
        match self {
            Kept::Vector => 4 * columns,
            Kept::States => tokens * (8 + 2 * columns),
        }
    }
}

/// Closes a header with its checksum.
fn sealed(mut header: Vec<u8>) -> Vec<u8> {
    let checksum = crc32(&header);
    header.extend(checksum.to_le_bytes());
    debug_assert_eq!(header.len(), HEADER);
    header
}

/// Returns the header of a file.
pub(super) fn file_header(shelf: &str, columns: usize) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend(Sha256::digest(shelf.as_bytes()));
    header.extend((columns as u32).to_le_bytes());
    sealed(header)
}

/// What the header of a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Key,
    pub(super) tokens: u32,
    pub(super) bytes: u32,
    pub(super) checksum: u32,
}

impl Record {
    /// Describes content.
    pub(super) fn of(key: Key, tokens: usize, content: &[u8]) -> Self {
        let (tokens, bytes) = (tokens as u32, content.len() as u32);
        Self { key, tokens, bytes, checksum: crc32(content) }
    }

    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = self.key.to_vec();
        for part in [self.tokens, self.bytes, self.checksum] {
            header.extend(part.to_le_bytes());
        }
        sealed(header)
    }

    /// Reads the header at the start of `bytes`; `None` where there is no intact one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let part = |at: usize| {
            let part = header[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(part)
        };
        let key = header[..32].try_into().expect("a digest");
        let record = Self { key, tokens: part(32), bytes: part(36), checksum: part(40) };
        (crc32(&header[..HEADER - 4]) == part(HEADER - 4)).then_some(record)
    }
}

/// Writes a vector as content.
pub(super) fn vector_content(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Reads the vector of a record.
pub(super) fn read_vector(content: &[u8], out: &mut [f32]) {
    for (out, bytes) in out.iter_mut().zip(content.as_chunks().0) {
        *out = f32::from_le_bytes(*bytes);
    }
}

/// Writes the states of a text as content.
pub(super) fn states_content(tokens: &[u32], words: &[u32], rows: &[f32]) -> Vec<u8> {
    let mut content = Vec::with_capacity(4 * (tokens.len() + words.len()) + 2 * rows.len());
    content.extend(tokens.iter().chain(words).flat_map(|id| id.to_le_bytes()));
    content.extend(rows.iter().flat_map(|x| narrow(*x).to_le_bytes()));
    content
}

/// Rounds to half precision; what is too large becomes the largest number, not infinite.
fn narrow(value: f32) -> f16 {
    let most = f16::MAX.to_f32();
    f16::from_f32(value.clamp(-most, most))
}

/// Rounds states as storing them does.
pub(crate) fn round(rows: &mut [f32]) {
    for x in rows {
        *x = narrow(*x).to_f32();
    }
}

/// Reads the states of a text: its tokens, their words, and the rows.
pub(super) fn read_states(
    level: Level,
    content: &[u8],
    tokens: usize,
    (ids, words, rows): (&mut Vec<u32>, &mut Vec<u32>, &mut Vec<f32>),
) {
    let (first, rest) = content.split_at(4 * tokens);
    let (second, halves) = rest.split_at(4 * tokens);
    for (out, bytes) in [(ids, first), (words, second)] {
        out.clear();
        out.extend(bytes.as_chunks().0.iter().map(|id| u32::from_le_bytes(*id)));
    }
    let halves = halves.as_chunks().0;
    rows.resize(halves.len(), 0.0);
    widen_f16(level, halves, rows);
}
