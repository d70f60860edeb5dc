//! Judgments, runs, metrics, significance, data-set readers and reports: what says whether a change
//! of a retrieval system helped.
//!
//! This crate never opens a collection: it judges anybody's run files. It prints nothing, reads no
//! environment and starts no threads.
//!
//! The formulas, the rules for ties and averaging, and examples stand in the [`guide`].

pub mod compare;
mod dataset;
mod error;
mod evaluate;
#[allow(clippy::doc_markdown, reason = "the guide is prose, read outside rustdoc too")]
#[doc = include_str!("../../../docs/guide/evaluation.md")]
pub mod guide {}
pub mod leakage;
pub mod lines;
pub mod metric;
mod qrels;
mod queries;
pub mod ranking;
pub mod resample;
mod run;
pub mod significance;

pub use compare::{ComparedSet, Comparison, ComparisonOptions};
pub use dataset::{Dataset, DatasetEntry};
pub use error::{Error, LineError, Result};
pub use evaluate::{
    Averaging, EvaluateOptions, Judgement, PerQuery, TieBounds, evaluate, evaluate_ties,
};
pub use metric::Metric;
pub use qrels::Qrels;
pub use queries::{Queries, Query};
pub use ranking::Ranking;
pub use run::{Run, rank_order};
pub use significance::{bootstrap_interval, holm, paired_randomisation_test, paired_t_test};
