//! What `eval` and `compare` share: runs under their names, metrics, and the comparison with a baseline.

use std::path::Path;

use ecphory::eval::compare::{ComparedSet, Comparison, ComparisonOptions, Test};
use ecphory::eval::significance::{Bootstrap, Randomisation};
use ecphory::eval::{EvaluateOptions, Metric, Qrels, Run as TrecRun};

use crate::args::Judging;
use crate::failure::Failure;

/// A run and what the user calls it.
pub struct NamedRun {
    /// A file name, or a pipeline.
    pub name: String,
    /// The hits.
    pub run: TrecRun,
}

/// What runs are tested against, and how.
#[derive(Clone, Copy)]
pub struct Against<'a> {
    /// The name of the baseline.
    pub baseline: &'a str,
    /// The seed of the randomisation test and the bootstrap.
    pub seed: u64,
    /// How runs are judged.
    pub evaluate: EvaluateOptions,
}

/// Parses the metrics of a command.
pub fn metrics(judging: &Judging) -> anyhow::Result<Vec<Metric>> {
    Ok(judging.metrics.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}

/// Reads a run under the name the user gave it.
pub fn read_run(path: &Path) -> anyhow::Result<NamedRun> {
    Ok(NamedRun { name: path.display().to_string(), run: TrecRun::read(path)? })
}

/// Compares run files over one set of judgments.
pub fn of_runs(
    qrels: &Qrels,
    runs: &[NamedRun],
    metrics: &[Metric],
    against: &Against<'_>,
) -> anyhow::Result<Comparison> {
    let systems: Vec<String> = runs.iter().map(|run| run.name.clone()).collect();
    let options = options(metrics.to_vec(), &systems, against)?;
    let runs = runs.iter().map(|run| &run.run).collect();
    let set = ComparedSet { name: "all".to_owned(), qrels, queries: None, runs };
    Ok(Comparison::new(&systems, &[set], &options)?)
}

/// Returns how systems are compared, the baseline found by its name.
pub fn options(
    metrics: Vec<Metric>,
    systems: &[String],
    against: &Against<'_>,
) -> anyhow::Result<ComparisonOptions> {
    let Against { baseline, seed, evaluate } = *against;
    let position = |name: &str| {
        systems
            .iter()
            .position(|system| system == name)
            .ok_or_else(|| Failure::NoBaseline { name: name.to_owned(), among: systems.join(", ") })
    };
    Ok(ComparisonOptions {
        baseline: Some(position(baseline)?),
        evaluate,
        test: Test::Randomisation(Randomisation { seed, ..Randomisation::default() }),
        bootstrap: Bootstrap { seed, ..Bootstrap::default() },
        ..ComparisonOptions::new(metrics)
    })
}
