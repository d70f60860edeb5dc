//! Files in memory: collections that are never written to disk, and tests that fail at a chosen step.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{AppendFile, Bytes, Storage, StorageFile};

/// A storage in memory. Clones share the same files.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    files: Mutex<BTreeMap<String, Arc<Vec<u8>>>>,
    locked: AtomicBool,
    /// How many more changing operations succeed; 0 means no limit.
    allowance: AtomicU64,
    failure: Mutex<Option<io::ErrorKind>>,
}

impl Memory {
    /// Makes an empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `operations` more writes, syncs and renames succeed, then fails each with `kind`.
    pub fn fail_after(&self, operations: u64, kind: io::ErrorKind) {
        *lock(&self.state.failure) = Some(kind);
        self.state.allowance.store(operations, Ordering::SeqCst);
    }

    /// Ends the failures that [`Memory::fail_after`] began.
    pub fn heal(&self) {
        *lock(&self.state.failure) = None;
    }

    /// Replaces a file's bytes behind the engine's back, as bit rot would.
    pub fn overwrite(&self, name: &str, bytes: Vec<u8>) {
        lock(&self.state.files).insert(name.to_owned(), Arc::new(bytes));
    }

    /// Returns the names of all files, folders included.
    pub fn names(&self) -> Vec<String> {
        lock(&self.state.files).keys().cloned().collect()
    }

    fn step(&self) -> io::Result<()> {
        let Some(kind) = *lock(&self.state.failure) else { return Ok(()) };
        let spent = self
            .state
            .allowance
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        spent.map(|_| ()).map_err(|_| kind.into())
    }
}

impl Storage for Memory {
    fn open(&self, name: &str) -> io::Result<Bytes> {
        match lock(&self.state.files).get(name) {
            Some(bytes) => Ok(Bytes::shared(Arc::clone(bytes))),
            None => Err(not_found(name)),
        }
    }

    fn create<'f>(&'f self, name: &str) -> io::Result<Box<dyn StorageFile + 'f>> {
        self.step()?;
        lock(&self.state.files).insert(name.to_owned(), Arc::default());
        Ok(Box::new(MemoryFile {
            storage: self.clone(),
            name: name.to_owned(),
            content: Vec::new(),
        }))
    }

    fn append(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        self.step()?;
        match lock(&self.state.files).entry(name.to_owned()) {
            Entry::Occupied(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Entry::Vacant(vacant) => vacant.insert(Arc::default()),
        };
        Ok(Arc::new(MemoryLog { storage: self.clone(), name: name.to_owned() }))
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        let bytes = self.open(name)?;
        Ok(bytes.get(from as usize..).unwrap_or(&[]).to_vec())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        Ok(self.open(name)?.len() as u64)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        let mut files = lock(&self.state.files);
        let content = files.remove(from).ok_or_else(|| not_found(from))?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.state.files).remove(name).map(|_| ()).ok_or_else(|| not_found(name))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let files = lock(&self.state.files);
        Ok(files
            .keys()
            .filter_map(|name| match name.rsplit_once('/') {
                Some((parent, file)) => (parent == folder).then_some(file),
                None => folder.is_empty().then_some(name.as_str()),
            })
            .map(str::to_owned)
            .collect())
    }

    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        self.step()
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        if self.state.locked.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Guard(Arc::clone(&self.state))))
    }
}

struct Guard(Arc<State>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.locked.store(false, Ordering::SeqCst);
    }
}

struct MemoryFile {
    storage: Memory,
    name: String,
    content: Vec<u8>,
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.storage.step()?;
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for MemoryFile {
    fn sync(&mut self) -> io::Result<()> {
        self.storage.step()?;
        let content = Arc::new(self.content.clone());
        lock(&self.storage.state.files).insert(self.name.clone(), content);
        Ok(())
    }
}

struct MemoryLog {
    storage: Memory,
    name: String,
}

impl AppendFile for MemoryLog {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.storage.step()?;
        let mut files = lock(&self.storage.state.files);
        let content = files.get_mut(&self.name).ok_or_else(|| not_found(&self.name))?;
        Arc::make_mut(content).extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.storage.step()
    }
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file named {name}"))
}

/// Takes a lock; a thread that panicked while holding it left plain data behind, which is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
