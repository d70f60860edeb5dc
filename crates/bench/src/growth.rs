//! Workload `growth`: the searches of `bm25` and `sparse` on one thread, as collections grow.
//!
//! Beyond the size of the corpus its texts come again under other ids, and vectors with other weights: what grows is the
//! collection, not the vocabulary.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::{bm25, sparse};

/// What to run.
#[derive(Args)]
pub struct Options {
    /// The corpus: a `.deb` of linux-doc, a folder, or a `.txt` with one text a line [default: apt's]
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// How many documents; can be repeated
    #[arg(long, default_values_t = [10_000, 100_000, 1_000_000])]
    documents: Vec<usize>,
    /// Rounds of searching
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Texts are the first of the corpus, collections have 2,000 and 20,000 documents, and there is one round; not recorded
    #[arg(long)]
    quick: bool,
}

/// Runs the workload. Its figures are those of the workloads that it is made of.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no round was asked for");
    let (sizes, runs) = if options.quick {
        (vec![2_000, 20_000], 1)
    } else {
        (options.documents.clone(), options.runs)
    };
    for documents in sizes {
        bm25::search_of(documents, runs, options.corpus.as_deref(), options.quick)?;
        sparse::search_of(documents, runs, options.corpus.as_deref(), options.quick)?;
    }
    Ok(())
}
