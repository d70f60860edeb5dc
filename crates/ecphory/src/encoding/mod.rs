//! The encoding service: callers on many threads ask for vectors, and share the work and what was made.
//!
//! - A cache holds vectors by content, model and view (query or document), so that a text is not encoded twice
//!   while its vector is remembered. Queries and documents have a shelf each: a corpus that is encoded in bulk
//!   does not push out the queries.
//! - What it does not hold may lie on disk, where other processes left it: a batch takes from there what it finds, and
//!   leaves there what it computes.
//! - Texts that are asked for while a batch runs are put together into the next one, whoever asked. There is
//!   no timer and no thread: a caller that finds no batch running runs one for all that wait, and leaves when its
//!   own texts are done. Batches are of one model and one view, so a query never waits behind documents.
//! - What waits is bounded: beyond the limit callers block until there is room.
//! - Each caller is told of its own progress, on its own thread or those of its own batch, and can stop. One that
//!   stops, fails or panics harms nobody: where a batch fails, each of its callers encodes what is its own.
//!
//! Vectors are bit for bit those of [`Encoder::encode`], whose result for a text does not depend on its batch.
//!
//! Not for one stream of unrelated texts on an otherwise idle engine: that gains nothing here, and loses a digest
//! and a copy of each text (about 2 µs for a kilobyte).

mod batch;
mod cache;
mod lanes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ecphory_core::Progress;
use ecphory_model::{Encoder, EncodingCache, Role};
use rustc_hash::FxHashMap;

use crate::Result;
use cache::{ContentKey, VectorCache};
use lanes::Lanes;

/// How many texts a caller has waiting at most, and how many a batch has. Transformers reach their full speed
/// with far fewer, and others wait no longer than for one batch.
const BATCH_TEXTS: usize = 256;

/// How many bytes of text a caller has waiting at most, and a batch; a longer text is alone in its batch.
const BATCH_BYTES: usize = 1 << 20;

/// Limits of the encoding service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingOptions {
    /// How much memory the vectors of queries may take that are kept in case they are asked for again; 0 keeps none.
    pub query_cache_bytes: usize,
    /// The same for documents.
    pub document_cache_bytes: usize,
    /// How many bytes of text may wait to be encoded, over all callers. A text that is longer than this waits
    /// until it is the only one.
    pub waiting_bytes_max: usize,
}

impl Default for EncodingOptions {
    fn default() -> Self {
        Self {
            query_cache_bytes: 16 << 20,
            document_cache_bytes: 64 << 20,
            waiting_bytes_max: 64 << 20,
        }
    }
}

/// What the encoding service has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodingStats {
    /// How many vectors were asked for.
    pub asked: u64,
    /// How many of them were in the cache, or were asked for twice in one call.
    pub found: u64,
    /// How many vectors were in the cache on disk.
    pub stored: u64,
    /// How many texts went through an encoder.
    pub encoded: u64,
    /// How many batches ran; texts that were encoded apart after a failure are in none.
    pub batches: u64,
    /// How many vectors were dropped from the cache to make room.
    pub evicted: u64,
    /// How many bytes the cache takes.
    pub cache_bytes: u64,
    /// The most bytes of text that waited at any time.
    pub waiting_bytes_peak: u64,
}

/// Encodes for callers on many threads. See the [module](self).
pub(crate) struct EncodingService {
    queries: Mutex<VectorCache>,
    documents: Mutex<VectorCache>,
    disk: Option<Arc<EncodingCache>>,
    lanes: Lanes,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    asked: u64,
    found: u64,
    stored: u64,
    encoded: u64,
    batches: u64,
}

/// Who asks: the encoder, the view, and where the work is done and told.
#[derive(Clone, Copy)]
struct Call<'a> {
    encoder: &'a Encoder,
    role: Role,
    pool: &'a rayon::ThreadPool,
    progress: &'a dyn Progress,
}

impl EncodingService {
    pub fn new(options: &EncodingOptions, disk: Option<Arc<EncodingCache>>) -> Self {
        Self {
            queries: Mutex::new(VectorCache::new(options.query_cache_bytes)),
            documents: Mutex::new(VectorCache::new(options.document_cache_bytes)),
            disk,
            lanes: Lanes::new(options.waiting_bytes_max),
            counts: Mutex::default(),
        }
    }

    /// Returns the cache on disk.
    pub fn disk(&self) -> Option<&EncodingCache> {
        self.disk.as_deref()
    }

    /// Encodes texts into `texts.len()` rows, in the order of the texts.
    ///
    /// Reports a task `encode` with one unit a text. Blocks while others' texts are before these.
    ///
    /// # Errors
    /// As [`Encoder::encode`] for these texts alone.
    pub fn encode(
        &self,
        encoder: &Encoder,
        texts: &[&str],
        role: Role,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        progress.begin("encode", texts.len() as u64);
        let vectors = self.encode_all(Call { encoder, role, pool, progress }, texts);
        progress.end();
        vectors
    }

    fn encode_all(&self, call: Call<'_>, texts: &[&str]) -> Result<Vec<f32>> {
        // Work that is all in the cache stops too when it should.
        if call.progress.cancelled() {
            return Err(ecphory_model::Error::Interrupted.into());
        }
        let dimensions = call.encoder.dimensions();
        let fingerprint = call.encoder.fingerprint();
        let keys: Vec<ContentKey> =
            texts.iter().map(|text| ContentKey::new(fingerprint, call.role, text)).collect();
        let mut out = vec![0.0; texts.len() * dimensions];
        let (missing, twins) = self.look_up(call.role, &keys, dimensions, &mut out);
        let found = texts.len() - missing.len();
        self.count(|counts| {
            counts.asked += texts.len() as u64;
            counts.found += found as u64;
        });
        if found > 0 {
            call.progress.advance(found as u64);
        }
        for piece in pieces(texts, &missing) {
            let asked: Vec<(ContentKey, &str)> =
                piece.iter().map(|&i| (keys[i], texts[i])).collect();
            let vectors = self.encode_piece(call, &asked)?;
            for (&i, vector) in piece.iter().zip(vectors.chunks_exact(dimensions)) {
                out[i * dimensions..][..dimensions].copy_from_slice(vector);
            }
        }
        for (twin, first) in twins {
            out.copy_within(first * dimensions..(first + 1) * dimensions, twin * dimensions);
        }
        Ok(out)
    }

    /// Fills in what the cache has. Returns the numbers of the texts that it lacks, each once, and those that
    /// are the same as one before, with that one.
    fn look_up(
        &self,
        role: Role,
        keys: &[ContentKey],
        dimensions: usize,
        out: &mut [f32],
    ) -> (Vec<usize>, Vec<(usize, usize)>) {
        let (mut missing, mut twins) = (Vec::new(), Vec::new());
        let mut firsts: FxHashMap<ContentKey, usize> = FxHashMap::default();
        let mut cache = self.cache(role);
        for (i, key) in keys.iter().enumerate() {
            if let Some(vector) = cache.get(key) {
                out[i * dimensions..][..dimensions].copy_from_slice(vector);
            } else if let Some(&first) = firsts.get(key) {
                twins.push((i, first));
            } else {
                firsts.insert(*key, i);
                missing.push(i);
            }
        }
        (missing, twins)
    }

    fn cache(&self, role: Role) -> MutexGuard<'_, VectorCache> {
        let cache = match role {
            Role::Query => &self.queries,
            Role::Document => &self.documents,
        };
        cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn stats(&self) -> EncodingStats {
        let (mut evicted, mut cache_bytes) = (0, 0);
        for role in [Role::Query, Role::Document] {
            let cache = self.cache(role);
            evicted += cache.evicted();
            cache_bytes += cache.bytes() as u64;
        }
        let waiting_bytes_peak = self.lanes.waiting_bytes_peak();
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { asked, found, stored, encoded, batches } = *counts;
        EncodingStats {
            asked,
            found,
            stored,
            encoded,
            batches,
            evicted,
            cache_bytes,
            waiting_bytes_peak,
        }
    }
}

/// Cuts numbers of texts into pieces that one batch takes.
fn pieces<'a>(texts: &'a [&str], numbers: &'a [usize]) -> impl Iterator<Item = &'a [usize]> {
    let mut rest = numbers;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |&&i: &&usize| {
            bytes += texts[i].len();
            bytes <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH_TEXTS).take_while(fits).count();
        // A text that is too long for a piece is one by itself.
        let (piece, after) = rest.split_at(count.max(1).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests;
