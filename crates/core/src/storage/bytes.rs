//! Read-only bytes that are cheap to share and to slice.

use std::ops::{Deref, Range};
use std::sync::Arc;

use super::mmap::Mapped;

/// A slice of a file's bytes, mapped or in memory. Clones and slices share the same bytes.
#[derive(Clone)]
pub struct Bytes {
    owner: Owner,
    range: Range<usize>,
}

#[derive(Clone)]
enum Owner {
    Mapped(Arc<Mapped>),
    Memory(Arc<Vec<u8>>),
}

impl Bytes {
    pub(super) fn mapped(map: Mapped) -> Self {
        let range = 0..map.len();
        Self { owner: Owner::Mapped(Arc::new(map)), range }
    }

    /// Wraps bytes in memory.
    pub fn from_vec(bytes: Vec<u8>) -> Self {
        Self::shared(Arc::new(bytes))
    }

    pub(super) fn shared(bytes: Arc<Vec<u8>>) -> Self {
        let range = 0..bytes.len();
        Self { owner: Owner::Memory(bytes), range }
    }

    /// Returns the part of these bytes in `range`, or `None` where it lies outside.
    pub fn slice(&self, range: Range<usize>) -> Option<Bytes> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        let start = self.range.start;
        Some(Self { owner: self.owner.clone(), range: start + range.start..start + range.end })
    }

    /// Says that these bytes will not be needed soon: memory of a mapped file is given back, and comes from the
    /// file again where they are read after all. Does nothing for bytes in memory.
    pub fn unload(&self) {
        if let Owner::Mapped(map) = &self.owner {
            map.unload(self.range.clone());
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.owner {
            Owner::Mapped(map) => &map[self.range.clone()],
            Owner::Memory(bytes) => &bytes[self.range.clone()],
        }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({})", self.len())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
