//! Recipes that need no labels: two views of a document find each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::settings::{check_loss, finite_from_zero, first_outside};
use super::written::{self, Written};
use crate::error::Result;
use crate::head::Pooling;
use crate::matching::{BranchSpec, Comparison, HeadSpec, MatchingSpec};
use crate::pretraining::{Keys, Learning, Pretraining};
use crate::schedule as rate;
use crate::view::ViewSpec;

/// How a table of word pieces learns from a corpus alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewRecipe {
    /// Its name.
    pub name: String,
    /// How two views of a document are made, as a spec string: `crop(…)` or `ict(…)`, and what each of both then loses.
    pub view: String,
    /// What the second view is told from: `in-batch`, or `queue(…)` of keys that a slow twin made.
    pub keys: String,
    /// How texts are compared by the means of their rows: `dot(mean)` or `cosine(mean)`, as a matching function's spec string.
    pub matching: String,
    /// What is minimised over the scores of a batch, as a loss's formula.
    pub loss: String,
    /// How texts are read.
    pub encoding: ViewEncoding,
    /// What a batch has.
    pub batches: ViewBatches,
    /// How the table moves.
    pub optimiser: Descent,
    /// For how long.
    pub schedule: Steps,
}

/// How texts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewEncoding {
    /// The most word pieces of a document; views are cut from these.
    pub document_tokens: usize,
}

/// What a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewBatches {
    /// Documents, each with its two views; never more than a quarter of the collection.
    pub documents: usize,
}

/// How parameters move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descent {
    /// The highest rate.
    pub learning_rate: f32,
    /// By what share of the rate rows shrink that a step saw.
    pub weight_decay: f32,
    /// The longest gradient; 0 for any length.
    pub clip: f32,
    /// How the rate goes over the run, as a schedule's formula; no plateau, since nothing is held out.
    pub schedule: String,
}

/// For how long training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// How many batches are seen.
    pub steps: u64,
    /// How often it is seen on the way how far unseen views are told apart, and a checkpoint written.
    pub evaluations: u64,
}

impl ViewRecipe {
    /// Returns how views are made and told apart.
    pub(crate) fn pretraining(&self) -> Result<Pretraining> {
        let (view, keys) = (self.view.parse()?, self.keys.parse()?);
        Ok(Pretraining { view, keys, steps: self.schedule.steps })
    }

    /// Returns what moves the table.
    pub(crate) fn learning(&self) -> Learning<'_> {
        Learning {
            matching: &self.matching,
            loss: &self.loss,
            documents: self.batches.documents,
            weight_decay: self.optimiser.weight_decay,
            clip: self.optimiser.clip,
        }
    }
}

impl Written for ViewRecipe {
    fn check(&self) -> Result<()> {
        let Self { encoding, batches, optimiser, schedule, .. } = self;
        let Descent { learning_rate, weight_decay, clip, .. } = *optimiser;
        let falls = optimiser.schedule.parse::<rate::Schedule>()?;
        let matching = self.matching.parse::<MatchingSpec>()?;
        let goes_by_itself = !matches!(falls, rate::Schedule::Plateau { .. });
        first_outside(&[
            (
                "matching",
                is_of_means(&matching),
                "dot or cosine of mean, such as dot(mean): a static encoder makes nothing else",
            ),
            ("encoding.document_tokens", encoding.document_tokens >= 2, "2 or more"),
            ("batches.documents", batches.documents >= 2, "2 or more"),
            (
                "optimiser.learning_rate",
                learning_rate > 0.0 && finite_from_zero(learning_rate),
                "more than 0",
            ),
            ("optimiser.weight_decay", finite_from_zero(weight_decay), "0 or more"),
            ("optimiser.clip", finite_from_zero(clip), "0 or more"),
            (
                "optimiser.schedule",
                goes_by_itself,
                "constant, linear or cosine: nothing is held out that a plateau could go by",
            ),
            ("schedule.steps", schedule.steps > 0, "1 or more"),
            (
                "schedule.evaluations",
                (1..=schedule.steps).contains(&schedule.evaluations),
                "from 1 to schedule.steps",
            ),
        ])?;
        self.view.parse::<ViewSpec>()?;
        self.keys.parse::<Keys>()?;
        // Better said now than after the corpus was read.
        check_loss("loss", &self.loss, true, 0)
    }
}

/// Returns whether texts are compared by the means of their rows.
fn is_of_means(matching: &MatchingSpec) -> bool {
    let [BranchSpec { comparison, query: None, document }] = &matching.branches[..] else {
        return false;
    };
    let mean = [HeadSpec::Pooled, HeadSpec::Pooling(Pooling::Mean)];
    let heads = match &document.0[..] {
        [first] | [first, HeadSpec::Unit] => mean.contains(first),
        _ => false,
    };
    heads && matches!(comparison, Comparison::Dot | Comparison::Cosine)
}

impl fmt::Display for ViewRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written::print(self, f)
    }
}
