//! Files in memory: a storage for collections that are never written to disk, and for tests that cut
//! the power.
//!
//! It behaves as a disk does: what was not synced is visible at once, but may be gone after a crash.
//! [`Memory::after_crash`] returns what may be left, [`Memory::fault_after`] makes a chosen operation fail.
//! Everything is deterministic. Each operation takes one lock; a write costs a copy of its bytes, and of
//! the whole file where a reader holds it open while it grows. It is not for sharing between processes.

mod crash;
mod disk;
mod faults;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use faults::{Fault, ReadFault};

use super::{AppendFile, Bytes, Storage, StorageFile};
use disk::{Disk, folder_of};
use faults::Faults;

/// A storage in memory. Clones share the same files.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    disk: Disk,
    faults: Faults,
    locked: bool,
}

impl Memory {
    /// Makes an empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    fn from_disk(disk: Disk) -> Self {
        Self { state: Arc::new(Mutex::new(State { disk, ..State::default() })) }
    }

    /// Returns how many operations were tried so far that change something: making a file, a write, a
    /// sync, a rename, a removal, a sync of a folder.
    pub fn operations(&self) -> u64 {
        self.state().faults.operations()
    }

    /// Returns how many reads were tried so far: a file opened or read.
    pub fn reads(&self) -> u64 {
        self.state().faults.reads()
    }

    /// Lets so many more of the operations that change something succeed; the fault is the next one's.
    pub fn fault_after(&self, operations: u64, fault: Fault) {
        self.state().faults.change_after(operations, fault);
    }

    /// Lets so many more of the operations that change something succeed, then fails each with `kind`.
    pub fn fail_after(&self, operations: u64, kind: io::ErrorKind) {
        self.fault_after(operations, Fault::Fail(kind));
    }

    /// Lets so many more reads succeed; the fault is the next one's.
    pub fn read_fault_after(&self, reads: u64, fault: ReadFault) {
        self.state().faults.read_after(reads, fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.state().faults.heal();
    }

    /// Returns what may be left after a power cut now: one possible image for each seed, with everything
    /// in it durable. This storage stays as it is.
    ///
    /// What was synced is there. Of the rest of a file there is nothing, the beginning or all of it, its last
    /// page torn, or later pages without earlier ones; a change of a name whose folder was not synced
    /// happened or did not.
    #[must_use]
    pub fn after_crash(&self, seed: u64) -> Memory {
        Self::from_disk(self.state().disk.after_crash(seed))
    }

    /// Returns what the next process finds when this one is killed now: everything it has written,
    /// durable or not as it was, and no lock.
    #[must_use]
    pub fn after_kill(&self) -> Memory {
        Self::from_disk(self.state().disk.clone())
    }

    /// Replaces a file's bytes behind the engine's back, as bit rot would; durable at once.
    pub fn overwrite(&self, name: &str, bytes: Vec<u8>) {
        self.state().disk.overwrite(name, bytes);
    }

    /// Returns the names of all files, folders included.
    pub fn names(&self) -> Vec<String> {
        self.state().disk.live.keys().cloned().collect()
    }

    /// A thread that panicked while holding the lock left plain data behind, which is still good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock for an operation that changes nothing.
    fn look(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        state.faults.check_power()?;
        Ok(state)
    }

    /// Takes the lock for an operation that changes something.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.faults.step()?;
        Ok(state)
    }
}

impl Storage for Memory {
    fn open(&self, name: &str) -> io::Result<Bytes> {
        let mut state = self.look()?;
        let bytes = Bytes::shared(Arc::clone(state.disk.content(name)?));
        let len = state.faults.read(bytes.len())?;
        Ok(bytes.slice(0..len).expect("a read returns no more than there is"))
    }

    fn create<'f>(&'f self, name: &str) -> io::Result<Box<dyn StorageFile + 'f>> {
        let file = self.change()?.disk.create(name);
        Ok(Box::new(Open { storage: self.clone(), file }))
    }

    fn append(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let mut state = self.change()?;
        if state.disk.live.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Arc::new(Open { storage: self.clone(), file: state.disk.create(name) }))
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        let mut state = self.look()?;
        let bytes = Arc::clone(state.disk.content(name)?);
        let rest = bytes.get(from as usize..).unwrap_or(&[]);
        let len = state.faults.read(rest.len())?;
        Ok(rest[..len].to_vec())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        Ok(self.look()?.disk.content(name)?.len() as u64)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change()?.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change()?.disk.remove(name)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let state = self.look()?;
        let names = state.disk.live.keys().filter(|name| folder_of(name) == folder);
        Ok(names.map(|name| name[folder.len()..].trim_start_matches('/').to_owned()).collect())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.change()?.disk.sync_folder(folder);
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.look()?;
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(Box::new(Guard(self.clone())))
    }
}

struct Guard(Memory);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

/// A file that is open for writing. It stays the same file when its name changes.
struct Open {
    storage: Memory,
    file: u64,
}

impl Open {
    fn extend(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.storage.state();
        let (taken, outcome) = state.faults.write(bytes.len());
        state.disk.extend(self.file, &bytes[..taken]);
        outcome
    }

    fn sync_content(&self) -> io::Result<()> {
        let mut state = self.storage.state();
        let outcome = state.faults.step();
        match outcome {
            Ok(()) => state.disk.sync(self.file),
            Err(_) => state.disk.fail_sync(self.file),
        }
        outcome
    }
}

impl Write for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for Open {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_content()
    }
}

impl AppendFile for Open {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.extend(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_content()
    }
}
