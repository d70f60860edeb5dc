//! Workload `train`: a step of full fine-tuning of MiniLM, ours and PyTorch's.
//!
//! A step takes the tokens of a batch through the encoder, mean pooling, cosines, InfoNCE and all the way back, clips the
//! gradient and lets `AdamW` move every parameter. Tokenisation is in nobody's time, and dropout there is
//! none. Two batches: pairs of texts of one length, where nobody fills up anything, and claims with their
//! abstracts, which PyTorch fills up and we do not.

mod batches;
pub mod ours;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::cache::{self, Python, Scratch};
use crate::compare::{Better, Comparison, on};
use crate::process::Process;
use batches::Batch;

const MODEL: &str = "minilm";
/// The most threads that are measured.
const THREADS_MAX: usize = 2;
/// Steps before the clock is started: the losses before and after a first update are compared.
const WARM_STEPS: usize = 2;

/// What to run.
#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Steps of a round, of which the median is taken
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// A quarter of the pairs, one round and one step, to see that everything works; not recorded
    #[arg(long)]
    quick: bool,
}

/// What is held fixed while the two sides take turns.
struct Setting<'a> {
    model: &'a Path,
    batch: &'a Batch,
    threads: usize,
    runs: usize,
    steps: usize,
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no round was asked for");
    ensure!(options.steps > 0, "no step was asked for");
    let (divisor, runs, steps) =
        if options.quick { (4, 1, 1) } else { (1, options.runs, options.steps) };
    let model = cache::model(MODEL)?;
    let python = Python::with("encode")?;
    let scratch = Scratch::new()?;
    for batch in &batches::prepare(&model, &scratch, divisor)? {
        for threads in 1..=THREADS_MAX {
            Setting { model: &model, batch, threads, runs, steps }.compare(&python)?;
        }
    }
    Ok(())
}

impl Setting<'_> {
    /// Starts both sides, lets them take turns, and prints what they took.
    fn compare(&self, python: &Python) -> Result<()> {
        let mut ours = Process::own("ours-train", self.threads)?;
        let mut theirs = Process::python(python, "train_side.py", "pytorch", self.threads)?;
        let version = theirs.ask("ready", json!({}))?["version"].clone();
        let peer = format!("PyTorch {}", version.as_str().unwrap_or("?"));
        let libraries = theirs.peak()? / 1e6;
        let equal = difference(&self.warm(&mut ours)?, &self.warm(&mut theirs)?);
        let what = format!("{MODEL}, {}", self.batch.title);
        let print = |metric: &str, quality: String, rounds| {
            let metric = format!("{what}: {metric}, {}", on(self.threads));
            let (peer, better) = (peer.clone(), Better::Lower);
            Comparison { workload: "train", peer, metric, quality, better, rounds }.print();
        };
        let mut rounds = Vec::new();
        for round in 0..self.runs {
            eprintln!("{what}, {}, round {}", on(self.threads), round + 1);
            let measure = |side: &mut Process| {
                side.measure("steps", json!({ "count": self.steps }), "seconds")
            };
            rounds.push((measure(&mut ours)?, measure(&mut theirs)?));
        }
        print("seconds a step", equal.clone(), rounds);
        let quality = format!("{equal}; {libraries:.0} MB of PyTorch's are its libraries");
        print("peak memory in MB", quality, vec![(ours.peak()? / 1e6, theirs.peak()? / 1e6)]);
        Ok(())
    }

    /// Opens model and batch, so that nobody is measured cold, and returns the losses of the first steps.
    fn warm(&self, side: &mut Process) -> Result<[f64; WARM_STEPS]> {
        side.ask("open", self.batch.request(self.model))?;
        let answer = side.ask("steps", json!({ "count": WARM_STEPS }))?;
        losses(&answer).with_context(|| format!("no {WARM_STEPS} losses in {answer}"))
    }
}

fn losses(answer: &Value) -> Option<[f64; WARM_STEPS]> {
    let losses: Option<Vec<f64>> = answer["losses"].as_array()?.iter().map(Value::as_f64).collect();
    losses?.try_into().ok()
}

/// Says how far the losses of two sides differ, relative to the second.
fn difference(ours: &[f64; WARM_STEPS], theirs: &[f64; WARM_STEPS]) -> String {
    let [first, second] = [0, 1].map(|step| (ours[step] / theirs[step] - 1.0).abs());
    format!(
        "same weights, tokens and settings; the loss differs by {first:.1e} before the first update \
         and by {second:.1e} after it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_read_and_compared() {
        assert_eq!(losses(&json!({ "losses": [2.0, 1.0] })), Some([2.0, 1.0]));
        assert_eq!(losses(&json!({ "losses": [2.0] })), None);
        assert_eq!(losses(&json!({ "losses": [2.0, null] })), None);
        let said = difference(&[2.0, 1.1], &[4.0, 1.0]);
        assert!(said.contains("5.0e-1 before") && said.contains("1.0e-1 after"), "{said}");
    }
}
