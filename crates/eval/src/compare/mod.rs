//! Several systems on several metrics over one or several test collections, against a baseline.
//!
//! Every difference from the baseline is tested by query; the p values are corrected over all comparisons of
//! the report together (Holm), so that adding systems or metrics does not make luck look like a
//! finding. The mean over collections is not tested: collections are few and were not drawn at random.
//!
//! Cost: reading aside, about 100 ms for each comparison of 300 queries in a test build.

mod curves;
mod html;
mod json;
mod markdown;
mod table;
mod text;

pub use curves::Curves;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::evaluate::{EvaluateOptions, Judgement, PerQuery};
use crate::metric::{Aggregate, Metric};
use crate::qrels::Qrels;
use crate::queries::Queries;
use crate::run::Run;
use crate::significance::{
    Bootstrap, Interval, Randomisation, bootstrap_interval, holm, paired_randomisation_test,
    paired_t_test,
};

/// Which test decides whether a difference is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The paired randomisation test.
    Randomisation(Randomisation),
    /// The paired t test.
    T,
}

/// What is compared, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparisonOptions {
    /// The metrics; the first is the one that charts and queries are sorted by.
    pub metrics: Vec<Metric>,
    /// The system that the others are compared with, as a position; `None` for values only.
    pub baseline: Option<usize>,
    /// How the runs are judged.
    pub evaluate: EvaluateOptions,
    /// The test.
    pub test: Test,
    /// How the intervals are found.
    pub bootstrap: Bootstrap,
    /// A difference is marked where its corrected p value is below this.
    pub alpha: f64,
}

impl ComparisonOptions {
    /// Makes options with the randomisation test at 0.05, no baseline, all judged queries.
    pub fn new(metrics: Vec<Metric>) -> Self {
        Self {
            metrics,
            baseline: None,
            evaluate: EvaluateOptions::default(),
            test: Test::Randomisation(Randomisation::default()),
            bootstrap: Bootstrap::default(),
            alpha: 0.05,
        }
    }
}

/// One test collection with the run of each system.
#[derive(Clone, Debug)]
pub struct ComparedSet<'a> {
    /// The collection's name.
    pub name: String,
    /// Its judgments.
    pub qrels: &'a Qrels,
    /// Its queries, for showing their text.
    pub queries: Option<&'a Queries>,
    /// One run for each system, in their order.
    pub runs: Vec<&'a Run>,
}

/// Whether a difference is significant, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not significant, or nothing was tested.
    None,
    /// Significantly better than the baseline.
    Better,
    /// Significantly worse than the baseline.
    Worse,
}

impl Mark {
    /// Returns the sign that stands behind a value: `▲`, `▼` or nothing.
    pub fn sign(self) -> &'static str {
        match self {
            Mark::None => "",
            Mark::Better => "▲",
            Mark::Worse => "▼",
        }
    }
}

/// A system's value on a metric, set against the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The value over all queries.
    pub value: f64,
    /// How much more it is than the baseline's; `None` for the baseline itself.
    pub difference: Option<f64>,
    /// The interval of the mean difference; only for metrics that are averaged.
    pub interval: Option<Interval>,
    /// The p value of this comparison alone.
    pub p: Option<f64>,
    /// The p value corrected over all comparisons.
    pub p_corrected: Option<f64>,
    /// Whether that is significant.
    pub mark: Mark,
}

/// One metric on one collection: a cell for each system, with the values by query.
#[derive(Clone, Debug)]
pub struct MetricRow {
    /// One for each system.
    pub cells: Vec<Cell>,
    /// One for each system.
    pub per_query: Vec<PerQuery>,
}

/// What was found on one collection.
#[derive(Clone, Debug)]
pub struct SetResult {
    /// The collection's name.
    pub name: String,
    /// How many queries the first metric is averaged over.
    pub queries: usize,
    /// One for each metric.
    pub metrics: Vec<MetricRow>,
    /// Precision by recall and nDCG by depth, for each system.
    pub curves: Vec<Curves>,
    /// How many queries have a document judged 1 or more.
    pub judged: usize,
    /// For each system, how many of these its run lacks.
    pub missing: Vec<usize>,
    /// The text of queries, where known.
    pub texts: BTreeMap<String, String>,
}

/// A finished comparison, ready to be shown.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The systems' names.
    pub systems: Vec<String>,
    /// What was asked for.
    pub options: ComparisonOptions,
    /// One for each collection.
    pub sets: Vec<SetResult>,
    /// For each metric and each system, the mean over collections; empty where there is only one.
    pub means: Vec<Vec<Cell>>,
    /// How many comparisons the p values are corrected over.
    pub comparisons: usize,
}

impl Comparison {
    /// Judges every run of every collection and tests the differences.
    ///
    /// # Errors
    /// Where there is no metric, system or collection, a collection has another number of runs, the baseline
    /// does not exist, nothing is judged, or a test cannot be done.
    pub fn new(
        systems: &[String],
        sets: &[ComparedSet<'_>],
        options: &ComparisonOptions,
    ) -> Result<Self> {
        check(systems, sets, options)?;
        let mut results = Vec::new();
        for set in sets {
            results.push(of_set(set, options)?);
        }
        let comparisons = correct(&mut results, options);
        let means = if results.len() > 1 { means_of(&results, options) } else { Vec::new() };
        let (systems, options) = (systems.to_vec(), options.clone());
        Ok(Self { systems, options, sets: results, means, comparisons })
    }

    /// Returns the comparison as aligned text for a terminal.
    pub fn to_text(&self) -> String {
        text::render(self)
    }

    /// Returns the comparison as Markdown.
    pub fn to_markdown(&self) -> String {
        markdown::render(self)
    }

    /// Returns the comparison as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        json::render(self)
    }

    /// Returns the comparison as one HTML page that needs nothing else: tables, differences by query,
    /// precision by recall, nDCG by depth, and the queries that gained and lost the most.
    pub fn to_html(&self, title: &str) -> String {
        html::render(self, title)
    }
}

fn check(systems: &[String], sets: &[ComparedSet<'_>], options: &ComparisonOptions) -> Result<()> {
    let wrong = |setting, expected, got: String| Err(Error::Setting { setting, expected, got });
    for (setting, count) in
        [("metrics", options.metrics.len()), ("systems", systems.len()), ("data sets", sets.len())]
    {
        if count == 0 {
            return wrong(setting, "at least one", "none".to_owned());
        }
    }
    if let Some(baseline) = options.baseline.filter(|&baseline| baseline >= systems.len()) {
        return wrong("baseline", "the position of a system", baseline.to_string());
    }
    if !(options.alpha > 0.0 && options.alpha < 1.0) {
        return wrong("alpha", "a number between 0 and 1", options.alpha.to_string());
    }
    match sets.iter().find(|set| set.runs.len() != systems.len()) {
        Some(set) => {
            let got = format!("{} runs on {} for {}", set.runs.len(), set.name, systems.len());
            wrong("runs", "one for each system", got)
        }
        None => Ok(()),
    }
}

fn of_set(set: &ComparedSet<'_>, options: &ComparisonOptions) -> Result<SetResult> {
    let judgements: Vec<Judgement<'_>> =
        set.runs.iter().map(|run| Judgement::new(set.qrels, run, &options.evaluate)).collect();
    let mut metrics = Vec::new();
    for metric in &options.metrics {
        let per_query: Vec<PerQuery> = judgements.iter().map(|j| j.evaluate(metric)).collect();
        if per_query.iter().any(|values| values.values.is_empty()) {
            let (dataset, metric) = (set.name.clone(), metric.to_string());
            return Err(Error::NothingJudged { dataset, metric });
        }
        let mut cells = Vec::new();
        for (system, values) in per_query.iter().enumerate() {
            let against = options.baseline.filter(|&b| b != system).map(|b| &per_query[b]);
            cells.push(cell(values, against, options)?);
        }
        metrics.push(MetricRow { cells, per_query });
    }
    let rel = options.metrics[0].rel;
    Ok(SetResult {
        name: set.name.clone(),
        queries: metrics[0].per_query[0].values.len(),
        metrics,
        curves: judgements.iter().map(|judgement| Curves::of(judgement, rel)).collect(),
        judged: set.qrels.judged_queries(1).count(),
        missing: judgements.iter().map(Judgement::missing).collect(),
        texts: set
            .queries
            .into_iter()
            .flatten()
            .map(|query| (query.id.clone(), query.text.clone()))
            .collect(),
    })
}

fn cell(
    values: &PerQuery,
    baseline: Option<&PerQuery>,
    options: &ComparisonOptions,
) -> Result<Cell> {
    let value = values.mean();
    let mut cell = Cell {
        value,
        difference: None,
        interval: None,
        p: None,
        p_corrected: None,
        mark: Mark::None,
    };
    let Some(baseline) = baseline else { return Ok(cell) };
    cell.difference = Some(value - baseline.mean());
    let (left, right) = paired(values, baseline);
    // One query alone can be shown, but not tested.
    if left.len() < 2 {
        return Ok(cell);
    }
    cell.p = Some(match &options.test {
        Test::Randomisation(how) => paired_randomisation_test(&left, &right, how)?.p,
        Test::T => paired_t_test(&left, &right)?.p,
    });
    if values.metric.aggregate() == Aggregate::Mean {
        cell.interval = Some(bootstrap_interval(&left, &right, &options.bootstrap)?);
    }
    Ok(cell)
}

/// Returns the values of the queries that both have. What a geometric mean averages is the logarithm.
fn paired(values: &PerQuery, baseline: &PerQuery) -> (Vec<f64>, Vec<f64>) {
    let aggregate = values.metric.aggregate();
    let both = |(query, &value): (&String, &f64)| {
        let other = *baseline.values.get(query)?;
        Some((aggregate.term(value), aggregate.term(other)))
    };
    values.values.iter().filter_map(both).unzip()
}

/// Corrects all p values together and sets the marks; returns how many there are.
fn correct(sets: &mut [SetResult], options: &ComparisonOptions) -> usize {
    let mut tested: Vec<(&Metric, &mut Cell)> = Vec::new();
    for set in sets {
        for (metric, row) in options.metrics.iter().zip(&mut set.metrics) {
            tested.extend(row.cells.iter_mut().filter(|c| c.p.is_some()).map(|c| (metric, c)));
        }
    }
    let p_values: Vec<f64> = tested.iter().filter_map(|(_, cell)| cell.p).collect();
    for ((metric, cell), corrected) in tested.into_iter().zip(holm(&p_values)) {
        cell.p_corrected = Some(corrected);
        let more = cell.difference.unwrap_or(0.0) > 0.0;
        cell.mark = match (corrected < options.alpha, more != metric.lower_is_better()) {
            (false, _) => Mark::None,
            (true, true) => Mark::Better,
            (true, false) => Mark::Worse,
        };
    }
    p_values.len()
}

fn means_of(sets: &[SetResult], options: &ComparisonOptions) -> Vec<Vec<Cell>> {
    let mean = |metric: usize, system: usize| {
        let values = sets.iter().map(|set| set.metrics[metric].cells[system].value);
        values.sum::<f64>() / sets.len() as f64
    };
    let cell = |metric: usize, system: usize| {
        let value = mean(metric, system);
        let against = options.baseline.filter(|&b| b != system);
        let difference = against.map(|baseline| value - mean(metric, baseline));
        Cell { value, difference, interval: None, p: None, p_corrected: None, mark: Mark::None }
    };
    let systems = sets[0].curves.len();
    let row = |metric| (0..systems).map(|system| cell(metric, system)).collect();
    (0..options.metrics.len()).map(row).collect()
}

#[cfg(test)]
mod tests;
