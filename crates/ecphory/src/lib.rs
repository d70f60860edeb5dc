//! Encode, store, recall: collections of documents, searched by pipelines.
//!
//! A [`Collection`] is a directory with documents and channels over them: `bm25` for words, `dense` for
//! the vectors of an encoder. A [`Pipeline`] says how to get from a query to a ranking. An [`Engine`] owns
//! the threads and the models.
//!
//! ```
//! use ecphory::{ChannelRequest, Document, EncodingOptions, Engine, EngineConfig, SearchOptions, Silent, StoreConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let models = StoreConfig { cache: folder.path().join("cache"), hub: "https://huggingface.co".into(), python: "python3".into(), offline: true };
//! let engine = Engine::new(EngineConfig { threads: 2, models, encoding: EncodingOptions::default(), disk_cache: None })?;
//! let channels: Vec<ChannelRequest> = vec!["bm25".parse()?];
//! let collection = engine.create(folder.path().join("notes.ecp"), &channels)?;
//! let documents = [
//!     Document::new("1").with("title", "Radium").with("text", "The Curies discovered radium in 1898."),
//!     Document::new("2").with("title", "Penicillin").with("text", "Fleming discovered penicillin in 1928."),
//! ];
//! collection.add(&documents, &Silent)?;
//!
//! let reader = collection.snapshot()?;
//! let pipeline = reader.pipeline("bm25 % 10")?;
//! let response = reader.search(&pipeline, "who discovered radium", &SearchOptions::default())?;
//! assert_eq!(response.hits[0].id, "1");
//! # Ok(())
//! # }
//! ```
//!
//! A collection with a dense channel is made from `["bm25", "dense=minilm"]`; [`Collection::fill`] encodes
//! its documents, and `reader.pipeline("hybrid")` fuses both. [`Collection::writer`] changes a collection that
//! lives, batch by batch; see [`guide::collections`]. Libraries below: [`eval`] judges rankings,
//! [`text`] turns text into terms and passages.
//!
//! This crate runs no server and prints nothing, reads no environment, and starts threads only when an
//! [`Engine`] is made or a [`CollectionWriter`] is opened.

mod browse;
mod channel;
mod claims;
mod clock;
mod collection;
mod encoding;
mod engine;
mod error;
mod explanation;
pub mod export;
mod fusion;
mod mining;
#[cfg(test)]
mod offline;
pub mod pipeline;
pub mod read;
mod reader;
mod resampling;
mod search;
#[cfg(test)]
#[path = "../tests/it/tiny_model.rs"]
mod tiny_model;
mod training;

pub use browse::Order;
pub use channel::{ChannelError, ChannelProblem, ChannelRequest, RequestKind};
pub use claims::{ClaimCollection, ClaimRequest, Examined};
pub use clock::{Clock, SystemClock};
pub use collection::{
    Bulk, BulkOptions, Collection, CollectionWriter, Durability, Filled, SEGMENT_DOCUMENTS_MAX,
    WriterOptions, document_bytes, parse_field,
};
pub use encoding::{EncodingOptions, EncodingStats};
pub use engine::{Engine, EngineConfig};
pub use error::{Error, Result};
pub use explanation::{Explanation, Fact};
pub use fusion::{FusionMethod, fuse_runs};
pub use mining::{Mined, MiningRequest, Nearness, PipelineSearcher, TeacherRequest};
pub use pipeline::{Pipeline, Rm3};
pub use reader::Reader;
pub use resampling::{Protocol, Resampled, ResampledSplit, ResamplingRequest};
pub use search::{CANDIDATES_MIN, HITS_MAX, Hit, Response, SearchOptions, Stage};
pub use training::TrainingRequest;

pub use ecphory_core::{Document, ErrorKind, Progress, Silent, Unshown, Value};
pub use ecphory_eval as eval;
pub use ecphory_index::{
    BackedUp, Batch, Bm25Settings, ChannelKind, ChannelSchema, ComponentSize, Coverage,
    DenseSettings, Error as IndexError, FieldKind, FieldSchema, Filter, Schema, SparseSettings,
    Work, Written,
};
pub use ecphory_model as model;
#[cfg(feature = "onnx")]
pub use ecphory_model::Runtime;
pub use ecphory_model::{
    CacheOptions, Encoder, EncoderOptions, EncodingCache, ModelStore, Precision, Role, StoreConfig,
};
pub use ecphory_text as text;
pub use ecphory_train as train;

/// The guide's chapters; their code is tested.
pub mod guide {
    #[doc = include_str!("../../../docs/guide/collections.md")]
    pub mod collections {}
    #[doc = include_str!("../../../docs/guide/pipelines.md")]
    pub mod pipelines {}
}
