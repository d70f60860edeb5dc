//! Workload `sparse`: learned sparse retrieval over paragraphs of the Linux documentation.
//!
//! Texts and queries are encoded once by SPLADE-tiny, in nobody's time; everybody builds from the same files of
//! vectors, up to an index on disk, and searches with the same query vectors, one after the other.
//!
//! - *Ours* and the plain scan return the exact best: ours is checked against brute force, scores and order, and anything else is
//!   an error. BMP is exact for weights rounded to 8 bits. Seismic is approximate: its settings are tuned for the share
//!   of the exact ten best that it finds, on the very queries that are measured, which is in its favour.
//! - *Changing* is for us alone: the others have to be built anew, so that their time to build is what they need.

pub mod ours;
mod peers;
mod truth;
mod tuning;
mod vectors;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use ecphory_model::{EncoderOptions, Role, SparseEncoder};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cache::{self, Python, Scratch};
use crate::compare::{Better, Comparison, on};
use crate::corpus;
use crate::process::Process;
use peers::Peer;
use truth::Truth;

const MODEL: &str = "splade";
/// Texts are cut here.
const TOKENS_MAX: usize = 128;
/// Texts from all over the corpus that are encoded.
const TEXTS: usize = 100_000;
const QUERIES: usize = 1000;
const SEED: u64 = 7;
/// Documents that are put into a collection and deleted again, and how many at a time.
const CHANGED: usize = 1000;
const BATCH: usize = 100;
/// How many hits a search is asked for.
const DEPTHS: [usize; 2] = [10, 1000];

/// The hits of a query, best first: documents with their scores.
type Hits = Vec<(usize, f32)>;

/// What to run.
#[derive(Args)]
pub struct Options {
    /// The corpus: a `.deb` of linux-doc, a folder, or a `.txt` with one text a line [default: apt's]
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Only these peers: scan, bmp, seismic
    #[arg(long = "peer")]
    peers: Vec<String>,
    /// How many documents: some of the vectors, or all of them again and again, with other weights [default: each vector
    /// once]
    #[arg(long)]
    documents: Option<usize>,
    /// Rounds of building; searching has two more
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// The first 10,000 texts, a small search for settings and one round, to see that everything works; not recorded
    #[arg(long)]
    quick: bool,
}

/// Encoded texts and queries, as every side reads them.
pub struct Set {
    /// How many documents a collection of them has.
    documents: usize,
    /// The size of the vocabulary.
    terms: usize,
    vectors: PathBuf,
    queries: PathBuf,
    /// What metrics have at their end: the number of documents where it was asked for.
    suffix: String,
}

impl Set {
    /// Encodes texts of the corpus, and phrases of them as queries, unless an earlier run did, and makes as many vectors of
    /// them as documents are asked for.
    fn prepare(corpus: Option<&Path>, documents: Option<usize>, quick: bool) -> Result<Self> {
        let mut texts = corpus::read(&corpus::linux_doc::prepare(corpus)?)?;
        if quick {
            texts.truncate(10_000);
        }
        texts = corpus::spread(&texts, texts.len().min(TEXTS));
        ensure!(documents != Some(0), "no document was asked for");
        let queries = corpus::phrases(&texts, QUERIES, SEED)?;
        let options = EncoderOptions { max_tokens: Some(TOKENS_MAX), ..EncoderOptions::default() };
        let encoder = SparseEncoder::open(&cache::model(MODEL)?, &options)?;
        let mut hash = Sha256::new();
        hash.update(encoder.fingerprint());
        for text in &texts {
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        let digest = hash.finalize();
        let digest = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let folder = cache::folder(&format!("sparse-{digest:08x}"))?;
        let mut set = Self {
            documents: documents.unwrap_or(texts.len()),
            suffix: documents.map_or_else(String::new, |count| format!(", {count} documents")),
            terms: encoder.terms(),
            vectors: folder.join("documents"),
            queries: folder.join("queries"),
        };
        let pool = rayon::ThreadPoolBuilder::new().build()?;
        vectors::encode(&encoder, &queries, Role::Query, &set.queries, &pool)?;
        vectors::encode(&encoder, &texts, Role::Document, &set.vectors, &pool)?;
        if set.documents != texts.len() {
            let resized = folder.join(set.documents.to_string());
            vectors::resize(&set.vectors, set.documents, &resized)?;
            set.vectors = resized;
        }
        Ok(set)
    }

    /// What building is, for the record.
    fn described(&self) -> String {
        format!(
            "{} documents of an id and the same vector, from files to an index on disk",
            self.documents
        )
    }

    fn build_request(&self, folder: &Path, settings: &Value) -> Value {
        json!({
            "vectors": self.vectors, "terms": self.terms,
            "folder": folder, "settings": settings,
        })
    }

    fn open_request(&self, folder: &Path, settings: &Value) -> Value {
        json!({ "folder": folder, "queries": self.queries, "settings": settings })
    }
}

/// Runs the workload.
pub fn run(options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "no round was asked for");
    let set = Set::prepare(options.corpus.as_deref(), options.documents, options.quick)?;
    let runs = if options.quick { 1 } else { options.runs };
    let python = Python::with("sparse")?;
    let bench = Bench::prepare(set, &python, &options.peers, options.quick)?;
    for threads in [1, 2] {
        bench.build(threads, runs)?;
    }
    for threads in [1, 2] {
        bench.search(threads, runs + 2)?;
    }
    Ok(())
}

/// Searches a collection of so many documents on one thread; of seismic's settings fewer are tried.
pub fn search_of(documents: usize, runs: usize, corpus: Option<&Path>, quick: bool) -> Result<()> {
    let set = Set::prepare(corpus, Some(documents), quick)?;
    let python = Python::with("sparse")?;
    let bench = Bench::prepare(set, &python, &[], true)?;
    for peer in &bench.peers {
        if !bench.folder(&peer.name).exists() {
            bench.built(peer.start(&python, 2)?, &peer.name, &peer.settings)?;
        }
    }
    bench.search(1, runs)
}

/// The hits that a side answers with, and how long it searched.
#[derive(Deserialize)]
struct Answer {
    results: Vec<Hits>,
    #[serde(default)]
    seconds: f64,
}

fn results(side: &mut Process, k: usize, settings: &Value) -> Result<Answer> {
    let answer = side.ask("results", json!({ "k": k, "settings": settings }))?;
    Ok(serde_json::from_value(answer)?)
}

/// What is held fixed while the sides take turns.
struct Bench<'a> {
    set: Set,
    truth: Truth,
    scratch: Scratch,
    python: &'a Python,
    peers: Vec<Peer>,
}

/// What building took: seconds, bytes a posting on disk, and the peak of the process in MB.
struct Built {
    seconds: f64,
    posting_bytes: f64,
    peak: f64,
}

impl<'a> Bench<'a> {
    /// Finds the exact best of all queries, and settings for the peers: all, or those of these names.
    fn prepare(set: Set, python: &'a Python, peers: &[String], quick: bool) -> Result<Self> {
        eprintln!("finding the exact best of {QUERIES} queries in {} documents", set.documents);
        let truth = Truth::find(&set.vectors, &set.queries, set.terms)?;
        let scratch = Scratch::new()?;
        let peers = peers::choose(peers, python, &set, &truth, &scratch, quick)?;
        Ok(Self { set, truth, scratch, python, peers })
    }

    fn row(&self, peer: &Peer, metric: &str, quality: &str, better: Better) -> Comparison {
        Comparison {
            workload: "sparse",
            peer: peer.label.clone(),
            metric: format!("{metric}{}", self.set.suffix),
            quality: quality.to_owned(),
            better,
            rounds: Vec::new(),
        }
    }

    /// The folder where a side has its index, built on one thread in the last round.
    fn folder(&self, name: &str) -> PathBuf {
        self.scratch.path(&format!("{name}-index"))
    }

    fn built(&self, mut side: Process, name: &str, settings: &Value) -> Result<Built> {
        let folder = self.folder(name);
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        let answer = side.ask("build", self.set.build_request(&folder, settings))?;
        let number = |key: &str| answer[key].as_f64().unwrap_or(f64::NAN);
        Ok(Built {
            seconds: number("seconds"),
            posting_bytes: number("bytes") / number("postings"),
            peak: side.peak()? / 1e6,
        })
    }

    /// Building, and what takes its place where a collection changes.
    fn build(&self, threads: usize, runs: usize) -> Result<()> {
        let on = on(threads);
        let quality = self.set.described();
        let mut rows: Vec<[Comparison; 5]> = Vec::new();
        for peer in &self.peers {
            let quality = format!("{quality}; {}", peer.how);
            let row = |metric: &str| self.row(peer, metric, &quality, Better::Lower);
            rows.push([
                row(&format!("build: seconds, {on}")),
                row(&format!("build: peak memory in MB, {on}")),
                row("build: bytes per posting on disk"),
                row(&format!("change: seconds until {CHANGED} new documents are found, {on}")),
                row(&format!("change: seconds until {CHANGED} documents are gone, {on}")),
            ]);
        }
        for round in 0..runs {
            eprintln!("building, {on}, round {}", round + 1);
            let ours = self.built(Process::own("ours-sparse", threads)?, "ours", &Value::Null)?;
            let mut request = self.set.build_request(&self.folder("ours"), &Value::Null);
            (request["count"], request["batch"]) = (json!(CHANGED), json!(BATCH));
            let changed = Process::own("ours-sparse", threads)?.ask("change", request)?;
            let [put, deleted] = ["insert", "delete"].map(|key| changed[key].as_f64());
            let mut built: BTreeMap<&str, Built> = BTreeMap::new();
            for (peer, rows) in self.peers.iter().zip(&mut rows) {
                if threads > 1 && !peer.kind.builds_on_threads() {
                    continue;
                }
                let theirs = match built.entry(&peer.name) {
                    Entry::Occupied(built) => built.into_mut(),
                    Entry::Vacant(vacant) => {
                        let side = peer.start(self.python, threads)?;
                        vacant.insert(self.built(side, &peer.name, &peer.settings)?)
                    }
                };
                rows[0].rounds.push((ours.seconds, theirs.seconds));
                rows[1].rounds.push((ours.peak, theirs.peak));
                if threads == 1 && round == 0 {
                    rows[2].rounds.push((ours.posting_bytes, theirs.posting_bytes));
                }
                for (row, ours) in rows[3..].iter_mut().zip([put, deleted]) {
                    row.rounds.push((ours.unwrap_or(f64::NAN), theirs.seconds));
                    row.quality = format!(
                        "ours in durable batches of {BATCH}, {:.0} documents a second; theirs is built anew; {}",
                        CHANGED as f64 / ours.unwrap_or(f64::NAN),
                        peer.how
                    );
                }
            }
        }
        rows.iter().flatten().for_each(Comparison::print);
        Ok(())
    }

    /// Searching at all depths: rates, then the peak of each process, then what was found.
    fn search(&self, threads: usize, runs: usize) -> Result<()> {
        let peers = self.peers.iter().filter(|it| threads == 1 || it.kind.searches_on_threads());
        let peers: Vec<&Peer> = peers.collect();
        let mut sides = self.opened(threads, &peers)?;
        let mut rounds = vec![Vec::new(); DEPTHS.len()];
        for (k, rounds) in DEPTHS.into_iter().zip(&mut rounds) {
            for _ in 0..runs {
                let rates = sides
                    .iter_mut()
                    .map(|(side, settings)| side.rate(&json!({ "k": k, "settings": settings })));
                rounds.push(rates.collect::<Result<Vec<f64>>>()?);
            }
        }
        // Before results are asked for: what is said of them takes much memory.
        let peaks = sides.iter_mut().map(|(side, _)| side.peak()).collect::<Result<Vec<f64>>>()?;
        let on = on(threads);
        for (k, rounds) in DEPTHS.into_iter().zip(&rounds) {
            self.truth.check(&results(&mut sides[0].0, k, &Value::Null)?.results, k)?;
            for (place, peer) in (1..).zip(&peers) {
                let (side, settings) = &mut sides[place];
                let recall = self.truth.recall(&results(side, k, settings)?.results, k);
                let quality =
                    format!("recall@{k} ours 1.0000 and theirs {recall:.4}; {}", peer.how);
                let metric = format!("search: queries per second, top {k}, {on}");
                let mut row = self.row(peer, &metric, &quality, Better::Higher);
                row.rounds.extend(rounds.iter().map(|rates| (rates[0], rates[place])));
                row.print();
            }
        }
        for (peer, theirs) in peers.iter().zip(&peaks[1..]) {
            let metric = format!("search: peak memory in MB, {on}");
            let quality = format!("the process, with its libraries; {}", peer.how);
            let mut row = self.row(peer, &metric, &quality, Better::Lower);
            row.rounds.push((peaks[0] / 1e6, theirs / 1e6));
            row.print();
        }
        Ok(())
    }

    /// Our side over a collection that is built for it, and the peers over what they have built; none of them cold.
    fn opened<'s>(
        &'s self,
        threads: usize,
        peers: &[&'s Peer],
    ) -> Result<Vec<(Process, &'s Value)>> {
        // The one that changed may have been merged or not.
        self.built(Process::own("ours-sparse", 1)?, "ours", &Value::Null)?;
        let mut sides = vec![(Process::own("ours-sparse", threads)?, &Value::Null, "ours")];
        for peer in peers {
            sides.push((peer.start(self.python, threads)?, &peer.settings, &peer.name));
        }
        let mut opened = Vec::new();
        for (mut side, settings, name) in sides {
            side.ask("open", self.set.open_request(&self.folder(name), settings))?;
            side.ask("search", json!({ "k": 10, "settings": settings }))?;
            opened.push((side, settings));
        }
        Ok(opened)
    }
}
