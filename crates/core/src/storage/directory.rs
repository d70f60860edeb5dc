//! Files in a directory of the operating system, read through memory maps.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;

use super::mmap::Mapped;
use super::{AppendFile, Bytes, Storage, StorageFile, TMP};

/// The file that the writer locks. It stays empty.
const LOCK: &str = "LOCK";

/// A storage in a directory.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Makes the directory and its folders where they are missing.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn create(root: impl Into<PathBuf>, folders: &[&str]) -> io::Result<Self> {
        let root = root.into();
        for folder in [TMP].iter().chain(folders) {
            make_folder(&root.join(folder))?;
        }
        Ok(Self { root })
    }

    /// Opens a directory that exists.
    ///
    /// # Errors
    /// `NotFound` where it does not.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::metadata(&root)?;
        Ok(Self { root })
    }

    /// Returns the directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Maps any file of the system, such as a weight file outside a collection.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn map_file(path: &Path) -> io::Result<Bytes> {
        let file = fs::File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Bytes::from_vec(Vec::new()));
        }
        Mapped::new(&file).map(Bytes::mapped)
    }
}

impl Storage for Directory {
    fn open(&self, name: &str) -> io::Result<Bytes> {
        Self::map_file(&self.root.join(name))
    }

    fn create<'f>(&'f self, name: &str) -> io::Result<Box<dyn StorageFile + 'f>> {
        Ok(Box::new(fs::File::create(self.root.join(name))?))
    }

    fn append(&self, name: &str) -> io::Result<Arc<dyn AppendFile>> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let file = fs::OpenOptions::new().create_new(true).append(true).open(path)?;
        Ok(Arc::new(Appended(file)))
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(self.root.join(name))?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.root.join(name))?.len())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.root.join(name))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        fs::File::open(self.root.join(folder))?.sync_all()
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.root.join(LOCK))?;
        match file.file().try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Makes a folder and those around it where they are missing. Each is synced into its parent: files are
/// only as durable as the folder that they are in.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    for path in missing.into_iter().rev().filter(|path| !path.as_os_str().is_empty()) {
        fs::create_dir_all(path)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

impl StorageFile for fs::File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// A file opened for appending.
struct Appended(fs::File);

impl AppendFile for Appended {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
