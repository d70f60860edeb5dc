//! Workload `bm25`: lexical indexing and search of the paragraphs of the Linux documentation.
//!
//! - *Indexing* is timed from a file of texts to an index that is committed to disk, each side with its own
//!   English analysis, which is part of the work. We and tantivy keep the texts too; bm25s and PISA keep none.
//! - *Searching* is timed on one thread and on two, between which queries are split, over phrases taken from the texts. So that rankings can be compared,
//!   the peers get the terms of our analyser, in documents and queries; analysing queries is in no
//!   side's time. All have k1 1.2 and b 0.75, as tantivy knows no other; tantivy keeps document lengths
//!   in one byte, so that its scores differ a little.
//! - Where SciFact is found, nDCG@10 of each side says that none of them cheats.

pub mod ours;
mod quality;
#[cfg(feature = "peers")]
pub mod tantivy;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::cache::{Python, Scratch};
use crate::compare::{Better, Comparison, on};
use crate::corpus;
use crate::process::Process;

const K1: f32 = 1.2;
const B: f32 = 0.75;
const QUERIES: usize = 1000;
const SEED: u64 = 7;
const PEERS: &[&str] = &["tantivy", "bm25s", "pisa"];

/// What to run.
#[derive(Args)]
pub struct Options {
    /// The corpus: a `.deb` of linux-doc, a folder, or a `.txt` with one text a line [default: apt's]
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Only these peers: tantivy, bm25s, pisa
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// How many documents: texts from all over the corpus, or, where it has fewer, all of them again and again [default:
    /// each text once]
    #[arg(long)]
    documents: Option<usize>,
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
    /// What metrics have at their end: the number of documents where it was asked for.
    suffix: String,
}

impl Files {
    fn request(&self, folder: &Path, own_analysis: bool) -> Value {
        json!({
            "texts": self.texts,
            "terms": self.terms,
            "folder": folder,
            "own_analysis": own_analysis,
        })
    }

    fn open_request(&self, folder: &Path, own_analysis: bool) -> Value {
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
        let python = match name {
            "bm25s" => Some(Python::with("bm25")?),
            "pisa" => Some(Python::with("pisa")?),
            _ => None,
        };
        let mut peer = Self { name: name.to_owned(), label: String::new(), python };
        let answer = peer.start(1)?.ask("version", json!({}))?;
        peer.label = format!("{name} {}", answer["version"].as_str().unwrap_or("?"));
        Ok(peer)
    }

    fn start(&self, threads: usize) -> Result<Process> {
        match &self.python {
            Some(python) => {
                let script = format!("{}_side.py", self.name);
                Process::python(python, &script, &self.name, threads)
            }
            None => Process::own(&self.name, threads),
        }
    }
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no round was asked for");
    let scratch = Scratch::new()?;
    let corpus = options.corpus.as_deref();
    let files = prepare(corpus, options.documents, options.quick, &scratch)?;
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
    let sizes = index_for_search(&peers, &files, &scratch)?;
    for threads in [1, 2] {
        search(&peers, (threads, runs + 2), &files, &scratch, (&quality.same_terms, &sizes))?;
    }
    Ok(())
}

/// Searches a collection of so many documents on one thread.
pub fn search_of(documents: usize, runs: usize, corpus: Option<&Path>, quick: bool) -> Result<()> {
    let scratch = Scratch::new()?;
    let files = prepare(corpus, Some(documents), quick, &scratch)?;
    let peers: Vec<Peer> = PEERS.iter().map(|name| Peer::find(name)).collect::<Result<_>>()?;
    let quality = vec!["same terms, k1, b".to_owned(); peers.len()];
    let sizes = index_for_search(&peers, &files, &scratch)?;
    search(&peers, (1, runs), &files, &scratch, (&quality, &sizes))
}

fn prepare(
    corpus: Option<&Path>,
    documents: Option<usize>,
    quick: bool,
    scratch: &Scratch,
) -> Result<Files> {
    let mut texts_path = corpus::linux_doc::prepare(corpus)?;
    let mut texts = corpus::read(&texts_path)?;
    if quick {
        texts.truncate(20_000);
    }
    let mut suffix = String::new();
    if let Some(documents) = documents {
        ensure!(documents > 0, "no document was asked for");
        texts = corpus::sized(&texts, documents);
        suffix = format!(", {documents} documents");
    }
    if quick || documents.is_some() {
        texts_path = scratch.path("texts.txt");
        corpus::write(&texts_path, &texts)?;
    }
    eprintln!("{} texts, {} bytes", texts.len(), texts.iter().map(String::len).sum::<usize>());
    let files = Files {
        texts: texts_path,
        terms: scratch.path("terms.txt"),
        queries: scratch.path("queries.txt"),
        query_terms: scratch.path("query-terms.txt"),
        suffix,
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
    let suffix = &files.suffix;
    let chosen: Vec<usize> =
        (0..peers.len()).filter(|&i| threads == 1 || peers[i].name != "bm25s").collect();
    let what = on(threads);
    let mut rates = Vec::new();
    let mut sizes = Vec::new();
    let mut peaks = Vec::new();
    for &i in &chosen {
        let (peer, quality) = (&peers[i], &quality[i]);
        let metric = format!("index: documents per second, {what}{suffix}");
        rates.push(comparison(peer, metric, quality, Better::Higher));
        let metric = format!("index: bytes per document on disk, texts included{suffix}");
        sizes.push(comparison(peer, metric, quality, Better::Lower));
        let metric = format!("index: peak memory in MB, {what}{suffix}");
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
            if round == 0 && threads == 1 && peers[i].name == "tantivy" {
                sizes[position].rounds.push((ours[1], theirs[1]));
            }
            peaks[position].rounds.push((ours[2], theirs[2]));
        }
    }
    rates.iter().chain(&sizes).chain(&peaks).for_each(Comparison::print);
    Ok(())
}

/// Indexes the same terms with every side, ours first, and returns the bytes per document of each index alone.
fn index_for_search(peers: &[Peer], files: &Files, scratch: &Scratch) -> Result<Vec<f64>> {
    let mut sizes = Vec::new();
    eprintln!("indexing for search");
    for place in 0..=peers.len() {
        let (mut side, folder) = side_of(peers, place, 1, scratch)?;
        let answer = side.ask("index", files.request(&folder, false))?;
        let number = |key: &str| answer[key].as_f64().unwrap_or(f64::NAN);
        sizes.push(number("index_bytes") / number("documents"));
    }
    Ok(sizes)
}

/// Starts our side or a peer, and names the folder of its index for searching.
fn side_of(
    peers: &[Peer],
    place: usize,
    threads: usize,
    scratch: &Scratch,
) -> Result<(Process, PathBuf)> {
    let (side, name) = match place.checked_sub(1) {
        Some(peer) => (peers[peer].start(threads)?, peers[peer].name.as_str()),
        None => (Process::own("ours-bm25", threads)?, "ours"),
    };
    Ok((side, scratch.path(&format!("{name}-search"))))
}

/// Searching with the same terms everywhere: rate at two depths, size of the index alone, peak memory.
fn search(
    peers: &[Peer],
    (threads, runs): (usize, usize),
    files: &Files,
    scratch: &Scratch,
    (scifact, sizes): (&[String], &[f64]),
) -> Result<()> {
    let suffix = &files.suffix;
    let mut sides = Vec::new();
    for place in 0..=peers.len() {
        let (mut side, folder) = side_of(peers, place, threads, scratch)?;
        side.ask("open", files.open_request(&folder, false))?;
        // Nobody is measured cold.
        side.ask("search", json!({ "k": 10 }))?;
        sides.push(side);
    }
    let qualities = quality::agreements(&mut sides, peers, scifact)?;
    for k in [10, 1000] {
        let of_threads = if threads == 1 { String::new() } else { format!(", {}", on(threads)) };
        let metric = format!("search: queries per second, top {k}{of_threads}{suffix}");
        let mut rates: Vec<Comparison> = (peers.iter().zip(&qualities))
            .map(|(peer, quality)| comparison(peer, metric.clone(), quality, Better::Higher))
            .collect();
        for _ in 0..runs {
            let mut measured = Vec::new();
            for side in &mut sides {
                measured.push(side.rate(&json!({ "k": k }))?);
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
        if threads == 1 {
            let metric = format!("search: index bytes per document on disk, no texts{suffix}");
            let mut size = comparison(peer, metric, &qualities[i], Better::Lower);
            size.rounds.push((sizes[0], sizes[i + 1]));
            size.print();
        }
        let metric = format!("search: peak memory in MB, {}{suffix}", on(threads));
        let mut peak = comparison(peer, metric, &qualities[i], Better::Lower);
        peak.rounds.push((peaks[0], peaks[i + 1]));
        peak.print();
    }
    Ok(())
}
