//! Workload `store`: what a collection costs that lives, on the paragraphs of the Linux documentation.
//!
//! - *search*: latency of queries while documents are inserted, replaced and deleted and segments merged,
//!   against the same queries on a collection at rest.
//! - *churn*: bytes on disk after everything was rewritten ten times, against a fresh build.
//! - *memory*: peak memory of `ecphory index` with a small budget, against the default.
//! - *write*: documents acknowledged a second by durability, batch and threads, against the bare disk.
//!
//! The peer is the engine itself under other conditions, or the disk: this measures what the machinery of
//! transactions costs, not how we compare with other engines.

mod churn;
mod live;
mod load;
mod memory;
mod search;
mod write;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::cache::Scratch;
use crate::compare::{Better, Comparison};
use crate::corpus;

/// What to run.
#[derive(Args)]
pub struct Options {
    /// The corpus: a `.deb` of linux-doc, a folder, or a `.txt` with one text a line [default: apt's]
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Only these parts
    #[arg(long = "part")]
    parts: Vec<Part>,
    /// Rounds of what depends on chance
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The first 40,000 texts, one round of seconds and three rewrites, to see that everything works; not recorded
    #[arg(long)]
    quick: bool,
}

/// A part of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Search,
    Churn,
    Memory,
    Write,
}

/// What the parts work on.
struct Setting {
    texts: Vec<String>,
    scratch: Scratch,
    runs: usize,
    quick: bool,
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no round was asked for");
    let mut texts = corpus::read(&corpus::linux_doc::prepare(options.corpus.as_deref())?)?;
    if options.quick {
        texts.truncate(40_000);
    }
    eprintln!("{} texts, {} bytes", texts.len(), texts.iter().map(String::len).sum::<usize>());
    let runs = if options.quick { 1 } else { options.runs };
    let setting = Setting { texts, scratch: Scratch::new()?, runs, quick: options.quick };
    let parts = match options.parts.as_slice() {
        [] => Part::value_variants(),
        parts => parts,
    };
    for part in parts {
        match part {
            Part::Search => search::run(&setting)?,
            Part::Churn => churn::run(&setting)?,
            Part::Memory => memory::run(&setting)?,
            Part::Write => write::run(&setting)?,
        }
    }
    Ok(())
}

fn comparison(peer: &str, metric: String, quality: String, better: Better) -> Comparison {
    Comparison { workload: "store", peer: peer.into(), metric, quality, better, rounds: Vec::new() }
}
