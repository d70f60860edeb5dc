//! The settings of a recipe, and their ranges.

use std::path::PathBuf;

use ecphory_model::Role;
use serde::{Deserialize, Serialize};

use crate::block::{Block, BlockParts, Columns, Teacher};
use crate::debias::DebiasSpec;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::matching::{BranchSpec, ChainSpec, HeadSpec};
use crate::ranker::RankerSpec;
use crate::recipe::{RecipeError, Written};
use crate::regulariser::{PenaltyKind, PenaltySpec};
use crate::sampler::SamplerSpec;
use crate::schedule as rate;
use crate::teacher::TeacherSpec;

/// A recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// What learns.
    pub tier: Tier,
    /// The heads and how vectors are compared, as the spec string of a matching function; or `cross` for a model that reads a query
    /// and a document together.
    pub matching: String,
    /// What is minimised over the scores of a batch, as a loss's formula.
    pub loss: String,
    /// A second loss over the scores of a fusion's first branch alone; empty for none.
    pub part_loss: String,
    /// What vectors cost whatever they score, as a penalty's formula; empty for none.
    pub penalty: String,
    /// Whose scores are learned from, as spec strings of teachers; losses name them by their places.
    pub teachers: Vec<String>,
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

/// The source that is the model to begin from.
pub(crate) const DENSE: &str = "dense";
/// The source that stands for documents at random, as a place to mine from.
pub(crate) const RANDOM: &str = "random";

/// The source whose scores tell what a pool of judgments shows.
pub(crate) const LEXICAL: &str = "bm25";

/// A source that a recipe names and that has to be handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignSource {
    /// The name, as the recipe has it.
    pub name: String,
    /// What stands behind it.
    pub kind: ForeignKind,
}

/// What stands behind the name of a source that has to be handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignKind {
    /// `file(PATH)`: stored scores of pairs.
    Scores(PathBuf),
    /// `cross(MODEL)`: a cross-encoder, which scores pairs when they are asked for.
    CrossEncoder(String),
    /// Any other: a channel or a pipeline, such as `bm25`.
    Ranker,
}

/// What learns, and what is read from a cache of states: the less learns, the less a step costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Heads over the model's vectors of whole texts (T0).
    Vectors,
    /// Heads over the states of tokens (T1).
    States,
    /// Heads and the model, from the layer `encoding.freeze_below` on (T2; T3 from 0 on).
    Model,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batches {
    /// Queries, each with one of its positives.
    pub queries: usize,
    /// Hard negatives of each query.
    pub negatives: usize,
    /// Whether the candidates of the other queries are candidates too.
    pub shared: bool,
    /// Which queries meet: `shuffled`, or `clusters(count=…)` of their vectors, as a sampler's spec string.
    pub sampler: String,
    /// How negatives are drawn for a query.
    pub pairs: PairDraw,
}

/// How negatives are drawn for a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairDraw {
    /// Each with the same probability.
    Uniform,
    /// One, from bins of the first teacher's margin that all come alike.
    MarginBins,
}

/// Where hard negatives come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negatives {
    /// Whose ranking is searched: `dense` for the model that training begins from, or another source of the run.
    pub from: String,
    /// How deep the ranking of a query is searched.
    pub depth: usize,
    /// How many are kept of a query's, the highest first.
    pub keep: usize,
    /// A candidate that scores more than this share of the positive's score is taken for an answer that nobody
    /// judged, and left out (the filter "`TopK-PercPos`" of Moreira et al. 2024); 0 leaves none out.
    pub ratio: f32,
    /// How much candidates without a label count, as the spec string of an estimation that learns it; empty where they are taken for
    /// irrelevant.
    pub debias: String,
}

/// How parameters move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimisation {
    /// By which rule.
    pub algorithm: Algorithm,
    /// The highest rate.
    pub learning_rate: f32,
    /// By what share of the rate weights shrink; biases and norms never do.
    pub weight_decay: f32,
    /// The longest gradient; 0 for any length.
    pub clip: f32,
    /// How the rate goes over the run, as a schedule's formula.
    pub schedule: String,
}

/// A rule by which parameters move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// `AdamW`.
    Adamw,
    /// Its schedule-free form, of which the mean of all steps is evaluated and saved.
    ScheduleFree,
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

/// Two queries with a candidate each, and as many teachers as a recipe has.
fn smallest_batch(shared: bool, teachers: usize) -> Result<Block> {
    let teacher = Teacher::of_all(vec![1.0, 0.0, 0.0, 1.0]);
    let columns = if shared { Columns::Shared(vec![Some(0), Some(1)]) } else { Columns::Own };
    Ok(Block::new(BlockParts {
        queries: 2,
        candidates: 2,
        scores: vec![1.0, 0.0, 0.0, 1.0],
        gold: vec![1.0, 0.0, 0.0, 1.0],
        teachers: vec![teacher; teachers],
        columns,
        ..BlockParts::default()
    })?)
}

/// Checks that a loss can be read, and reads nothing that batches do not have.
pub(super) fn check_loss(
    key: &'static str,
    formula: &str,
    shared: bool,
    teachers: usize,
) -> Result<()> {
    let smallest = smallest_batch(shared, teachers)?;
    match formula.parse::<Loss>()?.evaluate(&smallest) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::from(RecipeError::UnfitLoss { key, error })),
    }
}

impl ForeignSource {
    /// Tells by names what has to be handed in, once each.
    pub(super) fn of_names(mut names: Vec<String>, makes_vectors: bool) -> Vec<Self> {
        names.sort();
        names.dedup();
        names.retain(|name| name != RANDOM && (name != DENSE || !makes_vectors));
        let source = |name: String| {
            let within = |call: &str| name.strip_prefix(call)?.strip_suffix(')');
            let kind = match (within("file("), within("cross(")) {
                (Some(path), _) => ForeignKind::Scores(path.into()),
                (_, Some(model)) => ForeignKind::CrossEncoder(model.to_owned()),
                _ => ForeignKind::Ranker,
            };
            Self { name, kind }
        };
        names.into_iter().map(source).collect()
    }
}

impl Recipe {
    /// Reads the matching function.
    pub(crate) fn ranker(&self) -> Result<RankerSpec> {
        self.matching.parse()
    }

    /// Returns whether what learns is a cross-encoder.
    ///
    /// # Errors
    /// Where the matching function is written wrongly.
    pub(crate) fn is_cross(&self) -> Result<bool> {
        Ok(self.ranker()? == RankerSpec::Cross)
    }

    /// Returns the source that held-out queries are searched with before training.
    pub(crate) fn pool_source(&self) -> Result<&str> {
        // A reranker is judged by what it will rerank; what it begins from need not be a search.
        Ok(if self.is_cross()? && self.negatives.from != RANDOM {
            &self.negatives.from
        } else {
            DENSE
        })
    }

    /// Returns whether the model that training begins from has to be a search or a teacher itself.
    pub(crate) fn begins_with_vectors(&self) -> Result<bool> {
        let searches = self.pool_source()? == DENSE || self.negatives.from == DENSE;
        Ok(searches || self.negatives.ratio > 0.0 || self.needs_vectors()?)
    }

    /// Finds the heads that weigh terms of documents, and what their parameters are named after; `None` where there are none.
    pub(crate) fn terms(&self) -> Result<Option<(ChainSpec, String)>> {
        let RankerSpec::Dual(spec) = self.ranker()? else { return Ok(None) };
        let weighs =
            |branch: &BranchSpec| matches!(branch.document.0.last(), Some(HeadSpec::Lexical(_)));
        let found = spec.branches.iter().position(weighs);
        Ok(found.map(|place| (spec.branches[place].document.clone(), format!("{place}.document"))))
    }

    /// Reads how labels are taken; `None` for as they are.
    pub(crate) fn debias(&self) -> Result<Option<DebiasSpec>> {
        let text = &self.negatives.debias;
        (!text.is_empty()).then(|| text.parse()).transpose()
    }

    /// Reads the loss over the first branch; `None` where there is none.
    pub(crate) fn part_loss(&self) -> Result<Option<Loss>> {
        Ok((!self.part_loss.is_empty()).then(|| self.part_loss.parse()).transpose()?)
    }

    /// Reads the penalty; `None` where there is none.
    pub(crate) fn penalty(&self) -> Result<Option<PenaltySpec>> {
        (!self.penalty.is_empty()).then(|| self.penalty.parse()).transpose()
    }

    /// Reads the teachers.
    pub(crate) fn teachers(&self) -> Result<Vec<TeacherSpec>> {
        self.teachers.iter().map(|spec| spec.parse()).collect()
    }

    /// Returns the sources that the recipe mines and learns from and that a run does not have by itself, by name and once each: those
    /// that have to be handed in. A model to begin from that makes no vectors, as a cross-encoder, is not the source `dense` either.
    ///
    /// # Errors
    /// Where a teacher's spec string is wrong.
    pub fn foreign_sources(&self, makes_vectors: bool) -> Result<Vec<ForeignSource>> {
        let mut names = vec![self.negatives.from.clone()];
        names.extend(self.teachers()?.into_iter().flat_map(|spec| spec.members));
        // A pool goes by a lexical score.
        names.extend(self.debias()?.map(|_| LEXICAL.to_owned()));
        if self.negatives.ratio > 0.0 {
            names.push(DENSE.to_owned());
        }
        Ok(ForeignSource::of_names(names, makes_vectors))
    }

    /// Returns whether the vectors of the model that training begins from are needed beyond its beginning.
    pub(crate) fn needs_vectors(&self) -> Result<bool> {
        let teachers = self.teachers()?;
        let has_dense = teachers.iter().any(|spec| spec.members.iter().any(|one| one == DENSE));
        let has_clusters = self.batches.sampler.parse::<SamplerSpec>()? != SamplerSpec::Shuffled;
        Ok(has_dense || has_clusters || self.tier == Tier::Vectors)
    }

    /// Checks what is written as formulas.
    fn check_specs(&self) -> Result<()> {
        let ranker = self.ranker()?;
        let branches: &[BranchSpec] = match &ranker {
            RankerSpec::Dual(spec) => &spec.branches,
            RankerSpec::Cross => &[],
        };
        let is_cross = ranker == RankerSpec::Cross;
        self.optimiser.schedule.parse::<rate::Schedule>()?;
        self.batches.sampler.parse::<SamplerSpec>()?;
        let teachers = self.teachers()?.len();
        self.debias()?;
        // Better said now than after the mining.
        let shared = self.batches.shared;
        check_loss("loss", &self.loss, shared, teachers)?;
        if !self.part_loss.is_empty() {
            check_loss("part_loss", &self.part_loss, shared, teachers)?;
        }
        let within = [
            (
                "part_loss",
                self.part_loss.is_empty() || branches.len() > 1,
                "empty where matching is no fusion",
            ),
            (
                "teachers",
                teachers > 0 || self.batches.pairs == PairDraw::Uniform,
                "at least one where batches.pairs is margin-bins",
            ),
        ];
        let is_gated = |chain: &ChainSpec| chain.0.contains(&HeadSpec::Gate);
        let has_gates = branches.iter().any(|branch| is_gated(&branch.document));
        let needs_gates = self.penalty()?.is_some_and(|one| one.kind == PenaltyKind::Gates);
        let fitting = [
            ("penalty", !needs_gates || has_gates, "on gates only where matching has some"),
            ("penalty", !is_cross || self.penalty.is_empty(), "empty where matching is cross"),
            ("tier", !is_cross || self.tier == Tier::Model, "model where matching is cross"),
            (
                "batches.shared",
                !(is_cross && self.batches.shared),
                "false where matching is cross: a pair costs as much as a text",
            ),
        ];
        first_outside(within.iter().chain(&fitting))
    }
}

impl Written for Recipe {
    fn check(&self) -> Result<()> {
        let Self { encoding, batches, negatives, optimiser, schedule, .. } = self;
        let within = [
            ("encoding.query_tokens", encoding.query_tokens >= 3, "3 or more"),
            ("encoding.document_tokens", encoding.document_tokens >= 3, "3 or more"),
            (
                "encoding.freeze_below",
                encoding.freeze_below == 0 || self.tier == Tier::Model,
                "0 where tier is not model",
            ),
            ("batches.negatives", batches.negatives >= 1, "1 or more"),
            (
                "batches.negatives",
                batches.negatives == 1 || batches.pairs == PairDraw::Uniform,
                "1 where batches.pairs is margin-bins",
            ),
            ("batches.queries", batches.queries >= 1, "1 or more"),
            (
                "batches.queries",
                batches.queries >= 2 || !batches.shared,
                "2 or more where batches.shared is true",
            ),
            (
                "negatives.keep",
                negatives.keep >= batches.negatives && negatives.keep <= negatives.depth,
                "from batches.negatives to negatives.depth",
            ),
            ("negatives.ratio", (0.0..=1.0).contains(&negatives.ratio), "from 0 to 1"),
            (
                "optimiser.learning_rate",
                optimiser.learning_rate > 0.0 && finite_from_zero(optimiser.learning_rate),
                "more than 0",
            ),
            ("optimiser.weight_decay", finite_from_zero(optimiser.weight_decay), "0 or more"),
            ("optimiser.clip", finite_from_zero(optimiser.clip), "0 or more"),
            ("schedule.epochs", schedule.epochs > 0, "1 or more"),
            ("schedule.evaluations", schedule.evaluations > 0, "1 or more"),
            ("schedule.dev", (0.0..=0.5).contains(&schedule.dev), "from 0 to 0.5"),
            (
                "schedule.patience",
                schedule.patience == 0 || schedule.dev > 0.0,
                "0 where schedule.dev holds nothing out to judge by",
            ),
        ];
        first_outside(&within)?;
        self.check_specs()
    }
}

/// Whether a number is finite and not negative.
pub(super) fn finite_from_zero(number: f32) -> bool {
    (0.0..=f32::MAX).contains(&number)
}

/// A setting, whether it is in its range, and what that is.
type Checked = (&'static str, bool, &'static str);

pub(super) fn first_outside<'a>(all: impl IntoIterator<Item = &'a Checked>) -> Result<()> {
    match all.into_iter().find(|(_, is_within, _)| !is_within) {
        Some((key, _, range)) => Err(Error::from(RecipeError::OutOfRange { key, range })),
        None => Ok(()),
    }
}
