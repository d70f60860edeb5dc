//! Workload `encode`: MiniLM with the same fp32 weights in our encoder, onnxruntime and sentence-transformers.
//!
//! Every side gets text and gives pooled, normalised vectors, so that tokenisation is in everybody's time.
//! Three kinds of text, all from SciFact: passages of exactly 128 tokens, abstracts of mixed length cut at
//! 256 tokens (each side sorts them by length), and single texts of exactly 12 tokens, timed one by one.

mod agreement;
pub mod ours;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use ecphory_text::subword::Tokenizer;
use serde_json::json;

use crate::cache::{self, Python, Scratch};
use crate::compare::{Better, Comparison};
use crate::corpus;
use crate::process::Process;

const PEERS: &[&str] = &["onnxruntime", "sentence-transformers"];
const PASSAGES: usize = 192;
const PASSAGE_TOKENS: usize = 128;
const ABSTRACTS: usize = 128;
const QUERIES: usize = 200;
const QUERY_TOKENS: usize = 12;

/// What to run.
#[derive(Args)]
pub struct Options {
    /// The model's directory [default: minilm of the model cache]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Only these peers: onnxruntime, sentence-transformers
    #[arg(long = "peer")]
    peers: Vec<String>,
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// A quarter of the texts and one round, to see that everything works; not recorded
    #[arg(long)]
    quick: bool,
}

/// A kind of texts, as every side loads it.
struct Set {
    name: &'static str,
    path: PathBuf,
    count: usize,
}

/// The peers, and what every side opens.
struct Setting {
    peers: Vec<(String, String)>,
    python: Python,
    model: PathBuf,
    onnx: PathBuf,
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    let scratch = Scratch::new()?;
    let model = match &options.model {
        Some(model) => model.clone(),
        None => cache::root()?.join("models").join("minilm"),
    };
    ensure!(
        model.join("model.safetensors").exists(),
        "no model in {}: run `cargo run --release -- models pull minilm`",
        model.display()
    );
    let sets = prepare(&model, &scratch, if options.quick { 4 } else { 1 })?;
    let setting = setting(options, model)?;
    let quality = agreement::with_peers(&setting, &sets, &scratch)?;
    for threads in [1, 2] {
        compare(&setting, &sets, threads, if options.quick { 1 } else { options.runs }, &quality)?;
    }
    Ok(())
}

fn setting(options: &Options, model: PathBuf) -> Result<Setting> {
    let python = Python::with("encode")?;
    let names: Vec<String> = match options.peers.as_slice() {
        [] => PEERS.iter().map(|&name| name.to_owned()).collect(),
        peers => peers.to_vec(),
    };
    let mut peers = Vec::new();
    for name in names {
        ensure!(
            PEERS.contains(&name.as_str()),
            "there is no peer {name}: there are {}",
            PEERS.join(", ")
        );
        let answer =
            Process::python(&python, "encode_side.py", &name, 1)?.ask("version", json!({}))?;
        peers.push((name, answer["version"].as_str().unwrap_or("?").to_owned()));
    }
    let onnx = export(&python, &model)?;
    Ok(Setting { peers, python, model, onnx })
}

impl Setting {
    /// Starts us (`None`) or a peer, with the model and all texts loaded.
    fn start(&self, peer: Option<usize>, sets: &[Set], threads: usize) -> Result<Process> {
        let mut side = match peer {
            None => Process::own("ours-encode", threads)?,
            Some(i) => Process::python(&self.python, "encode_side.py", &self.peers[i].0, threads)?,
        };
        side.ask("open", json!({ "model": self.model, "onnx": self.onnx }))?;
        for set in sets {
            side.ask("load", json!({ "name": set.name, "path": set.path }))?;
        }
        Ok(side)
    }
}

/// Exports the model's graph with pooling and normalisation in it, once for each content of the weights.
fn export(python: &Python, model: &Path) -> Result<PathBuf> {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(fs_err::read(model.join("model.safetensors"))?);
    let beginning: [u8; 8] = std::array::from_fn(|i| digest[i]);
    let name = format!("{:016x}", u64::from_be_bytes(beginning));
    let path = cache::folder("onnx")?.join(format!("{name}.onnx"));
    if !path.exists() {
        eprintln!("exporting the graph (once)");
        let partial = path.with_extension("partial");
        let mut side = Process::python(python, "encode_side.py", "export", 1)?;
        side.ask("export", json!({ "model": model, "onnx": partial }))?;
        fs_err::rename(&partial, &path)?;
    }
    Ok(path)
}

fn prepare(model: &Path, scratch: &Scratch, divisor: usize) -> Result<Vec<Set>> {
    let scifact = corpus::scifact::read()?
        .context("no scifact: let ECPHORY_DATA name the directory that holds it")?;
    let tokenizer = Tokenizer::open(&model.join("tokenizer.json"))?;
    let texts = &scifact.texts;
    let abstracts: Vec<String> = texts.iter().take(ABSTRACTS / divisor).cloned().collect();
    let kinds = [
        ("passages", exactly(&tokenizer, texts, PASSAGE_TOKENS, PASSAGES / divisor)?),
        ("abstracts", abstracts),
        ("queries", exactly(&tokenizer, texts, QUERY_TOKENS, QUERIES / divisor)?),
    ];
    let mut sets = Vec::new();
    for (name, texts) in kinds {
        let path = scratch.path(name);
        corpus::write(&path, &texts)?;
        sets.push(Set { name, path, count: texts.len() });
    }
    Ok(sets)
}

/// The first `count` texts that have a beginning of exactly `tokens` tokens, cut to it.
fn exactly(
    tokenizer: &Tokenizer,
    texts: &[String],
    tokens: usize,
    count: usize,
) -> Result<Vec<String>> {
    let mut cut = Vec::with_capacity(count);
    for text in texts {
        if cut.len() == count {
            break;
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        // A word has one token or more, so no beginning with as many words as tokens is long enough to
        // look at; English science has about 1.5 tokens a word.
        for length in tokens / 4..words.len().min(tokens) {
            let beginning = words[..length].join(" ");
            let found = tokenizer.encode(&beginning, tokens + 1)?.len();
            if found == tokens {
                cut.push(beginning);
            }
            if found >= tokens {
                break;
            }
        }
    }
    ensure!(cut.len() == count, "only {} of {count} texts of {tokens} tokens", cut.len());
    Ok(cut)
}

/// Lets all sides take turns at all three kinds of text.
fn compare(
    setting: &Setting,
    sets: &[Set],
    threads: usize,
    runs: usize,
    quality: &[String],
) -> Result<()> {
    let what = if threads == 1 { "1 thread" } else { "2 threads" };
    let comparison = |peer: usize, metric: String, better: Better| Comparison {
        workload: "encode",
        peer: format!("{} {}", setting.peers[peer].0, setting.peers[peer].1),
        metric,
        quality: quality[peer].clone(),
        better,
        rounds: Vec::new(),
    };
    let mut sides = vec![setting.start(None, sets, threads)?];
    for peer in 0..setting.peers.len() {
        sides.push(setting.start(Some(peer), sets, threads)?);
    }
    for side in &mut sides {
        // Nobody is measured cold.
        side.ask("latency", json!({ "name": "queries" }))?;
    }
    for set in sets {
        let (op, key, better, metric) = match set.name {
            "passages" => {
                ("encode", "seconds", Better::Higher, "passages of 128 tokens per second")
            }
            "abstracts" => {
                ("encode", "seconds", Better::Higher, "abstracts (up to 256 tokens) per second")
            }
            _ => ("latency", "p50_ms", Better::Lower, "median ms for a query of 12 tokens"),
        };
        let mut all: Vec<Comparison> = (0..setting.peers.len())
            .map(|peer| comparison(peer, format!("{metric}, {what}"), better))
            .collect();
        for round in 0..runs {
            eprintln!("{metric}, {what}, round {}", round + 1);
            let mut measured = Vec::new();
            for side in &mut sides {
                let number = side.measure(op, json!({ "name": set.name }), key)?;
                let is_rate = better == Better::Higher;
                measured.push(if is_rate { set.count as f64 / number } else { number });
            }
            for (one, theirs) in all.iter_mut().zip(&measured[1..]) {
                one.rounds.push((measured[0], *theirs));
            }
        }
        all.iter().for_each(Comparison::print);
    }
    let ours = sides[0].peak()? / 1e6;
    for peer in 0..setting.peers.len() {
        let metric = format!("peak memory in MB, {what}");
        let mut peak = comparison(peer, metric, Better::Lower);
        peak.rounds.push((ours, sides[peer + 1].peak()? / 1e6));
        peak.print();
    }
    Ok(())
}
