//! Encoders and generators: from text to vectors and to more text, and from a model's name to its directory.
//!
//! [`Encoder`] opens a model directory as Hugging Face and sentence-transformers save it and computes on the
//! CPU, without Python; [`LateEncoder`] makes a vector of each token, [`SparseEncoder`] weights of terms,
//! [`CrossEncoder`] reads a query and a document together,
//! [`MaskedLm`] predicts words.
//! [`Generator`] continues text with a decoder, from GGUF files too. [`ModelStore`] finds such directories by name and
//! fetches them once.
//!
//! [`WordPieces`] are a transformer's tokens with the rows of its table.
//! [`TrainableEncoder`] is an encoder whose parameters can move: it gives gradients, and saves what they made of it.
//! [`TrainableCrossEncoder`] is the same for cross-encoders, and begins with an encoder too.
//!
//! Inside, an architecture (`post_norm`, `pre_norm`, `decoder`) is described once over an executor (`executor`); `eval` is
//! the executor that computes, `tape` the one that records for training.
#![doc = include_str!("../../../docs/guide/models.md")]

mod attention;
mod backbone;
mod cache;
mod classifier;
mod config;
mod convert;
mod cross_encoder;
mod decoder;
mod encoder;
mod error;
mod eval;
mod executor;
mod fingerprint;
mod fresh;
mod generate;
mod gguf;
mod head;
mod json;
mod late_encoder;
mod layout;
mod load;
mod masked_lm;
mod modules;
mod names;
#[cfg(feature = "onnx")]
mod onnx;
mod pieces;
mod plan;
mod post_norm;
mod pre_norm;
mod precision;
mod reading;
mod relative;
mod rotary;
mod runner;
mod sparse_encoder;
mod static_table;
mod store;
mod stored;
mod tape;
mod tensor;
mod trainable;
mod trunk;
mod weights;
mod words;

pub use cache::{CacheOptions, CachedStates, CachedVectors, EncodingCache, StateBuffer};
pub use convert::{Converted, average_models, convert, weight_bytes};
pub use cross_encoder::{CrossEncoder, ScoreFunction};
pub use encoder::{Encoder, EncoderOptions, Role, TokenStates};
pub use error::{Error, FetchError, Result, SourceFailure};
pub use generate::{
    Beam, Decoding, GenerateOptions, Generated, Generator, GeneratorOptions, Message, Prompt,
    Sampling, Speaker, StopReason,
};
pub use gguf::GgufProblem;
pub use head::Pooling;
pub use late_encoder::{LateEncoder, TokenMatch};
pub use layout::TermActivation;
pub use masked_lm::{MaskedLm, TokenLogits};
pub use modules::{AddedModules, DenseModule};
#[cfg(feature = "onnx")]
pub use onnx::Runtime;
pub use pieces::WordPieces;
pub use precision::Precision;
pub use sparse_encoder::{SparseEncoder, SparseVector};
pub use store::{
    CatalogueEntry, Conversion, ModelFile, ModelStore, Source, StoreConfig, Usable, catalogue,
};
pub use tape::{Gradient, Gradients, Parameter, ParameterGroup, Parameters, Recording};
pub use trainable::{
    TermHead, TokenPair, TrainableCrossEncoder, TrainableEncoder, TrainableOptions,
};
