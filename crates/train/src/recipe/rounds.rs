//! Recipes of two players: a retriever, and a ranker that learns from what the retriever finds and teaches it (Zhang et al. 2022, AR2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::settings::{check_loss, finite_from_zero, first_outside};
use super::written::{self, Written};
use super::{
    Algorithm, Batches, Descent, Encoding, ForeignSource, Negatives, Optimisation, PairDraw,
    Recipe, Schedule, Tier,
};
use crate::error::Result;
use crate::opponent::OpponentSettings;
use crate::ranker::RankerSpec;
use crate::schedule as rate;

/// The source that is the retriever as it is.
pub(crate) const RETRIEVER: &str = "retriever";
/// The source that is the ranker as it is.
pub(crate) const RANKER: &str = "ranker";

/// How a retriever and a ranker take turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundRecipe {
    /// Its name.
    pub name: String,
    /// The retriever's heads over the model's vectors of whole texts, as the spec string of a matching function.
    pub matching: String,
    /// What the retriever minimises in the rounds, as a loss's formula; the ranker is its only teacher.
    pub loss: String,
    /// Where texts are cut.
    pub encoding: Lengths,
    /// What a batch has, of either player.
    pub batches: OwnCandidates,
    /// What of the retriever's ranking makes batches.
    pub negatives: Found,
    /// How the retriever moves.
    pub optimiser: Descent,
    /// The ranker.
    pub ranker: RankerNetwork,
    /// Before the first round.
    pub warm_up: WarmUp,
    /// The rounds.
    pub rounds: Turns,
    /// What is held out.
    pub schedule: HeldOut,
}

/// Where texts are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lengths {
    /// The most tokens of a query; never more than the model reads.
    pub query_tokens: usize,
    /// The most tokens of a document; never more than the model reads.
    pub document_tokens: usize,
}

/// What a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnCandidates {
    /// Queries, each with one of its answers.
    pub queries: usize,
    /// What the retriever finds beside it, of each query.
    pub negatives: usize,
}

/// What of the retriever's ranking makes batches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// How deep the ranking of a query is searched.
    pub depth: usize,
    /// How many are kept of each pair's, drawn at random.
    pub keep: usize,
    /// A candidate that scores more than this share of the answer's score with the model to begin from is left out; 0 leaves none out.
    pub ratio: f32,
}

/// The ranker: a small network over features of pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankerNetwork {
    /// Whose scores it sees beside the vectors of the model to begin from: `dense`, which is that model, or channels such as `bm25`.
    pub sees: Vec<String>,
    /// Values of its hidden layer.
    pub hidden: usize,
    /// Its rate.
    pub learning_rate: f32,
    /// By what share of the rate its weights shrink.
    pub weight_decay: f32,
}

/// What happens before the first round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// What the retriever minimises, from labels alone.
    pub loss: String,
    /// Its steps.
    pub retriever: u64,
    /// The steps of the ranker, which come after those.
    pub ranker: u64,
}

/// The turns of a round, and how many rounds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turns {
    /// How many rounds there are; each begins with what the retriever finds then.
    pub count: u64,
    /// The steps of the ranker's turn, which is the first.
    pub ranker: u64,
    /// The steps of the retriever's turn.
    pub retriever: u64,
}

/// What is held out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// The share of queries that are held out to judge the retriever by after the warm-up and each round.
    pub dev: f32,
}

impl RoundRecipe {
    /// Returns the sources that have to be handed in.
    pub fn foreign_sources(&self) -> Vec<ForeignSource> {
        ForeignSource::of_names(self.ranker.sees.clone(), true)
    }

    /// Returns how the retriever learns in the rounds.
    pub(crate) fn taught(&self) -> Recipe {
        let Self { encoding, batches, negatives, optimiser, .. } = self;
        Recipe {
            name: self.name.clone(),
            tier: Tier::Vectors,
            matching: self.matching.clone(),
            loss: self.loss.clone(),
            part_loss: String::new(),
            penalty: String::new(),
            teachers: vec![RANKER.to_owned()],
            encoding: Encoding {
                query_tokens: encoding.query_tokens,
                document_tokens: encoding.document_tokens,
                freeze_below: 0,
            },
            batches: Batches {
                queries: batches.queries,
                negatives: batches.negatives,
                shared: false,
                sampler: "shuffled".to_owned(),
                pairs: PairDraw::Uniform,
            },
            negatives: Negatives {
                from: RETRIEVER.to_owned(),
                depth: negatives.depth,
                keep: negatives.keep,
                ratio: negatives.ratio,
                debias: String::new(),
            },
            optimiser: Optimisation {
                algorithm: Algorithm::Adamw,
                learning_rate: optimiser.learning_rate,
                weight_decay: optimiser.weight_decay,
                clip: optimiser.clip,
                schedule: optimiser.schedule.clone(),
            },
            schedule: Schedule { epochs: 1, evaluations: 1, patience: 0, dev: self.schedule.dev },
        }
    }

    /// Returns how it learns before: from labels and what the model to begin from finds.
    pub(crate) fn warming(&self) -> Recipe {
        let mut recipe = self.taught();
        recipe.loss.clone_from(&self.warm_up.loss);
        recipe.teachers.clear();
        super::DENSE.clone_into(&mut recipe.negatives.from);
        recipe
    }

    /// Returns what the ranker is made of.
    pub(crate) fn opponent(&self) -> OpponentSettings {
        let RankerNetwork { hidden, learning_rate, weight_decay, .. } = self.ranker;
        OpponentSettings { hidden, rate: learning_rate, decay: weight_decay }
    }
}

impl Written for RoundRecipe {
    fn check(&self) -> Result<()> {
        let Self { ranker, warm_up, rounds, .. } = self;
        let is_dual = matches!(self.matching.parse::<RankerSpec>()?, RankerSpec::Dual(_));
        let rate = ranker.learning_rate;
        first_outside(&[
            ("matching", is_dual, "one over vectors: the ranker reads pairs"),
            ("ranker.hidden", ranker.hidden >= 1, "1 or more"),
            ("ranker.learning_rate", rate > 0.0 && finite_from_zero(rate), "more than 0"),
            ("ranker.weight_decay", finite_from_zero(ranker.weight_decay), "0 or more"),
            ("warm_up.retriever", warm_up.retriever >= 1, "1 or more"),
            ("warm_up.ranker", warm_up.ranker >= 1, "1 or more"),
            ("rounds.count", rounds.count >= 1, "1 or more"),
            ("rounds.ranker", rounds.ranker >= 1, "1 or more"),
            ("rounds.retriever", rounds.retriever >= 1, "1 or more"),
        ])?;
        self.optimiser.schedule.parse::<rate::Schedule>()?;
        check_loss("warm_up.loss", &self.warm_up.loss, false, 0)?;
        // What the two have in common with recipes of pairs has their ranges.
        self.taught().check()
    }
}

impl fmt::Display for RoundRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written::print(self, f)
    }
}
