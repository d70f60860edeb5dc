//! The batches that both sides train on, as files with the tokens of a text on each line.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ecphory_text::subword::Tokenizer;
use serde_json::{Value, json};

use crate::cache::Scratch;
use crate::corpus;

/// Pairs of a batch.
const PAIRS: usize = 16;
/// The length of all texts where it is one.
const TOKENS: usize = 64;
/// Where longer texts are cut otherwise: the model's own limit.
const TOKENS_MAX: usize = 256;

/// A batch: the text on a line of one file belongs to the one on the same line of the other.
pub struct Batch {
    pub title: String,
    queries: PathBuf,
    documents: PathBuf,
}

impl Batch {
    /// The request that opens it with a model.
    pub fn request(&self, model: &Path) -> Value {
        json!({ "model": model, "queries": self.queries, "documents": self.documents })
    }
}

/// Writes both batches, cut down by `divisor`.
pub fn prepare(model: &Path, scratch: &Scratch, divisor: usize) -> Result<[Batch; 2]> {
    let count = PAIRS / divisor;
    let tokenizer = Tokenizer::open(&model.join("tokenizer.json"))?;
    let write = |name: &str, texts: &[&str]| -> Result<PathBuf> {
        let mut lines = Vec::with_capacity(texts.len());
        for text in texts {
            let tokens = tokenizer.encode(text, TOKENS_MAX)?;
            lines.push(tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
        }
        let path = scratch.path(name);
        corpus::write(&path, lines)?;
        Ok(path)
    };
    let scifact = corpus::scifact::wanted()?;
    let equal = scifact.cut(model, "", TOKENS, 2 * count)?;
    let equal: Vec<&str> = equal.iter().map(String::as_str).collect();
    let (claims, abstracts): (Vec<&str>, Vec<&str>) =
        corpus::spread(&scifact.pairs()?, count).into_iter().unzip();
    Ok([
        Batch {
            title: format!("{count} pairs of {TOKENS} tokens"),
            queries: write("equal-queries", &equal[..count])?,
            documents: write("equal-documents", &equal[count..])?,
        },
        Batch {
            title: format!("{count} claims and abstracts (up to {TOKENS_MAX} tokens)"),
            queries: write("mixed-queries", &claims)?,
            documents: write("mixed-documents", &abstracts)?,
        },
    ])
}
