//! Metrics over whole runs: values by query and what they come to.
//!
//! Cost: one pass over the run to rank and look up (300 queries of 1,000 documents: 20 ms in a
//! test build), then one or two milliseconds for each metric. [`Judgement`] keeps the first part.

use std::collections::BTreeMap;

use crate::metric::Metric;
use crate::qrels::Qrels;
use crate::ranking::{Ranking, Ties};
use crate::run::Run;

/// Over which queries values are averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Averaging {
    /// All queries of the judgments that have a document that counts as relevant; one that the run
    /// lacks counts as if nothing had been returned.
    #[default]
    AllJudged,
    /// The queries that stand in both the judgments and the run, relevant documents or not: what
    /// `trec_eval` does unless told otherwise. A run gains by leaving out hard queries.
    Retrieved,
    /// All queries of the judgments, relevant documents or not: `trec_eval`'s `-c`.
    Listed,
}

/// How runs are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvaluateOptions {
    /// Over which queries values are averaged.
    pub averaging: Averaging,
    /// How many documents of each query are looked at; `trec_eval`'s `-M`. `None` for all.
    pub depth: Option<usize>,
    /// Whether scores are rounded to 32 bits before they are ordered, as `trec_eval` did up to version
    /// 9 and `pytrec_eval` does; scores closer than that are ties then.
    pub single_precision: bool,
}

/// A metric's values by query.
#[derive(Clone, Debug, PartialEq)]
pub struct PerQuery {
    /// The metric.
    pub metric: Metric,
    /// The value of each query that is averaged over.
    pub values: BTreeMap<String, f64>,
}

impl PerQuery {
    /// Returns the mean of the values; for counts their sum, for `GMAP` and `GMBpref` the geometric mean. NaN
    /// where there is no query to average over.
    pub fn mean(&self) -> f64 {
        self.metric.aggregate().of(self.values.values().copied())
    }
}

/// What equal scores leave open: the value as `trec_eval` breaks ties, and the lowest and the highest that any
/// order of the tied documents gives.
///
/// The bounds are exact for every metric that never falls when a better document moves up. `nDCGRel`,
/// `RnDCG`, `G` and `infAP` sometimes do: theirs are the values with tied documents from best to worst and from
/// worst to best.
#[derive(Clone, Debug, PartialEq)]
pub struct TieBounds {
    /// With ties broken by document id, descending.
    pub ranked: PerQuery,
    /// The least.
    pub worst: PerQuery,
    /// The greatest.
    pub best: PerQuery,
}

/// A run set against judgments, ready for any number of metrics.
#[derive(Clone, Debug)]
pub struct Judgement<'a> {
    rankings: Vec<(&'a str, Ranking)>,
    averaging: Averaging,
}

impl<'a> Judgement<'a> {
    /// Ranks every query of the judgments and looks up what its documents are worth.
    pub fn new(qrels: &'a Qrels, run: &Run, options: &EvaluateOptions) -> Self {
        let ranked = |(query, judged): (&'a String, &BTreeMap<String, i32>)| {
            let hits = run.queries.get(query).map(Vec::as_slice);
            (query.as_str(), Ranking::new(judged, hits, options))
        };
        let rankings = qrels.queries.iter().map(ranked).collect();
        Self { rankings, averaging: options.averaging }
    }

    /// Returns the values of a metric.
    pub fn evaluate(&self, metric: &Metric) -> PerQuery {
        self.values(metric, Ties::Ranked)
    }

    /// Returns the values of a metric with what ties leave open.
    pub fn evaluate_ties(&self, metric: &Metric) -> TieBounds {
        let high = self.values(metric, Ties::HighestFirst);
        let low = self.values(metric, Ties::LowestFirst);
        let both = |choose: fn(f64, f64) -> f64| {
            let pairs = high.values.iter().zip(low.values.values());
            let values = pairs.map(|((query, &h), &l)| (query.clone(), choose(h, l))).collect();
            PerQuery { metric: metric.clone(), values }
        };
        let ranked = self.evaluate(metric);
        TieBounds { worst: both(f64::min), best: both(f64::max), ranked }
    }

    /// Returns the rankings that a metric averages over, by query.
    pub fn rankings(&self, metric: &Metric) -> impl Iterator<Item = (&'a str, &Ranking)> {
        let kept = |ranking: &Ranking| match self.averaging {
            Averaging::AllJudged => metric.is_judged(ranking),
            Averaging::Retrieved => ranking.is_retrieved(),
            Averaging::Listed => true,
        };
        self.rankings.iter().filter(move |(_, r)| kept(r)).map(|(query, r)| (*query, r))
    }

    /// Returns how many queries with a relevant document the run lacks. A number near all of
    /// them says that run and judgments do not belong together.
    pub fn missing(&self) -> usize {
        let missing = |r: &Ranking| r.relevant(1) > 0 && !r.is_retrieved();
        self.rankings.iter().filter(|(_, ranking)| missing(ranking)).count()
    }

    fn values(&self, metric: &Metric, ties: Ties) -> PerQuery {
        let of = |(query, r): (&str, &Ranking)| (query.to_owned(), metric.value_arranged(r, ties));
        PerQuery { metric: metric.clone(), values: self.rankings(metric).map(of).collect() }
    }
}

/// Returns a metric's values for a run, over all judged queries. For several metrics or other
/// averaging make a [`Judgement`] once.
pub fn evaluate(metric: &Metric, qrels: &Qrels, run: &Run) -> PerQuery {
    Judgement::new(qrels, run, &EvaluateOptions::default()).evaluate(metric)
}

/// Returns a metric's values with what ties leave open, over all judged queries.
pub fn evaluate_ties(metric: &Metric, qrels: &Qrels, run: &Run) -> TieBounds {
    Judgement::new(qrels, run, &EvaluateOptions::default()).evaluate_ties(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Qrels, Run) {
        let mut qrels = Qrels::default();
        for (query, document, judgment) in
            [("1", "a", 1), ("2", "a", 2), ("3", "a", 0), ("4", "b", 1)]
        {
            qrels.insert(query, document, judgment).unwrap();
        }
        let mut run = Run::new("t");
        run.insert("1", vec![("a".into(), 1.0), ("b".into(), 1.0)]).unwrap();
        run.insert("3", vec![("a".into(), 1.0)]).unwrap();
        run.insert("9", vec![("a".into(), 1.0)]).unwrap();
        run.insert("4", vec![("b".into(), 1.0), ("a".into(), 2.0)]).unwrap();
        (qrels, run)
    }

    fn check(averaging: Averaging, metric: &str, queries: &[&str], mean: f64) {
        let (qrels, run) = example();
        let options = EvaluateOptions { averaging, ..EvaluateOptions::default() };
        let judgement = Judgement::new(&qrels, &run, &options);
        let result = judgement.evaluate(&metric.parse().unwrap());
        assert_eq!(result.values.keys().map(String::as_str).collect::<Vec<_>>(), queries);
        assert!((result.mean() - mean).abs() < 1e-12, "{metric}: {}", result.mean());
        assert_eq!(judgement.missing(), 1);
    }

    #[test]
    fn averaging_rules() {
        check(Averaging::AllJudged, "RR", &["1", "2", "4"], 1.0 / 3.0);
        check(Averaging::AllJudged, "RR(rel=2)", &["2"], 0.0);
        check(Averaging::AllJudged, "nDCG(gains={1:0})", &["2"], 0.0);
        check(Averaging::Retrieved, "RR", &["1", "3", "4"], 1.0 / 3.0);
        check(Averaging::Listed, "RR", &["1", "2", "3", "4"], 0.25);
        check(Averaging::Listed, "NumRet", &["1", "2", "3", "4"], 5.0);
        check(Averaging::AllJudged, "NumQ", &["1", "2", "4"], 3.0);
    }

    #[test]
    fn nothing_to_average_over_is_not_zero() {
        let (qrels, run) = example();
        assert!(evaluate(&"RR(rel=9)".parse().unwrap(), &qrels, &run).mean().is_nan());
    }

    #[test]
    fn ties_are_bounded() {
        let (qrels, run) = example();
        let bounds = evaluate_ties(&"RR".parse().unwrap(), &qrels, &run);
        // Query 1: `b` stands before `a` by its id, so trec_eval's order is the worst.
        assert_eq!(bounds.ranked.values["1"], 0.5);
        assert_eq!((bounds.worst.values["1"], bounds.best.values["1"]), (0.5, 1.0));
        assert_eq!((bounds.worst.values["4"], bounds.best.values["4"]), (0.5, 0.5));
    }

    #[test]
    fn depth_changes_the_result() {
        let (qrels, run) = example();
        let options = EvaluateOptions { depth: Some(1), ..EvaluateOptions::default() };
        let result = Judgement::new(&qrels, &run, &options).evaluate(&"RR".parse().unwrap());
        assert_eq!(result.mean(), 0.0);
    }
}
