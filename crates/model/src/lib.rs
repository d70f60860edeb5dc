//! Encoders and generators: from text to vectors and to more text, and from a model's name to its directory.
//!
//! [`Encoder`] opens a model directory as Hugging Face and sentence-transformers save it and computes on the
//! CPU, without Python. [`Generator`] does the same for decoders that continue text, from GGUF files too. [`ModelStore`] finds such directories by name and fetches them once.
//!
//! Inside, an architecture (`post_norm`, `decoder`) is described once over an executor (`executor`); `eval` is the executor
//! that computes.
#![doc = include_str!("../../../docs/guide/models.md")]

mod attention;
mod config;
mod convert;
mod decoder;
mod encoder;
mod error;
mod eval;
mod executor;
mod fingerprint;
mod generate;
mod gguf;
mod head;
mod json;
mod layout;
mod load;
mod names;
mod plan;
mod post_norm;
mod precision;
mod relative;
mod rotary;
mod static_table;
mod store;
mod stored;
mod tensor;
mod weights;

pub use convert::{Converted, convert, weight_bytes};
pub use encoder::{Encoder, EncoderOptions, Role};
pub use error::{Error, FetchError, Result, SourceFailure};
pub use generate::{
    Beam, Decoding, GenerateOptions, Generated, Generator, GeneratorOptions, Message, Prompt,
    Sampling, Speaker, StopReason,
};
pub use gguf::GgufProblem;
pub use precision::Precision;
pub use store::{CatalogueEntry, ModelFile, ModelStore, Source, StoreConfig, Usable, catalogue};
