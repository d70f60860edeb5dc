//! The commands of the workspace for those who work on it: `cargo xtask test | tidy | bench`.
//!
//! It depends on next to nothing, so that it is built in seconds; whatever needs the engine runs as a
//! child process. It is not part of the product and publishes nothing.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

mod bench;
mod rust_text;
mod suite;
mod tidy;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test                    the whole suite: unit, property, golden and integration tests, doctests, docs
  tidy                    the invariants of the code: dependencies, layout, names, links
  bench WORKLOAD [...]    compares with a peer in the same run and appends to benches-record
  bench --table           writes the tables of docs/benchmarks.md from benches-record
  bench --help            the workloads and their options
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.first().map(String::as_str) {
        Some("test") => suite::run(&args[1..]),
        Some("tidy") => tidy::run(),
        Some("bench") => bench::run(&args[1..]),
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
