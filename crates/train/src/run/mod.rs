//! A training run: from judged pairs and a model to another model.
//!
//! [`train`] is the loop *train once*: negatives are mined with the model that training begins from, batches are drawn,
//! encoded, scored and judged by the loss, and the parameters follow the gradient. At evaluations the queries that were held
//! out are searched; the parameters that did best are what is saved in the end. [`train_from_views`] needs no labels, and in
//! [`train_in_rounds`] a ranker learns as well. All are one loop, of a [`Session`], around a learner of their own.
//!
//! **Resuming.** Every evaluation leaves a checkpoint in `OUT.training`, and so does an interruption. Batches are a
//! function of seed and step, so a run that goes on from a checkpoint ends with the bits of one that was never
//! stopped.
//!
//! **Cost.** A step is three times the encoding of its texts. Memory: parameters, gradient, two moments and the best parameters so
//! far, 20 bytes a parameter in all, and the activations of a batch; while a checkpoint is written, 16 bytes a parameter more.

pub(crate) mod batch;
mod checkpoint;
pub(crate) mod course;
mod dev;
mod learner;
pub(crate) mod mined;
mod pairs;
mod problem;
mod record;
mod rounds;
mod session;
pub(crate) mod start;
mod state;
#[cfg(test)]
mod tests;
mod views;

use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use ecphory_model::{
    CrossEncoder, Encoder, EncoderOptions, EncodingCache, Role, TrainableEncoder, TrainableOptions,
};
use serde::{Deserialize, Serialize};

use crate::body::{CachedTexts, Revised, States};
use crate::data::TrainingData;
use crate::error::{Error, Result};
use crate::matching::ChainSpec;
use crate::recipe::{DENSE, Recipe, Tier};
use crate::source::Sources;
use crate::term_regression::{BEGINNING, FirstValues, TermRegression};
use checkpoint::Checkpoint;
use pairs::{Pairs, Read, facts, mined};
pub use problem::RunError;
pub use record::{Evaluation, Origin};
pub use rounds::train_in_rounds;
use session::{Beginning, Session};
use start::Start;
pub use start::encoders_within;
use state::Saved;
pub use views::{VIEWS_JUDGED, train_from_views};

/// What to train.
#[derive(Clone, Copy)]
pub struct Job<'a, R = Recipe> {
    /// The texts, and the pairs where any are learned from.
    pub data: &'a TrainingData,
    /// How.
    pub recipe: &'a R,
    /// The directory of the model to begin from.
    pub init: &'a Path,
    /// The directory to be made. While it is not whole, work lies beside it, in `OUT.training`.
    pub out: &'a Path,
    /// The seed of everything random.
    pub seed: u64,
    /// What can be mined and learned from beside the data, by name. The run adds `dense`, the model to begin from, unless there is
    /// one already.
    pub sources: &'a Sources<'a>,
    /// Where vectors and states of tokens are kept for the next run; recipes of the tier `states` need it.
    pub cache: Option<&'a EncodingCache>,
    /// The threads.
    pub pool: &'a rayon::ThreadPool,
    /// Whether to go on with what lies in `OUT.training`; without anything there a run begins.
    pub resume: bool,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// What it was made from.
    pub origin: Origin,
    /// How many steps were done, those before an interruption included.
    pub steps: u64,
    /// After which step the parameters were as they were saved; 0 where no step did better on the held-out queries than none.
    pub kept: u64,
    /// The evaluations, the one before the first step first.
    pub evaluations: Vec<Evaluation>,
    /// Pairs of a query and a document that answers it that were trained on.
    pub pairs: usize,
    /// Queries that were held out.
    pub held_out: usize,
    /// Pairs for which fewer negatives were found than the recipe asks for.
    pub short_of_negatives: u64,
    /// Documents whose views were learned from; 0 where pairs were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub documents: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The name of the record in a trained model's directory.
const RECORD: &str = "training.json";

impl Trained {
    /// Reads the record in the directory of a model; `None` where it was not trained by [`train`].
    ///
    /// # Errors
    /// `Corrupt` where the record is not one.
    pub fn of(model: &Path) -> Result<Option<Self>> {
        let path = model.join(RECORD);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let found = serde_json::from_slice(&fs_err::read(&path)?);
        let damaged =
            |error: serde_json::Error| RunError::Checkpoint { path, why: error.to_string() };
        Ok(Some(found.map_err(damaged)?))
    }
}

/// Trains.
///
/// # Errors
/// `Conflict` where the output exists, or work of another run lies there, or of this one without `resume`; `Usage` for a recipe that
/// does not fit the model; `Interrupted` after saving a checkpoint; what reading, encoding and writing say. Where the loss or the
/// gradient stops being a number, the error names the step and the queries.
pub fn train(job: &Job<'_>, progress: &dyn Progress) -> Result<Trained> {
    job.begins()?;
    job.pool.install(|| run(job, progress))
}

impl<R: std::fmt::Display> Job<'_, R> {
    /// Refuses to write over something.
    fn begins(&self) -> Result<()> {
        if self.out.symlink_metadata().is_ok() {
            return Err(Error::from(RunError::OutputExists { path: self.out.to_owned() }));
        }
        Ok(())
    }

    /// Returns the same with another recipe.
    fn with<'b, S>(&self, recipe: &'b S) -> Job<'b, S>
    where
        Self: 'b,
    {
        let Self { data, init, out, seed, sources, cache, pool, resume, .. } = *self;
        Job { data, recipe, init, out, seed, sources, cache, pool, resume }
    }

    fn origin(&self, fingerprint: String) -> Origin {
        Origin {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: self.recipe.to_string(),
            seed: self.seed,
            init: fingerprint,
            data: self.data.digest(),
        }
    }

    /// Takes up what an earlier run of the same origin left, where it may.
    fn left(&self, origin: &Origin) -> Result<Option<Saved>> {
        let folder = work_folder(self.out);
        match Checkpoint::open(&folder)? {
            Some(_) if !self.resume => Err(Error::from(RunError::WorkExists { path: folder })),
            left => left.map(|checkpoint| Saved::of(checkpoint, origin)).transpose(),
        }
    }
}

fn run(job: &Job<'_>, progress: &dyn Progress) -> Result<Trained> {
    let model = Beginner::open(job)?;
    let origin = job.origin(model.fingerprint);
    let left = job.left(&origin)?;
    let needs_vectors = match &left {
        _ if job.sources.has(DENSE) => false,
        None => job.recipe.begins_with_vectors()?,
        Some(_) => job.recipe.needs_vectors()?,
    };
    let terms = job.recipe.terms()?;
    let needs_states = job.recipe.tier == Tier::States || terms.is_some();
    let tokens = [Role::Query, Role::Document].map(|role| job.recipe.encoding.tokens(role));
    let encoders = (needs_vectors || needs_states)
        .then(|| encoders_within(job.init, model.max_tokens, tokens))
        .transpose()?;
    let start = match &encoders {
        Some(encoders) if needs_vectors => Some(Start::new(job, encoders, progress)?),
        _ => None,
    };
    let start = start.as_ref().map(Start::vectors).transpose()?;
    let sources = match &start {
        Some(start) => start.among(job.sources),
        None => job.sources.clone(),
    };
    let mined = mined(job, left.as_ref(), &sources, progress)?;
    let states = match &encoders {
        Some(encoders) if needs_states => {
            let cache = job.cache.ok_or(RunError::NoCache)?;
            let states = CachedTexts::new(job.data, encoders, cache, job.pool, progress)?;
            Some(match terms {
                Some(_) => states.with_terms(job.init, TERMS_MAX)?,
                None => states,
            })
        }
        _ => None,
    };
    let first = match (&states, &terms) {
        (Some(states), Some(chain)) => Some(Beginner::first_values(job, states, chain, progress)?),
        _ => None,
    };
    let revised = match (&states, &first) {
        (Some(states), Some(FirstValues { vocabulary, .. })) => {
            Some(Revised { states, vocabulary })
        }
        _ => None,
    };
    let states = match (&revised, &states) {
        (Some(revised), _) => Some(revised as &dyn States),
        (None, states) => states.as_ref().map(|states| states as &dyn States),
    };
    let (limit, start, first) = (model.max_tokens, start.as_ref(), first.as_ref());
    let read = Read { limit, start, states, first };
    let pairs = Pairs::new(job, &mined, &sources, read)?;
    let beginning = Beginning {
        out: job.out,
        origin,
        timetable: pairs.timetable(job.recipe)?,
        facts: facts(job.data, &mined),
        learner: Box::new(pairs),
    };
    let mut session = Session::new(beginning, left)?;
    session.run(progress)?;
    session.finish()
}

/// What is known of the model that a run begins from.
struct Beginner {
    fingerprint: String,
    max_tokens: usize,
}

impl Beginner {
    /// Opens it as what the recipe makes of it: a cross-encoder may go on from one, and then makes no vectors.
    fn open(job: &Job<'_>) -> Result<Self> {
        let options = EncoderOptions::default();
        let needs_vectors = job.recipe.begins_with_vectors()? && !job.sources.has(DENSE);
        if !needs_vectors && CrossEncoder::opens(job.init)? {
            let model = CrossEncoder::open(job.init, &options)?;
            let (fingerprint, max_tokens) = (model.fingerprint().to_owned(), model.max_tokens());
            return Ok(Self { fingerprint, max_tokens });
        }
        let model = Encoder::open(job.init, &options)?;
        Ok(Self { fingerprint: model.fingerprint().to_owned(), max_tokens: model.max_tokens() })
    }

    /// Finds what a head over terms begins with.
    fn first_values(
        job: &Job<'_>,
        states: &dyn States,
        chain: &(ChainSpec, String),
        progress: &dyn Progress,
    ) -> Result<FirstValues> {
        let encoder = TrainableEncoder::open(job.init, &TrainableOptions::default())?;
        let regression = TermRegression { epsilon: encoder.epsilon(), ..BEGINNING };
        let documents = job.data.documents().len().min(FIRST_DOCUMENTS) as u32;
        regression.run(states, documents, (&chain.0, &chain.1), progress)
    }
}

/// The most terms of a vocabulary: those that most documents have.
const TERMS_MAX: usize = 1 << 14;
/// The most documents from which a head over terms gets its first values, which takes memory for each of them and each term.
const FIRST_DOCUMENTS: usize = 1 << 14;

/// The folder of a run that has not ended.
fn work_folder(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".training");
    name.into()
}
