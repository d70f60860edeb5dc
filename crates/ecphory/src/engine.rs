//! The engine: threads, models and the clock, shared by the collections it opens.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ecphory_core::Progress;
use ecphory_core::storage::Directory;
use ecphory_index::{
    Bm25Settings, ChannelKind, ChannelSchema, Collection as IndexCollection, DenseSettings, Schema,
    SparseSettings,
};
use ecphory_model::{
    CrossEncoder, Encoder, EncoderOptions, EncodingCache, LateEncoder, ModelStore, Precision, Role,
    SparseEncoder, SparseVector, StoreConfig,
};
use rustc_hash::FxHashMap;

use crate::channel::{ChannelRequest, RequestKind};
use crate::encoding::{EncodingOptions, EncodingService, EncodingStats};
use crate::{Clock, Collection, Error, Result, SystemClock};

/// What an engine is made of.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// How many threads encode and search; 0 is as many as the machine has.
    pub threads: usize,
    /// Where models are and where they come from.
    pub models: StoreConfig,
    /// The limits of the encoding service.
    pub encoding: EncodingOptions,
    /// Where vectors are kept from one process to the next, and asked for when they are not in memory.
    pub disk_cache: Option<Arc<EncodingCache>>,
}

/// Threads, models and a clock. Clones share them.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// The directory, and how it was opened.
type EncoderKey = (PathBuf, EncoderOptions);

/// Models that were opened; one may weigh gigabytes.
type Opened<M> = Mutex<FxHashMap<EncoderKey, Arc<M>>>;

struct Inner {
    pool: rayon::ThreadPool,
    models: ModelStore,
    encoders: Opened<Encoder>,
    cross_encoders: Opened<CrossEncoder>,
    late_encoders: Opened<LateEncoder>,
    sparse_encoders: Opened<SparseEncoder>,
    encoding: EncodingService,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("threads", &self.pool().current_num_threads()).finish()
    }
}

impl Engine {
    /// Makes an engine that reads the system's clock.
    ///
    /// # Errors
    /// Where the threads cannot be started.
    pub fn new(config: EngineConfig) -> Result<Self> {
        Self::with_clock(config, Arc::new(SystemClock::new()))
    }

    /// Makes an engine with another clock, from which timings and commit intervals are read.
    ///
    /// # Errors
    /// Where the threads cannot be started.
    pub fn with_clock(config: EngineConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let threads = config.threads;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("ecphory-{number}"))
            .build()
            .map_err(|source| Error::Threads { threads, source })?;
        let models = ModelStore::new(config.models);
        let encoding = EncodingService::new(&config.encoding, config.disk_cache);
        let inner = Inner {
            pool,
            models,
            encoders: Mutex::default(),
            cross_encoders: Mutex::default(),
            late_encoders: Mutex::default(),
            sparse_encoders: Mutex::default(),
            encoding,
            clock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns the store of models.
    pub fn models(&self) -> &ModelStore {
        &self.inner.models
    }

    pub(crate) fn pool(&self) -> &rayon::ThreadPool {
        &self.inner.pool
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// Opens an encoder by the name of a model that was pulled or the path of its directory, or returns
    /// the one that is open with the same options.
    ///
    /// # Errors
    /// Where there is no such model, or it is damaged or not supported.
    pub fn encoder(&self, name_or_path: &str, options: &EncoderOptions) -> Result<Arc<Encoder>> {
        let directory = self.inner.models.resolve(name_or_path)?;
        Ok(opened(&self.inner.encoders, (directory, options.clone()), Encoder::open)?)
    }

    /// Opens a cross-encoder as [`Self::encoder`] opens an encoder.
    ///
    /// # Errors
    /// Where there is no such model, or it is no cross-encoder, damaged or not supported.
    pub fn cross_encoder(
        &self,
        name_or_path: &str,
        options: &EncoderOptions,
    ) -> Result<Arc<CrossEncoder>> {
        let directory = self.inner.models.resolve(name_or_path)?;
        let key = (directory, options.clone());
        opened(&self.inner.cross_encoders, key, CrossEncoder::open).map_err(|source| {
            let model = name_or_path.to_owned();
            Error::CrossEncoder { model, source: Box::new(source) }
        })
    }

    /// Opens a model as one of late interaction, as [`Self::encoder`] opens an encoder. One that was not made for it has the states
    /// of its tokens compared.
    ///
    /// # Errors
    /// Where there is no such model, or it makes no states of tokens, is damaged or not supported.
    pub fn late_encoder(
        &self,
        name_or_path: &str,
        options: &EncoderOptions,
    ) -> Result<Arc<LateEncoder>> {
        let directory = self.inner.models.resolve(name_or_path)?;
        Ok(opened(&self.inner.late_encoders, (directory, options.clone()), LateEncoder::open)?)
    }

    /// Opens a sparse encoder, as [`Self::encoder`] opens a dense one.
    ///
    /// # Errors
    /// Where there is no such model, or it gives no weights of terms, is damaged or not supported.
    pub fn sparse_encoder(
        &self,
        name_or_path: &str,
        options: &EncoderOptions,
    ) -> Result<Arc<SparseEncoder>> {
        let directory = self.inner.models.resolve(name_or_path)?;
        Ok(opened(&self.inner.sparse_encoders, (directory, options.clone()), SparseEncoder::open)?)
    }

    /// Encodes texts on the engine's threads into weighted terms, one vector a text.
    pub(crate) fn encode_sparse(
        &self,
        encoder: &SparseEncoder,
        texts: &[&str],
        role: Role,
        progress: &dyn Progress,
    ) -> Result<Vec<SparseVector>> {
        Ok(encoder.encode(texts, role, self.pool(), progress)?)
    }

    /// Encodes texts on the engine's threads into `texts.len()` rows of the encoder's dimensions.
    ///
    /// All callers of the engine share a cache of vectors, and the batches in which texts are encoded; collections
    /// encode documents and queries through this too. What is not in memory is looked for in
    /// [`EngineConfig::disk_cache`], where there is one, and stored there. The vectors are bit for bit those of [`Encoder::encode`].
    /// Blocks while the texts of others are before these, or where more of them wait than
    /// [`EncodingOptions::waiting_bytes_max`]. Reports a task `encode` with one unit a text.
    ///
    /// # Errors
    /// As [`Encoder::encode`] for these texts alone: what happens to others' texts makes no difference.
    pub fn encode(
        &self,
        encoder: &Encoder,
        texts: &[&str],
        role: Role,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        self.inner.encoding.encode(encoder, texts, role, self.pool(), progress)
    }

    /// Returns the cache on disk, where there is one.
    pub fn disk_cache(&self) -> Option<&EncodingCache> {
        self.inner.encoding.disk()
    }

    /// Returns what the encoding service has done so far.
    pub fn encoding_stats(&self) -> EncodingStats {
        self.inner.encoding.stats()
    }

    /// Opens the encoder that a requested channel would have, and returns its fingerprint; `None` for a kind that
    /// has none.
    ///
    /// # Errors
    /// As [`Self::encoder`], and where the request contradicts itself.
    pub fn requested_fingerprint(&self, request: &ChannelRequest) -> Result<Option<String>> {
        Ok(match self.channel_schema(request)?.kind {
            ChannelKind::Bm25(_) => None,
            ChannelKind::Dense(settings) => Some(settings.fingerprint),
            ChannelKind::Sparse(settings) => Some(settings.fingerprint),
        })
    }

    /// Opens the encoder of a channel, and checks that it is the one whose vectors the channel holds.
    pub(crate) fn channel_encoder(
        &self,
        channel: &str,
        settings: &DenseSettings,
    ) -> Result<Arc<Encoder>> {
        let options = encoder_options(settings.max_tokens, settings.precision.as_deref())?;
        let encoder = self.encoder(&settings.encoder, &options)?;
        let same = encoder.fingerprint() == settings.fingerprint
            && encoder.dimensions() == settings.dimensions as usize;
        if same {
            return Ok(encoder);
        }
        Err(Error::OtherModel {
            channel: channel.to_owned(),
            model: settings.encoder.clone(),
            expected: described(&settings.fingerprint, settings.dimensions as usize),
            found: described(encoder.fingerprint(), encoder.dimensions()),
        })
    }

    /// Opens the encoder of a sparse channel, and checks that it is the one whose weights the channel holds.
    pub(crate) fn channel_sparse_encoder(
        &self,
        channel: &str,
        settings: &SparseSettings,
    ) -> Result<Arc<SparseEncoder>> {
        let options = encoder_options(settings.max_tokens, settings.precision.as_deref())?;
        let encoder = self.sparse_encoder(&settings.encoder, &options)?;
        let terms = encoder.terms();
        if encoder.fingerprint() == settings.fingerprint && terms == settings.terms as usize {
            return Ok(encoder);
        }
        let described =
            |fingerprint: &str, terms: usize| format!("{} with {terms} terms", short(fingerprint));
        Err(Error::OtherModel {
            channel: channel.to_owned(),
            model: settings.encoder.clone(),
            expected: described(&settings.fingerprint, settings.terms as usize),
            found: described(encoder.fingerprint(), terms),
        })
    }

    /// Prepares a collection at a path where nothing is yet.
    ///
    /// Its encoders are opened, so that a missing model is found out now; on disk it begins to exist with
    /// the first documents.
    ///
    /// # Errors
    /// Where the path exists, a model is missing, or the channels contradict each other.
    pub fn create(
        &self,
        path: impl AsRef<Path>,
        channels: &[ChannelRequest],
    ) -> Result<Collection> {
        let path = path.as_ref();
        if path.file_name().is_none() {
            return Err(Error::NoName { path: path.to_owned() });
        }
        if path.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: path.to_owned() });
        }
        let mut schema =
            Schema { channels: Vec::with_capacity(channels.len()), fields: Vec::new() };
        for request in channels {
            schema.channels.push(self.channel_schema(request)?);
        }
        schema.validate()?;
        Ok(Collection::prepared(self.clone(), path.to_owned(), schema))
    }

    pub(crate) fn channel_schema(&self, request: &ChannelRequest) -> Result<ChannelSchema> {
        request.check()?;
        let kind = match &request.kind {
            RequestKind::Bm25 { k1, b, analyzer } => {
                ChannelKind::Bm25(Bm25Settings { k1: *k1, b: *b, analyzer: analyzer.clone() })
            }
            RequestKind::Dense { model, max_tokens, passages, precision } => {
                let options = encoder_options(*max_tokens, precision.as_deref())?;
                let encoder = self.encoder(model, &options)?;
                ChannelKind::Dense(DenseSettings {
                    encoder: lasting_name(model)?,
                    fingerprint: encoder.fingerprint().to_owned(),
                    dimensions: encoder.dimensions() as u32,
                    max_tokens: *max_tokens,
                    passages: passages.clone(),
                    precision: precision.clone(),
                })
            }
            RequestKind::Sparse { model, max_tokens, precision } => {
                let options = encoder_options(*max_tokens, precision.as_deref())?;
                let encoder = self.sparse_encoder(model, &options)?;
                ChannelKind::Sparse(SparseSettings {
                    encoder: lasting_name(model)?,
                    fingerprint: encoder.fingerprint().to_owned(),
                    terms: encoder.terms() as u32,
                    max_tokens: *max_tokens,
                    precision: precision.clone(),
                })
            }
        };
        Ok(ChannelSchema { name: request.name.clone(), fields: request.fields.clone(), kind })
    }

    /// Opens a collection.
    ///
    /// # Errors
    /// Where there is none at the path, or its manifest is damaged.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Collection> {
        let path = path.as_ref();
        let missing = || Error::NoCollection { path: path.to_owned() };
        if !path.is_dir() {
            return Err(missing());
        }
        let opened = IndexCollection::open(Arc::new(Directory::open(path)?));
        match opened {
            Ok(index) => Ok(Collection::opened(self.clone(), path.to_owned(), index)),
            Err(ecphory_index::Error::NoCollection) => Err(missing()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the model that is open, or opens it.
fn opened<M>(
    models: &Opened<M>,
    key: EncoderKey,
    open: impl FnOnce(&Path, &EncoderOptions) -> ecphory_model::Result<M>,
) -> ecphory_model::Result<Arc<M>> {
    // Two threads that ask at once wait for one to open the model, instead of both reading it.
    let mut models = models.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(model) = models.get(&key) {
        return Ok(Arc::clone(model));
    }
    let model = Arc::new(open(&key.0, &key.1)?);
    models.insert(key, Arc::clone(&model));
    Ok(model)
}

/// Returns how the encoder of a channel is opened.
fn encoder_options(max_tokens: Option<u32>, precision: Option<&str>) -> Result<EncoderOptions> {
    let precision = precision.map(str::parse::<Precision>).transpose()?.unwrap_or_default();
    let max_tokens = max_tokens.map(|count| count as usize);
    Ok(EncoderOptions {
        max_tokens,
        precision,
        #[cfg(feature = "onnx")]
        runtime: ecphory_model::Runtime::default(),
    })
}

/// Returns the name by which a model is found again: a relative path would depend on where one stands.
fn lasting_name(model: &str) -> Result<String> {
    let path = Path::new(model);
    let is_path = path.components().count() > 1 || model.starts_with('.');
    if is_path && path.is_dir() {
        return Ok(std::path::absolute(path)?.to_string_lossy().into_owned());
    }
    Ok(model.to_owned())
}

fn described(fingerprint: &str, dimensions: usize) -> String {
    format!("{} with {dimensions} dimensions", short(fingerprint))
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}
