//! Files in two images: the live one, which every process sees, and the durable one, which the disk is
//! certain to hold.
//!
//! A file is a number, and a name refers to it; so a name that changes and content that changes become
//! durable apart from each other, as on a disk. Content becomes durable by a sync of the file, a name by
//! a sync of its folder: until then the change of the name is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// Which file has a name.
pub(super) type Names = BTreeMap<String, u64>;

#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    pub files: BTreeMap<u64, Content>,
    next: u64,
    pub live: Names,
    pub durable: Names,
    /// What separates the names in `live` from those in `durable`, in the order of its making.
    pub pending: Vec<Change>,
}

/// What a file holds. Files only grow, so the durable content is the beginning of the live one.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub bytes: Arc<Vec<u8>>,
    pub synced: usize,
    /// After a failed sync the system may take pages for clean that never reached the disk: from then
    /// on no sync of this file achieves anything, although it may say so.
    sync_failed: bool,
}

/// A file gets a name, a rename gives it another, a removal takes it.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub file: u64,
    from: Option<String>,
    to: Option<String>,
}

impl Disk {
    /// A disk on which everything that it holds is durable.
    pub fn settled(files: BTreeMap<u64, Content>, names: Names) -> Self {
        let next = files.keys().next_back().map_or(0, |last| last + 1);
        Self { files, next, live: names.clone(), durable: names, pending: Vec::new() }
    }

    pub fn content(&self, name: &str) -> io::Result<&Arc<Vec<u8>>> {
        let file = self.number(name)?;
        Ok(&self.files.get(&file).expect("files with a name are kept").bytes)
    }

    /// Makes an empty file, replacing one of the same name.
    pub fn create(&mut self, name: &str) -> u64 {
        let file = self.next;
        self.next += 1;
        self.files.insert(file, Content::default());
        self.change(file, None, Some(name));
        file
    }

    /// Adds bytes to a file; to none where it was removed meanwhile and is forgotten.
    pub fn extend(&mut self, file: u64, bytes: &[u8]) {
        if let Some(content) = self.files.get_mut(&file) {
            Arc::make_mut(&mut content.bytes).extend_from_slice(bytes);
        }
    }

    pub fn sync(&mut self, file: u64) {
        if let Some(content) = self.files.get_mut(&file).filter(|content| !content.sync_failed) {
            content.synced = content.bytes.len();
        }
    }

    pub fn fail_sync(&mut self, file: u64) {
        if let Some(content) = self.files.get_mut(&file) {
            content.sync_failed = true;
        }
    }

    pub fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.number(from)?;
        self.change(file, Some(from), Some(to));
        Ok(())
    }

    pub fn remove(&mut self, name: &str) -> io::Result<()> {
        let file = self.number(name)?;
        self.change(file, Some(name), None);
        Ok(())
    }

    /// Makes the changes of names in a folder durable. A rename belongs to the folder of the new name.
    pub fn sync_folder(&mut self, folder: &str) {
        self.settle(|change| change.names().last().is_some_and(|name| folder_of(name) == folder));
    }

    /// Puts bytes in both images at once.
    pub fn overwrite(&mut self, name: &str, bytes: Vec<u8>) {
        let file = self.number(name).unwrap_or_else(|_| self.create(name));
        self.files.insert(file, Content::durable(bytes));
        self.settle(|change| change.names().any(|changed| changed == name));
    }

    pub fn number(&self, name: &str) -> io::Result<u64> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("no file named {name}"));
        self.live.get(name).copied().ok_or_else(missing)
    }

    fn change(&mut self, file: u64, from: Option<&str>, to: Option<&str>) {
        let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
        let change = Change { file, from, to };
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    fn settle(&mut self, chosen: impl FnMut(&Change) -> bool) {
        self.pending = settle(&mut self.durable, &self.pending, chosen);
        let mut named: BTreeSet<u64> =
            self.live.values().chain(self.durable.values()).copied().collect();
        named.extend(self.pending.iter().map(|change| change.file));
        self.files.retain(|file, _| named.contains(file));
    }
}

impl Content {
    pub fn durable(bytes: Vec<u8>) -> Self {
        Self { synced: bytes.len(), bytes: Arc::new(bytes), sync_failed: false }
    }
}

impl Change {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.from.iter().chain(&self.to).map(String::as_str)
    }

    fn apply(&self, names: &mut Names) {
        if let Some(from) = &self.from {
            names.remove(from);
        }
        if let Some(to) = &self.to {
            names.insert(to.clone(), self.file);
        }
    }
}

/// Applies the chosen changes in their order and returns the others. Changes of the same file or the
/// same name cannot overtake each other: a chosen one brings along those before it.
pub(super) fn settle(
    names: &mut Names,
    pending: &[Change],
    mut chosen: impl FnMut(&Change) -> bool,
) -> Vec<Change> {
    let (mut files, mut touched) = (BTreeSet::new(), BTreeSet::new());
    let mut kept = Vec::with_capacity(pending.len());
    for change in pending.iter().rev() {
        let carried = files.contains(&change.file) || change.names().any(|n| touched.contains(n));
        let keep = chosen(change) || carried;
        if keep {
            files.insert(change.file);
            touched.extend(change.names());
        }
        kept.push(keep);
    }
    let mut others = Vec::new();
    for (change, keep) in pending.iter().zip(kept.into_iter().rev()) {
        if keep {
            change.apply(names);
        } else {
            others.push(change.clone());
        }
    }
    others
}

/// Returns the folder of a name; `""` is the storage itself.
pub(super) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}
