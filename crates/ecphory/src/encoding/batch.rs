//! A caller's way through its lane, and the running of a batch.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ecphory_core::Progress;
use rustc_hash::FxHashMap;

use super::cache::ContentKey;
use super::lanes::{Batch, Piece, Turn};
use super::{Call, EncodingService};
use crate::{Error, Result};

thread_local! {
    /// Whether this thread is running a batch further up its stack.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

impl EncodingService {
    /// Encodes some texts of one caller, alone or together with those of others.
    pub(super) fn encode_piece(
        &self,
        call: Call<'_>,
        asked: &[(ContentKey, &str)],
    ) -> Result<Vec<f32>> {
        // A thread of the pool that waited would be missing where the batch runs. A thread of another pool may be
        // given other work while it runs a batch; if that came here and waited, it would wait for itself.
        if call.pool.current_thread_index().is_some() || RUNNING.get() {
            return self.encode_apart(call, asked, 0);
        }
        let cancelled = || call.progress.cancelled();
        let key = (call.encoder.fingerprint().to_owned(), call.role);
        let place = self.lanes.enter(key, asked, &cancelled).ok_or_else(interrupted)?;
        let mut reported = 0;
        loop {
            if cancelled() {
                return Err(interrupted());
            }
            match place.turn() {
                Turn::Wait => {}
                Turn::Apart => break,
                Turn::Run(batch) => self.run(call, &place.piece, batch, &mut reported)?,
                Turn::Done(vectors) => {
                    call.progress.advance(asked.len() as u64 - reported);
                    return Ok(vectors);
                }
            }
        }
        drop(place);
        self.encode_apart(call, asked, reported)
    }

    /// Encodes texts without anybody else's. The progress of the first `reported` was told before.
    fn encode_apart(
        &self,
        call: Call<'_>,
        asked: &[(ContentKey, &str)],
        reported: u64,
    ) -> Result<Vec<f32>> {
        let texts: Vec<&str> = asked.iter().map(|&(_, text)| text).collect();
        let rest = Rest { progress: call.progress, told: AtomicU64::new(reported) };
        let vectors = self.compute(call, &texts, &rest)?;
        self.remember(call, asked.iter().map(|(key, _)| key), &vectors);
        Ok(vectors)
    }

    /// Takes vectors from the disk and encodes what is not there.
    fn compute(&self, call: Call<'_>, texts: &[&str], progress: &dyn Progress) -> Result<Vec<f32>> {
        let (vectors, stored) = match &self.disk {
            Some(disk) => {
                let made = disk.vectors(call.encoder, texts, call.role, call.pool, progress)?;
                (made.values, made.found)
            }
            None => (call.encoder.encode(texts, call.role, call.pool, progress)?, 0),
        };
        self.count(|counts| {
            counts.stored += stored as u64;
            counts.encoded += (texts.len() - stored) as u64;
        });
        Ok(vectors)
    }

    /// Runs a batch; `reported` becomes how many texts of the caller's own piece it was told of.
    ///
    /// Where the batch fails, dropping it leaves it to each of its callers to encode what is its own; where it is
    /// the caller's alone, the error is its own.
    fn run(
        &self,
        call: Call<'_>,
        own: &Arc<Piece>,
        batch: Batch<'_>,
        reported: &mut u64,
    ) -> Result<()> {
        let mut plan = Plan::new(self, call, &batch);
        let joint = Joint::new(call.progress, own, &batch.pieces);
        let encoded = if plan.texts.is_empty() {
            Ok(Vec::new())
        } else {
            let _running = Running::begin();
            self.compute(call, &plan.texts, &joint)
        };
        *reported += joint.reported.into_inner();
        match encoded {
            Ok(vectors) => {
                let shared = plan.shared;
                self.count(|counts| {
                    counts.batches += 1;
                    counts.found += shared;
                });
                self.remember(call, plan.encoded.iter(), &vectors);
                plan.add(&vectors, call.encoder.dimensions());
                let rows = batch.pieces.iter().map(|piece| plan.rows_of(piece)).collect();
                batch.deliver(rows);
                Ok(())
            }
            Err(error) if batch.pieces.iter().all(|piece| Arc::ptr_eq(piece, own)) => Err(error),
            Err(_) => Ok(()),
        }
    }

    fn remember<'k>(
        &self,
        call: Call<'_>,
        keys: impl Iterator<Item = &'k ContentKey>,
        vectors: &[f32],
    ) {
        let mut cache = self.cache(call.role);
        for (key, vector) in keys.zip(vectors.chunks_exact(call.encoder.dimensions())) {
            cache.insert(*key, vector);
        }
    }
}

fn interrupted() -> Error {
    ecphory_model::Error::Interrupted.into()
}

/// What a batch encodes: each text once, without those whose vectors came into the cache while they waited.
struct Plan<'b> {
    texts: Vec<&'b str>,
    encoded: Vec<ContentKey>,
    vectors: FxHashMap<ContentKey, Box<[f32]>>,
    /// How many texts did not have to be encoded.
    shared: u64,
}

impl<'b> Plan<'b> {
    fn new(service: &EncodingService, call: Call<'_>, batch: &'b Batch<'_>) -> Self {
        let (texts, encoded, vectors) = (Vec::new(), Vec::new(), FxHashMap::default());
        let mut plan = Self { texts, encoded, vectors, shared: 0 };
        let mut cache = service.cache(call.role);
        for (key, text) in batch.pieces.iter().flat_map(|piece| &piece.texts) {
            if plan.vectors.contains_key(key) {
                plan.shared += 1;
                continue;
            }
            let known = cache.get(key);
            plan.vectors.insert(*key, known.unwrap_or_default().into());
            if known.is_some() {
                plan.shared += 1;
            } else {
                plan.texts.push(text);
                plan.encoded.push(*key);
            }
        }
        plan
    }

    fn add(&mut self, vectors: &[f32], dimensions: usize) {
        for (key, vector) in self.encoded.iter().zip(vectors.chunks_exact(dimensions)) {
            self.vectors.insert(*key, vector.into());
        }
    }

    fn rows_of(&self, piece: &Piece) -> Vec<f32> {
        piece.texts.iter().flat_map(|(key, _)| &self.vectors[key]).copied().collect()
    }
}

/// Marks this thread as running a batch.
struct Running;

impl Running {
    fn begin() -> Self {
        RUNNING.set(true);
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

/// The progress of a batch: told to the caller that runs it, for its share, and stopped only where everybody
/// wants to stop. The others are told, on their own threads, when it is done.
struct Joint<'a> {
    progress: &'a dyn Progress,
    own: &'a Arc<Piece>,
    pieces: &'a [Arc<Piece>],
    own_texts: u64,
    texts: u64,
    done: AtomicU64,
    reported: AtomicU64,
}

impl<'a> Joint<'a> {
    fn new(progress: &'a dyn Progress, own: &'a Arc<Piece>, pieces: &'a [Arc<Piece>]) -> Self {
        let texts = |piece: &Arc<Piece>| piece.texts.len() as u64;
        let own_texts = pieces.iter().filter(|piece| Arc::ptr_eq(piece, own)).map(texts).sum();
        let texts = pieces.iter().map(texts).sum();
        let (done, reported) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { progress, own, pieces, own_texts, texts, done, reported }
    }
}

impl Progress for Joint<'_> {
    fn begin(&self, _task: &str, _total: u64) {}

    fn advance(&self, units: u64) {
        let before = self.done.fetch_add(units, Ordering::Relaxed);
        // Never more than its own texts: `done` counts no text twice.
        let share = |done: u64| done * self.own_texts / self.texts.max(1);
        let more = share(before + units) - share(before);
        if more > 0 {
            self.reported.fetch_add(more, Ordering::Relaxed);
            self.progress.advance(more);
        }
    }

    fn end(&self) {}

    fn cancelled(&self) -> bool {
        if self.own_texts > 0 && !self.progress.cancelled() {
            return false;
        }
        self.pieces.iter().all(|piece| Arc::ptr_eq(piece, self.own) || piece.left())
    }
}

/// The progress of texts some of which were told of before.
struct Rest<'a> {
    progress: &'a dyn Progress,
    told: AtomicU64,
}

impl Progress for Rest<'_> {
    fn begin(&self, _task: &str, _total: u64) {}

    fn advance(&self, units: u64) {
        let told = self.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |told| {
            Some(told.saturating_sub(units))
        });
        let more = units.saturating_sub(told.unwrap_or_default());
        if more > 0 {
            self.progress.advance(more);
        }
    }

    fn end(&self) {}

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }
}
