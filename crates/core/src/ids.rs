//! Numbers for documents. A user's key is a string and is called a document id; these are the engine's own.

use std::fmt;

/// A document's number inside one segment, dense from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocNo(pub u32);

impl DocNo {
    /// Returns the number as an index into per-document arrays.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for DocNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A document inside one snapshot: which of its segments, and the number there.
///
/// The order (segment, then number) is the order in which documents were added; equal scores are
/// returned in this order. An address means nothing outside the snapshot that gave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocAddress {
    /// The segment's position in the snapshot.
    pub segment: u32,
    /// The document's number in that segment.
    pub doc: DocNo,
}

impl DocAddress {
    /// Makes an address from its two parts.
    pub fn new(segment: u32, doc: u32) -> Self {
        Self { segment, doc: DocNo(doc) }
    }
}
