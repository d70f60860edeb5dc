//! The tables of a comparison as plain cells, before they become text, Markdown or HTML.

use crate::compare::{Cell, Comparison, Test};
use crate::metric::{Aggregate, Metric};

/// A table whose first column names the row.
pub(super) struct Table {
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns whether a column holds numbers (and intervals of them), which stand to the right.
    pub fn is_numeric(&self, column: usize) -> bool {
        let number = |cell: &String| {
            cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit() || "+−[<".contains(c))
        };
        column > 0 && self.rows.iter().all(|row| number(&row[column]))
    }

    /// Returns whether a column holds values of which some are marked.
    pub fn is_marked(&self, column: usize) -> bool {
        self.rows.iter().any(|row| row[column].ends_with(['▲', '▼']))
    }
}

/// Returns the tables of values: with one collection a row for each system and a column for each
/// metric; with several a table for each metric, a row for each collection and one for the mean.
pub(super) fn values(comparison: &Comparison) -> Vec<Table> {
    let metrics = &comparison.options.metrics;
    if let [set] = comparison.sets.as_slice() {
        let header =
            std::iter::once("system".to_owned()).chain(metrics.iter().map(Metric::to_string));
        let row = |(system, name): (usize, &String)| {
            let cells = metrics.iter().zip(&set.metrics);
            let cells = cells.map(|(metric, row)| value(metric, &row.cells[system]));
            std::iter::once(name.clone()).chain(cells).collect()
        };
        let title = format!("{}, {} queries", set.name, set.queries);
        let rows = comparison.systems.iter().enumerate().map(row).collect();
        return vec![Table { title, header: header.collect(), rows }];
    }
    let table = |(at, metric): (usize, &Metric)| {
        let header =
            std::iter::once("data set").chain(comparison.systems.iter().map(String::as_str));
        let row = |name: &str, cells: &[Cell]| {
            let cells = cells.iter().map(|cell| value(metric, cell));
            std::iter::once(name.to_owned()).chain(cells).collect()
        };
        let mut rows: Vec<Vec<String>> =
            comparison.sets.iter().map(|set| row(&set.name, &set.metrics[at].cells)).collect();
        rows.push(row("mean", &comparison.means[at]));
        Table { title: metric.to_string(), header: header.map(str::to_owned).collect(), rows }
    };
    metrics.iter().enumerate().map(table).collect()
}

/// Returns the table of all tested differences; without rows where there is no baseline.
pub(super) fn differences(comparison: &Comparison) -> Table {
    let mut rows = Vec::new();
    for set in &comparison.sets {
        for (metric, row) in comparison.options.metrics.iter().zip(&set.metrics) {
            for (system, cell) in comparison.systems.iter().zip(&row.cells) {
                let Some(difference) = cell.difference else { continue };
                let interval = cell.interval.map_or_else(String::new, |interval| {
                    format!("[{}, {}]", signed(interval.low), signed(interval.high))
                });
                rows.push(vec![
                    set.name.clone(),
                    metric.to_string(),
                    system.clone(),
                    signed(difference),
                    interval,
                    cell.p.map_or_else(String::new, p_value),
                    cell.p_corrected.map_or_else(String::new, p_value),
                    cell.mark.sign().to_owned(),
                ]);
            }
        }
    }
    let baseline = comparison.options.baseline.map_or("", |b| &comparison.systems[b]);
    let share = comparison.options.bootstrap.confidence * 100.0;
    let interval = format!("{share:.0}% interval");
    let header = ["data set", "metric", "system", "difference", &interval, "p", "p corrected", ""];
    Table {
        title: format!("Differences from {baseline}"),
        header: header.map(str::to_owned).to_vec(),
        rows,
    }
}

/// Returns a sentence on how the marks came about; empty where there is no baseline.
pub(super) fn legend(comparison: &Comparison) -> String {
    let Some(baseline) = comparison.options.baseline else { return String::new() };
    let test = match &comparison.options.test {
        Test::Randomisation(how) => format!(
            "paired randomisation test ({} permutations, exact up to {} queries that differ, seed {})",
            how.permutations, how.exact_up_to, how.seed
        ),
        Test::T => "paired t test".to_owned(),
    };
    let (alpha, count) = (comparison.options.alpha, comparison.comparisons);
    let plural = if count == 1 { "" } else { "s" };
    format!(
        "▲ better, ▼ worse than {}: {test}, p < {alpha} after Holm's correction over {count} \
         comparison{plural}.",
        comparison.systems[baseline]
    )
}

/// Returns a note for each system whose run lacks judged queries, which count as 0.
pub(super) fn warnings(comparison: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    for set in &comparison.sets {
        for (system, &missing) in comparison.systems.iter().zip(&set.missing) {
            if missing > 0 {
                let (name, all) = (&set.name, set.judged);
                notes.push(format!(
                    "the run of {system} on {name} lacks {missing} of {all} judged queries"
                ));
            }
        }
    }
    notes
}

/// Returns a value with the digits that `trec_eval` prints.
pub(super) fn number(metric: &Metric, value: f64) -> String {
    match metric.aggregate() {
        Aggregate::Sum => format!("{value:.0}"),
        Aggregate::Mean | Aggregate::GeometricMean => format!("{value:.4}"),
    }
}

fn value(metric: &Metric, cell: &Cell) -> String {
    format!("{}{}", number(metric, cell.value), cell.mark.sign())
}

/// Returns a number with its sign, where it is not 0; the minus is a real one.
pub(super) fn signed(value: f64) -> String {
    let text = format!("{:.4}", value.abs());
    match value {
        _ if text.trim_matches(['0', '.']).is_empty() => text,
        value if value < 0.0 => format!("−{text}"),
        _ => format!("+{text}"),
    }
}

fn p_value(p: f64) -> String {
    if p < 0.0001 { "<0.0001".to_owned() } else { format!("{p:.4}") }
}
