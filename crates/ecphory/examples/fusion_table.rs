//! Judges pipelines on several data sets: the table of docs/decisions/0001-default-hybrid.md.
//!
//! ```text
//! cargo run --release -p ecphory --example fusion_table -- COLLECTIONS CACHE minilm DATA/scifact DATA/med ... -- PIPELINE ...
//! ```
//! Collections with the channels `bm25` and `dense` are made in COLLECTIONS, or taken up where an
//! earlier run left them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example is a command")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ecphory::eval::{Dataset, Metric, Run, evaluate};
use ecphory::read::{self, ReadOptions};
use ecphory::{
    ChannelRequest, Engine, EngineConfig, Progress, Reader, SearchOptions, Silent, StoreConfig,
};

const HITS: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut halves = arguments.splitn(2, |argument| argument == "--");
    let [collections, cache, model, sets @ ..] = halves.next().unwrap_or_default() else {
        return Err("COLLECTIONS CACHE MODEL DATASET... -- PIPELINE...".into());
    };
    let pipelines = halves.next().unwrap_or_default();
    let models = StoreConfig {
        cache: PathBuf::from(cache),
        hub: "https://huggingface.co".to_owned(),
        python: "python3".into(),
        offline: true,
    };
    let engine = Engine::new(EngineConfig { threads: 0, models })?;
    let metric: Metric = "nDCG@10".parse()?;
    println!(
        "| pipeline | {} | mean |",
        sets.iter().map(|s| name(s)).collect::<Vec<_>>().join(" | ")
    );
    let mut table: Vec<Vec<f64>> = vec![Vec::new(); pipelines.len()];
    for set in sets {
        let dataset = Dataset::open(set, None)?;
        let reader = prepared(&engine, model, &Path::new(collections).join(name(set)), &dataset)?;
        for (pipeline, row) in pipelines.iter().zip(&mut table) {
            let run = answered(&reader, pipeline, &dataset)?;
            row.push(evaluate(&metric, &dataset.qrels, &run).mean());
        }
    }
    for (pipeline, row) in pipelines.iter().zip(&table) {
        let cells: Vec<String> = row.iter().map(|value| format!("{value:.4}")).collect();
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        println!("| `{pipeline}` | {} | {mean:.4} |", cells.join(" | "));
    }
    Ok(())
}

fn name(set: &str) -> String {
    Path::new(set).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn prepared(
    engine: &Engine,
    model: &str,
    path: &Path,
    dataset: &Dataset,
) -> Result<Reader, Box<dyn std::error::Error>> {
    let collection = if path.is_dir() {
        engine.open(path)?
    } else {
        let channels = [ChannelRequest::bm25(), ChannelRequest::dense(model)];
        let collection = engine.create(path, &channels)?;
        // Cranfield has two documents without any text.
        let corpus = read::corpus(&dataset.corpus, &ReadOptions { skip_bad: true }, &Silent)?;
        for skipped in &corpus.skipped {
            eprintln!("left out {}: {}", skipped.place, skipped.reason);
        }
        collection.add(&corpus.documents, &Silent)?;
        collection
    };
    collection.fill(&Lines::default())?;
    Ok(collection.snapshot()?)
}

fn answered(
    reader: &Reader,
    pipeline: &str,
    dataset: &Dataset,
) -> Result<Run, Box<dyn std::error::Error>> {
    let queries: Vec<&str> = dataset.queries.iter().map(|query| query.text.as_str()).collect();
    let options = SearchOptions { k: HITS, ..SearchOptions::default() };
    let pipeline = reader.pipeline(pipeline)?;
    let responses = reader.search_batch(&pipeline, &queries, &options, &Silent)?;
    let mut run = Run::new(pipeline.to_string());
    for (query, response) in dataset.queries.iter().zip(responses) {
        let hits = response.hits.into_iter().map(|hit| (hit.id, f64::from(hit.score)));
        run.insert(query.id.clone(), hits.collect())?;
    }
    Ok(run)
}

/// Prints a line for each thousandth document or so.
#[derive(Default)]
struct Lines {
    done: AtomicU64,
}

impl Progress for Lines {
    fn begin(&self, task: &str, total: u64) {
        eprintln!("{task}: {total}");
    }

    fn advance(&self, units: u64) {
        let before = self.done.fetch_add(units, Ordering::Relaxed);
        if before / 500 != (before + units) / 500 {
            eprintln!("  {}", before + units);
        }
    }

    fn end(&self) {}
}
