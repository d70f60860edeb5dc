//! Late interaction: a vector of each token, and documents scored by the best match of each token of the query.
//!
//! Khattab and Zaharia 2020 (ColBERT). A text takes as many vectors as it has tokens; comparing is cheap beside encoding. Not for
//! one vector a text, which is what an [`Encoder`] makes.

use std::path::Path;

use ecphory_core::{Progress, Unshown};
use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, l2_normalize, multiply};
use rayon::prelude::*;

use crate::cache::{EncodingCache, StateBuffer, round};
use crate::encoder::{Encoder, EncoderOptions, Role};
use crate::error::{Error, Result};
use crate::load;

/// How many documents are encoded at once where nothing keeps their rows.
const DOCUMENTS: usize = 256;

/// A model that makes a vector of unit length of each token of a text, and scores a document by MaxSim: the sum, over the tokens
/// of the query, of the largest cosine with a token of the document.
///
/// Vectors are rounded to half precision before they are scaled to unit length, as the cache on disk keeps them: so it makes no
/// difference whether they came from there. A score is the same, bit for bit, whatever documents it is computed with, in which
/// order, and on how many threads. Memory as an [`Encoder`]'s.
pub struct LateEncoder {
    encoder: Encoder,
    level: Level,
    is_trained: bool,
}

/// The best match of one token of a query in a document.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenMatch {
    /// The token of the query, as the tokenizer writes it.
    pub query: String,
    /// The token of the document that is nearest.
    pub document: String,
    /// Their cosine, one summand of the score.
    pub score: f32,
}

impl LateEncoder {
    /// Opens a model directory in the layout of `PyLate`: a transformer and linear maps for each token, without pooling. Queries are
    /// not filled up with masks, and all tokens count, the special ones included: a directory that says otherwise is refused.
    ///
    /// A directory with pooling is opened too: its vectors are the states of tokens as they are without any training.
    ///
    /// # Errors
    /// As [`Encoder::open`]; `Input` for prefixes, query expansion and tokens that do not count.
    pub fn open(directory: &Path, options: &EncoderOptions) -> Result<Self> {
        let layout = load::layout(directory)?;
        let is_trained = layout.is_late();
        let encoder = Encoder::of(layout, directory, options)?;
        Ok(Self { encoder, level: Level::detect(), is_trained })
    }

    /// Returns whether a directory was made for late interaction, without opening it.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub fn opens(directory: &Path) -> Result<bool> {
        Ok(load::layout(directory)?.is_late())
    }

    /// Returns the name of the model's directory.
    pub fn name(&self) -> &str {
        self.encoder.name()
    }

    /// Returns the kind of model, as [`Encoder::architecture`] does.
    pub fn architecture(&self) -> &'static str {
        self.encoder.architecture()
    }

    /// Returns whether the directory was made for late interaction.
    pub fn is_trained(&self) -> bool {
        self.is_trained
    }

    /// Returns how many values the vector of a token has.
    pub fn dimensions(&self) -> usize {
        self.encoder.token_dimensions()
    }

    /// Returns how many tokens are read of a text, special tokens included.
    pub fn max_tokens(&self, role: Role) -> usize {
        self.encoder.tokens_of(role)
    }

    /// Returns a SHA-256 digest, in hexadecimal, of everything that changes scores. The first call reads the weights.
    pub fn fingerprint(&self) -> &str {
        self.encoder.fingerprint()
    }

    /// Makes the vectors of a text's tokens, rows of [`Self::dimensions`] values, on this thread alone.
    ///
    /// # Errors
    /// What the tokenizer says about the text.
    pub fn vectors(&self, text: &str, role: Role) -> Result<Vec<f32>> {
        Ok(self.one(text, role)?.rows)
    }

    /// Scores documents for a query, in the order of the documents. A document without tokens scores 0.
    ///
    /// Reports a task `score` with one unit a document. Without a cache every document is encoded; with one, those that were
    /// not there are, and stay.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; where the files of the cache cannot be opened.
    pub fn score(
        &self,
        query: &str,
        documents: &[&str],
        cache: Option<&EncodingCache>,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let hidden = Unshown(progress);
        let scored = |query: &Packed, texts: &[&str]| match cache {
            Some(cache) => self.stored(query, texts, cache, pool, &hidden),
            None => self.computed(query, texts, &hidden),
        };
        progress.begin("score", documents.len() as u64);
        let scores = pool.install(|| {
            let query = self.packed(&self.one(query, Role::Query)?.rows);
            let mut scores = Vec::with_capacity(documents.len());
            for texts in documents.chunks(DOCUMENTS) {
                scores.extend(scored(&query, texts)?);
                progress.advance(texts.len() as u64);
                if progress.cancelled() {
                    return Err(Error::Interrupted);
                }
            }
            Ok(scores)
        });
        progress.end();
        scores
    }

    /// Scores documents whose rows are kept.
    fn stored(
        &self,
        query: &Packed,
        texts: &[&str],
        cache: &EncodingCache,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let kept = cache.states(&self.encoder, texts, Role::Document, pool, progress)?;
        let one = |buffer: &mut StateBuffer, text: usize| {
            kept.read(text, buffer)?;
            Ok(self.sum(query, &mut buffer.rows))
        };
        (0..texts.len()).into_par_iter().map_init(StateBuffer::default, one).collect()
    }

    /// Scores documents whose rows are forgotten.
    fn computed(
        &self,
        query: &Packed,
        texts: &[&str],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let made = self.encoder.states_here(texts, Role::Document, progress)?;
        let one = |text: usize| {
            let mut rows = made.rows(text).to_vec();
            round(&mut rows);
            self.sum(query, &mut rows)
        };
        Ok((0..texts.len()).into_par_iter().map(one).collect())
    }

    /// Returns what [`Self::score`] sums: the best match of each token of the query, in their order; none in a document without
    /// tokens.
    ///
    /// # Errors
    /// What the tokenizer says about a text.
    pub fn matches(&self, query: &str, document: &str) -> Result<Vec<TokenMatch>> {
        let query = self.one(query, Role::Query)?;
        let document = self.one(document, Role::Document)?;
        let best = self.best(&self.packed(&query.rows), &document.rows);
        let written = |buffer: &StateBuffer| self.encoder.written(&buffer.tokens);
        let (of_query, of_document) = (written(&query), written(&document));
        let of = |(token, (place, score)): (String, (usize, f32))| {
            let document = of_document.get(place).cloned().unwrap_or_default();
            TokenMatch { query: token, document, score }
        };
        Ok(of_query.into_iter().zip(best).map(of).collect())
    }

    /// Encodes one text on this thread: its tokens and their vectors.
    fn one(&self, text: &str, role: Role) -> Result<StateBuffer> {
        let made = self.encoder.states_of_one(text, role)?;
        let (tokens, words) = (made.tokens(0).to_vec(), made.words(0).to_vec());
        let mut rows = made.rows(0).to_vec();
        round(&mut rows);
        l2_normalize(self.level, &mut rows, self.dimensions());
        Ok(StateBuffer { tokens, words, rows })
    }

    /// Puts the vectors of a query where a product reads them.
    fn packed(&self, rows: &[f32]) -> Packed {
        let mut packed = Packed::default();
        packed.set_transposed(Rows::dense(rows, self.dimensions()));
        packed
    }

    /// Scales rounded rows of a document to unit length, and scores it.
    fn sum(&self, query: &Packed, rows: &mut [f32]) -> f32 {
        l2_normalize(self.level, rows, self.dimensions());
        let best = self.best(query, rows);
        best.iter().map(|&(_, score)| f64::from(score)).sum::<f64>() as f32
    }

    /// Returns for each token of a query the nearest row of a document, the first of several, and their product.
    fn best(&self, query: &Packed, document: &[f32]) -> Vec<(usize, f32)> {
        let (rows, width) = (Rows::dense(document, self.dimensions()), query.width());
        if rows.count() == 0 || width == 0 {
            return Vec::new();
        }
        let mut products = vec![0.0; rows.count() * width];
        let out = RowsMut::dense(&mut products, width);
        multiply(self.level, rows, query.panels(), Epilogue::default(), out);
        let mut best = vec![(0, f32::NEG_INFINITY); width];
        for (place, line) in products.chunks_exact(width).enumerate() {
            for (best, &product) in best.iter_mut().zip(line) {
                if product > best.1 {
                    *best = (place, product);
                }
            }
        }
        best
    }
}

impl std::fmt::Debug for LateEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("LateEncoder").field(&self.encoder).finish()
    }
}
