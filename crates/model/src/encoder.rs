//! Text to vectors with the model of a directory.

use std::path::Path;
use std::sync::OnceLock;

use ecphory_core::Progress;
use ecphory_core::storage::{Bytes, Directory};

use crate::error::Result;
use crate::eval::Eval;
use crate::executor::TokenBatch;
use crate::fingerprint::digest;
use crate::head::Head;
use crate::layout::Layout;
use crate::load::{self, Body};
use crate::precision::Precision;
use crate::reading::Reading;
use crate::runner::Runner;

mod states;

pub use states::TokenStates;

/// How to open an encoder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncoderOptions {
    /// Tokens read of a text, special tokens included; the model's own limit where there is none here.
    pub max_tokens: Option<usize>,
    /// The precision of a transformer's weights in memory, which changes vectors where it is less than that of the
    /// files. Static tables have no linear maps and stay as they are.
    pub precision: Precision,
    /// What runs the transformer of an encoder.
    #[cfg(feature = "onnx")]
    pub runtime: crate::onnx::Runtime,
}

/// What a text is: it chooses the prompt that is put before it, where the model has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Something to search for.
    Query,
    /// Something to be found.
    Document,
}

/// A model that makes one vector of a text.
///
/// The vector of a text is the same, bit for bit, whatever texts it is encoded with, in which order, and on
/// how many threads.
#[cfg_attr(
    feature = "onnx",
    doc = "(Through ONNX Runtime the last bits may depend on the other texts: see [`Runtime`](crate::Runtime).)"
)]
/// Memory: the weights once more in the order of the matrix kernels (the token table stays
/// in the file's map), and per thread the states of one batch, about 10 MiB for MiniLM.
pub struct Encoder {
    runner: Runner,
    reading: Reading,
    body: Body,
    head: Head,
    notes: Vec<String>,
    /// What the fingerprint covers besides `files`.
    settings: String,
    files: Vec<Bytes>,
    fingerprint: OnceLock<String>,
}

impl Encoder {
    /// Opens a model directory: a transformer of the BERT family or `ModernBERT` in the Hugging Face layout, with or
    /// without the modules of sentence-transformers, or a static table.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Input` for a model that is not supported, `Corrupt` for damaged
    /// files, `Usage` for a limit that the model does not have.
    pub fn open(directory: &Path, options: &EncoderOptions) -> Result<Self> {
        let layout = load::layout(directory)?;
        layout.refuse_late(directory)?;
        Self::of(layout, directory, options)
    }

    /// Loads what was laid out.
    pub(crate) fn of(layout: Layout, directory: &Path, options: &EncoderOptions) -> Result<Self> {
        let loaded = load::load(layout, directory, options)?;
        let reading = Reading::open(directory, &loaded.layout, loaded.limits, options.max_tokens)?;
        let mut files = loaded.files;
        files.push(Directory::map_file(&load::tokenizer(&loaded.layout.body)?)?);
        let Layout { prompts, lower_case, notes, query_tokens, .. } = loaded.layout;
        let settings = format!(
            "ecphory encoder 1\n{}\nmax_tokens {}\nlower_case {lower_case}\nprompts {:?} {:?}\n{}",
            loaded.settings,
            reading.max_tokens,
            prompts.query,
            prompts.document,
            // Other models keep the fingerprints that collections know them by.
            query_tokens.map_or_else(String::new, |most| format!("query_tokens {most}\n"))
        );
        Ok(Self {
            runner: Runner::new(),
            reading,
            body: loaded.body,
            head: loaded.head,
            notes,
            settings,
            files,
            fingerprint: OnceLock::new(),
        })
    }

    /// Returns the name of the model's directory.
    pub fn name(&self) -> &str {
        &self.reading.name
    }

    /// Returns the kind of model: `bert`, `distilbert`, `roberta`, `mpnet`, `modernbert` or `static`.
    pub fn architecture(&self) -> &'static str {
        self.body.architecture()
    }

    /// Returns how many values a vector has.
    pub fn dimensions(&self) -> usize {
        self.head.dimensions
    }

    /// Returns how many tokens are read of a text, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.reading.max_tokens
    }

    /// Returns whether vectors have unit length (but those of texts without tokens, which are zero).
    pub fn normalized(&self) -> bool {
        self.head.normalizes()
    }

    /// Returns what was assumed where the model directory does not say, for people to read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns a SHA-256 digest, in hexadecimal, of everything that changes the vectors: weights, tokenizer,
    /// sizes, pooling, the limit of tokens, prompts. Where a model lies and what it is called does not count.
    ///
    /// The first call reads the weights.
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| digest(&self.settings, &self.files))
    }

    /// Encodes texts into `texts.len()` rows of [`Self::dimensions`] values, in the order of the texts.
    ///
    /// Reports a task `encode` with one unit a text. Holds the token ids of all texts: hand in a few
    /// thousand at a time.
    ///
    /// # Errors
    /// `Interrupted` soon after the caller asked to stop; what the tokenizer says about a text.
    pub fn encode(
        &self,
        texts: &[&str],
        role: Role,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        progress.begin("encode", texts.len() as u64);
        let vectors = pool.install(|| self.encode_here(texts, role, progress));
        progress.end();
        vectors
    }

    /// Encodes texts on the current pool; tells of every text, but not of a task.
    pub(crate) fn encode_here(
        &self,
        texts: &[&str],
        role: Role,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let tokens = Runner::prepare(texts, progress, |text| self.reading.tokens_as(text, role))?;
        let lengths: Vec<usize> = tokens.iter().map(Vec::len).collect();
        let batches = self.runner.run(&lengths, progress, |run, batch| {
            let sequences: Vec<&[u32]> = batch.iter().map(|&i| &tokens[i][..]).collect();
            self.encode_batch(run, &sequences)
        })?;
        let dimensions = self.dimensions();
        let mut out = vec![0.0; texts.len() * dimensions];
        for (batch, vectors) in &batches {
            for (&index, vector) in batch.iter().zip(vectors.chunks_exact(dimensions)) {
                out[index * dimensions..][..dimensions].copy_from_slice(vector);
            }
        }
        Ok(out)
    }

    /// Encodes some texts on this thread.
    fn encode_batch(&self, run: &mut Eval, sequences: &[&[u32]]) -> Result<Vec<f32>> {
        let level = self.runner.level();
        if let Body::Static(table) = &self.body {
            let mut pooled = vec![0.0; sequences.len() * table.dimensions()];
            let rows = pooled.chunks_exact_mut(table.dimensions());
            rows.zip(sequences).for_each(|(row, tokens)| table.mean(tokens, row));
            return Ok(self.head.finish(run, level, pooled, table.dimensions()));
        }
        let columns = self.hidden();
        let pooled = self.with_states(run, sequences, |states, batch| {
            self.head.pool_batch(states, columns, batch)
        })?;
        Ok(self.head.finish(run, level, pooled, columns * self.head.pooling.len()))
    }

    /// Computes the token states of some texts on this thread and makes something of them.
    #[cfg_attr(
        not(feature = "onnx"),
        allow(clippy::unnecessary_wraps, reason = "only a graph of another runtime can fail")
    )]
    fn with_states<T>(
        &self,
        run: &mut Eval,
        sequences: &[&[u32]],
        take: impl FnOnce(&[f32], &TokenBatch) -> T,
    ) -> Result<T> {
        let batch = TokenBatch::new(sequences.iter().copied());
        match &self.body {
            Body::Transformer { backbone, .. } => {
                let states = backbone.forward(run, &batch);
                Ok(take(states.values(), &batch))
            }
            #[cfg(feature = "onnx")]
            Body::Graph { graph, .. } => Ok(take(&graph.states(&batch)?, &batch)),
            Body::Static(table) => {
                let columns = table.dimensions();
                let mut states = vec![0.0; batch.tokens.len() * columns];
                let rows = states.chunks_exact_mut(columns).zip(&batch.tokens);
                rows.for_each(|(row, token)| table.mean(&[*token], row));
                Ok(take(&states, &batch))
            }
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("name", &self.reading.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Returns the name of a directory.
pub(crate) fn name_of(directory: &Path) -> String {
    let last = directory.file_name().unwrap_or(directory.as_os_str());
    last.to_string_lossy().into_owned()
}
