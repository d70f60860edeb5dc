//! The settings of a recipe, and their ranges.

use ecphory_model::Role;
use serde::{Deserialize, Serialize};

use crate::block::{Block, BlockParts, Columns};
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::recipe::RecipeError;
use crate::schedule as rate;

/// A recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// What is minimised over the scores of a batch, as a loss's formula.
    pub loss: String,
    /// How texts become vectors.
    pub encoding: Encoding,
    /// What a batch has.
    pub batches: Batches,
    /// Where hard negatives come from.
    pub negatives: Negatives,
    /// How parameters move.
    pub optimiser: Optimisation,
    /// For how long.
    pub schedule: Schedule,
}

/// How texts become vectors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// The most tokens of a query; never more than the model reads.
    pub query_tokens: usize,
    /// The most tokens of a document; never more than the model reads.
    pub document_tokens: usize,
    /// Layers below this one stay as they are, with the embeddings; 0 trains all.
    pub freeze_below: usize,
}

/// What a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batches {
    /// Queries, each with one of its positives.
    pub queries: usize,
    /// Hard negatives of each query; those of the others are negatives too.
    pub negatives: usize,
}

/// Where hard negatives come from: the ranking of the model that training starts from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negatives {
    /// How deep the ranking of a query is searched.
    pub depth: usize,
    /// How many are kept of a query's, the highest first.
    pub keep: usize,
    /// A candidate that scores more than this share of the positive's score is taken for an answer that nobody
    /// judged, and left out (the filter "`TopK-PercPos`" of Moreira et al. 2024).
    pub ratio: f32,
}

/// How parameters move: by `AdamW`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimisation {
    /// The highest rate.
    pub learning_rate: f32,
    /// By what share of the rate weights shrink; biases and norms never do.
    pub weight_decay: f32,
    /// The longest gradient; 0 for any length.
    pub clip: f32,
    /// How the rate goes over the run, as a schedule's formula.
    pub schedule: String,
}

/// For how long training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// How often each pair is seen at most.
    pub epochs: usize,
    /// How often an epoch stops to judge itself.
    pub evaluations: usize,
    /// After so many evaluations without a better one, training ends; 0 never ends it early.
    pub patience: usize,
    /// The share of queries that are held out to judge by.
    pub dev: f32,
}

impl Encoding {
    /// Returns the most tokens of a query or a document.
    pub(crate) fn tokens(self, role: Role) -> usize {
        match role {
            Role::Query => self.query_tokens,
            Role::Document => self.document_tokens,
        }
    }
}

/// Two queries with a candidate each.
fn smallest_batch() -> Result<Block> {
    Ok(Block::new(BlockParts {
        queries: 2,
        candidates: 2,
        scores: vec![1.0, 0.0, 0.0, 1.0],
        gold: vec![1.0, 0.0, 0.0, 1.0],
        columns: Columns::Shared(vec![Some(0), Some(1)]),
        ..BlockParts::default()
    })?)
}

impl Recipe {
    /// Says which setting is out of its range.
    pub(super) fn check(&self) -> Result<()> {
        let Self { encoding, batches, negatives, optimiser, schedule, .. } = self;
        let finite = 0.0..=f32::MAX;
        let within = [
            ("encoding.query_tokens", encoding.query_tokens >= 3, "3 or more"),
            ("encoding.document_tokens", encoding.document_tokens >= 3, "3 or more"),
            ("batches.negatives", batches.negatives >= 1, "1 or more"),
            ("batches.queries", batches.queries >= 2, "2 or more, or there are no negatives"),
            (
                "negatives.keep",
                negatives.keep >= batches.negatives && negatives.keep <= negatives.depth,
                "from batches.negatives to negatives.depth",
            ),
            (
                "negatives.ratio",
                negatives.ratio > 0.0 && negatives.ratio <= 1.0,
                "more than 0 and at most 1",
            ),
            (
                "optimiser.learning_rate",
                optimiser.learning_rate > 0.0 && finite.contains(&optimiser.learning_rate),
                "more than 0",
            ),
            ("optimiser.weight_decay", finite.contains(&optimiser.weight_decay), "0 or more"),
            ("optimiser.clip", finite.contains(&optimiser.clip), "0 or more"),
            ("schedule.epochs", schedule.epochs > 0, "1 or more"),
            ("schedule.evaluations", schedule.evaluations > 0, "1 or more"),
            ("schedule.dev", (0.0..=0.5).contains(&schedule.dev), "from 0 to 0.5"),
            (
                "schedule.patience",
                schedule.patience == 0 || schedule.dev > 0.0,
                "0 where schedule.dev holds nothing out to judge by",
            ),
        ];
        // A batch has no scores of teachers: better said now than after the mining.
        self.loss.parse::<Loss>()?.evaluate(&smallest_batch()?)?;
        self.optimiser.schedule.parse::<rate::Schedule>()?;
        match within.iter().find(|(_, is_within, _)| !is_within) {
            Some((key, _, range)) => Err(Error::from(RecipeError::OutOfRange { key, range })),
            None => Ok(()),
        }
    }
}
