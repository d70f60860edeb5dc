//! Memory maps of immutable files.

use std::io;
use std::ops::Deref;

/// A whole file, mapped read-only.
pub(super) struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a file. An empty file cannot be mapped: the caller handles it.
    pub(super) fn new(file: &fs_err::File) -> io::Result<Self> {
        // SAFETY: the engine never changes or truncates a file after it was published under its name
        // (see `publish`), so the mapped bytes stay as they are for the life of the map. Files from
        // elsewhere, such as weights, come with the same demand on the user.
        let map = unsafe { memmap2::Mmap::map(file.file())? };
        Ok(Self(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
