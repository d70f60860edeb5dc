//! Workload `encode`: the same weights in our encoder and in the peers, and how near our kernels come to what the
//! processor can do.
//!
//! Every side gets text and gives pooled, normalised vectors, so that tokenisation is in everybody's time. The
//! texts: passages of exactly 128 tokens, abstracts of mixed length (each side sorts them by length), sentences
//! of eleven languages for the model that knows them, and single texts of exactly 12 tokens, timed one by one.

mod agreement;
#[cfg(feature = "candle")]
pub mod candle;
mod graphs;
mod kernels;
mod load;
mod models;
pub mod ours;
mod rounds;
pub mod served;
mod sets;
mod sides;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::cache::Scratch;
use graphs::Graphs;
use models::Model;
use sides::{Setting, Side, or_left_out};

/// Texts of a batch of a peer.
const BATCH: usize = 16;
/// The most threads that are measured.
const THREADS_MAX: usize = 2;

/// What to run.
#[derive(Args)]
pub struct Options {
    /// Only these models: minilm, mpnet, me5 [default: those in the model cache]
    #[arg(long = "model")]
    models: Vec<String>,
    /// Only these peers: onnxruntime, onnxruntime-int8, sentence-transformers, candle, fastembed
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// Only these parts
    #[arg(long = "part")]
    parts: Vec<Part>,
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// A quarter of the texts and one round, to see that everything works; not recorded
    #[arg(long)]
    quick: bool,
}

/// A part of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rates, latencies and memory, against the peers
    Texts,
    /// Times to open a model, against the peers
    Load,
    /// Our products and whole encodes, against the processor's peak
    Kernels,
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no round was asked for");
    let parts = match options.parts.as_slice() {
        [] => Part::value_variants(),
        parts => parts,
    };
    let models = models::wanted(&options.models)?;
    if parts.contains(&Part::Kernels) {
        kernels::run(&models, if options.quick { 1 } else { options.runs }, options.quick)?;
    }
    if parts.iter().any(|&part| part != Part::Kernels) {
        let sides = sides::find(&options.peers)?;
        for model in &models {
            with_peers(model, &sides, options, parts)?;
        }
    }
    Ok(())
}

/// The parts that have peers, for one model.
fn with_peers(model: &Model, sides: &[Side], options: &Options, parts: &[Part]) -> Result<()> {
    let (divisor, runs) = if options.quick { (4, 1) } else { (1, options.runs) };
    let scratch = Scratch::new()?;
    let sets = sets::prepare(model, &scratch, divisor)?;
    let needs_graphs = sides.iter().any(Side::runs_graphs);
    let graphs = needs_graphs.then(|| Graphs::prepare(model, &sets[0]));
    let graphs = graphs.and_then(|graphs| or_left_out("whatever runs a graph", graphs));
    let mut setting = Setting::new(model, &sets, sides, graphs, runs);
    let agreement = agreement::of(&mut setting, &scratch)?;
    if parts.contains(&Part::Texts) {
        for threads in 1..=THREADS_MAX {
            rounds::run(&setting, &agreement, threads);
        }
    }
    if parts.contains(&Part::Load) {
        load::run(&setting, &agreement);
    }
    Ok(())
}
