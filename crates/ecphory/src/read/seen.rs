//! Which ids a file has had, and on which lines, without holding the ids.
//!
//! An id is known by 128 bits of `SipHash`: two of 2^40 ids agree by chance once in 2^49 files. Each takes
//! 25 bytes of a table that is between seven sixteenths and seven eighths full: 29 to 57 bytes.

use std::hash::{DefaultHasher, Hash, Hasher};

use rustc_hash::FxHashMap;

/// Ids by hash, with the line that had each first.
#[derive(Default)]
pub(super) struct SeenIds {
    /// Two halves of 64 bits: a number of 128 bits would be padded to 32 bytes with its line.
    lines: FxHashMap<[u64; 2], u64>,
}

impl SeenIds {
    /// Notes an id; returns the line that had it before, and keeps that one.
    pub(super) fn insert(&mut self, id: &str, line: u64) -> Option<u64> {
        let half = |key: u8| {
            let mut hasher = DefaultHasher::new();
            (key, id).hash(&mut hasher);
            hasher.finish()
        };
        let key = [half(0), half(1)];
        if let Some(&first) = self.lines.get(&key) {
            return Some(first);
        }
        self.lines.insert(key, line);
        None
    }
}
