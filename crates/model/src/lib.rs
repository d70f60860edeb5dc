//! Encoders: from text to vectors, and from a model's name to its directory.
//!
//! [`Encoder`] opens a model directory as Hugging Face and sentence-transformers save it and computes on the
//! CPU, without Python; [`CrossEncoder`] reads a query and a document together, [`MaskedLm`] predicts words.
//! [`ModelStore`] finds such directories by name and fetches them once.
//!
//! Inside, an architecture (`post_norm`, `pre_norm`) is described once over an executor (`executor`); `eval` is
//! the executor that computes.
#![doc = include_str!("../../../docs/guide/models.md")]

mod attention;
mod backbone;
mod classifier;
mod config;
mod cross_encoder;
mod encoder;
mod error;
mod eval;
mod executor;
mod fingerprint;
mod head;
mod json;
mod layout;
mod load;
mod masked_lm;
mod names;
mod plan;
mod post_norm;
mod pre_norm;
mod relative;
mod rotary;
mod runner;
mod static_table;
mod store;
mod trunk;
mod weights;

pub use cross_encoder::{CrossEncoder, ScoreFunction};
pub use encoder::{Encoder, EncoderOptions, Role};
pub use error::{Error, FetchError, Result, SourceFailure};
pub use masked_lm::{MaskedLm, TokenLogits};
pub use store::{
    CatalogueEntry, Conversion, ModelFile, ModelStore, Source, StoreConfig, Usable, catalogue,
};
