//! Workload `mine`: the 100 hardest negatives of 10,000 queries, ours and sentence-transformers'.
//!
//! Real queries with an answer each and all documents of several data sets. Everybody is handed the same vectors of
//! `MiniLM` in files: encoding is in nobody's time. In it are reading texts and vectors, searching, taking
//! the answer out, and the result: ours as a file, theirs as a data set in memory.

pub mod ours;
mod sets;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::json;

use crate::cache::{self, Python, Scratch};
use crate::compare::{Better, Comparison, on};
use crate::process::Process;
use sets::Set;

const MODEL: &str = "minilm";
/// The most threads that are measured.
const THREADS_MAX: usize = 2;
/// Negatives of a query.
const NEGATIVES: usize = 100;

/// What to run.
#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Queries to mine for
    #[arg(long, default_value_t = 10_000)]
    queries: usize,
    /// Four hundred queries and one round, to see that everything works; not recorded
    #[arg(long)]
    quick: bool,
}

/// What is held fixed while the two sides take turns.
struct Setting<'a> {
    set: &'a Set,
    threads: usize,
    runs: usize,
    scratch: &'a Scratch,
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no round was asked for");
    ensure!(options.queries > 0, "no query was asked for");
    let (queries, runs) = if options.quick { (400, 1) } else { (options.queries, options.runs) };
    let python = Python::beside("mine", &Python::with("encode")?)?;
    let set = Set::prepare(&cache::model(MODEL)?, queries)?;
    let scratch = Scratch::new()?;
    for threads in 1..=THREADS_MAX {
        let setting = Setting { set: &set, threads, runs, scratch: &scratch };
        for with_faiss in [false, true] {
            setting.compare(&python, with_faiss)?;
        }
    }
    Ok(())
}

impl Setting<'_> {
    /// Lets both sides take turns, each time as new processes, and prints what they took.
    fn compare(&self, python: &Python, with_faiss: bool) -> Result<()> {
        let side = if with_faiss { "faiss" } else { "torch" };
        let mut peer = String::new();
        let (mut seconds, mut peaks) = (Vec::new(), Vec::new());
        let (mut equal, mut libraries) = (String::new(), 0.0);
        for round in 0..self.runs {
            eprintln!("{}, {side}, {}, round {}", self.set.title, on(self.threads), round + 1);
            let mut ours = Process::own("ours-mine", self.threads)?;
            let ours_took = ours.measure("mine", self.request("ours.txt"), "seconds")?;
            let ours_peak = ours.peak()? / 1e6;
            drop(ours);
            let mut theirs = Process::python(python, "mine_side.py", side, self.threads)?;
            let ready = theirs.ask("ready", json!({}))?;
            libraries = theirs.peak()? / 1e6;
            ready["version"].as_str().context("the peer has no version")?.clone_into(&mut peer);
            let theirs_took = theirs.measure("mine", self.request("theirs.txt"), "seconds")?;
            let theirs_peak = theirs.peak()? / 1e6;
            seconds.push((ours_took, theirs_took));
            peaks.push((ours_peak, theirs_peak));
            let (ours, theirs) = (self.scratch.path("ours.txt"), self.scratch.path("theirs.txt"));
            equal = sets::agreement(&ours, &theirs)?;
        }
        let print = |metric: &str, quality: String, rounds| {
            let metric = format!("{}: {metric}, {}", self.set.title, on(self.threads));
            let (peer, better) = (peer.clone(), Better::Lower);
            Comparison { workload: "mine", peer, metric, quality, better, rounds }.print();
        };
        print("seconds", equal.clone(), seconds);
        let quality =
            format!("{equal}; {libraries:.0} MB of theirs are there before the first text");
        print("peak memory of the process in MB", quality, peaks);
        Ok(())
    }

    fn request(&self, output: &str) -> serde_json::Value {
        self.set.request(NEGATIVES, &self.scratch.path(output))
    }
}
