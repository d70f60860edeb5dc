//! A collection: creating one, opening one, and finding the newest snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use ecphory_core::storage::{Storage, publish};

use crate::format::manifest::{
    Current, Manifest, encode_current, generations, manifest_file, read_current,
};
use crate::format::{CURRENT, SEGMENTS};
use crate::segment::OpenParts;
use crate::snapshot::Settings;
use crate::{Error, Result, Schema, Snapshot, Writer};

/// A collection on a storage. Clones share it; they may be used from several threads.
#[derive(Clone)]
pub struct Collection {
    pub(crate) shared: Arc<Shared>,
}

/// What a collection, its writer and its snapshots share.
pub(crate) struct Shared {
    pub storage: Arc<dyn Storage>,
    settings: Arc<Settings>,
    /// The newest snapshot that was opened, so that the next one takes over its parts.
    latest: Mutex<Option<Snapshot>>,
}

/// How often a reader begins anew when a writer removes the files of the manifest it was opening.
const SNAPSHOT_TRIES: usize = 8;

impl Collection {
    /// Makes an empty collection.
    ///
    /// # Errors
    /// [`Error::Schema`], [`Error::CollectionExists`], [`Error::Locked`], [`Error::Io`].
    pub fn create(storage: Arc<dyn Storage>, schema: Schema) -> Result<Self> {
        schema.validate()?;
        let _lock = lock(&*storage)?;
        if exists(&*storage)? {
            return Err(Error::CollectionExists);
        }
        let settings = Arc::new(Settings::new(schema)?);
        publish_manifest(&*storage, &Manifest::empty(&settings.schema))?;
        Ok(Self { shared: Arc::new(Shared { storage, settings, latest: Mutex::default() }) })
    }

    /// Opens a collection. Nothing is written, and no lock is taken.
    ///
    /// # Errors
    /// [`Error::NoCollection`], [`Error::Corrupt`], [`Error::Version`], [`Error::Io`].
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self> {
        let schema = newest_manifest(&*storage)?.schema();
        schema.validate()?;
        let settings = Arc::new(Settings::new(schema)?);
        Ok(Self { shared: Arc::new(Shared { storage, settings, latest: Mutex::default() }) })
    }

    /// Returns the channels.
    pub fn schema(&self) -> &Schema {
        &self.shared.settings.schema
    }

    /// Opens the newest commit.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.shared.snapshot()
    }

    /// Takes the lock, opens the newest commit and removes what earlier writers left unfinished.
    ///
    /// # Errors
    /// [`Error::Locked`] where another writer is open, [`Error::Corrupt`], [`Error::Io`].
    pub fn writer(&self) -> Result<Writer> {
        Writer::open(Arc::clone(&self.shared))
    }
}

impl std::fmt::Debug for Collection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collection").field("schema", self.schema()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Opens the newest commit. A writer may remove files while they are being opened: then there is a
    /// newer manifest, and the reader begins anew with that.
    fn snapshot(&self) -> Result<Snapshot> {
        let mut tries = 1;
        loop {
            let manifest = newest_manifest(&*self.storage)?;
            let generation = manifest.generation;
            match self.open_manifest(manifest) {
                Err(error @ Error::Corrupt { .. }) => {
                    let newer = newest_manifest(&*self.storage)?.generation != generation;
                    if !newer || tries == SNAPSHOT_TRIES {
                        return Err(error);
                    }
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Returns the schema and its analysers.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Opens a manifest, with the parts of the newest snapshot where they are the same.
    pub fn open_manifest(&self, manifest: Manifest) -> Result<Snapshot> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let none = OpenParts::new();
        let known = latest.as_ref().map_or(&none, Snapshot::parts);
        let snapshot = Snapshot::open(&*self.storage, &self.settings, manifest, known)?;
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        Ok(snapshot)
    }
}

/// Takes the writer's lock.
pub(crate) fn lock(storage: &dyn Storage) -> Result<Box<dyn Send + Sync>> {
    storage.lock().map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked,
        _ => Error::io("lock", "LOCK")(error),
    })
}

/// Writes a manifest, then makes `CURRENT` name it: the moment of a commit.
pub(crate) fn publish_manifest(storage: &dyn Storage, manifest: &Manifest) -> Result<()> {
    let file = manifest_file(manifest.generation);
    publish(storage, &file, &mut |out| out.write_all(manifest.encode().as_bytes()))
        .map_err(Error::io("write", &file))?;
    let current = encode_current(manifest.generation);
    publish(storage, CURRENT, &mut |out| out.write_all(current.as_bytes()))
        .map_err(Error::io("write", CURRENT))
}

/// Reads the manifest in force.
///
/// Where `CURRENT` itself is broken the newest manifest counts: it was complete before `CURRENT` could
/// name it. A broken manifest is never passed over for an older one, which would lose commits.
pub(crate) fn newest_manifest(storage: &dyn Storage) -> Result<Manifest> {
    for _ in 0..SNAPSHOT_TRIES {
        let generation = match read_current(storage)? {
            Current::Names(generation) => generation,
            Current::Broken => match generations(storage)?.last() {
                Some(&newest) => newest,
                None if storage.list(SEGMENTS).map_err(Error::io("list", SEGMENTS))?.is_empty() => {
                    return Err(Error::NoCollection);
                }
                None => {
                    let what = "there are segments, but neither CURRENT nor a manifest";
                    return Err(Error::corrupt(CURRENT, 0, what));
                }
            },
        };
        if let Some(manifest) = Manifest::read(storage, generation)? {
            return Ok(manifest);
        }
        // Two commits may have come in between, so that the manifest is gone and `CURRENT` names another.
        if read_current(storage)? == Current::Names(generation) {
            return Err(Error::corrupt(&manifest_file(generation), 0, "the file is missing"));
        }
    }
    Err(Error::corrupt(CURRENT, 0, "the manifest it names is missing, each time anew"))
}

/// Returns whether there is a collection. What a `create` that was interrupted left behind (the first
/// manifest, without `CURRENT`) is none.
fn exists(storage: &dyn Storage) -> Result<bool> {
    match storage.open(CURRENT) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("open", CURRENT)(error)),
    }
    let parts = storage.list(SEGMENTS).map_err(Error::io("list", SEGMENTS))?;
    let later = generations(storage)?.last().is_some_and(|&generation| generation > 1);
    Ok(later || !parts.is_empty())
}
