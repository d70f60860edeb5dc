//! The arguments of `split` and `data audit`: what is done to the queries of a data set before anybody trains.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::depth;

/// Resample a data set into splits that tell interpolation from extrapolation.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory split --protocol restrain --data scifact --encoder minilm --out scifact-regimes\n  ecphory split --protocol resttest --data scifact --encoder minilm --groups 5 --out scifact-folds\n\nrestrain keeps the test queries and writes two training splits of equal size, train-interpolation (the training queries nearest to test queries) and train-extrapolation (others): train on each, and compare on test. resttest groups all queries; each group is held out once, as foldN-train, foldN-interpolation and foldN-extrapolation.\n\nThe encoder that says which queries resemble each other has to be none of the models that are compared: groups that one of them drew would favour it. As resttest tests other queries in each regime, put something untrained beside it, such as bm25."
)]
pub struct Split {
    /// How to resample.
    #[arg(long, value_enum)]
    pub protocol: ProtocolName,
    /// The data set, by name or as a directory in the layout of BEIR.
    #[arg(long, value_name = "NAME")]
    pub data: String,
    /// The encoder that says which queries resemble each other.
    #[arg(long, value_name = "MODEL")]
    pub encoder: String,
    /// The folder to make, a data set itself; it must not exist.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The split with training queries.
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    pub train: String,
    /// The split with test queries.
    #[arg(long, value_name = "SPLIT", default_value = "test")]
    pub test: String,
    /// restrain: how many nearest training queries each test query brings in.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = depth)]
    pub neighbours: usize,
    /// resttest: how many groups.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = depth)]
    pub groups: usize,
    /// The seed of everything random.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

/// The protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProtocolName {
    /// Fixed test queries, two training sets.
    Restrain,
    /// Groups of queries, each held out once.
    Resttest,
}

/// Look for test queries that training has seen: shared ids, near duplicates, shared answers.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  ecphory data audit scifact\n  ecphory data audit cosqa --train dev\n  ecphory data audit scifact --queries synthetic.jsonl\n\nTwo queries are near duplicates where they share --overlap of the word 5-grams (--words) of the one with fewer. Queries with fewer words are compared as a whole, without case and punctuation."
)]
pub struct Audit {
    /// The data set, by name or as a directory in the layout of BEIR.
    pub name: String,
    /// The split with training queries.
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    pub train: String,
    /// Training queries from a file instead, such as synthetic ones: JSONL in BEIR layout, or TSV (id, text).
    #[arg(long, value_name = "FILE", conflicts_with = "train")]
    pub queries: Option<PathBuf>,
    /// The split with test queries.
    #[arg(long, value_name = "SPLIT", default_value = "test")]
    pub test: String,
    /// The share of common n-grams from which on two queries are near duplicates.
    #[arg(long, value_name = "SHARE", default_value_t = 0.8)]
    pub overlap: f64,
    /// Words of an n-gram.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = depth)]
    pub words: usize,
    /// How many relevant documents a test query has to share with training queries to be counted.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = depth)]
    pub shared: usize,
}
