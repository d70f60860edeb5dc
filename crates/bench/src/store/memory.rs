//! Memory: the peak of the real program when it builds a collection with a small budget.
//!
//! `ecphory index` reads the corpus as JSONL, four times over, as once fits into a small budget. Its peak is what the kernel says of the process while it runs: all
//! resident memory, pages of mapped files among them, which the system can take back.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Setting, comparison};
use crate::cache;
use crate::compare::{Better, Comparison};
use crate::side::peak_bytes;
use crate::sizes::folder_bytes;

const COPIES: usize = 4;
const BUDGET: &str = "256MiB";
const BUDGET_BYTES: f64 = (256 << 20) as f64;
/// How often the peak is read: it can only rise, so that what is missed happened in the last moments.
const INTERVAL: Duration = Duration::from_millis(2);
const DEFAULT: &str = "the default budget";

/// Measures and prints.
pub fn run(setting: &Setting) -> Result<()> {
    let program = build_program()?;
    let corpus = setting.scratch.path("corpus.jsonl");
    let documents = setting.texts.len() * if setting.quick { 1 } else { COPIES };
    write_corpus(&corpus, setting.texts.iter().cycle().take(documents))?;
    let quality = format!(
        "{} documents, {} MB of JSONL, the same number of them found",
        documents,
        fs_err::metadata(&corpus)?.len() / 1_000_000
    );
    let row = |peer: &str, what: &str, better| {
        let metric = format!("index --memory {BUDGET}: {what}");
        comparison(peer, metric, quality.clone(), better)
    };
    let mut rows = [
        row("the budget itself", "peak memory in MB", Better::Lower),
        row(DEFAULT, "peak memory in MB", Better::Lower),
        row(DEFAULT, "documents per second", Better::Higher),
        row(DEFAULT, "bytes on disk", Better::Lower),
    ];
    for _ in 0..setting.runs.min(3) {
        let turn = |options: &[&str]| {
            let folder = setting.scratch.path("indexed.ecp");
            let measured = index(&program, &folder, &corpus, options, documents);
            fs_err::remove_dir_all(&folder)?;
            measured
        };
        let ours = turn(&["--memory", BUDGET])?;
        let theirs = turn(&[])?;
        rows[0].rounds.push((ours.peak / 1e6, BUDGET_BYTES / 1e6));
        rows[1].rounds.push((ours.peak / 1e6, theirs.peak / 1e6));
        rows[2].rounds.push((ours.rate, theirs.rate));
        rows[3].rounds.push((ours.bytes, theirs.bytes));
    }
    rows.iter().for_each(Comparison::print);
    Ok(())
}

struct Measured {
    peak: f64,
    rate: f64,
    bytes: f64,
}

/// Builds the program beside this one, which lies in `TARGET/release`.
fn build_program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("ecphory");
    let target = program.ancestors().nth(2).context("this program lies in no target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--release", "--package", "ecphory-cli", "--target-dir"]);
    cache::run(build.arg(target).current_dir(env!("CARGO_MANIFEST_DIR")))?;
    ensure!(program.is_file(), "{} is missing: run this in a release build", program.display());
    Ok(program)
}

fn write_corpus<'t>(path: &Path, texts: impl Iterator<Item = &'t String>) -> Result<()> {
    use std::io::Write;
    let mut file = std::io::BufWriter::new(fs_err::File::create(path)?);
    for (id, text) in texts.enumerate() {
        writeln!(file, "{}", json!({ "_id": id.to_string(), "text": text }))?;
    }
    file.flush()?;
    Ok(())
}

/// Indexes the corpus, and checks that all of it is there.
fn index(
    program: &Path,
    folder: &Path,
    corpus: &Path,
    options: &[&str],
    documents: usize,
) -> Result<Measured> {
    let start = Instant::now();
    let mut command = Command::new(program);
    command.arg("index").arg(folder).arg(corpus).args(["--channel", "bm25"]).args(options);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let peak = watch(&mut child)?;
    let seconds = start.elapsed().as_secs_f64();
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new(program).arg("inspect").arg(folder).arg("--json").output()?;
    let inspected: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let found = inspected["documents"].as_u64();
    ensure!(found == Some(documents as u64), "{documents} indexed, {found:?} found");
    let bytes = folder_bytes(folder, |_| true)? as f64;
    Ok(Measured { peak: peak as f64, rate: documents as f64 / seconds, bytes })
}

/// Waits for the end of a process and returns the most memory that it had.
fn watch(child: &mut Child) -> Result<u64> {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait()?.is_none() {
        // A process that has just ended has no memory any more.
        peak = peak.max(peak_bytes(&status).unwrap_or(0));
        std::thread::sleep(INTERVAL);
    }
    Some(peak).filter(|&peak| peak > 0).context("the kernel does not say VmHWM")
}
