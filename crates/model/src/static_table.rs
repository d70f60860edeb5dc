//! Static encoders: a text is the mean of its tokens' rows in one table.
//!
//! Two layouts: `Model2Vec` (Tulkens and van Dongen 2024; tensor `embeddings`, optionally `weights` per token
//! and `mapping` from token to row; unknown tokens left out) and the `StaticEmbedding` module of
//! sentence-transformers (tensor `embedding.weight`), which `WordLlama`'s table becomes when it is pulled.
//! Cost: one row read a token, about a thousand times less than a transformer. No token sees another.

use std::path::Path;

use serde::Deserialize;

use crate::config::CONFIG;
use crate::error::{Error, Result};
use crate::json;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// Tokens that `Model2Vec` reads of a text unless told otherwise.
const MODEL2VEC_TOKENS: usize = 512;
/// The most tokens that are read of a text where nothing else limits it.
pub(crate) const UNLIMITED: usize = 1 << 20;

/// A table and how to read it.
pub(crate) struct StaticTable {
    rows: Tensor,
    weights: Option<Vec<f32>>,
    mapping: Option<Vec<u32>>,
    /// The token that is left out.
    unknown: Option<u32>,
    /// Tokens read where the caller does not say.
    pub(crate) default_tokens: usize,
    /// Whether the configuration asks for unit length, where it says.
    pub(crate) normalize: Option<bool>,
}

#[derive(Deserialize)]
struct Settings {
    model_type: Option<String>,
    normalize: Option<bool>,
    max_length: Option<usize>,
}

#[derive(Deserialize)]
struct TokenizerFile {
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct TokenizerModel {
    unk_token: Option<String>,
    unk_id: Option<u32>,
    #[serde(default)]
    vocab: serde_json::Value,
}

impl StaticTable {
    /// Opens the table of a directory.
    pub(crate) fn open(directory: &Path, weights: &Weights) -> Result<Self> {
        let config = settings(directory, weights)?;
        let rows = match weights.find("embeddings")? {
            Some(tensor) => tensor,
            None => weights.find("embedding.weight")?.ok_or_else(|| Error::MissingTensor {
                path: weights.path().to_owned(),
                tensor: "embeddings or embedding.weight".to_owned(),
            })?,
        };
        let [count, dimensions] = rows.shape[..] else { return Err(shape(&rows, &[0, 0])) };
        if count == 0 || dimensions == 0 {
            return Err(shape(&rows, &[1, 1]));
        }
        let token_weights = weights.find("weights")?;
        let mapping =
            weights.integers("mapping")?.map(|rows| checked(weights.path(), &rows, count));
        let mapping = mapping.transpose()?;
        let tokens = mapping.as_ref().map_or(count, Vec::len);
        if let Some(tensor) = token_weights.as_ref().filter(|t| t.shape != [tokens]) {
            return Err(shape(tensor, &[tokens]));
        }
        Ok(Self {
            rows,
            weights: token_weights.map(|tensor| tensor.to_vec()),
            mapping,
            unknown: if config.is_some() { unknown_token(directory)? } else { None },
            default_tokens: config.as_ref().map_or(UNLIMITED, |config| {
                config.max_length.unwrap_or(MODEL2VEC_TOKENS).clamp(1, UNLIMITED)
            }),
            normalize: config.and_then(|c| c.normalize),
        })
    }

    /// Returns how many dimensions a row has.
    pub(crate) fn dimensions(&self) -> usize {
        self.rows.shape[1]
    }

    /// Returns the token that is left out.
    pub(crate) fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Returns how many tokens have a row.
    pub(crate) fn tokens(&self) -> usize {
        self.mapping.as_ref().map_or(self.rows.shape[0], Vec::len)
    }

    /// Computes the mean of a text's rows; zeros for a text without tokens.
    pub(crate) fn mean(&self, tokens: &[u32], out: &mut [f32]) {
        out.fill(0.0);
        let mut scratch = vec![0.0; out.len()];
        let mut count = 0.0;
        for &token in tokens.iter().filter(|&&token| Some(token) != self.unknown) {
            let row = self.mapping.as_ref().map_or(token, |rows| rows[token as usize]);
            match &self.weights {
                None => self.rows.add_row(row as usize, out),
                Some(weights) => {
                    scratch.fill(0.0);
                    self.rows.add_row(row as usize, &mut scratch);
                    for (out, x) in out.iter_mut().zip(&scratch) {
                        *out += x * weights[token as usize];
                    }
                }
            }
            count += 1.0;
        }
        if count > 0.0 {
            for x in out {
                *x /= count;
            }
        }
    }
}

/// Returns whether a directory holds `Model2Vec`'s layout: its configuration names no other model, and its
/// weights are called `embeddings`.
pub(crate) fn is_model2vec(directory: &Path, weights: &Weights) -> Result<bool> {
    Ok(settings(directory, weights)?.is_some())
}

fn settings(directory: &Path, weights: &Weights) -> Result<Option<Settings>> {
    let config = json::read_optional::<Settings>(&directory.join(CONFIG))?;
    let config = config.filter(|c| matches!(c.model_type.as_deref(), None | Some("model2vec")));
    Ok(if weights.find("embeddings")?.is_some() { config } else { None })
}

fn shape(tensor: &Tensor, expected: &[usize]) -> Error {
    Error::Shape {
        path: tensor.path.to_path_buf(),
        tensor: tensor.name.clone(),
        expected: expected.to_vec(),
        found: tensor.shape.clone(),
    }
}

/// Checks that every token maps to a row.
fn checked(path: &Path, mapping: &[i64], rows: usize) -> Result<Vec<u32>> {
    let row = |&row: &i64| u32::try_from(row).ok().filter(|&row| (row as usize) < rows);
    mapping.iter().map(row).collect::<Option<_>>().ok_or_else(|| Error::Unsupported {
        path: path.to_owned(),
        setting: "mapping",
        found: "a row outside the table".to_owned(),
        supported: format!("rows 0 to {}", rows - 1),
    })
}

/// Returns the id of the unknown token, as `Model2Vec` finds it.
fn unknown_token(directory: &Path) -> Result<Option<u32>> {
    let file: TokenizerFile = json::read(&directory.join(crate::load::TOKENIZER))?;
    let by_name = file.model.unk_token.and_then(|name| file.model.vocab.get(name)?.as_u64());
    Ok(file.model.unk_id.or(by_name.map(|id| id as u32)))
}
