//! Where a collection's files live: a flat set of named, immutable files in a few folders.
//!
//! A file is written under `tmp/`, synced, renamed into place and never changed again, so a memory map
//! of it cannot fault. [`publish`] is that protocol, and the only way in which the engine makes files.
//! Two storages exist: a directory, and memory, whose power tests cut at any step.

mod bytes;
mod directory;
mod memory;
#[allow(unsafe_code, reason = "memory-mapping a file is unsafe; this module is its only home")]
mod mmap;
mod paced;

use std::io::{self, Write};
use std::sync::Arc;

pub use bytes::Bytes;
pub use directory::Directory;
pub use memory::{Fault, Memory, ReadFault};
pub use paced::{FullSpeed, Pace, Paced};

/// The folder of files that are being written; emptied when a writer opens the storage.
pub const TMP: &str = "tmp";

#[allow(
    clippy::missing_errors_doc,
    reason = "each method fails with what the system says; `open` and `lock` say more"
)]
/// A place for named files. Names are relative paths with `/`, at most one folder deep.
pub trait Storage: Send + Sync {
    /// Opens a file for reading, as one slice of bytes.
    ///
    /// # Errors
    /// `NotFound` where there is none; otherwise what the system says, as in every method.
    fn open(&self, name: &str) -> io::Result<Bytes>;

    /// Makes a new file, replacing one of the same name. Nothing is durable before
    /// [`StorageFile::sync`] and, for its name, [`Storage::sync_folder`].
    fn create<'f>(&'f self, name: &str) -> io::Result<Box<dyn StorageFile + 'f>>;

    /// Makes a new file that grows by appending, in a folder that is made, durably, where it is missing. It
    /// is the one kind of file that changes after it has its name: [`Storage::open`] gives what it holds by then, and
    /// [`Storage::read`] what came later.
    ///
    /// # Errors
    /// `AlreadyExists` where there is a file of that name.
    fn append(&self, name: &str) -> io::Result<Arc<dyn AppendFile>>;

    /// Reads what a file holds from an offset to its present end; nothing where it ends before.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>>;

    /// Returns a file's length.
    ///
    /// # Errors
    /// `NotFound` where there is none.
    fn length(&self, name: &str) -> io::Result<u64>;

    /// Renames a file, replacing what had the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Lists the names of the files in a folder (`""` is the storage itself), sorted; empty where
    /// there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;

    /// Takes the lock of the one writer; it is released when the guard is dropped.
    ///
    /// # Errors
    /// `WouldBlock` where another writer holds it.
    fn lock(&self) -> io::Result<Box<dyn Send + Sync>>;
}

/// A file being written.
pub trait StorageFile: Write + Send {
    /// Makes the content durable.
    ///
    /// # Errors
    /// After a failed sync the state of the file is unknown: give it up.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that grows by appending, such as the log. Shared, so that one thread can sync what others append.
pub trait AppendFile: Send + Sync {
    /// Appends bytes. They are readable at once, and durable after a later [`AppendFile::sync`].
    ///
    /// # Errors
    /// What the system says; how much was appended is unknown then: give the file up.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything durable whose append had returned before.
    ///
    /// # Errors
    /// After a failed sync the state of the file is unknown: give it up.
    fn sync(&self) -> io::Result<()>;
}

/// Writes a file so that it is there whole or not at all: temporary name, sync, rename, sync of the folder.
///
/// # Errors
/// What the storage or `write` says; the temporary file is removed then, as far as that is possible.
pub fn publish(
    storage: &dyn Storage,
    name: &str,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = format!("{TMP}/{}", name.replace('/', "-"));
    let written = (|| {
        let mut file = storage.create(&temporary)?;
        let mut buffered = io::BufWriter::with_capacity(1 << 18, &mut file);
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.sync()
    })();
    if let Err(error) = written.and_then(|()| storage.rename(&temporary, name)) {
        // The first error is the one to report; a temporary file left behind is swept at the next open.
        let _ = storage.remove(&temporary);
        return Err(error);
    }
    storage.sync_folder(name.rsplit_once('/').map_or("", |(folder, _)| folder))
}

#[cfg(test)]
mod tests;
