//! Memory maps of immutable files.

use std::io;
use std::ops::{Deref, Range};

/// A whole file, mapped read-only.
pub(super) struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a file. An empty file cannot be mapped: the caller handles it.
    pub(super) fn new(file: &fs_err::File) -> io::Result<Self> {
        // SAFETY: the engine never changes or truncates a file after it was published under its name
        // (see `publish`), and only appends to those of `Storage::append`, behind what was mapped. So the
        // mapped bytes stay as they are for the life of the map. Files from
        // elsewhere, such as weights, come with the same demand on the user.
        let map = unsafe { memmap2::Mmap::map(file.file())? };
        Ok(Self(map))
    }

    /// Gives back the memory of a part of the map, until it is read again.
    pub(super) fn unload(&self, range: Range<usize>) {
        #[cfg(unix)]
        // A system that refuses keeps the memory, which changes nothing but how much there is.
        // SAFETY: nothing is ever written to the map, so that what is read again from the file is the same.
        let _ = unsafe {
            self.0.unchecked_advise_range(
                memmap2::UncheckedAdvice::DontNeed,
                range.start,
                range.len(),
            )
        };
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl Deref for Mapped {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
