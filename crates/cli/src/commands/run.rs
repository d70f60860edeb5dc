//! `ecphory run`: a file of queries into a TREC run.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use ecphory::eval::{Queries, Run as TrecRun};
use ecphory::{Pipeline, Progress, Reader, SearchOptions};
use fs_err as fs;
use serde_json::json;

use crate::args::Run;
use crate::context::{Context, print_json};

/// Answers all queries of a file.
pub fn run(args: &Run, context: &Context) -> anyhow::Result<()> {
    let queries = Queries::read(&args.queries)?;
    let collection = context.engine.open(&args.collection)?;
    let reader = collection.snapshot()?;
    let pipeline = reader.pipeline(&args.pipeline)?;
    let tag =
        args.tag.clone().unwrap_or_else(|| pipeline.to_string().replace(char::is_whitespace, ""));
    let answered = answer(&reader, &pipeline, &queries, args.k, context.progress())?;
    for note in &answered.notes {
        context.notice(&format!("note: {note}"));
    }
    let trec = TrecRun { tag, ..answered.run };
    match &args.output {
        Some(path) => write_run(&trec, path)?,
        None => trec.write(&mut io::stdout().lock())?,
    }
    let count = queries.len();
    let rate = count as f64 / answered.seconds.max(1e-9);
    if let (true, Some(path)) = (context.common.json, &args.output) {
        return print_json(&json!({
            "run": path.display().to_string(), "queries": count, "seconds": answered.seconds,
            "queries_per_second": rate, "pipeline": pipeline.to_string(), "notes": answered.notes,
        }));
    }
    context.notice(&format!("{count} queries in {:.2} s ({rate:.1} a second)", answered.seconds));
    Ok(())
}

/// A run, and how it went.
pub struct Answered {
    /// The hits of each query.
    pub run: TrecRun,
    /// The time from the first query's encoding to the last hit.
    pub seconds: f64,
    /// What the user should know, such as a channel that is not complete.
    pub notes: Vec<String>,
}

/// Answers `queries` by one pipeline.
pub fn answer(
    reader: &Reader,
    pipeline: &Pipeline,
    queries: &Queries,
    k: usize,
    progress: &dyn Progress,
) -> anyhow::Result<Answered> {
    let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
    let options = SearchOptions { k, explain: false, documents: false };
    let start = Instant::now();
    let responses = reader.search_batch(pipeline, &texts, &options, progress)?;
    let seconds = start.elapsed().as_secs_f64();
    let mut run = TrecRun::new(pipeline.to_string());
    let mut notes = Vec::new();
    for (query, response) in queries.iter().zip(responses) {
        let hits = response.hits.into_iter().map(|hit| (hit.id, f64::from(hit.score)));
        run.insert(&query.id, hits.collect())?;
        for note in response.notes {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    Ok(Answered { run, seconds, notes })
}

/// Writes a run file whole or not at all.
pub fn write_run(run: &TrecRun, path: &Path) -> anyhow::Result<()> {
    write_whole(path, |out| Ok(run.write(out)?))
}

/// Writes a file under a temporary name beside it and renames it, so that a failure leaves no half file.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut out = BufWriter::new(fs::File::create(&temporary)?);
        write(&mut out)?;
        out.flush()?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)?;
        Ok(())
    })();
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}
