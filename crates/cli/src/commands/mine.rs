//! `ecphory mine`: negatives for judged pairs, as a file that training reads.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use ecphory::train::miner::{MiningReport, NearMiss, print_mined, write_mined};
use ecphory::{ErrorKind, Mined, MiningRequest, Nearness, Reader, TeacherRequest};
use serde_json::json;

use crate::args::Mine;
use crate::commands::index;
use crate::context::{Context, print_json};
use crate::failure::Failure;
use crate::prepared::{CHANNELS, collection_of};
use crate::table::Table;

/// What the teacher leaves out where nothing else is said.
const RATIO: f32 = 0.95;

/// Mines negatives.
pub fn mine(args: &Mine, context: &Context) -> anyhow::Result<()> {
    let start = Instant::now();
    if args.skip >= args.depth {
        return Err(Failure::Usage("--skip has to be smaller than --depth").into());
    }
    if args.audit == Some(0) {
        return Err(Failure::Usage("--audit has to be at least 1").into());
    }
    let dataset = context.dataset_split(&args.data, Some(&args.split))?;
    let requests = index::channels(&args.channels, CHANNELS)?;
    let reader = collection_of(&dataset, &requests, context)?.snapshot()?;
    let (teacher, channel) = match &args.teacher {
        None => (None, String::new()),
        Some(name) if requests.iter().any(|request| request.name == *name) => {
            (Some(reader.clone()), name.clone())
        }
        Some(model) => {
            // A collection of its own: one more channel would become part of `hybrid`.
            let requests = index::channels(&[format!("teacher:dense={model}")], &[])?;
            (Some(collection_of(&dataset, &requests, context)?.snapshot()?), "teacher".to_owned())
        }
    };
    let request = MiningRequest {
        pipeline: reader.pipeline(&args.pipeline)?,
        ranks: args.skip..args.depth,
        keep: args.keep,
        teacher: teacher.as_ref().map(|reader| TeacherRequest {
            reader,
            channel,
            near: near(args),
        }),
        queries_are_documents: args.queries_are_documents,
        audit: args.audit.unwrap_or(0),
        seed: args.seed,
    };
    let mined = match reader.mine(&dataset, &request, context.progress()) {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            return Err(Failure::Interrupted("nothing was written".to_owned()).into());
        }
        other => other?,
    };
    for note in &mined.notes {
        context.notice(&format!("note: {}: {note}", dataset.name));
    }
    let prints = args.output == Path::new("-");
    if prints {
        let mut out = io::BufWriter::new(io::stdout().lock());
        print_mined(&mut out, &mined.sets, &mined.queries, &mined.documents)?;
        out.flush()?;
    } else {
        write_mined(&args.output, &mined.sets, &mined.queries, &mined.documents)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    report(args, &reader, &mined, seconds, context)
}

fn near(args: &Mine) -> Nearness {
    match args.margin {
        Some(margin) => Nearness::Margin(margin),
        None => Nearness::Ratio(args.ratio.unwrap_or(RATIO)),
    }
}

/// Says what was mined: on standard output, unless the negatives are there.
#[allow(clippy::print_stdout, reason = "the report is the result")]
fn report(
    args: &Mine,
    reader: &Reader,
    mined: &Mined,
    seconds: f64,
    context: &Context,
) -> anyhow::Result<()> {
    let prints = args.output == Path::new("-");
    let near = mined.near.iter().map(|miss| Shown::new(reader, mined, miss));
    let near = near.collect::<anyhow::Result<Vec<_>>>()?;
    if context.common.json && !prints {
        return print_json(&as_json(args, mined, &near, seconds));
    }
    let text = as_text(args, mined, &near, seconds)?;
    if prints {
        context.notice(text.trim_end());
    } else {
        print!("{text}");
    }
    Ok(())
}

/// A likely answer, with what a reviewer wants to see.
struct Shown<'a> {
    query: &'a str,
    positive: &'a str,
    document: &'a str,
    miss: &'a NearMiss,
    title: String,
}

impl<'a> Shown<'a> {
    fn new(reader: &Reader, mined: &'a Mined, miss: &'a NearMiss) -> anyhow::Result<Self> {
        let document = mined.documents.id(miss.document)?;
        let found = reader.document(document)?;
        let text = found.map(|found| found.joined_text(&["title".to_owned(), "text".to_owned()]));
        Ok(Self {
            query: mined.queries.id(miss.query)?,
            positive: mined.documents.id(miss.positive)?,
            document,
            miss,
            title: text.unwrap_or_default().chars().take(60).collect(),
        })
    }
}

fn negatives(mined: &Mined) -> usize {
    mined.sets.iter().map(|set| set.negatives.len()).sum()
}

fn as_json(args: &Mine, mined: &Mined, near: &[Shown<'_>], seconds: f64) -> serde_json::Value {
    let MiningReport { candidates, removed, short } = &mined.report;
    let removed: serde_json::Map<String, _> =
        removed.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    let near: Vec<_> = near
        .iter()
        .map(|shown| {
            json!({
                "query": shown.query, "document": shown.document, "positive": shown.positive,
                "score": shown.miss.score, "positive_score": shown.miss.positive_score,
            })
        })
        .collect();
    json!({
        "output": args.output.display().to_string(),
        "pairs": mined.sets.len(), "candidates": candidates, "removed": removed,
        "negatives": negatives(mined), "short": short, "left_out": mined.left_out,
        "likely_answers": near, "seconds": seconds,
    })
}

fn as_text(args: &Mine, mined: &Mined, near: &[Shown<'_>], seconds: f64) -> anyhow::Result<String> {
    let MiningReport { candidates, removed, short } = &mined.report;
    let mut table = Table::new(&["what", "count"]);
    let mut row = |what: &str, count: u64| table.row([what.to_owned(), count.to_string()]);
    row("judged pairs", mined.sets.len() as u64);
    if mined.left_out > 0 {
        row("pairs left out, their document is not there", mined.left_out);
    }
    row("candidates", *candidates);
    for (name, count) in removed {
        row(&format!("removed: {name}"), *count);
    }
    row("negatives drawn", negatives(mined) as u64);
    row(&format!("pairs with fewer than {}", args.keep), *short);
    let mut text = table.to_string();
    if !near.is_empty() {
        let header = ["query", "document", "score", "answer", "its score", "text"];
        let mut table = Table::new(&header);
        for shown in near {
            table.row([
                shown.query.to_owned(),
                shown.document.to_owned(),
                format!("{:.4}", shown.miss.score),
                shown.positive.to_owned(),
                format!("{:.4}", shown.miss.positive_score),
                shown.title.split_whitespace().collect::<Vec<_>>().join(" "),
            ]);
        }
        write!(text, "\nlikely answers that nobody judged:\n{table}")?;
    }
    writeln!(text, "\n{} in {seconds:.1} s", args.output.display())?;
    Ok(text)
}
