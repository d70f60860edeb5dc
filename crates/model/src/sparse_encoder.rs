//! Learned sparse encoders: a weight for each term of a vocabulary that a text is about, whether it is in it or not.
//!
//! Formal et al. 2021 (SPLADE): the head of a masked language model scores all words at each token, and a term's weight is the
//! logarithm of the largest. Geng, Ru, Yang 2024: queries need no model where their terms are looked up in a table. What comes out is
//! for an inverted index; documents are compared by inner products of weights. Not for one vector a text, which is what an
//! [`Encoder`](crate::Encoder) makes.

use std::path::Path;
use std::sync::OnceLock;

use ecphory_core::Progress;
use ecphory_core::storage::{Bytes, Directory};

use crate::encoder::{EncoderOptions, Role};
use crate::error::{Error, Result};
use crate::eval::Eval;
use crate::executor::TokenBatch;
use crate::fingerprint::digest;
use crate::layout::{self, MODULES, SparseLayout, TermActivation, TermPooling};
use crate::load;
use crate::masked_lm::MaskedLmHead;
use crate::reading::{Limits, Reading};
use crate::runner::Runner;
use crate::static_table::UNLIMITED;
use crate::trunk::Trunk;
use crate::weights::Weights;

/// Terms whose logits are in memory at a time: 4 MB for a batch on a thread. A number of whole panels.
const TERMS: usize = 2048;

/// A text as weights of terms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseVector {
    /// The terms, as numbers of the vocabulary, in ascending order.
    pub terms: Vec<u32>,
    /// The weight of each, above 0.
    pub weights: Vec<f32>,
}

/// A model that makes weights of terms of a text.
///
/// The weights of a text are the same, bit for bit, whatever texts it is encoded with, in which order, and on how many threads.
/// Cost: encoding, and `2 h v` floating-point operations a token for the head (h hidden, v vocabulary), which for small models is
/// most of the work; queries that are looked up cost their tokenizer alone. Memory: the weights, once packed, and per thread
/// the logits of 512 tokens for 2,048 terms.
pub struct SparseEncoder {
    trunk: Trunk,
    head: MaskedLmHead<Eval>,
    pooling: TermPooling,
    queries: Option<LookUp>,
    fingerprint: OnceLock<String>,
}

/// The weights of the terms of queries.
struct LookUp {
    reading: Reading,
    weights: Vec<f32>,
    files: Vec<Bytes>,
}

impl LookUp {
    fn open(directory: &Path, folder: &Path, terms: usize) -> Result<Self> {
        let limits = Limits {
            tokens: (1, UNLIMITED),
            default_tokens: UNLIMITED,
            vocabulary: terms,
            has_special_tokens: false,
        };
        let reading = Reading::without_prompts(directory, folder, limits, None)?;
        let weights = Weights::open(folder)?;
        let mut files = weights.contents();
        files.push(Directory::map_file(&load::tokenizer(folder)?)?);
        let weights = weights.tensor("weight", &[terms])?.to_vec();
        match weights.iter().position(|weight| !(0.0..f32::INFINITY).contains(weight)) {
            Some(term) => {
                let found = format!("{} for term {term}", weights[term]);
                Err(Error::unsupported(folder, "weight", &found, "finite numbers from 0 on"))
            }
            None => Ok(Self { reading, weights, files }),
        }
    }

    /// The distinct terms of a text that weigh something.
    fn encode(&self, text: &str) -> Result<SparseVector> {
        let mut terms = self.reading.tokens(text)?;
        terms.sort_unstable();
        terms.dedup();
        terms.retain(|&term| self.weights[term as usize] > 0.0);
        let weights = terms.iter().map(|&term| self.weights[term as usize]).collect();
        Ok(SparseVector { terms, weights })
    }
}

impl SparseEncoder {
    /// Opens a model directory in the layout of sentence-transformers' `SparseEncoder`: a masked language model (`bert`, `distilbert`,
    /// `roberta`, `xlm-roberta`, `mpnet` or `modernbert`) with SPLADE's pooling, with or without a router that looks queries up. A
    /// masked language model without any modules is taken for SPLADE.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Input` for a model that is not supported, `Corrupt` for damaged files and weights
    /// without a head, `Usage` for a limit that the model does not have.
    pub fn open(directory: &Path, options: &EncoderOptions) -> Result<Self> {
        load::check_directory(directory)?;
        let layout = match SparseLayout::open(directory)? {
            Some(layout) => layout,
            None if !directory.join(MODULES).try_exists()? => SparseLayout {
                body: directory.to_owned(),
                pooling: TermPooling::default(),
                queries: None,
            },
            None => {
                let path = directory.join(MODULES);
                let supported = "MLMTransformer and SpladePooling, or a Router to them";
                return Err(Error::unsupported(&path, "modules", "another model", supported));
            }
        };
        let (mut trunk, mut weights) = Trunk::of_body(directory, layout.body, options)?;
        trunk.reading.texts.set_prompts(layout::read_prompts(directory)?);
        let mut precision = options.precision;
        let head = MaskedLmHead::load(&trunk.body, &trunk.config, &mut weights, &mut precision)?;
        let terms = trunk.config.vocabulary();
        let queries = layout.queries.map(|folder| LookUp::open(directory, &folder, terms));
        Ok(Self {
            queries: queries.transpose()?,
            pooling: layout.pooling,
            trunk,
            head,
            fingerprint: OnceLock::new(),
        })
    }

    /// Returns whether a directory says that it holds a sparse encoder, without opening it.
    ///
    /// # Errors
    /// A list of modules that cannot be read, or of a sparse encoder of another kind.
    pub fn opens(directory: &Path) -> Result<bool> {
        Ok(SparseLayout::open(directory)?.is_some())
    }

    /// Returns the name of the model's directory.
    pub fn name(&self) -> &str {
        &self.trunk.reading.texts.name
    }

    /// Returns the kind of transformer, as [`Encoder::architecture`](crate::Encoder::architecture) does.
    pub fn architecture(&self) -> &'static str {
        self.trunk.config.architecture()
    }

    /// Returns how many terms there are.
    pub fn terms(&self) -> usize {
        self.trunk.config.vocabulary()
    }

    /// Returns a term as it stands in the vocabulary.
    pub fn term(&self, id: u32) -> Option<String> {
        self.trunk.reading.texts.tokenizer.token(id)
    }

    /// Returns how many tokens are read of a document, special tokens included; queries that are looked up are read as a whole.
    pub fn max_tokens(&self) -> usize {
        self.trunk.reading.texts.max_tokens
    }

    /// Returns whether the terms of queries are looked up, so that no model runs for them.
    pub fn looks_queries_up(&self) -> bool {
        self.queries.is_some()
    }

    /// Returns what logits go through.
    pub fn activation(&self) -> TermActivation {
        self.pooling.activation
    }

    /// Returns a SHA-256 digest, in hexadecimal, of everything that changes weights of terms. The first call reads the weights.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let texts = &self.trunk.reading.texts;
            let prompts = [Role::Query, Role::Document].map(|role| texts.prompt(role));
            let settings = format!(
                "ecphory sparse encoder 1\n{}{:?}\nprompts {prompts:?}\nlook-up {}\n",
                self.trunk.describe(),
                self.pooling,
                self.looks_queries_up(),
            );
            let of_queries = self.queries.iter().flat_map(|queries| &queries.files);
            let files: Vec<Bytes> = self.trunk.files.iter().chain(of_queries).cloned().collect();
            digest(&settings, &files)
        })
    }

    /// Returns the weights of the terms of texts, in the order of the texts.
    ///
    /// Reports a task `encode` with one unit a text. Holds the token ids of all texts: hand in a few thousand at a time.
    ///
    /// # Errors
    /// `Interrupted` soon after the caller asked to stop; what the tokenizer says about a text.
    pub fn encode(
        &self,
        texts: &[&str],
        role: Role,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<SparseVector>> {
        progress.begin("encode", texts.len() as u64);
        let made = pool.install(|| match (&self.queries, role) {
            (Some(queries), Role::Query) => {
                let found = Runner::prepare(texts, progress, |text| queries.encode(text));
                progress.advance(texts.len() as u64);
                found
            }
            _ => self.encode_here(texts, role, progress),
        });
        progress.end();
        made
    }

    fn encode_here(
        &self,
        texts: &[&str],
        role: Role,
        progress: &dyn Progress,
    ) -> Result<Vec<SparseVector>> {
        let trunk = &self.trunk;
        let read = |text: &&str| trunk.reading.texts.tokens_as(text, role);
        let tokens = Runner::prepare(texts, progress, read)?;
        let lengths: Vec<usize> = tokens.iter().map(Vec::len).collect();
        let batches = trunk.runner.run(&lengths, progress, |run, indices| {
            let batch = TokenBatch::new(indices.iter().map(|&i| &tokens[i][..]));
            Ok(self.encode_batch(run, &batch))
        })?;
        let mut out = vec![SparseVector::default(); texts.len()];
        for (indices, made) in batches {
            for (index, made) in indices.into_iter().zip(made) {
                out[index] = made;
            }
        }
        Ok(out)
    }

    /// Encodes some texts on this thread, some terms at a time.
    fn encode_batch(&self, run: &mut Eval, batch: &TokenBatch) -> Vec<SparseVector> {
        let states = self.trunk.backbone.forward(run, batch);
        let states = self.head.transformed(run, &states);
        let mut made = vec![SparseVector::default(); batch.spans.len()];
        let mut of_terms = Vec::new();
        for first in (0..self.terms()).step_by(TERMS) {
            let columns = first..self.terms().min(first + TERMS);
            let logits = self.head.logits_of(run, &states, columns.clone());
            for (span, made) in batch.spans.iter().zip(&mut made) {
                let rows = &logits.values()[span.start * columns.len()..span.end * columns.len()];
                of_terms.clear();
                of_terms.resize(columns.len(), 0.0);
                self.pooling.pool(rows, &mut of_terms);
                for (term, &weight) in (first as u32..).zip(&of_terms) {
                    if weight > 0.0 {
                        made.terms.push(term);
                        made.weights.push(weight);
                    }
                }
            }
        }
        made
    }
}

impl TermPooling {
    /// Pools rows of logits, one a token, into weights, which are zeros before.
    fn pool(self, rows: &[f32], weights: &mut [f32]) {
        if self.sums {
            for row in rows.chunks_exact(weights.len()) {
                for (weight, &logit) in weights.iter_mut().zip(row) {
                    *weight += self.activation.apply(logit);
                }
            }
            return;
        }
        // Activations rise, so that the largest logit has the largest weight.
        for row in rows.chunks_exact(weights.len()) {
            for (weight, &logit) in weights.iter_mut().zip(row) {
                *weight = weight.max(logit);
            }
        }
        for weight in weights {
            *weight = self.activation.apply(*weight);
        }
    }
}

impl TermActivation {
    fn apply(self, logit: f32) -> f32 {
        let once = logit.max(0.0).ln_1p();
        match self {
            Self::Log => once,
            Self::DoubleLog => once.ln_1p(),
        }
    }
}

impl std::fmt::Debug for SparseEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SparseEncoder")
            .field("name", &self.name())
            .field("looks_queries_up", &self.looks_queries_up())
            .finish_non_exhaustive()
    }
}
