//! Where a new collection is made: beside its path, so that one rename puts it there whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecphory_core::storage::{Directory, Storage};
use ecphory_index::Collection as IndexCollection;
use fs_err as fs;

use crate::{Error, Result};

/// The directory in which a new collection is built; it goes away unless it is published.
pub(super) struct Building {
    pub(super) path: PathBuf,
    /// The directories above that had to be made, from the top.
    parents: Vec<PathBuf>,
    published: bool,
}

impl Building {
    /// Takes the directory `.NAME.building` beside the path; one that a dead process left is emptied.
    pub(super) fn start(path: &Path) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Error::NoName { path: path.to_owned() })?;
        let building = path.with_file_name(format!(".{}.building", name.to_string_lossy()));
        if building.is_dir() {
            let left: Arc<dyn Storage> = Arc::new(Directory::open(&building)?);
            // A living process holds the lock while it builds.
            let guard = left.lock().map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => Error::Index(ecphory_index::Error::Locked),
                _ => Error::Io(error),
            })?;
            fs::remove_dir_all(&building)?;
            drop(guard);
        }
        let mut made = Self { path: building, parents: Vec::new(), published: false };
        made.make_parents()?;
        Ok(made)
    }

    fn make_parents(&mut self) -> Result<()> {
        let above = self.path.ancestors().skip(1);
        let missing = above.take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        missing.reverse();
        for directory in missing {
            match fs::create_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made?;
                    self.parents.push(directory);
                }
            }
        }
        Ok(())
    }

    pub(super) fn storage(&self) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(Directory::create(&self.path, &[ecphory_index::format::SEGMENTS])?))
    }

    /// Renames what was built into place, and opens it there.
    pub(super) fn publish(mut self, path: &Path) -> Result<IndexCollection> {
        // Renaming would replace an empty directory; whatever has come here meanwhile is not ours.
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        fs::rename(&self.path, path)?;
        self.published = true;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(IndexCollection::open(Arc::new(Directory::open(path)?))?)
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if !self.published {
            // The error that brought us here is the one to report; a rest is emptied by the next start.
            let _ = fs::remove_dir_all(&self.path);
            for directory in self.parents.iter().rev() {
                let _ = fs::remove_dir(directory);
            }
        }
    }
}

/// Returns a random number by which a new collection is told from all others.
pub(super) fn new_identity() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // The standard library keys each of these by the system's randomness; 0 means that there is no identity.
    RandomState::new().hash_one("collection").max(1)
}
