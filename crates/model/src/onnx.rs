//! Encoders whose transformer ONNX Runtime computes, from a library that the user has (feature `onnx`).
//!
//! The graph takes token ids and gives token states; tokenizer, prompts, batches, pooling and all that follows are
//! the same as for our own executor. Cost: the weights once a thread that encodes at the same time, and time for
//! padding. Not for speed on this crate's architectures: it is there to compare, and for graphs that were optimised
//! or quantised elsewhere.

mod external;
mod graph;
mod library;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::precision::Precision;

pub(crate) use graph::Graph;

/// What runs the transformer of an encoder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// This crate, from the weights of the directory.
    #[default]
    Own,
    /// ONNX Runtime, from the graph `model.onnx` or `onnx/model.onnx` of the directory, which takes `input_ids`,
    /// `attention_mask` and, if it wants them, `token_type_ids` (integers of 64 bits, texts by tokens), and gives
    /// `last_hidden_state` or, without that name, a first output of three dimensions. `config.json` is read for sizes;
    /// weights are not.
    ///
    /// Batches are padded to their longest text, so the last bits of a vector may depend on the texts that it is
    /// encoded with, and on the version of the library. A fingerprint says that a vector was made by ONNX Runtime.
    ///
    /// Opening an encoder gives `NotFound` for a missing library or graph, `Input` for a library that does not load or is
    /// too old and for inputs or outputs that are not known, `Corrupt` for a graph that is damaged or whose states have
    /// another size than `config.json` says, `Conflict` where the process has loaded another library, `Usage` for a
    /// static table, a cross-encoder or a masked language model, and for a precision other than `Stored`.
    /// Encoding gives `Corrupt` where the library refuses to run the graph.
    ///
    /// Each batch runs on the one thread of the caller's pool that has it; no other threads are started.
    Onnx {
        /// The library, such as `libonnxruntime.so` of version 1.17 or later. A process can load one; it stays loaded.
        library: PathBuf,
    },
}

impl Runtime {
    /// Checks that our own executor is meant, where there is no other.
    pub(crate) fn check_own(&self, model: &Path) -> Result<()> {
        match self {
            Runtime::Own => Ok(()),
            Runtime::Onnx { .. } => {
                let reason = "only transformers that encode do";
                Err(Error::NotOnnx { model: model.to_owned(), reason })
            }
        }
    }

    /// Checks that no other precision is asked of a graph than it has.
    pub(crate) fn check_precision(model: &Path, precision: Precision) -> Result<()> {
        if precision == Precision::Stored {
            return Ok(());
        }
        let reason = "a graph has its own precision; leave the option out";
        Err(Error::NotOnnx { model: model.to_owned(), reason })
    }
}
