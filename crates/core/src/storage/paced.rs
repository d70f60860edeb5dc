//! A storage whose writes are paced, so that background work leaves the disk to others.

use std::io::{self, Write};
use std::sync::Arc;

use super::{AppendFile, Bytes, Storage, StorageFile};

/// Says how fast bytes may be written.
pub trait Pace: Sync {
    /// Returns when `bytes` more may be written. May sleep.
    fn spend(&self, bytes: u64);
}

/// Writes as fast as the disk takes it.
#[derive(Clone, Copy, Debug, Default)]
pub struct FullSpeed;

impl Pace for FullSpeed {
    fn spend(&self, _bytes: u64) {}
}

/// Another storage, whose new files are written at a pace.
pub struct Paced<'a> {
    storage: &'a dyn Storage,
    pace: &'a dyn Pace,
}

impl<'a> Paced<'a> {
    /// Paces the writes of a storage.
    pub fn new(storage: &'a dyn Storage, pace: &'a dyn Pace) -> Self {
        Self { storage, pace }
    }
}

impl Storage for Paced<'_> {
    fn open(&self, name: &str) -> io::Result<Bytes> {
        self.storage.open(name)
    }

    fn create<'f>(&'f self, name: &str) -> io::Result<Box<dyn StorageFile + 'f>> {
        Ok(Box::new(PacedFile { file: self.storage.create(name)?, pace: self.pace }))
    }

    fn append(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        self.storage.append(name)
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        self.storage.read(name, from)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        self.storage.length(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.storage.remove(name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.storage.list(folder)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.storage.sync_folder(folder)
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.storage.lock()
    }
}

struct PacedFile<'a> {
    file: Box<dyn StorageFile + 'a>,
    pace: &'a dyn Pace,
}

impl Write for PacedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.pace.spend(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl StorageFile for PacedFile<'_> {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}
