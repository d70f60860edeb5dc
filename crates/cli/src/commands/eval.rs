//! `ecphory eval`: run files against judgments.

use std::io::{self, Write};

use ecphory::eval::{Averaging, Comparison, EvaluateOptions, Judgement, Metric, Qrels};
use serde_json::{Map, Value, json};

use crate::args::Eval;
use crate::context::{Context, print_json};
use crate::judging::{Against, NamedRun, metrics, of_runs, read_run};
use crate::table::Table;

/// The seed of the tests against a baseline.
const SEED: u64 = 7;

/// Judges runs.
pub fn eval(args: &Eval, context: &Context) -> anyhow::Result<()> {
    let metrics = metrics(&args.judging)?;
    let qrels = Qrels::read(&args.qrels)?;
    let averaging = if args.retrieved_only { Averaging::Retrieved } else { Averaging::AllJudged };
    let options = EvaluateOptions { averaging, ..EvaluateOptions::default() };
    let runs = args.runs.iter().map(|path| read_run(path)).collect::<anyhow::Result<Vec<_>>>()?;
    for run in &runs {
        let missing = Judgement::new(&qrels, &run.run, &options).missing();
        if missing > 0 && !args.retrieved_only {
            context.notice(&format!(
                "note: {} lacks {missing} judged queries; they count as 0",
                run.name
            ));
        }
    }
    let comparison = match &args.baseline {
        Some(baseline) => {
            let baseline = &baseline.display().to_string();
            let against = Against { baseline, seed: SEED, evaluate: options };
            Some(of_runs(&qrels, &runs, &metrics, &against)?)
        }
        None => None,
    };
    if context.common.json {
        return print_json(&to_json(args, &metrics, &qrels, &runs, &options, comparison.as_ref()));
    }
    if let Some(comparison) = comparison {
        write!(io::stdout().lock(), "{}", comparison.to_text())?;
        if !args.per_query && !args.ties {
            return Ok(());
        }
    }
    write!(io::stdout().lock(), "{}", table(args, &metrics, &qrels, &runs, &options))?;
    Ok(())
}

fn to_json(
    args: &Eval,
    metrics: &[Metric],
    qrels: &Qrels,
    runs: &[NamedRun],
    options: &EvaluateOptions,
    comparison: Option<&Comparison>,
) -> Value {
    let mut all = Map::new();
    for (position, run) in runs.iter().enumerate() {
        let judgement = Judgement::new(qrels, &run.run, options);
        let (mut object, mut by_query, mut ties) = (Map::new(), Map::new(), Map::new());
        for metric in metrics {
            let values = judgement.evaluate(metric);
            object.insert(metric.to_string(), json!(values.mean()));
            if args.per_query {
                by_query.insert(metric.to_string(), json!(values.values));
            }
            if args.ties {
                let bounds = judgement.evaluate_ties(metric);
                let ends = json!({"best": bounds.best.mean(), "worst": bounds.worst.mean()});
                ties.insert(metric.to_string(), ends);
            }
        }
        if args.per_query {
            object.insert("per_query".to_owned(), Value::Object(by_query));
        }
        if args.ties {
            object.insert("ties".to_owned(), Value::Object(ties));
        }
        if let Some(comparison) = comparison {
            object
                .insert("against_baseline".to_owned(), differences(comparison, metrics, position));
        }
        all.insert(run.name.clone(), Value::Object(object));
    }
    Value::Object(all)
}

/// Returns the differences of one run from the baseline, by metric; nothing for the baseline itself.
fn differences(comparison: &Comparison, metrics: &[Metric], run: usize) -> Value {
    let cells = comparison.sets[0].metrics.iter().map(|row| &row.cells[run]);
    let tested = metrics.iter().zip(cells).filter_map(|(metric, cell)| {
        let difference = cell.difference?;
        let tested =
            json!({"difference": difference, "p": cell.p, "p_corrected": cell.p_corrected});
        Some((metric.to_string(), tested))
    });
    Value::Object(tested.collect())
}

fn table(
    args: &Eval,
    metrics: &[Metric],
    qrels: &Qrels,
    runs: &[NamedRun],
    options: &EvaluateOptions,
) -> Table {
    let titles: Vec<String> = metrics.iter().map(ToString::to_string).collect();
    let query_column = args.per_query.then_some("query");
    let header: Vec<&str> = std::iter::once("run")
        .chain(query_column)
        .chain(titles.iter().map(String::as_str))
        .collect();
    let mut table = Table::new(&header);
    for run in runs {
        let judgement = Judgement::new(qrels, &run.run, options);
        let values: Vec<_> = metrics.iter().map(|metric| judgement.evaluate(metric)).collect();
        if args.per_query {
            let queries = values
                .iter()
                .flat_map(|v| v.values.keys())
                .collect::<std::collections::BTreeSet<_>>();
            for query in queries {
                let cells = values
                    .iter()
                    .map(|v| v.values.get(query).map_or_else(String::new, |x| format!("{x:.4}")));
                table.row([run.name.clone(), query.clone()].into_iter().chain(cells));
            }
        }
        let means = values.iter().zip(metrics).map(|(value, metric)| {
            if args.ties {
                let bounds = judgement.evaluate_ties(metric);
                format!(
                    "{:.4} ({:.4} to {:.4})",
                    value.mean(),
                    bounds.worst.mean(),
                    bounds.best.mean()
                )
            } else {
                format!("{:.4}", value.mean())
            }
        });
        let all = args.per_query.then(|| "all".to_owned());
        table.row(std::iter::once(run.name.clone()).chain(all).chain(means));
    }
    table
}
