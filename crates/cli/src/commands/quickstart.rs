//! `ecphory quickstart`: from nothing to judged rankings of a real collection.
//!
//! Lexical answers come first, from a collection of their own that needs no model; then the encoder is
//! fetched, and the dense channel of the lasting collection filled. Running the command again goes on
//! where an interrupted run stopped.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ecphory::eval::{Dataset, Qrels, Queries, evaluate};
use ecphory::read::{self, ReadOptions};
use ecphory::{Collection, Document, ErrorKind, Reader, SearchOptions};
use fs_err as fs;

use crate::args::Quickstart;
use crate::commands::{index, run, search};
use crate::context::Context;
use crate::cratedocs;
use crate::failure::{Failure, kind};
use crate::table::Table;

/// How many example queries are answered.
const EXAMPLES: usize = 3;

/// How many hits each of them shows.
const SHOWN: usize = 3;

/// A collection to show, and where it came from.
struct Source {
    /// A short name, also of the collection's directory.
    name: String,
    /// What was taken, in a sentence.
    taken: String,
    documents: Vec<Document>,
    /// How many documents of the source were left out because they are empty or malformed.
    skipped: usize,
    judged: Option<(Queries, Qrels)>,
    /// What `compare --data` calls it, where it is a data set.
    dataset: Option<String>,
}

/// Runs the whole job.
pub fn quickstart(args: &Quickstart, context: &Context) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let source = source(args, context)?;
    writeln!(out, "Collection: {}", source.taken)?;
    let left_out = match source.skipped {
        0 => String::new(),
        count => format!(" ({count} empty or malformed ones left out)"),
    };
    writeln!(out, "{} documents{left_out}\n", source.documents.len())?;

    let home = context.cache.join("quickstart");
    fs::create_dir_all(&home)?;
    let examples = examples(&source);
    let scratch = tempfile::tempdir_in(&home)?;
    let start = Instant::now();
    let lexical = make(&scratch.path().join("lexical.ecp"), &source, &["bm25"], context)?;
    let seconds = start.elapsed().as_secs_f64();
    writeln!(out, "Indexed with BM25 in {seconds:.2} s. First answers:\n")?;
    answer(&mut out, &lexical.snapshot()?, "bm25", &examples)?;

    context.engine.models().pull(&args.model, context.progress())?;
    let path = args.collection.clone().unwrap_or_else(|| home.join(format!("{}.ecp", source.name)));
    let collection = lasting(&path, &source, &args.model, context)?;
    let reader = collection.snapshot()?;
    let missing = reader.coverage("dense")?;
    let start = Instant::now();
    if let Err(error) = index::fill(&collection, &path, context) {
        if kind(&error) == ErrorKind::Interrupted {
            writeln!(out, "Stopped; the same command goes on from here.")?;
        }
        return Err(error);
    }
    let filled = missing.total - missing.covered;
    let seconds = start.elapsed().as_secs_f64();
    let rate = filled as f64 / seconds.max(1e-9);
    writeln!(
        out,
        "Encoded {filled} documents with {} in {seconds:.1} s ({rate:.0} a second).\n",
        args.model
    )?;

    let reader = collection.snapshot()?;
    writeln!(out, "The same queries with hybrid retrieval, {}:\n", reader.pipeline("hybrid")?)?;
    answer(&mut out, &reader, "hybrid", &examples)?;
    if let Some((queries, qrels)) = &source.judged {
        quality(&mut out, &reader, queries, qrels, context)?;
    }
    next_steps(&mut out, &path, source.dataset.as_deref())?;
    Ok(())
}

/// Opens the lasting collection if an earlier run made it of the same documents, else makes it.
fn lasting(
    path: &Path,
    source: &Source,
    model: &str,
    context: &Context,
) -> anyhow::Result<Collection> {
    if path.join("CURRENT").is_file() {
        let collection = context.engine.open(path)?;
        let reader = collection.snapshot()?;
        let same = reader.documents() == source.documents.len() as u64
            && source.documents.iter().all(|document| {
                reader.document(&document.id).is_ok_and(|stored| stored.as_ref() == Some(document))
            })
            && reader
                .channels()
                .iter()
                .any(|channel| channel.to_string() == format!("dense={model}"));
        if same {
            return Ok(collection);
        }
        // What lies in the cache is ours to make anew; what the user named is not.
        if !path.starts_with(&context.cache) {
            return Err(Failure::OtherDocuments { path: path.display().to_string() }.into());
        }
        drop((collection, reader));
        fs::remove_dir_all(path)?;
    }
    make(path, source, &["bm25", &format!("dense={model}")], context)
}

fn make(
    path: &Path,
    source: &Source,
    channels: &[&str],
    context: &Context,
) -> anyhow::Result<Collection> {
    let collection = context.engine.create(path, &index::channels(&[], channels)?)?;
    collection.add(&source.documents, context.progress())?;
    Ok(collection)
}

/// Takes the first collection that is there: the argument, SciFact, the documentation of our crates.
fn source(args: &Quickstart, context: &Context) -> anyhow::Result<Source> {
    if let Some(path) = &args.corpus {
        return from_path(path, context);
    }
    if let Ok(dataset) = Dataset::find("scifact", &context.data) {
        let taken = format!(
            "SciFact, claims to abstracts, in {} (from ECPHORY_DATA)",
            dataset.corpus.display()
        );
        return from_dataset(("scifact".to_owned(), "scifact".to_owned()), taken, dataset, context);
    }
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let found = match &cargo {
        Some(cargo) => cratedocs::corpus(cargo, context.progress())?,
        None => None,
    };
    let documents = found.ok_or(Failure::Usage(
        "no collection found: give a folder or a JSONL file, or set ECPHORY_DATA to a directory that holds `scifact`",
    ))?;
    Ok(Source {
        name: "cratedocs".to_owned(),
        taken: "the documentation of the crates this program is built from, from cargo's local registry \
                (set ECPHORY_DATA to a directory that holds `scifact` to take that)"
            .to_owned(),
        documents,
        skipped: 0,
        judged: Some((cratedocs::queries()?, cratedocs::qrels()?)),
        dataset: None,
    })
}

fn from_path(path: &Path, context: &Context) -> anyhow::Result<Source> {
    let beside = if path.is_dir() { Some(path) } else { path.parent() };
    if let Some(dataset) = beside.and_then(|directory| Dataset::open(directory, None).ok())
        && (path.is_dir() || dataset.corpus == path)
    {
        let name = stem(beside.unwrap_or(path));
        return from_dataset(
            (name, beside.unwrap_or(path).display().to_string()),
            format!("the judged data set {}", path.display()),
            dataset,
            context,
        );
    }
    let corpus = read::corpus(path, &ReadOptions { skip_bad: true }, context.progress())?;
    Ok(Source {
        name: stem(path),
        taken: path.display().to_string(),
        documents: corpus.documents,
        skipped: corpus.skipped.len(),
        judged: None,
        dataset: None,
    })
}

fn from_dataset(
    (name, called): (String, String),
    taken: String,
    dataset: Dataset,
    context: &Context,
) -> anyhow::Result<Source> {
    let corpus =
        read::corpus(&dataset.corpus, &ReadOptions { skip_bad: true }, context.progress())?;
    Ok(Source {
        name,
        taken,
        documents: corpus.documents,
        skipped: corpus.skipped.len(),
        judged: Some((dataset.queries, dataset.qrels)),
        dataset: Some(called),
    })
}

fn stem(path: &Path) -> String {
    let full = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split('.').find(|part| !part.is_empty()).unwrap_or("corpus").to_owned()
}

/// Returns queries to show: judged ones, or the titles of some documents.
fn examples(source: &Source) -> Vec<String> {
    if let Some((queries, _)) = &source.judged {
        let step = (queries.len() / EXAMPLES).max(1);
        return queries
            .iter()
            .step_by(step)
            .take(EXAMPLES)
            .map(|query| query.text.clone())
            .collect();
    }
    let step = (source.documents.len() / EXAMPLES).max(1);
    source
        .documents
        .iter()
        .step_by(step)
        .take(EXAMPLES)
        .map(|document| {
            let text = document.text("title").filter(|title| !title.trim().is_empty());
            let text = text.or_else(|| document.text("text")).unwrap_or(&document.id);
            text.split_whitespace().take(12).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn answer(
    out: &mut dyn Write,
    reader: &Reader,
    pipeline: &str,
    queries: &[String],
) -> anyhow::Result<()> {
    let pipeline = reader.pipeline(pipeline)?;
    let options = SearchOptions { k: SHOWN, explain: false, documents: true };
    for query in queries {
        let start = Instant::now();
        let response = reader.search(&pipeline, query, &options)?;
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        writeln!(out, "? {query}   ({ms:.1} ms)")?;
        for (i, hit) in response.hits.iter().enumerate() {
            search::write_hit(out, i + 1, hit)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn quality(
    out: &mut dyn Write,
    reader: &Reader,
    queries: &Queries,
    qrels: &Qrels,
    context: &Context,
) -> anyhow::Result<()> {
    let metrics = ["nDCG@10", "RR@10", "R@100"];
    let mut table = Table::new(&["pipeline", "nDCG@10", "RR@10", "R@100", "ms a query"]);
    for name in ["bm25", "dense", "hybrid"] {
        let pipeline = reader.pipeline(name)?;
        let answered = run::answer(reader, &pipeline, queries, 100, context.progress())?;
        let mut cells = vec![name.to_owned()];
        for metric in metrics {
            let values = evaluate(&metric.parse()?, qrels, &answered.run);
            cells.push(format!("{:.4}", values.mean()));
        }
        cells.push(format!("{:.2}", answered.seconds * 1000.0 / queries.len().max(1) as f64));
        table.row(cells);
    }
    writeln!(
        out,
        "Quality over {} judged queries (all cores, encoding of the query included):\n\n{table}",
        queries.len()
    )?;
    Ok(())
}

fn next_steps(out: &mut dyn Write, path: &Path, dataset: Option<&str>) -> io::Result<()> {
    let path = path.display();
    writeln!(
        out,
        "What to try next (`cargo install --path crates/cli` puts `ecphory` on the path):"
    )?;
    writeln!(out, "  ecphory search {path} \"your question\" --pipeline hybrid --explain")?;
    writeln!(out, "  ecphory inspect {path}")?;
    if let Some(name) = dataset {
        writeln!(
            out,
            "  ecphory compare --data {name} --pipeline bm25 --pipeline dense --pipeline hybrid --html report.html"
        )?;
    }
    writeln!(out, "  ecphory index mine.ecp FOLDER --channel bm25 --channel dense=minilm")
}
