//! Pipelines: how to get from a query to a ranking, as a value.
//!
//! A [`Pipeline`] is a tree that is written as an expression (`rrf(bm25, dense) % 100 >> rescore(dense)`),
//! as TOML or as JSON, and comes back unchanged from each. The grammar and what each part means stand in
//! [`crate::guide::pipelines`]. A pipeline knows no collection: names are resolved by
//! [`Reader::pipeline`](crate::Reader::pipeline) and by the planner. It is not a program: there are no
//! variables, no conditions, and its depth is limited to [`DEPTH_MAX`].

mod display;
mod lexer;
mod parser;
mod problem;
mod tree;
mod wire;

pub(crate) use parser::parse;
pub use problem::{PipelineError, PipelineProblem};
pub(crate) use tree::{check_number, check_weights};

use ecphory_index::Filter;

/// How deep a pipeline may nest: fusions in fusions, steps after steps.
pub const DEPTH_MAX: usize = 64;

/// The `k` of reciprocal rank fusion where none is given, from Cormack, Clarke and Büttcher (SIGIR 2009).
pub const RRF_K: f64 = 60.0;

/// The `alpha` of `cc` where none is given: both halves count the same.
pub const CC_ALPHA: f64 = 0.5;

/// The name that stands for the default fusion of all channels of a collection.
pub const HYBRID: &str = "hybrid";

/// The share of the lexical channels in `hybrid`; the dense ones have the rest.
///
/// A cosine is normalised from −1, so that the best hundred of a dense list lie close together below 1,
/// while those of a lexical one reach far down: equal shares would let words decide almost alone. The
/// measurements stand in docs/decisions/0001-default-hybrid.md.
pub const HYBRID_LEXICAL: f64 = 0.2;

/// How a model reads a query and a document to score them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reranking {
    /// Both together: a cross-encoder.
    Cross,
    /// Each by itself, token by token: late interaction.
    MaxSim,
}

impl Reranking {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cross, Self::MaxSim];

    /// Returns what a pipeline calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cross => "cross",
            Self::MaxSim => "maxsim",
        }
    }

    /// Returns the one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// How the words of the best documents become part of the query: RM3, the relevance model of Lavrenko and Croft (2001) mixed with
/// the query (Abdul-Jaleel et al. 2004).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rm3 {
    /// How many of the best documents are believed to be relevant, at least one.
    pub documents: u32,
    /// How many of their words are taken, at least one.
    pub terms: u32,
    /// The share of the query as it was asked, from 0 to 1.
    pub original: f64,
}

impl Default for Rm3 {
    /// Ten documents, twenty words, a share of 0.6: measured in the guide.
    fn default() -> Self {
        Self { documents: 10, terms: 20, original: 0.6 }
    }
}

/// A way from a query to a ranking.
#[derive(Clone, Debug, PartialEq)]
pub enum Pipeline {
    /// Retrieves with the channel of this name.
    Channel(String),
    /// Retrieves with a BM25 or sparse channel by its impacts alone: `impacts(channel)`. Scores are bounds, a little above the exact ones.
    Impacts(String),
    /// Keeps the best `to` hits: `p % n`.
    Cut {
        /// What is cut.
        of: Box<Pipeline>,
        /// How many hits stay, at least one.
        to: u32,
    },
    /// Reciprocal rank fusion: the sum of `weight / (k + rank)` over the lists that hold the document.
    Rrf {
        /// The lists.
        of: Vec<Pipeline>,
        /// What is added to every rank, which starts at 1.
        k: f64,
        /// One weight for each list; all 1 where missing.
        weights: Option<Vec<f64>>,
    },
    /// The convex combination of two: `alpha` times the first's normalised score plus `1 - alpha` times
    /// the second's.
    Cc {
        /// The two that are combined.
        of: Box<[Pipeline; 2]>,
        /// The weight of the first, from 0 to 1.
        alpha: f64,
    },
    /// A weighted sum of normalised scores: `0.3 * a + 0.7 * b`.
    Sum(Vec<(f64, Pipeline)>),
    /// Replaces the score of each hit by its exact score in a channel: `p >> rescore(channel)`.
    Rescore {
        /// Where the hits come from.
        of: Box<Pipeline>,
        /// The channel that scores.
        by: String,
    },
    /// Replaces the score of each hit by what a model gives query and document: `p >> cross(model)`, `p >> maxsim(model)`.
    Rerank {
        /// Where the hits come from.
        of: Box<Pipeline>,
        /// How the model reads them.
        by: Reranking,
        /// The model that scores: a name that was pulled, or the path of its directory.
        model: String,
    },
    /// Reads a lexical channel once more, with words of the best hits: `p >> expand(rm3)`.
    Expand {
        /// Where the best hits come from; it has to read the channel.
        of: Box<Pipeline>,
        /// The channel; where missing, the first BM25 channel that is read.
        channel: Option<String>,
        /// Which words, and what they weigh.
        by: Rm3,
    },
    /// Lets only documents through that a filter selects: `p >> where(year >= 2020)`.
    Where {
        /// What is filtered; the filter reaches every channel below it.
        of: Box<Pipeline>,
        /// The condition.
        filter: Filter,
    },
}

impl Pipeline {
    /// Retrieves with one channel.
    pub fn channel(name: impl Into<String>) -> Self {
        Pipeline::Channel(name.into())
    }

    /// Fuses by reciprocal rank with the usual `k` of 60.
    pub fn rrf(of: impl IntoIterator<Item = Pipeline>) -> Self {
        Pipeline::Rrf { of: of.into_iter().collect(), k: RRF_K, weights: None }
    }

    /// Combines two: `alpha` times the first's normalised score, `1 - alpha` times the second's.
    pub fn cc(first: Pipeline, second: Pipeline, alpha: f64) -> Self {
        Pipeline::Cc { of: Box::new([first, second]), alpha }
    }

    /// Adds up weighted normalised scores.
    pub fn sum(of: impl IntoIterator<Item = (f64, Pipeline)>) -> Self {
        Pipeline::Sum(of.into_iter().collect())
    }

    /// Keeps the best `count`.
    #[must_use]
    pub fn top(self, count: u32) -> Self {
        Pipeline::Cut { of: Box::new(self), to: count }
    }

    /// Replaces each hit's score by its exact score in a channel.
    #[must_use]
    pub fn rescore(self, channel: impl Into<String>) -> Self {
        Pipeline::Rescore { of: Box::new(self), by: channel.into() }
    }

    /// Replaces each hit's score by that of a cross-encoder.
    #[must_use]
    pub fn cross(self, model: impl Into<String>) -> Self {
        self.rerank(Reranking::Cross, model)
    }

    /// Replaces each hit's score by the sum of the best matches of the query's tokens, of a model of late interaction.
    #[must_use]
    pub fn max_sim(self, model: impl Into<String>) -> Self {
        self.rerank(Reranking::MaxSim, model)
    }

    /// Replaces each hit's score by that of a model.
    #[must_use]
    pub fn rerank(self, by: Reranking, model: impl Into<String>) -> Self {
        Pipeline::Rerank { of: Box::new(self), by, model: model.into() }
    }

    /// Reads the first BM25 channel once more, with words of the best hits.
    #[must_use]
    pub fn expand(self, by: Rm3) -> Self {
        Pipeline::Expand { of: Box::new(self), channel: None, by }
    }

    /// Lets only documents through that the filter selects.
    #[must_use]
    pub fn filter(self, filter: Filter) -> Self {
        Pipeline::Where { of: Box::new(self), filter }
    }
}

#[cfg(test)]
mod tests;
