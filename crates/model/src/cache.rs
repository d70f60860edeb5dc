//! What texts were encoded to, on disk: shared by all that encode the same texts with the same model again and again.
//!
//! A record is found by the encoder's fingerprint (model, tokenizer, limit of tokens, precision, prompts), the role of the
//! text, what is kept of it, and the SHA-256 of the text. Vectors are kept as they are, bit for bit; token states in half
//! precision, which turns a row of `MiniLM` by less than 0.03 degrees (cosine above 0.999999), with their tokens and words:
//! 98 kB for 128 tokens of 384 values.
//!
//! Files (`record`) are only appended to. What is torn or damaged is not found, and so is encoded again; it is never
//! returned. Nothing is synced: what a power cut takes is encoded again too. One process stores at a time; the others
//! read what was there when they first asked, and compute the rest.
//!
//! Not for texts that come once: writing 98 kB costs little beside encoding them, but nobody reads it.

mod record;
mod shelf;
mod states;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ecphory_core::Progress;
use ecphory_core::storage::{Directory, Storage};

use crate::encoder::{Encoder, Role};
use crate::error::{Error, Result};
pub(crate) use record::round;
use record::{Kept, Key};
use shelf::{Content, Found, Shelf};
pub use states::{CachedStates, StateBuffer};

/// How many vectors are computed before they are stored: what an interruption loses.
const VECTORS: usize = 512;

/// How many texts' states are computed before they are stored, and how many bytes they may take if all texts are as
/// long as the model reads.
const STATES: usize = 256;
const STATES_BYTES: usize = 64 << 20;

/// How an encoding cache is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// How many bytes the files may take. Beyond, nothing more is stored; what is there stays.
    pub bytes_max: u64,
}

impl Default for CacheOptions {
    /// 8 GiB.
    fn default() -> Self {
        Self { bytes_max: 8 << 30 }
    }
}

/// Vectors and token states of texts on disk. See the module's text for what is kept how.
///
/// Threads share it behind a reference. A cache that cannot be written, because another process stores, the disk is full or
/// the limit is reached, does not fail: what it cannot store is computed whenever it is asked for.
pub struct EncodingCache {
    storage: Directory,
    options: CacheOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shelves: BTreeMap<String, Shelf>,
    writer: Option<Writer>,
    /// Whether something could not be written.
    has_failed: bool,
}

/// The right to store.
struct Writer {
    _lock: Box<dyn Send + Sync>,
    /// How many bytes the files take.
    bytes: u64,
}

/// Vectors, some of which were computed now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CachedVectors {
    /// A row for each text, as [`Encoder::encode`] makes them.
    pub values: Vec<f32>,
    /// How many texts did not go through the encoder: those that were stored, and second copies of a text.
    pub found: usize,
}

/// Whose records are meant.
#[derive(Clone, Copy)]
struct View<'a> {
    encoder: &'a Encoder,
    role: Role,
    kept: Kept,
}

impl View<'_> {
    fn shelf(&self) -> String {
        let role = match self.role {
            Role::Query => "query",
            Role::Document => "document",
        };
        format!("{}-{role}-{}", self.encoder.fingerprint(), self.kept.name())
    }

    fn columns(&self) -> usize {
        match self.kept {
            Kept::Vector => self.encoder.dimensions(),
            Kept::States => self.encoder.token_dimensions(),
        }
    }
}

impl EncodingCache {
    /// Opens the cache in a folder, which is made where it is missing.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path, options: CacheOptions) -> Result<Self> {
        fs_err::create_dir_all(folder)?;
        Ok(Self { storage: Directory::open(folder)?, options, state: Mutex::default() })
    }

    /// Returns the vectors of texts, bit for bit those of [`Encoder::encode`] (on the machine that stored them); computes
    /// and stores those that are not there.
    ///
    /// Reports a task `encode` with one unit a text.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; where files cannot be listed or opened. An interruption loses at most 512 vectors.
    pub fn vectors(
        &self,
        encoder: &Encoder,
        texts: &[&str],
        role: Role,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<CachedVectors> {
        let view = View { encoder, role, kept: Kept::Vector };
        progress.begin("encode", texts.len() as u64);
        let vectors = self.vectors_of(view, texts, pool, progress);
        progress.end();
        vectors
    }

    fn vectors_of(
        &self,
        view: View<'_>,
        texts: &[&str],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<CachedVectors> {
        let asked = self.look_up(view, texts, progress)?;
        let dimensions = view.columns();
        let mut values = vec![0.0; texts.len() * dimensions];
        for (found, row) in asked.found.iter().zip(values.chunks_exact_mut(dimensions)) {
            if let Some(found) = found {
                record::read_vector(&found.content, row);
            }
        }
        for piece in asked.missing.chunks(VECTORS) {
            let missing: Vec<&str> = piece.iter().map(|&i| texts[i]).collect();
            let made = pool.install(|| view.encoder.encode_here(&missing, view.role, progress))?;
            let mut contents = Vec::with_capacity(piece.len());
            for (&i, vector) in piece.iter().zip(made.chunks_exact(dimensions)) {
                values[i * dimensions..][..dimensions].copy_from_slice(vector);
                let bytes = record::vector_content(vector);
                contents.push(Content { key: asked.keys[i], tokens: 0, bytes });
            }
            self.store(view, contents)?;
        }
        for &(twin, first) in &asked.twins {
            values.copy_within(first * dimensions..(first + 1) * dimensions, twin * dimensions);
        }
        Ok(CachedVectors { values, found: texts.len() - asked.missing.len() })
    }

    /// Returns how many bytes the files take.
    ///
    /// # Errors
    /// What the system says.
    pub fn size(&self) -> Result<u64> {
        let mut bytes = 0;
        for name in self.files()? {
            match self.storage.length(&name) {
                Ok(length) => bytes += length,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }

    /// Removes everything that is stored. [`CachedStates`] that were handed out stay readable.
    ///
    /// # Errors
    /// `Conflict` where another process stores; what the system says.
    pub fn clear(&self) -> Result<()> {
        let mut state = self.state();
        state.has_failed = false;
        if !self.may_store(&mut state)? {
            return Err(Error::CacheTaken { folder: self.storage.root().to_owned() });
        }
        state.shelves.clear();
        for name in self.files()? {
            self.storage.remove(&name)?;
        }
        state.writer = None;
        Ok(())
    }

    /// Lists the files of all shelves, and nothing else that may lie in the folder.
    fn files(&self) -> Result<Vec<String>> {
        let is_ours = |name: &String| {
            let (shelf, number) = name.rsplit_once('.')?;
            let kept = [Kept::Vector, Kept::States].map(Kept::name);
            let (model, rest) = shelf.split_once('-')?;
            let (_, last) = rest.split_once('-')?;
            let fits = model.len() == 64 && kept.contains(&last) && number.parse::<u64>().is_ok();
            fits.then_some(())
        };
        Ok(self.storage.list("")?.into_iter().filter(|name| is_ours(name).is_some()).collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `work` with the shelf of a view.
    fn with_shelf<T>(
        &self,
        state: &mut State,
        view: View<'_>,
        work: impl FnOnce(&mut Shelf) -> T,
    ) -> Result<T> {
        let name = view.shelf();
        if !state.shelves.contains_key(&name) {
            let shelf = Shelf::open(&self.storage, name.clone(), view.kept, view.columns())?;
            state.shelves.insert(name.clone(), shelf);
        }
        Ok(work(state.shelves.get_mut(&name).expect("it was put in")))
    }

    /// Finds what is stored of some texts.
    fn look_up(&self, view: View<'_>, texts: &[&str], progress: &dyn Progress) -> Result<Asked> {
        let mut asked = Asked {
            keys: texts.iter().map(|text| record::key(text)).collect(),
            ..Asked::default()
        };
        let mut firsts = BTreeMap::new();
        let mut state = self.state();
        self.with_shelf(&mut state, view, |shelf| {
            for (i, key) in asked.keys.iter().enumerate() {
                // Work that is all here stops too when it should.
                if progress.cancelled() {
                    return Err(Error::Interrupted);
                }
                let first = *firsts.entry(*key).or_insert(i);
                let found = shelf.find(&self.storage, key);
                match (&found, first == i) {
                    (Some(_), _) => {}
                    (None, true) => asked.missing.push(i),
                    (None, false) => asked.twins.push((i, first)),
                }
                asked.found.push(found);
            }
            Ok(())
        })??;
        drop(state);
        progress.advance((texts.len() - asked.missing.len()) as u64);
        Ok(asked)
    }

    /// Returns whether this process may store, for which it takes the lock where nobody has it.
    fn may_store(&self, state: &mut State) -> Result<bool> {
        if state.has_failed || state.writer.is_some() {
            return Ok(!state.has_failed);
        }
        // Where it is refused for whatever reason, such as a folder that is read-only, others store or nobody.
        if let Ok(lock) = self.storage.lock() {
            state.writer = Some(Writer { _lock: lock, bytes: self.size()? });
        }
        Ok(state.writer.is_some())
    }

    /// Returns whether there is room for anything more.
    fn has_room(&self) -> Result<bool> {
        let mut state = self.state();
        let bytes_max = self.options.bytes_max;
        Ok(self.may_store(&mut state)?
            && state.writer.as_ref().is_some_and(|writer| writer.bytes < bytes_max))
    }

    /// Stores what there is room for, in order, and returns whether that was all.
    fn store(&self, view: View<'_>, mut contents: Vec<Content>) -> Result<bool> {
        let mut state = self.state();
        if !self.may_store(&mut state)? {
            return Ok(false);
        }
        let taken = state.writer.as_ref().map_or(0, |writer| writer.bytes);
        let mut room = self.options.bytes_max.saturating_sub(taken);
        let asked = contents.len();
        let outcome = self.with_shelf(&mut state, view, |shelf| {
            room = room.saturating_sub(shelf.overhead());
            contents.retain(|content| {
                let cost = shelf::cost(content);
                let fits = cost <= room && u32::try_from(content.bytes.len()).is_ok();
                room -= if fits { cost } else { 0 };
                fits
            });
            if contents.is_empty() { Ok(0) } else { shelf.append(&self.storage, &contents) }
        })?;
        match (outcome, &mut state.writer) {
            (Ok(bytes), Some(writer)) => writer.bytes += bytes,
            // A cache that is full in this way too is one that does not store.
            _ => state.has_failed = true,
        }
        Ok(contents.len() == asked && !state.has_failed)
    }
}

/// What was asked for, and what there is of it.
#[derive(Default)]
struct Asked {
    keys: Vec<Key>,
    found: Vec<Option<Found>>,
    /// The numbers of texts that are not stored, each text once.
    missing: Vec<usize>,
    /// Those that are the same as one before, which is missing, with that one.
    twins: Vec<(usize, usize)>,
}

impl std::fmt::Debug for EncodingCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodingCache")
            .field("folder", &self.storage.root())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
