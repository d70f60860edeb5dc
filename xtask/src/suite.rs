//! `cargo xtask test`: the whole suite in one command, on a machine with Rust, a C compiler and Python.
//!
//! 1. The models that tests need are put into the model cache, by the command that users have for it.
//! 2. Unit, property, golden and integration tests; then doctests; then the docs, warnings denied.
//! 3. A summary: what was counted, and why tests skipped themselves.
//!
//! Data sets are found by the tests themselves through `ECPHORY_DATA`. A test that cannot run prints
//! `skipped: REASON`; it is run with `--show-output`, and this command reads those lines. With CI=true
//! tests fail instead of skipping, and so does this command where a model cannot be had.
//! Benches are not built here (clippy's `--all-targets` checks them), nor are the peers of `ecphory-bench`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::tree;

/// The models that tests open, each with a file by which it is known.
const MODELS: [(&str, &str); 4] = [
    ("minilm", "model.safetensors"),
    ("splade", "model.safetensors"),
    ("me5", "model.safetensors"),
    ("smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"),
];

/// Runs everything, going on after a failure; arguments are handed to `cargo test` as they are.
pub fn run(args: &[String]) -> Result<bool> {
    let start = Instant::now();
    for (model, file) in MODELS {
        ensure_model(model, file)?;
    }
    let mut tally = Tally::default();
    let tests: &[&str] =
        &["test", "--workspace", "--lib", "--bins", "--tests", "--examples", "--no-fail-fast"];
    let mut failed = Vec::new();
    if !run_tests(tests, args, &mut tally)? {
        failed.push("tests");
    }
    if !run_tests(&["test", "--workspace", "--doc", "--no-fail-fast"], args, &mut tally)? {
        failed.push("doctests");
    }
    // A filter on tests means that somebody works on them: the docs can wait.
    if args.is_empty() && !build_docs()? {
        failed.push("docs");
    }
    summarise(&tally, &failed, start.elapsed().as_secs());
    Ok(failed.is_empty())
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tree::root());
    command
}

fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Pulls a model unless it is there.
fn ensure_model(model: &str, file: &str) -> Result<()> {
    if cache().is_some_and(|cache| cache.join("models").join(model).join(file).is_file()) {
        return Ok(());
    }
    eprintln!("the model {model} is not in the model cache: pulling it");
    let status = cargo()
        .args(["run", "--quiet", "--package", "ecphory-cli", "--", "models", "pull", model])
        .status()
        .context("could not run cargo")?;
    if status.success() {
        return Ok(());
    }
    if is_ci() {
        bail!("`ecphory models pull {model}` failed ({status}) and CI=true asks for every test");
    }
    eprintln!(
        "`ecphory models pull {model}` failed ({status}): tests that need it will be skipped"
    );
    Ok(())
}

fn cache() -> Option<PathBuf> {
    if let Some(cache) = std::env::var_os("ECPHORY_CACHE") {
        return Some(PathBuf::from(cache));
    }
    Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache").join("ecphory"))
}

/// Counts of the test harness, and the reasons of tests that skipped themselves.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Reason to the names of its tests.
    skipped: BTreeMap<String, Vec<String>>,
}

fn run_tests(command: &[&str], args: &[String], tally: &mut Tally) -> Result<bool> {
    let own: Vec<&String> = args.iter().filter(|arg| *arg != "--").collect();
    let mut child = cargo()
        .args(command)
        .args(["--", "--show-output"])
        .args(own)
        .stdout(Stdio::piped())
        .spawn()
        .context("could not run cargo test")?;
    let mut reader = OutputReader::default();
    for line in
        BufReader::new(child.stdout.take().context("cargo test has no output")?).split(b'\n')
    {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if reader.read(&line, tally) {
            println!("{line}");
        }
    }
    Ok(child.wait()?.success())
}

/// Follows the output of the test harness line by line.
#[derive(Debug, Default)]
struct OutputReader {
    /// Inside the block of what passing tests printed, which is not shown.
    in_successes: bool,
    /// The test whose output is being read.
    test: String,
}

impl OutputReader {
    /// Takes one line and says whether to show it.
    fn read(&mut self, line: &str, tally: &mut Tally) -> bool {
        if line == "successes:" {
            self.in_successes = true;
        } else if line == "failures:" {
            self.in_successes = false;
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            self.in_successes = false;
            tally.passed += count(counts, " passed");
            tally.failed += count(counts, " failed");
            tally.ignored += count(counts, " ignored");
        } else if let Some(name) = line.strip_prefix("---- ") {
            let name = name.strip_suffix(" ----").unwrap_or(name);
            name.strip_suffix(" stdout").unwrap_or(name).clone_into(&mut self.test);
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            tally.skipped.entry(reason.trim().to_owned()).or_default().push(self.test.clone());
        }
        // Passing tests are counted by the result line; a line for each would bury the rest.
        let passed = line.starts_with("test ") && line.ends_with(" ... ok");
        !self.in_successes && !passed
    }
}

/// The number before `what` in `ok. 12 passed; 0 failed; 1 ignored`.
fn count(counts: &str, what: &str) -> u64 {
    let number = counts.split(what).next().and_then(|before| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn build_docs() -> Result<bool> {
    let status = cargo()
        .args(["doc", "--quiet", "--no-deps", "--workspace"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .status()
        .context("could not run cargo doc")?;
    Ok(status.success())
}

fn summarise(tally: &Tally, failed: &[&str], seconds: u64) {
    println!();
    for (reason, tests) in &tally.skipped {
        println!("skipped {} tests: {reason}", tests.len());
        for test in tests {
            println!("  {test}");
        }
    }
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    let skipped: usize = tally.skipped.values().map(Vec::len).sum();
    // A test that skipped itself counts as passed in the harness; here it does not.
    let passed = tally.passed.saturating_sub(skipped as u64);
    println!("{} minutes {} seconds, {} ignored", seconds / 60, seconds % 60, tally.ignored);
    println!("{passed} passed, {} failed, {skipped} skipped", tally.failed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_output_is_counted_and_skips_are_collected() {
        let output = "\nrunning 3 tests\ntest a::b ... ok\ntest a::c ... ok\ntest d ... FAILED\n\nsuccesses:\n\n\
            ---- a::b stdout ----\nskipped: no data set scifact\n\n\nsuccesses:\n    a::b\n    a::c\n\nfailures:\n\n\
            ---- d stdout ----\nthread panicked\n\n\nfailures:\n    d\n\n\
            test result: FAILED. 2 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let mut tally = Tally::default();
        let mut reader = OutputReader::default();
        let shown: Vec<&str> =
            output.lines().filter(|line| reader.read(line, &mut tally)).collect();
        assert_eq!((tally.passed, tally.failed, tally.ignored), (2, 1, 4));
        assert_eq!(tally.skipped["no data set scifact"], ["a::b"]);
        assert!(shown.contains(&"thread panicked") && shown.contains(&"test d ... FAILED"));
        assert!(
            !shown.iter().any(|line| line.contains("scifact") || line.ends_with("ok")),
            "{shown:?}"
        );
    }
}
