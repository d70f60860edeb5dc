//! The arguments of `encode`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ecphory::Precision;

/// Encode texts into vectors: JSON lines, or a file for numpy, safetensors or Parquet.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory encode minilm --text \"who discovered radium\" --role query\n  ecphory encode minilm corpus.jsonl.gz -o vectors.npy\n  ecphory encode minilm corpus.jsonl.gz -o vectors.npy --resume\n\nThe extension of FILE decides: .npy and .safetensors (tensor `embeddings`) hold one row for each text, and FILE.ids the ids in the same order, one a line (a line that begins with a quotation mark is a JSON string); .parquet has the columns `id` and `embedding`; .jsonl has lines {\"_id\": ..., \"vector\": [...]}. Memory does not depend on how many texts there are.\n\nFILE appears when it is whole. Until then the work is in FILE.partial, FILE.ids.partial and FILE.journal, and --resume goes on after an interruption; the file is then the same, byte for byte."
)]
pub struct Encode {
    /// A model: a name from `ecphory models list`, or a directory.
    pub model: String,
    /// Documents as for `index` [default: lines of standard input].
    #[arg(conflicts_with = "text")]
    pub input: Option<PathBuf>,
    /// A text to encode; may be repeated.
    #[arg(long)]
    pub text: Vec<String>,
    /// Which prompt of the model to use.
    #[arg(long, value_enum, default_value_t = RoleName::Document)]
    pub role: RoleName,
    /// Cut texts at this many tokens [default: the model's limit].
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<usize>,
    /// How the weights of the model lie in memory: stored (as in its files), f32, f16, bf16 or int8, which is faster
    /// and changes vectors in the third digit.
    #[arg(long, value_name = "PRECISION", default_value_t = Precision::Stored)]
    pub precision: Precision,
    /// Run the model's graph (model.onnx or onnx/model.onnx) through this ONNX Runtime library.
    #[cfg(feature = "onnx")]
    #[arg(long, value_name = "LIBRARY")]
    pub onnx_runtime: Option<PathBuf>,
    /// A field of the documents to encode; of several, the texts are joined [default: title and text].
    #[arg(long = "field", value_name = "NAME", requires = "input")]
    pub fields: Vec<String>,
    /// Leave out malformed documents and those without text, and list them.
    #[arg(long, requires = "input")]
    pub skip_bad: bool,
    /// How many texts are encoded, and in memory, at once; an interruption loses no more.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch: u32,
    /// The file of vectors: .npy, .safetensors, .parquet or .jsonl [default: JSON lines to standard output].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The type of the values in .npy and .safetensors.
    #[arg(long, value_enum, default_value_t = ValueName::F32)]
    pub values: ValueName,
    /// Go on with a file whose encoding was interrupted; begin where there is none.
    #[arg(long, requires = "output", conflicts_with = "replace")]
    pub resume: bool,
    /// Replace the file, or what was begun of it, where there is any.
    #[arg(long, requires = "output")]
    pub replace: bool,
}

/// What a text is to the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// A query.
    Query,
    /// A document.
    Document,
}

/// The type of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValueName {
    /// 32 bits, as the encoder gives them.
    F32,
    /// 16 bits, rounded to the nearest.
    F16,
}
