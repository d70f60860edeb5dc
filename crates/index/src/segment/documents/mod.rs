//! Ids and stored fields: an id lookup by hash, and documents in LZ4 blocks of about 16 KiB.
//!
//! Finding an id is a binary search (one or two cache misses near its end); reading a document
//! decompresses its block, about 10 µs. Not for scanning one field of all documents often: that reads
//! every block.

mod merge;
mod read;
mod record;
mod write;

pub(crate) use merge::merge_documents;
pub(crate) use read::DocumentsPart;
pub(crate) use record::{FieldNames, FieldValue, Fields, MAX_LIST_DEPTH, encode};
pub(crate) use write::{Ids, StoredUnit, write_documents};

/// The largest id in bytes.
pub(crate) const MAX_ID_BYTES: usize = 1 << 16;
/// The largest document in bytes, counted as stored.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 1 << 28;
