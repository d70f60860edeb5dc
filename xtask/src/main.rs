//! The commands of the workspace for those who work on it: `cargo xtask test | tidy | bench | torture`.
//!
//! It depends on next to nothing, so that it is built in seconds; whatever needs the engine runs as a
//! child process. It is not part of the product and publishes nothing.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

mod bench;
mod rust_text;
mod suite;
mod tidy;
mod torture;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                    the whole suite: unit, property, golden and integration tests, doctests, docs
  tidy                    the invariants of the code: dependencies, layout, names, links
  bench WORKLOAD [...]    compares with a peer in the same run and appends to benches-record
  bench --table           writes the tables of docs/benchmarks.md from benches-record
  bench --help            the workloads and their options
  torture [--crashes N] [--kills N] [--seed N] [--no-record]
                          crashes (1000) and SIGKILLs (200) under load; fails where anything was lost, and
                          appends to benches-record/torture.csv; a seed of the record repeats a run
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("test") => suite::run(&args[1..]),
        Some("tidy") => tidy::run(),
        Some("bench") => bench::run(&args[1..]),
        Some("torture") => match torture::Options::parse(&args[1..]) {
            Ok(options) => torture::run(&options),
            Err(problem) => {
                eprint!("xtask: {problem}\n\n{USAGE}");
                return ExitCode::from(2);
            }
        },
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
