//! Bytes of a section that is being built: in memory up to a limit, beyond it in a temporary file.
//!
//! The sections of a part grow side by side while terms are merged, but stand one after the other in the
//! file. A spool is what keeps that within a budget: one write and one read more for what spills. Not for
//! random access.

use std::io::{self, Write};

use ecphory_core::storage::{Bytes, Storage, StorageFile, TMP};

/// Where spools spill, and when.
#[derive(Clone, Copy)]
pub(crate) struct SpoolRoom<'s> {
    pub storage: &'s dyn Storage,
    /// How many bytes one spool keeps in memory.
    pub limit: usize,
    /// The part that is being built; its number keeps the names of temporary files apart.
    pub part: u64,
}

/// Growing bytes. Dropping one removes its temporary file.
pub(crate) struct Spool<'s> {
    room: SpoolRoom<'s>,
    name: String,
    memory: Vec<u8>,
    file: Option<Box<dyn StorageFile + 's>>,
}

impl<'s> Spool<'s> {
    pub fn new(room: SpoolRoom<'s>, section: &str) -> Self {
        let name = format!("{TMP}/spool-{}-{section}", room.part);
        Self { room, name, memory: Vec::new(), file: None }
    }

    /// Appends bytes, in memory; [`Spool::settle`] is what spills.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Spills what is in memory where that passes the limit.
    #[inline]
    pub fn settle(&mut self) -> io::Result<()> {
        if self.memory.len() < self.room.limit { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.room.storage.create(&self.name)?);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&self.memory)?;
        }
        self.memory.clear();
        Ok(())
    }

    /// Ends the spool and returns its bytes: those that spilled, then those in memory.
    pub fn finish(mut self) -> io::Result<Spooled<'s>> {
        let spilled = match self.file.take() {
            Some(mut file) => {
                file.flush()?;
                drop(file);
                self.room.storage.open(&self.name)?
            }
            None => Bytes::from_vec(Vec::new()),
        };
        Ok(Spooled { spilled, spool: self })
    }
}

impl Write for Spool<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        self.settle()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of a finished spool.
pub(crate) struct Spooled<'s> {
    spilled: Bytes,
    spool: Spool<'s>,
}

impl Spooled<'_> {
    /// Returns the bytes in two pieces.
    pub fn pieces(&self) -> Vec<&[u8]> {
        vec![&self.spilled, &self.spool.memory]
    }
}

impl Drop for Spooled<'_> {
    fn drop(&mut self) {
        if !self.spilled.is_empty() {
            // One that is left behind is removed with everything in `tmp/` by the next writer.
            let _ = self.spool.room.storage.remove(&self.spool.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecphory_core::storage::Memory;

    #[test]
    fn what_spills_comes_back_in_order_and_leaves_no_file() {
        for limit in [1, 7, 1000] {
            let storage = Memory::new();
            let room = SpoolRoom { storage: &storage, limit, part: 3 };
            let mut spool = Spool::new(room, "test");
            let mut expected = Vec::new();
            for number in 0..100u32 {
                spool.push(&number.to_le_bytes());
                expected.extend_from_slice(&number.to_le_bytes());
                spool.settle().unwrap();
            }
            let spooled = spool.finish().unwrap();
            assert_eq!(spooled.pieces().concat(), expected);
            drop(spooled);
            assert!(storage.list(TMP).unwrap().is_empty());
        }
    }
}
