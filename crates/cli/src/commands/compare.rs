//! `ecphory compare`: which of several runs or pipelines is better, and whether the data can tell.

use std::io::{self, Write};

use ecphory::ChannelRequest;
use ecphory::eval::compare::{ComparedSet, Comparison};
use ecphory::eval::{Dataset, EvaluateOptions, Metric, Qrels, Run as TrecRun};

use crate::args::Compare;
use crate::commands::run::write_whole;
use crate::commands::{index, run};
use crate::context::{Context, print_json};
use crate::judging::{Against, metrics, of_runs, options, read_run};
use crate::prepared::{CHANNELS, collection_of};

/// The pipelines that are compared where none is named.
const PIPELINES: &[&str] = &["bm25", "dense", "hybrid"];

impl Compare {
    fn against<'a>(&self, baseline: &'a str) -> Against<'a> {
        Against { baseline, seed: self.seed, evaluate: EvaluateOptions::default() }
    }
}

/// Compares runs or pipelines.
pub fn compare(args: &Compare, context: &Context) -> anyhow::Result<()> {
    let metrics = metrics(&args.judging)?;
    let baseline = args.baseline.as_deref();
    let comparison = if args.data.is_empty() {
        let qrels = Qrels::read(&args.files[0])?;
        let runs = args.files[1..]
            .iter()
            .map(|path| read_run(path))
            .collect::<anyhow::Result<Vec<_>>>()?;
        of_runs(&qrels, &runs, &metrics, &args.against(baseline.unwrap_or(&runs[0].name)))?
    } else {
        of_pipelines(args, metrics, context)?
    };
    if let Some(path) = &args.html {
        let html = comparison.to_html("Comparison of rankings");
        write_whole(path, |out| Ok(out.write_all(html.as_bytes())?))?;
    }
    if let Some(path) = &args.markdown {
        let markdown = comparison.to_markdown();
        write_whole(path, |out| Ok(out.write_all(markdown.as_bytes())?))?;
    }
    if context.common.json {
        return print_json(&comparison.to_json());
    }
    write!(io::stdout().lock(), "{}", comparison.to_text())?;
    Ok(())
}

/// Indexes the data sets where that was not done before, runs every pipeline and judges the runs.
fn of_pipelines(
    args: &Compare,
    metrics: Vec<Metric>,
    context: &Context,
) -> anyhow::Result<Comparison> {
    let pipelines: Vec<String> = if args.pipelines.is_empty() {
        PIPELINES.iter().map(|&name| name.to_owned()).collect()
    } else {
        args.pipelines.clone()
    };
    let baseline = args.baseline.as_deref().unwrap_or(&pipelines[0]);
    let options = options(metrics, &pipelines, &args.against(baseline))?;
    let requests = index::channels(&args.channels, CHANNELS)?;
    let datasets =
        args.data.iter().map(|name| context.dataset(name)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut runs = Vec::new();
    for dataset in &datasets {
        runs.push(runs_of(dataset, &requests, &pipelines, args.k, context)?);
    }
    let sets: Vec<ComparedSet<'_>> = datasets
        .iter()
        .zip(&runs)
        .map(|(dataset, runs)| ComparedSet {
            name: dataset.name.clone(),
            qrels: &dataset.qrels,
            queries: Some(&dataset.queries),
            runs: runs.iter().collect(),
        })
        .collect();
    Ok(Comparison::new(&pipelines, &sets, &options)?)
}

fn runs_of(
    dataset: &Dataset,
    requests: &[ChannelRequest],
    pipelines: &[String],
    k: usize,
    context: &Context,
) -> anyhow::Result<Vec<TrecRun>> {
    let reader = collection_of(dataset, requests, context)?.snapshot()?;
    let mut runs = Vec::new();
    for text in pipelines {
        let pipeline = reader.pipeline(text)?;
        let answered = run::answer(&reader, &pipeline, &dataset.queries, k, context.progress())?;
        for note in &answered.notes {
            context.notice(&format!("note: {}: {note}", dataset.name));
        }
        runs.push(answered.run);
    }
    Ok(runs)
}
