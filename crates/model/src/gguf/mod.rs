//! GGUF files: one file with the metadata, the tokenizer and the (often quantised) tensors of a model.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian. The whole header
//! is checked when a file is opened: every text is UTF-8, every count fits the bytes that are left, every tensor lies
//! inside the file and on none of its neighbours. Cost: one pass over the header, 3 MB for a vocabulary of 50,000.
//!
//! The parser is ours because the crates that there are either bring a command line with its sixty packages along or
//! panic where a file is damaged; what a block of numbers means is in `stored`.

mod cursor;
mod file;
mod metadata;
mod names;
mod problem;
#[cfg(test)]
mod tests;
mod tokenizer;

pub(crate) use file::Gguf;
pub(crate) use names::hugging_face;
pub use problem::GgufProblem;
pub(crate) use tokenizer::tokenizer_json;
