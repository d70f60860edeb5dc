//! Training of retrievers: views of text, an encoder's states, a head, a block of scores and a loss over it.
//!
//! Everything that can be trained is one chain of four joints. *Views* of texts become an *encoder's* states, a
//! *head* makes vectors of them, and vectors make a *block of scores* of some queries against some
//! candidates; a *loss* looks at nothing but the block and says how each score should move. This crate prints
//! nothing, reads no environment, starts no threads and never opens an index.
//!
//! [`train`] puts them together for a [`Recipe`].

pub mod block;
pub mod body;
pub mod claim;
pub mod cluster;
mod data;
pub mod debias;
#[cfg(test)]
mod draws;
mod error;
pub mod head;
pub mod ids;
mod lines;
pub mod loss;
pub mod matching;
pub mod miner;
mod opponent;
pub mod optimiser;
mod pretraining;
pub mod ragged;
mod random;
mod ranker;
mod recipe;
pub mod regulariser;
mod run;
pub mod sampler;
pub mod schedule;
pub mod score;
mod source;
mod spec;
pub mod study;
pub mod teacher;
mod term_regression;
pub mod unit;
mod vectors;
pub mod view;
mod vocabulary;

pub use data::{DataError, Judgment, Text, TrainingData};
pub use error::{Error, Result};
pub use ids::Ids;
pub use lines::LineError;
pub use recipe::{
    Algorithm, Batches, Descent, Encoding, ForeignKind, ForeignSource, Found, HeldOut, Lengths,
    Method, Negatives, Optimisation, OwnCandidates, PairDraw, RankerNetwork, Recipe, RecipeError,
    RoundRecipe, Schedule, Steps, Tier, Turns, ViewBatches, ViewEncoding, ViewRecipe, WarmUp,
};
pub use run::{
    Evaluation, Job, Origin, RunError, Trained, VIEWS_JUDGED, encoders_within, train,
    train_from_views, train_in_rounds,
};
pub use source::{ScoreMatrix, Source, Sources};
pub use vectors::Vectors;
pub use vocabulary::{DocumentCounts, Vocabulary};
