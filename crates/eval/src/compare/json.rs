//! A comparison as JSON. Values are unrounded; what was not tested is null.

use serde_json::{Value, json};

use crate::compare::{Cell, Comparison, Mark, Test};

pub(super) fn render(comparison: &Comparison) -> Value {
    let options = &comparison.options;
    let sets: Vec<Value> = comparison
        .sets
        .iter()
        .map(|set| {
            let rows: Vec<&[Cell]> = set.metrics.iter().map(|row| row.cells.as_slice()).collect();
            json!({ "name": set.name, "queries": set.queries, "missing": set.missing,
                    "results": results(comparison, &rows) })
        })
        .collect();
    let means: Vec<&[Cell]> = comparison.means.iter().map(Vec::as_slice).collect();
    let test = match options.test {
        Test::Randomisation(how) => json!({ "name": "paired randomisation",
            "permutations": how.permutations, "exact_up_to": how.exact_up_to, "seed": how.seed }),
        Test::T => json!({ "name": "paired t" }),
    };
    json!({
        "systems": comparison.systems,
        "metrics": options.metrics.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "baseline": options.baseline.map(|at| &comparison.systems[at]),
        "test": test,
        "alpha": options.alpha,
        "correction": "Holm",
        "comparisons": comparison.comparisons,
        "data_sets": sets,
        "mean": results(comparison, &means),
    })
}

fn results(comparison: &Comparison, rows: &[&[Cell]]) -> Vec<Value> {
    let mut results = Vec::new();
    for (metric, cells) in comparison.options.metrics.iter().zip(rows) {
        for (system, cell) in comparison.systems.iter().zip(*cells) {
            results.push(json!({
                "metric": metric.to_string(),
                "system": system,
                "value": cell.value,
                "difference": cell.difference,
                "interval": cell.interval.map(|interval| [interval.low, interval.high]),
                "p": cell.p,
                "p_corrected": cell.p_corrected,
                "mark": match cell.mark {
                    Mark::None => Value::Null,
                    Mark::Better => "better".into(),
                    Mark::Worse => "worse".into(),
                },
            }));
        }
    }
    results
}
