//! Looking after a collection: checks, backups, changes of the schema.

use std::path::Path;
use std::sync::PoisonError;

use ecphory_core::Progress;
use ecphory_core::storage::Directory;
use ecphory_index::format::SEGMENTS;
use ecphory_index::{BackedUp, Error as IndexError, FieldKind, FieldSchema};
use fs_err as fs;

use super::building::{Building, new_identity};
use super::writer::{CollectionWriter, shared};
use super::{Collection, State};
use crate::{ChannelRequest, Engine, Error, Result};

impl Collection {
    /// Reads every byte of the collection and returns all that is wrong; nothing where it is sound.
    ///
    /// # Errors
    /// Where nothing was added yet, or the work is cancelled.
    pub fn check(&self, progress: &dyn Progress) -> Result<Vec<IndexError>> {
        Ok(self.index()?.check(progress)?)
    }

    /// Copies what the collection holds now to a directory, which is a collection itself then. Where that has an
    /// earlier backup, only what is new is copied, and the earlier one is replaced at the end. Writers
    /// may go on meanwhile.
    ///
    /// # Errors
    /// Where nothing was added yet, the directory holds something else, a file is damaged, the disk is full, or
    /// the work is cancelled.
    pub fn backup(&self, target: impl AsRef<Path>, progress: &dyn Progress) -> Result<BackedUp> {
        let target = target.as_ref();
        let snapshot = self.index()?.snapshot()?;
        let same = fs::canonicalize(target)
            .is_ok_and(|target| fs::canonicalize(&self.path).is_ok_and(|source| source == target));
        if same || !is_free_for_backup(target)? {
            return Err(Error::NoBackup { path: target.to_owned() });
        }
        let storage = Directory::create(target, &[SEGMENTS])?;
        Ok(snapshot.backup(&storage, progress)?)
    }

    /// Brings a collection that an older version wrote to the newest format.
    ///
    /// # Errors
    /// Where nothing was added yet, another writer is at work, a file is damaged, the disk is full, or the
    /// work is cancelled. Nothing has changed then.
    pub fn upgrade(&self, progress: &dyn Progress) -> Result<()> {
        self.writing(|writer| writer.with_index(|index| index.upgrade(progress)))
    }

    /// Adds a channel. A lexical one covers all documents when this returns; [`Collection::fill`] encodes them for
    /// a dense one.
    ///
    /// # Errors
    /// Where a channel has that name, its model is missing, another writer is at work, the disk is full,
    /// or the work is cancelled. Nothing has changed then.
    pub fn add_channel(&self, request: &ChannelRequest, progress: &dyn Progress) -> Result<()> {
        let channel = self.engine.channel_schema(request)?;
        if let State::Prepared(schema) =
            &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner)
        {
            let mut changed = schema.clone();
            changed.channels.push(channel);
            changed.validate()?;
            *schema = changed;
            return Ok(());
        }
        self.writing(|writer| writer.with_index(|index| index.add_channel(channel, progress)))
    }

    /// Declares the kind of a field: documents with other values are refused from then on, and filters, facets and
    /// orders know how to compare it.
    ///
    /// # Errors
    /// Where the field is declared already or a document has another value in it, another writer is at
    /// work, the disk is full, or the work is cancelled. Nothing has changed then.
    pub fn add_field(&self, field: FieldSchema, progress: &dyn Progress) -> Result<()> {
        if let State::Prepared(schema) =
            &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner)
        {
            let mut changed = schema.clone();
            changed.fields.push(field);
            changed.validate()?;
            *schema = changed;
            return Ok(());
        }
        self.writing(|writer| writer.with_index(|index| index.add_field(field, progress)))
    }
}

impl CollectionWriter {
    /// Does something with the index that batches may go on beside.
    fn with_index(
        &self,
        work: impl FnOnce(&ecphory_index::Writer) -> ecphory_index::Result<()>,
    ) -> Result<()> {
        let inner = self.inner()?;
        let _gate = shared(&inner.gate);
        Ok(work(&inner.index)?)
    }
}

impl Engine {
    /// Copies a backup to a path where nothing is yet, and opens it there.
    ///
    /// # Errors
    /// Where there is no backup, something is at the path, a file is damaged, the disk is full, or the work is
    /// cancelled. Nothing is left at the path then.
    pub fn restore(
        &self,
        backup: impl AsRef<Path>,
        path: impl AsRef<Path>,
        progress: &dyn Progress,
    ) -> Result<Collection> {
        let path = path.as_ref();
        let backup = self.open(backup)?;
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        let snapshot = backup.index()?.snapshot()?;
        let building = Building::start(path)?;
        snapshot.restore(&*building.storage()?, new_identity(), progress)?;
        let index = building.publish(path)?;
        Ok(Collection::opened(self.clone(), path.to_owned(), index))
    }
}

/// Reads a declaration of a field, such as `year:integer`.
///
/// # Errors
/// Where it is none, or the kind is unknown; the nearest one is named.
pub fn parse_field(text: &str) -> Result<FieldSchema> {
    match text.rsplit_once(':') {
        Some((name, kind)) if !name.is_empty() => {
            let kind: FieldKind = kind.parse()?;
            Ok(FieldSchema { name: name.to_owned(), kind })
        }
        _ => Err(Error::FieldDeclaration { text: text.to_owned() }),
    }
}

/// Whether a directory is not there, is empty, or holds nothing but what a backup writes.
fn is_free_for_backup(target: &Path) -> Result<bool> {
    if !target.exists() {
        return Ok(true);
    }
    for entry in fs::read_dir(target)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let ours = ["CURRENT", "LOCK", "tmp", SEGMENTS].contains(&name.as_str());
        if !ours && !name.starts_with("MANIFEST-") {
            return Ok(false);
        }
    }
    Ok(true)
}
