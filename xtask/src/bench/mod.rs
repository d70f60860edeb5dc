//! `cargo xtask bench`: runs a workload, shows its comparisons, and keeps them in benches-record.
//!
//! The workloads are the release build of `ecphory-bench`, which prints one JSON object for each
//! comparison. What is recorded is what was printed.

pub mod clock;
pub mod csv;
mod plot;
pub mod record;
pub mod table;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tree;
use record::Row;

/// Runs a workload, or writes the tables.
pub fn run(args: &[String]) -> Result<bool> {
    if args == ["--table"] {
        let written = table::write()?;
        println!("{written}");
        return Ok(true);
    }
    let json = args.iter().any(|arg| arg == "--json");
    let keep =
        !args.iter().any(|arg| ["--quick", "--no-record", "--help", "-h"].contains(&arg.as_str()));
    let passed = args.iter().filter(|arg| !["--json", "--no-record"].contains(&arg.as_str()));
    let load = record::load();
    // Candle takes minutes to build, which only one workload needs.
    let is_encode = args.iter().any(|arg| arg == "encode");
    let features = if is_encode { "peers,candle" } else { "peers" };
    let mut child = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "ecphory-bench",
            "--features",
            features,
            "--",
        ])
        .args(passed)
        .current_dir(tree::root())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not run cargo")?;
    let mut rows = Vec::new();
    for line in BufReader::new(child.stdout.take().context("the workload has no output")?).lines() {
        let line = line?;
        match serde_json::from_str::<Value>(&line) {
            Ok(object) if object.is_object() => {
                let row = Row::from_json(&object)?;
                println!("{}", if json { line } else { row.to_string() });
                rows.push(row);
            }
            // The help text.
            _ => println!("{line}"),
        }
    }
    let status = child.wait()?;
    // Comparisons that were finished before a failure are kept: each stands for itself.
    if keep && !rows.is_empty() {
        let path = record::append(&rows, load)?;
        table::write()?;
        eprintln!("recorded {} comparisons in {path}", rows.len());
    }
    ensure!(status.success(), "the workload failed: {status}");
    Ok(true)
}
