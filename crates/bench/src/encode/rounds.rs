//! The part `texts`: all sides take turns at every kind of text; and what memory they took.

use anyhow::Result;
use serde_json::json;

use super::agreement::Agreement;
use super::sets::{Measure, Set};
use super::sides::{Setting, or_left_out};
use crate::compare::{Better, Comparison, on};
use crate::process::Process;

/// The sides of a setting as processes; one that failed is gone.
struct Turns<'a> {
    setting: &'a Setting<'a>,
    processes: Vec<Option<Process>>,
}

/// Measures rates, latencies and memory on so many threads.
pub fn run(setting: &Setting<'_>, agreement: &Agreement, threads: usize) {
    let start = |side: usize| {
        let mut process = setting.start_open(side, threads)?;
        // Nobody is measured cold.
        process.ask("encode", json!({ "name": "queries" }))?;
        Ok(process)
    };
    let sides = 0..setting.sides.len();
    let processes =
        sides.map(|side| or_left_out(setting.sides[side].name(), start(side))).collect();
    let mut turns = Turns { setting, processes };
    for set in setting.sets {
        let better = match set.measure {
            Measure::Rate => Better::Higher,
            Measure::Latency => Better::Lower,
        };
        let what = format!("{}, {}", set.metric, on(threads));
        let mut rounds = Vec::new();
        for round in 0..setting.runs {
            eprintln!("{}: {what}, round {}", setting.model.plan.name, round + 1);
            rounds.push(turns.round(|process| measure(process, set)));
        }
        print(setting, agreement, &what, better, &rounds);
    }
    let what = format!("peak memory in MB, {}", on(threads));
    let peaks = turns.round(|process| Ok(process.peak()? / 1e6));
    print(setting, agreement, &what, Better::Lower, &[peaks]);
}

impl Turns<'_> {
    /// Lets each side that is left take its turn.
    fn round(&mut self, mut one: impl FnMut(&mut Process) -> Result<f64>) -> Vec<Option<f64>> {
        let mut measured = Vec::new();
        for (place, side) in self.processes.iter_mut().zip(&self.setting.sides) {
            let number = place.as_mut().and_then(|process| or_left_out(side.name(), one(process)));
            if number.is_none() {
                *place = None;
            }
            measured.push(number);
        }
        measured
    }
}

fn measure(process: &mut Process, set: &Set) -> Result<f64> {
    let request = json!({ "name": set.name });
    match set.measure {
        Measure::Rate => Ok(set.count as f64 / process.measure("encode", request, "seconds")?),
        Measure::Latency => process.measure("latency", request, "p50_ms"),
    }
}

/// Prints the comparison of every pair over the rounds that both took part in.
pub fn print(
    setting: &Setting<'_>,
    agreement: &Agreement,
    what: &str,
    better: Better,
    rounds: &[Vec<Option<f64>>],
) {
    for (ours, theirs) in setting.pairs() {
        let comparison = Comparison {
            workload: "encode",
            peer: setting.sides[theirs].shown(),
            metric: format!("{}: {what}", setting.title(ours)),
            quality: agreement.between(ours, theirs),
            better,
            rounds: rounds.iter().filter_map(|round| round[ours].zip(round[theirs])).collect(),
        };
        comparison.print();
    }
}
