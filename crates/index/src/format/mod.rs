//! The on-disk types: part files and manifests. `docs/format.md` draws them byte by byte.
//!
//! Everything is little-endian and of fixed width. A change that an older program could misread needs a
//! new [`VERSION`] and a new committed collection under `tests/golden/`.

pub mod log;
pub mod manifest;
pub mod part;
pub mod records;
pub(crate) mod spool;

/// The version of every file, in the header of parts and in the manifest.
pub const VERSION: u32 = 2;
/// The folder of the part files.
pub const SEGMENTS: &str = "seg";
/// The folder of the log files.
pub const LOGS: &str = "wal";
/// The file that names the manifest in force.
pub const CURRENT: &str = "CURRENT";
/// The largest number of a segment in a manifest.
pub const MAX_SEGMENT: u32 = 1 << 31;
/// The largest number of a part, a log file or a manifest. A file whose name has a larger one is none of ours.
pub const MAX_NUMBER: u64 = 1 << 62;
/// The largest number of documents in one segment.
pub const MAX_SEGMENT_DOCUMENTS: u32 = 1 << 24;
