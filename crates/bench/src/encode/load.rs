//! The part `load`: from a process that is ready to a model that is open, and on to the first vector.

use anyhow::Result;
use serde_json::json;

use super::THREADS_MAX;
use super::agreement::Agreement;
use super::rounds::print;
use super::sides::{Setting, or_left_out};
use crate::compare::{Better, on};

/// Starts every side anew in every round. Files were read before, by the part that compares vectors.
pub fn run(setting: &Setting<'_>, agreement: &Agreement) {
    let (mut opened, mut first) = (Vec::new(), Vec::new());
    for round in 0..setting.runs {
        eprintln!("{}: load, round {}", setting.model.plan.name, round + 1);
        let sides = 0..setting.sides.len();
        let times: Vec<Option<(f64, f64)>> =
            sides.map(|side| or_left_out(setting.sides[side].name(), one(setting, side))).collect();
        opened.push(times.iter().map(|times| times.map(|times| times.0)).collect());
        first.push(times.iter().map(|times| times.map(|times| times.1)).collect());
    }
    let on = on(THREADS_MAX);
    print(setting, agreement, &format!("load: ms to an open model, {on}"), Better::Lower, &opened);
    let what = format!("load: ms to an open model and the first query's vector, {on}");
    print(setting, agreement, &what, Better::Lower, &first);
}

/// Milliseconds to an open model, and to a first vector.
fn one(setting: &Setting<'_>, side: usize) -> Result<(f64, f64)> {
    let mut process = setting.start(side, THREADS_MAX)?;
    let open = process.measure("open", setting.opening(side), "seconds")?;
    let first = process.measure("first", json!({ "name": "queries" }), "seconds")?;
    Ok((open * 1e3, (open + first) * 1e3))
}
