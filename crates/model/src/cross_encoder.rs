//! Cross-encoders: a query and a document read together, scored by one number.
//!
//! Nogueira and Cho 2019. Every pair costs a whole run of the transformer, so this is for the best hundred of a
//! cheaper ranking. Not for vectors: there are none.

use std::path::Path;
use std::sync::OnceLock;

use ecphory_core::Progress;
use serde::Deserialize;

use crate::classifier::Classifier;
use crate::config::{self, CONFIG};
use crate::encoder::EncoderOptions;
use crate::error::{Error, Result};
use crate::eval::Eval;
use crate::executor::TokenBatch;
use crate::fingerprint::digest;
use crate::fresh::HeadTensors;
use crate::json;
use crate::layout::{self, PROMPTS};
use crate::precision::Precision;
use crate::runner::Runner;
use crate::trunk::Trunk;

/// What a logit goes through to become a score. It changes no ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreFunction {
    /// Nothing: a score is a logit.
    Identity,
    /// 1 / (1 + e⁻ˣ): a score lies between 0 and 1.
    Sigmoid,
}

/// A model that scores a document for a query.
///
/// The score of a pair is the same, bit for bit, whatever pairs it is scored with, in which order, and on how
/// many threads. Memory as an [`Encoder`](crate::Encoder)'s.
pub struct CrossEncoder {
    trunk: Trunk,
    head: Classifier<Eval>,
    function: ScoreFunction,
    fingerprint: OnceLock<String>,
}

/// What sentence-transformers writes into `config.json`.
#[derive(Default, Deserialize)]
struct Settings {
    #[serde(default)]
    sentence_transformers: Activation,
    sbert_ce_default_activation_function: Option<String>,
}

/// Also what it writes into a file of its own.
#[derive(Default, Deserialize)]
struct Activation {
    activation_fn: Option<String>,
    default_prompt_name: Option<String>,
}

impl CrossEncoder {
    /// Opens a model directory with the weights of a sequence classifier with one label: `bert`, `distilbert`,
    /// `roberta`, `xlm-roberta`, `mpnet` or `modernbert`, as transformers or sentence-transformers save it.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Input` for a model that is not supported, `Corrupt` for damaged
    /// files and weights without a head, `Usage` for a limit that the model does not have.
    pub fn open(directory: &Path, options: &EncoderOptions) -> Result<Self> {
        let (trunk, mut weights) = Trunk::open(directory, options)?;
        let mut tensors = HeadTensors { weights: &mut weights, fresh: None };
        // Few and last, they are not worth rounding.
        let precision = &mut Precision::Stored;
        let head = Classifier::load(&trunk.body, &trunk.config, &mut tensors, precision)?;
        let function = score_function(directory, &trunk.body)?;
        Ok(Self { trunk, head, function, fingerprint: OnceLock::new() })
    }

    /// Returns whether a directory says that it holds a classifier of texts, without opening it.
    ///
    /// # Errors
    /// A configuration that cannot be read.
    pub fn opens(directory: &Path) -> Result<bool> {
        Ok(directory.is_dir() && config::classifier(&layout::first_module(directory)?)?.is_some())
    }

    /// Returns the name of the model's directory.
    pub fn name(&self) -> &str {
        &self.trunk.reading.texts.name
    }

    /// Returns the kind of transformer, as [`Encoder::architecture`](crate::Encoder::architecture) does.
    pub fn architecture(&self) -> &'static str {
        self.trunk.config.architecture()
    }

    /// Returns how many tokens are read of query and document together, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.trunk.reading.texts.max_tokens
    }

    /// Returns what logits go through.
    pub fn function(&self) -> ScoreFunction {
        self.function
    }

    /// Returns a SHA-256 digest, in hexadecimal, of everything that changes scores. The first call reads the
    /// weights.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| {
            let settings = format!(
                "ecphory cross-encoder 1\n{}{:?}\n{:?}\n",
                self.trunk.describe(),
                [self.head.summary.pooling()],
                self.function
            );
            digest(&settings, &self.trunk.files)
        })
    }

    /// Scores documents for a query, in the order of the documents.
    ///
    /// Where a pair is too long, the longer text loses its end first. Reports a task `score` with one unit a
    /// document.
    ///
    /// # Errors
    /// `Interrupted` soon after the caller asked to stop; what the tokenizer says about a pair.
    pub fn score(
        &self,
        query: &str,
        documents: &[&str],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let mut scores = self.logits(query, documents, pool, progress)?;
        if self.function == ScoreFunction::Sigmoid {
            for x in &mut scores {
                *x = 1.0 / (1.0 + (-*x).exp());
            }
        }
        Ok(scores)
    }

    /// As [`Self::score`], without the function: what a student of this model learns from.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub fn logits(
        &self,
        query: &str,
        documents: &[&str],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        progress.begin("score", documents.len() as u64);
        let logits = pool.install(|| self.logits_here(query, documents, progress));
        progress.end();
        logits
    }

    fn logits_here(
        &self,
        query: &str,
        documents: &[&str],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let trunk = &self.trunk;
        let pairs =
            Runner::prepare(documents, progress, |document| trunk.reading.pair(query, document))?;
        let lengths: Vec<usize> = pairs.iter().map(|pair| pair.ids.len()).collect();
        let batches = trunk.runner.run(&lengths, progress, |run, indices| {
            let pairs = indices.iter().map(|&i| (&pairs[i].ids[..], &pairs[i].type_ids[..]));
            let batch = TokenBatch::of_pairs(pairs);
            let states = trunk.backbone.forward(run, &batch);
            Ok(self.head.logits(run, &states, &batch).values().to_vec())
        })?;
        let mut out = vec![0.0; documents.len()];
        for (indices, logits) in batches {
            indices.into_iter().zip(logits).for_each(|(index, logit)| out[index] = logit);
        }
        Ok(out)
    }
}

impl std::fmt::Debug for CrossEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrossEncoder")
            .field("name", &self.trunk.reading.texts.name)
            .finish_non_exhaustive()
    }
}

/// Finds the function where one of the versions of sentence-transformers writes it; a sigmoid otherwise, as there.
fn score_function(directory: &Path, body: &Path) -> Result<ScoreFunction> {
    let unsupported = |path, setting, found: String, supported: &str| {
        Err(Error::Unsupported { path, setting, found, supported: supported.to_owned() })
    };
    let newest = directory.join(PROMPTS);
    let own: Activation = json::read_optional(&newest)?.unwrap_or_default();
    if let Some(name) = own.default_prompt_name {
        return unsupported(newest, "default_prompt_name", name, "none for cross-encoders");
    }
    let path = body.join(CONFIG);
    let settings: Settings = json::read(&path)?;
    let older = settings.sentence_transformers.activation_fn;
    let older = older.or(settings.sbert_ce_default_activation_function);
    let path = if own.activation_fn.is_some() { newest } else { path };
    let name = own.activation_fn.or(older);
    let Some(name) = name else { return Ok(ScoreFunction::Sigmoid) };
    match name.rsplit('.').next().unwrap_or_default() {
        "Sigmoid" => Ok(ScoreFunction::Sigmoid),
        "Identity" => Ok(ScoreFunction::Identity),
        _ => unsupported(path, "activation_fn", name, "Sigmoid, Identity"),
    }
}
