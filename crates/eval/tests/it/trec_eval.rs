//! Every line of `trec_eval`'s own test outputs, to its four printed digits.

use std::collections::BTreeMap;
use std::path::Path;

use ecphory_eval::{Averaging, EvaluateOptions, Judgement, Metric, Qrels, Run};

use crate::data;

/// Measures that are left out on purpose, with the reason.
const LEFT_OUT: [(&str, &str); 1] =
    [("runid", "it repeats the tag of the run and measures nothing")];

struct Case {
    out: &'static str,
    qrels: &'static str,
    run: &'static str,
    options: EvaluateOptions,
    /// The relevance level, `trec_eval`'s `-l`.
    rel: i32,
    /// How many lines the file has that are not left out.
    lines: usize,
}

/// `trec_eval` averages over the queries in both files; here every query of the judgments has
/// relevant documents, so `Retrieved` and `AllJudged` differ only where the run lacks a query.
fn case(out: &'static str, lines: usize) -> Case {
    let averaging = Averaging::Retrieved;
    let options = EvaluateOptions { averaging, ..EvaluateOptions::default() };
    Case { out, qrels: "qrels.test", run: "results.test", options, rel: 1, lines }
}

fn complete(depth: Option<usize>) -> EvaluateOptions {
    EvaluateOptions { averaging: Averaging::Listed, depth, ..EvaluateOptions::default() }
}

#[test]
fn every_line_of_the_reference_outputs() {
    let Some(dir) = data::folder("trec-eval-golden") else { return };
    let truncated =
        |out, depth| Case { run: "results.trunc", options: complete(depth), ..case(out, 386) };
    let cases = [
        case("out.test", 29),
        case("out.test.a", 98),
        case("out.test.aq", 386),
        truncated("out.test.aqc", None),
        truncated("out.test.aqcM", Some(100)),
        Case { qrels: "qrels.rel_level", rel: 2, ..case("out.test.aql", 386) },
        case("out.test.meas_params", 88),
    ];
    let mut problems = Vec::new();
    for case in cases {
        let (checked, wrong) = check(&dir, &case);
        if checked != case.lines {
            problems.push(format!("{}: {checked} lines, not {}", case.out, case.lines));
        }
        problems.extend(wrong);
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// The contract's own averaging gives the same where every query has a relevant document.
#[test]
fn all_judged_equals_complete_here() {
    let Some(dir) = data::folder("trec-eval-golden") else { return };
    let options = EvaluateOptions::default();
    let case = Case { run: "results.trunc", options, ..case("out.test.aqc", 386) };
    assert_eq!(check(&dir, &case), (386, Vec::new()));
}

/// Returns how many lines were compared, and those that differ.
fn check(dir: &Path, case: &Case) -> (usize, Vec<String>) {
    let qrels = Qrels::read(dir.join(case.qrels)).unwrap();
    let run = Run::read(dir.join(case.run)).unwrap();
    let judgement = Judgement::new(&qrels, &run, &case.options);
    let text = fs_err::read_to_string(dir.join(case.out)).unwrap();
    let mut known = BTreeMap::new();
    let (mut checked, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let mut columns = line.split('\t').map(str::trim);
        let mut column = || columns.next().expect("three columns");
        let (name, query, expect) = (column(), column(), column());
        if LEFT_OUT.iter().any(|(left_out, _)| *left_out == name) {
            continue;
        }
        checked += 1;
        let got = if name.starts_with("relstring") {
            relevance_string(&judgement, name, query)
        } else {
            let result = known.entry(name.to_owned()).or_insert_with(|| {
                let mut metric: Metric = name.parse().unwrap();
                metric.rel = case.rel;
                judgement.evaluate(&metric)
            });
            let value = if query == "all" { result.mean() } else { result.values[query] };
            if expect.contains('.') { format!("{value:.4}") } else { format!("{value:.0}") }
        };
        if got != expect {
            wrong.push(format!("{}: {name} {query}: {got}, not {expect}", case.out));
        }
    }
    (checked, wrong)
}

fn relevance_string(judgement: &Judgement<'_>, name: &str, query: &str) -> String {
    let length = name.rsplit('_').next().and_then(|text| text.parse().ok()).unwrap_or(10);
    let metric: Metric = "NumRet".parse().unwrap();
    let (_, ranking) = judgement.rankings(&metric).find(|(id, _)| *id == query).unwrap();
    format!("'{}'", ranking.relevance_string(length))
}
