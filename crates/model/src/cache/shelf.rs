//! The records of one model and view, in files that are only ever appended to.
//!
//! Every process that stores something makes a file of its own, so that nobody appends behind what a crash has torn, and
//! nothing that others have mapped is ever cut off.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use ecphory_core::checksum::crc32;
use ecphory_core::storage::{AppendFile, Bytes, Storage};

use super::record::{HEADER, Kept, Key, Record, file_header};

/// Where records of one kind are found.
pub(super) struct Shelf {
    name: String,
    kept: Kept,
    columns: usize,
    files: Vec<StoredFile>,
    places: BTreeMap<Key, Place>,
    /// What this process appends to.
    own: Option<Own>,
}

struct StoredFile {
    name: String,
    bytes: Bytes,
}

struct Own {
    /// Its place among the files.
    file: usize,
    append: Arc<dyn AppendFile>,
    length: usize,
}

struct Place {
    file: usize,
    content: Range<usize>,
    tokens: u32,
    checksum: u32,
    /// Whether the content was seen to fit the checksum.
    is_checked: bool,
}

/// What is to be appended for a text.
pub(super) struct Content {
    pub(super) key: Key,
    pub(super) tokens: usize,
    pub(super) bytes: Vec<u8>,
}

/// What was found of a text.
pub(super) struct Found {
    pub(super) tokens: usize,
    pub(super) content: Bytes,
}

impl Shelf {
    /// Finds the records that are there. Files and records that are damaged are left out.
    ///
    /// Cost: one read of each record's header.
    pub(super) fn open(
        storage: &dyn Storage,
        name: String,
        kept: Kept,
        columns: usize,
    ) -> io::Result<Self> {
        let (files, places) = (Vec::new(), BTreeMap::new());
        let mut shelf = Self { name, kept, columns, files, places, own: None };
        for (_, name) in numbered(storage, &shelf.name)? {
            match storage.open(&name) {
                Ok(bytes) => shelf.add(StoredFile { name, bytes }),
                // Somebody cleared the cache.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(shelf)
    }

    fn add(&mut self, file: StoredFile) {
        let header = file_header(&self.name, self.columns);
        let is_ours = file.bytes.starts_with(&header);
        let mut at = HEADER;
        while is_ours && let Some(record) = Record::read(file.bytes.get(at..).unwrap_or_default()) {
            let expected = self.kept.bytes(record.tokens as usize, self.columns);
            let content = at + HEADER..at + HEADER + record.bytes as usize;
            if expected != content.len() || content.end > file.bytes.len() {
                break;
            }
            at = content.end;
            self.note(self.files.len(), &record, content, false);
        }
        self.files.push(file);
    }

    /// Notes where a record lies. A later one replaces an earlier one, which somebody found damaged.
    fn note(&mut self, file: usize, record: &Record, content: Range<usize>, is_checked: bool) {
        let Record { key, tokens, checksum, .. } = *record;
        self.places.insert(key, Place { file, content, tokens, checksum, is_checked });
    }

    /// Finds what is kept of a text, and drops what is damaged.
    ///
    /// Cost: the checksum of its content, the first time.
    pub(super) fn find(&mut self, storage: &dyn Storage, key: &Key) -> Option<Found> {
        let place = self.places.get_mut(key)?;
        let file = &mut self.files[place.file];
        if place.content.end > file.bytes.len()
            && let Ok(longer) = storage.open(&file.name)
        {
            file.bytes = longer;
        }
        let content = file.bytes.slice(place.content.clone());
        let content = content.filter(|bytes| place.is_checked || crc32(bytes) == place.checksum);
        let Some(content) = content else {
            self.places.remove(key);
            return None;
        };
        place.is_checked = true;
        Some(Found { tokens: place.tokens as usize, content })
    }

    /// Returns how many bytes [`Self::append`] adds besides those of [`cost`].
    pub(super) fn overhead(&self) -> u64 {
        if self.own.is_some() { 0 } else { HEADER as u64 }
    }

    /// Appends records, and returns how many bytes the files have become longer.
    ///
    /// # Errors
    /// What the storage says; none of the records is kept then, and the next ones go into another file.
    pub(super) fn append(&mut self, storage: &dyn Storage, all: &[Content]) -> io::Result<u64> {
        let mut own = match self.own.take() {
            Some(own) => own,
            None => self.begin(storage)?,
        };
        let before = own.length;
        let mut bytes =
            if before == 0 { file_header(&self.name, self.columns) } else { Vec::new() };
        let mut noted = Vec::with_capacity(all.len());
        for content in all {
            let record = Record::of(content.key, content.tokens, &content.bytes);
            bytes.extend(record.header());
            let start = before + bytes.len();
            bytes.extend_from_slice(&content.bytes);
            noted.push((record, start..before + bytes.len()));
        }
        own.append.append(&bytes)?;
        own.length += bytes.len();
        for (record, content) in noted {
            self.note(own.file, &record, content, true);
        }
        self.own = Some(own);
        Ok(bytes.len() as u64)
    }

    fn begin(&mut self, storage: &dyn Storage) -> io::Result<Own> {
        let last = numbered(storage, &self.name)?.pop().map_or(0, |(number, _)| number);
        let name = format!("{}.{:06}", self.name, last + 1);
        let append = storage.append(&name)?;
        let file = self.files.len();
        self.files.push(StoredFile { name, bytes: Bytes::from_vec(Vec::new()) });
        Ok(Own { file, append, length: 0 })
    }
}

/// Returns how many bytes a record takes.
pub(super) fn cost(content: &Content) -> u64 {
    (HEADER + content.bytes.len()) as u64
}

/// Returns the files of a shelf with their numbers, in order.
fn numbered(storage: &dyn Storage, shelf: &str) -> io::Result<Vec<(u64, String)>> {
    let mut found = Vec::new();
    for name in storage.list("")? {
        let number = name.strip_prefix(shelf).and_then(|rest| rest.strip_prefix('.'));
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            found.push((number, name));
        }
    }
    found.sort();
    Ok(found)
}
