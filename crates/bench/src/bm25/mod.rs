//! Workload `bm25`: lexical indexing and search of the paragraphs of the Linux documentation.
//!
//! - *Indexing* is timed from a file of texts to an index that is committed to disk, each side with its own
//!   English analysis, which is part of the work. We and tantivy keep the texts too; bm25s keeps none.
//! - *Searching* is timed on one thread over phrases taken from the texts. So that rankings can be compared,
//!   the peers get the terms of our analyser, in documents and queries; analysing queries is in no
//!   side's time. All have k1 1.2 and b 0.75, as tantivy knows no other; tantivy keeps document lengths
//!   in one byte, so that its scores differ a little.
//! - Where SciFact is found, nDCG@10 of each side says that none of them cheats.

pub mod ours;
mod quality;
#[cfg(feature = "peers")]
pub mod tantivy;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::cache::{Python, Scratch};
use crate::compare::{Better, Comparison};
use crate::corpus;
use crate::process::Process;

const K1: f32 = 1.2;
const B: f32 = 0.75;
const QUERIES: usize = 1000;
const SEED: u64 = 7;
const PEERS: &[&str] = &["tantivy", "bm25s"];

/// What to run.
#[derive(Args)]
pub struct Options {
    /// The corpus: a `.deb` of linux-doc, a folder, or a `.txt` with one text a line [default: apt's]
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Only these peers: tantivy, bm25s
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// Rounds of indexing; searching has two more
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The first 20,000 texts and one round, to see that everything works; not recorded
    #[arg(long)]
    quick: bool,
}

/// The files that every side reads.
struct Files {
    texts: PathBuf,
    terms: PathBuf,
    queries: PathBuf,
    query_terms: PathBuf,
}

impl Files {
    fn request(&self, folder: &std::path::Path, own_analysis: bool) -> Value {
        json!({
            "texts": self.texts,
            "terms": self.terms,
            "folder": folder,
            "own_analysis": own_analysis,
        })
    }

    fn open_request(&self, folder: &std::path::Path, own_analysis: bool) -> Value {
        json!({
            "folder": folder,
            "queries": self.queries,
            "query_terms": self.query_terms,
            "own_analysis": own_analysis,
        })
    }
}

/// A peer and how to start it.
struct Peer {
    name: String,
    label: String,
    python: Option<Python>,
}

impl Peer {
    fn find(name: &str) -> Result<Self> {
        ensure!(PEERS.contains(&name), "there is no peer {name}: there are {}", PEERS.join(", "));
        let python = if name == "bm25s" { Some(Python::with("bm25")?) } else { None };
        let mut peer = Self { name: name.to_owned(), label: String::new(), python };
        let answer = peer.start(1)?.ask("version", json!({}))?;
        peer.label = format!("{name} {}", answer["version"].as_str().unwrap_or("?"));
        Ok(peer)
    }

    fn start(&self, threads: usize) -> Result<Process> {
        match &self.python {
            Some(python) => Process::python(python, "bm25s_side.py", &self.name, threads),
            None => Process::own(&self.name, threads),
        }
    }
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    let scratch = Scratch::new()?;
    let files = prepare(options, &scratch)?;
    let names: Vec<&str> = match options.peers.as_slice() {
        [] => PEERS.to_vec(),
        peers => peers.iter().map(String::as_str).collect(),
    };
    let peers: Vec<Peer> = names.into_iter().map(Peer::find).collect::<Result<_>>()?;
    let quality = quality::of_sides(&peers, &scratch)?;
    let runs = if options.quick { 1 } else { options.runs };
    for threads in [1, 2] {
        index(&peers, threads, runs, &files, &scratch, &quality.own_analysis)?;
    }
    search(&peers, runs + 2, &files, &scratch, &quality.same_terms)
}

fn prepare(options: &Options, scratch: &Scratch) -> Result<Files> {
    let mut texts_path = corpus::linux_doc::prepare(options.corpus.as_deref())?;
    let mut texts = corpus::read(&texts_path)?;
    if options.quick {
        texts.truncate(20_000);
        texts_path = scratch.path("texts.txt");
        corpus::write(&texts_path, &texts)?;
    }
    eprintln!("{} texts, {} bytes", texts.len(), texts.iter().map(String::len).sum::<usize>());
    let files = Files {
        texts: texts_path,
        terms: scratch.path("terms.txt"),
        queries: scratch.path("queries.txt"),
        query_terms: scratch.path("query-terms.txt"),
    };
    corpus::write(&files.queries, corpus::phrases(&texts, QUERIES, SEED)?)?;
    drop(texts);
    corpus::write_terms(&files.texts, &files.terms)?;
    corpus::write_terms(&files.queries, &files.query_terms)?;
    Ok(files)
}

fn comparison(peer: &Peer, metric: String, quality: &str, better: Better) -> Comparison {
    Comparison {
        workload: "bm25",
        peer: peer.label.clone(),
        metric,
        quality: quality.to_owned(),
        better,
        rounds: Vec::new(),
    }
}

/// Indexing with each side's own analysis: rate, bytes on disk, peak memory.
fn index(
    peers: &[Peer],
    threads: usize,
    runs: usize,
    files: &Files,
    scratch: &Scratch,
    quality: &[String],
) -> Result<()> {
    // bm25s indexes on one thread only.
    let chosen: Vec<usize> =
        (0..peers.len()).filter(|&i| threads == 1 || peers[i].name != "bm25s").collect();
    let what = if threads == 1 { "1 thread" } else { "2 threads" };
    let mut rates = Vec::new();
    let mut sizes = Vec::new();
    let mut peaks = Vec::new();
    for &i in &chosen {
        let (peer, quality) = (&peers[i], &quality[i]);
        let metric = format!("index: documents per second, {what}");
        rates.push(comparison(peer, metric, quality, Better::Higher));
        let metric = "index: bytes per document on disk, texts included".to_owned();
        sizes.push(comparison(peer, metric, quality, Better::Lower));
        let metric = format!("index: peak memory in MB, {what}");
        peaks.push(comparison(peer, metric, quality, Better::Lower));
    }
    for round in 0..runs {
        eprintln!("indexing on {what}, round {}", round + 1);
        // A process for each round: memory that the last round freed must not help this one.
        let turn = |name: &str, process: &mut Process| -> Result<[f64; 3]> {
            let folder = scratch.path(&format!("{name}-{threads}-{round}"));
            let answer = process.ask("index", files.request(&folder, true))?;
            fs_err::remove_dir_all(&folder)?;
            let number = |key: &str| answer[key].as_f64().unwrap_or(f64::NAN);
            let documents = number("documents");
            Ok([documents / number("seconds"), number("bytes") / documents, process.peak()? / 1e6])
        };
        let ours = turn("ours", &mut Process::own("ours-bm25", threads)?)?;
        for (position, &i) in chosen.iter().enumerate() {
            let theirs = turn(&peers[i].name, &mut peers[i].start(threads)?)?;
            rates[position].rounds.push((ours[0], theirs[0]));
            // The size does not depend on chance, nor on the number of threads.
            if round == 0 && threads == 1 && peers[i].name != "bm25s" {
                sizes[position].rounds.push((ours[1], theirs[1]));
            }
            peaks[position].rounds.push((ours[2], theirs[2]));
        }
    }
    rates.iter().chain(&sizes).chain(&peaks).for_each(Comparison::print);
    Ok(())
}

/// Searching on one thread with the same terms everywhere: rate at two depths, size of the index alone,
/// peak memory.
fn search(
    peers: &[Peer],
    runs: usize,
    files: &Files,
    scratch: &Scratch,
    scifact: &[String],
) -> Result<()> {
    let mut sides = Vec::new();
    let mut sizes = Vec::new();
    eprintln!("indexing for search");
    for name in std::iter::once("ours").chain(peers.iter().map(|peer| peer.name.as_str())) {
        let start = || match peers.iter().find(|peer| peer.name == name) {
            Some(peer) => peer.start(1),
            None => Process::own("ours-bm25", 1),
        };
        let folder = scratch.path(&format!("{name}-search"));
        let answer = start()?.ask("index", files.request(&folder, false))?;
        let number = |key: &str| answer[key].as_f64().unwrap_or(f64::NAN);
        sizes.push(number("index_bytes") / number("documents"));
        let mut side = start()?;
        side.ask("open", files.open_request(&folder, false))?;
        // Nobody is measured cold.
        side.ask("search", json!({ "k": 10 }))?;
        sides.push(side);
    }
    let qualities = quality::agreements(&mut sides, peers, scifact)?;
    for k in [10, 1000] {
        let metric = format!("search: queries per second, top {k}");
        let mut rates: Vec<Comparison> = (peers.iter().zip(&qualities))
            .map(|(peer, quality)| comparison(peer, metric.clone(), quality, Better::Higher))
            .collect();
        for _ in 0..runs {
            let mut measured = Vec::new();
            for side in &mut sides {
                measured.push(search_rate(side, k)?);
            }
            for (rate, theirs) in rates.iter_mut().zip(&measured[1..]) {
                rate.rounds.push((measured[0], *theirs));
            }
        }
        rates.iter().for_each(Comparison::print);
    }
    let mut peaks = Vec::new();
    for side in &mut sides {
        peaks.push(side.peak()? / 1e6);
    }
    for (i, peer) in peers.iter().enumerate() {
        let metric = "search: index bytes per document on disk, no texts".to_owned();
        let mut size = comparison(peer, metric, &qualities[i], Better::Lower);
        size.rounds.push((sizes[0], sizes[i + 1]));
        size.print();
        let metric = "search: peak memory in MB, 1 thread".to_owned();
        let mut peak = comparison(peer, metric, &qualities[i], Better::Lower);
        peak.rounds.push((peaks[0], peaks[i + 1]));
        peak.print();
    }
    Ok(())
}

/// Queries per second over a second or more: one pass over the queries may take too little time to be
/// measured next to other programs.
fn search_rate(side: &mut Process, k: usize) -> Result<f64> {
    let (mut queries, mut seconds) = (0.0, 0.0);
    while seconds < 1.0 {
        let answer = side.ask("search", json!({ "k": k }))?;
        queries += answer["queries"].as_f64().context("the side gave no `queries`")?;
        seconds += answer["seconds"].as_f64().context("the side gave no `seconds`")?;
    }
    Ok(queries / seconds)
}
