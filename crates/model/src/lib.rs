//! Encoders: from text to vectors, and from a model's name to its directory.
//!
//! [`Encoder`] opens a model directory as Hugging Face and sentence-transformers save it and computes on the
//! CPU, without Python. [`ModelStore`] finds such directories by name and fetches them once.
//!
//! Inside, an architecture (`post_norm`) is described once over an executor (`executor`); `eval` is the executor
//! that computes.
#![doc = include_str!("../../../docs/guide/models.md")]

mod attention;
mod backbone;
mod config;
mod encoder;
mod error;
mod eval;
mod executor;
mod fingerprint;
mod head;
mod json;
mod layout;
mod load;
mod names;
mod plan;
mod post_norm;
mod pre_norm;
mod relative;
mod rotary;
mod runner;
mod static_table;
mod store;
mod weights;

pub use encoder::{Encoder, EncoderOptions, Role};
pub use error::{Error, FetchError, Result, SourceFailure};
pub use store::{CatalogueEntry, Conversion, ModelFile, ModelStore, Source, StoreConfig, Usable, catalogue};
