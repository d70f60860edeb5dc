//! A collection: creating one, opening one, and finding the newest snapshot.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ecphory_core::storage::{Storage, publish};

use crate::format::manifest::{
    Current, Manifest, encode_current, generations, manifest_file, read_current,
};
use crate::format::{CURRENT, LOGS, SEGMENTS};
use crate::snapshot::Settings;
use crate::view::View;
use crate::wal::Position;
use crate::{Error, Result, Schema, Snapshot, Writer, WriterOptions};

/// A collection on a storage. Clones share it; they may be used from several threads.
#[derive(Clone)]
pub struct Collection {
    pub(crate) shared: Arc<Shared>,
}

/// What a collection, its writer and its snapshots share.
pub(crate) struct Shared {
    pub storage: Arc<dyn Storage>,
    /// Replaced where a field or a channel is added.
    settings: Mutex<Arc<Settings>>,
    /// What the last snapshot was made of, so that the next one goes on from there.
    followed: Mutex<Option<Followed>>,
    /// What a writer of this collection shows, with its version; `None` while there is no writer.
    published: Mutex<Option<(u64, Snapshot)>>,
}

/// A view that follows the log of a writer in another process.
struct Followed {
    view: View,
    position: Position,
    snapshot: Snapshot,
}

/// How often a reader begins anew when a writer removes the files of the manifest it was opening.
const SNAPSHOT_TRIES: usize = 8;

impl Collection {
    /// Makes an empty collection without an identity: its backups are told from those of others only by
    /// their parts.
    ///
    /// # Errors
    /// [`Error::Schema`], [`Error::CollectionExists`], [`Error::Locked`], [`Error::Io`].
    pub fn create(storage: Arc<dyn Storage>, schema: Schema) -> Result<Self> {
        Self::create_as(storage, schema, 0)
    }

    /// Makes an empty collection with an identity, a random number, by which backups know their collection.
    ///
    /// # Errors
    /// [`Error::Schema`], [`Error::CollectionExists`], [`Error::Locked`], [`Error::Io`].
    pub fn create_as(storage: Arc<dyn Storage>, schema: Schema, identity: u64) -> Result<Self> {
        schema.validate()?;
        let _lock = lock(&*storage)?;
        if exists(&*storage)? {
            return Err(Error::CollectionExists);
        }
        let settings = Arc::new(Settings::new(schema)?);
        let empty = Manifest::empty(&settings.schema);
        publish_manifest(&*storage, &Manifest { collection: identity, ..empty })?;
        Ok(Self { shared: Arc::new(Shared::new(storage, settings)) })
    }

    /// Opens a collection. Nothing is written, and no lock is taken.
    ///
    /// # Errors
    /// [`Error::NoCollection`], [`Error::Corrupt`], [`Error::Version`], [`Error::Io`].
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self> {
        let settings = Arc::new(Settings::of_manifest(&newest_manifest(&*storage)?)?);
        Ok(Self { shared: Arc::new(Shared::new(storage, settings)) })
    }

    /// Returns the channels and fields as they were when the collection was opened or changed here.
    pub fn schema(&self) -> Schema {
        self.shared.settings().schema.clone()
    }

    /// Returns what the collection holds now: everything acknowledged in this process, and what other
    /// processes have committed or logged. Cheap where little has changed since the last one.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Io`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.shared.snapshot()
    }

    /// Opens a writer that syncs every batch, with a usual memory budget.
    ///
    /// # Errors
    /// As [`Collection::writer_with`].
    pub fn writer(&self) -> Result<Writer> {
        self.writer_with(WriterOptions::default())
    }

    /// Takes the lock, reads the newest commit and the log, and removes what earlier writers left
    /// unfinished.
    ///
    /// # Errors
    /// [`Error::Locked`] where another writer is open, [`Error::Corrupt`], [`Error::Io`].
    pub fn writer_with(&self, options: WriterOptions) -> Result<Writer> {
        Writer::open(Arc::clone(&self.shared), options)
    }
}

impl std::fmt::Debug for Collection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collection").field("schema", &self.schema()).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(storage: Arc<dyn Storage>, settings: Arc<Settings>) -> Self {
        let settings = Mutex::new(settings);
        Self { storage, settings, followed: Mutex::default(), published: Mutex::default() }
    }

    /// Returns what a writer here acknowledged, or else what the files say. A writer may remove files while
    /// they are being read: then there is a newer manifest, and the reader begins anew with that.
    fn snapshot(&self) -> Result<Snapshot> {
        if let Some((_, published)) = &*locked(&self.published) {
            return Ok(published.clone());
        }
        let mut tries = 1;
        loop {
            let manifest = newest_manifest(&*self.storage)?;
            let generation = manifest.generation;
            match self.follow(manifest) {
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

    /// Brings the followed view up to a manifest and the log behind it.
    fn follow(&self, manifest: Manifest) -> Result<Snapshot> {
        let mut followed = locked(&self.followed);
        let before = followed.take();
        let now = match before {
            Some(same) if same.view.manifest.generation == manifest.generation => {
                let Followed { mut view, position, snapshot } = same;
                let after = view.replay(&*self.storage, position)?;
                let snapshot = if after == position { snapshot } else { view.snapshot() };
                Followed { view, position: after, snapshot }
            }
            older => {
                let known = |part| older.as_ref().and_then(|older| older.view.open_part(part));
                let settings = self.settings_of(&manifest)?;
                let mut view = View::open(&*self.storage, &settings, manifest, &known)?;
                let position = view.replay(&*self.storage, Position::default())?;
                let snapshot = view.snapshot();
                Followed { view, position, snapshot }
            }
        };
        Ok(followed.insert(now).snapshot.clone())
    }

    /// Opens the view that a writer starts from, and where the log ends.
    pub fn writer_view(&self) -> Result<(View, Position)> {
        let manifest = newest_manifest(&*self.storage)?;
        self.follow(manifest)?;
        let followed = locked(&self.followed).take();
        let followed = followed.expect("following leaves a view");
        Ok((followed.view, followed.position))
    }

    /// Returns the schema and its analysers.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&locked(&self.settings))
    }

    /// Returns the settings of a manifest: those that are known, unless its schema is another.
    fn settings_of(&self, manifest: &Manifest) -> Result<Arc<Settings>> {
        let mut settings = locked(&self.settings);
        if settings.schema != manifest.schema() {
            *settings = Arc::new(Settings::of_manifest(manifest)?);
        }
        Ok(Arc::clone(&settings))
    }

    /// Puts a changed schema in force for this process.
    pub fn put_settings(&self, settings: &Arc<Settings>) {
        *locked(&self.settings) = Arc::clone(settings);
    }

    /// Makes a snapshot the one that readers of this process get, unless they have a later version: a
    /// thread that synced for others may come late.
    pub fn publish(&self, version: u64, snapshot: Snapshot) {
        let mut published = locked(&self.published);
        if published.as_ref().is_none_or(|(shown, _)| *shown <= version) {
            *published = Some((version, snapshot));
        }
    }

    /// Makes readers of this process look at the files again: the writer goes.
    pub fn unpublish(&self) {
        *locked(&self.published) = None;
    }
}

/// Takes a lock; a thread that panicked while holding it left plain data behind, which is still good.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
                None if !has_data(storage)? => return Err(Error::NoCollection),
                None => {
                    let what = "there are segments or logs, but neither CURRENT nor a manifest";
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
    let later = generations(storage)?.last().is_some_and(|&generation| generation > 1);
    Ok(later || has_data(storage)?)
}

/// Returns whether there are parts or logs.
fn has_data(storage: &dyn Storage) -> Result<bool> {
    for folder in [SEGMENTS, LOGS] {
        if !storage.list(folder).map_err(Error::io("list", folder))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}
