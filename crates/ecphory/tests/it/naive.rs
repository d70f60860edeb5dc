//! The semantics of pipelines once more, as plainly as possible: every node scores every document.
//!
//! It shares nothing with the executor but the scores of single channels, which the index has its own
//! oracles for.

use std::cmp::Ordering;

use ecphory::{Pipeline, Reader, SearchOptions, Value};
use proptest::prelude::*;

use crate::support::{Bench, check_sums, close, documents};

const DOCUMENTS: usize = 150;

/// What a node gives: its list, and its score for each document, found or not.
struct Given {
    list: Vec<(usize, f32)>,
    exact: Vec<Option<f64>>,
    /// Whether the filters let the document through.
    admitted: Vec<bool>,
    /// The least score that the node can give.
    least: f64,
    is_sum: bool,
}

/// The scores of both channels for one query.
struct Naive {
    bm25: Vec<Option<f32>>,
    dense: Vec<Option<f32>>,
    years: Vec<i64>,
}

impl Naive {
    fn new(reader: &Reader, query: &str) -> Self {
        let scores = |channel: &str| {
            let options = SearchOptions { k: DOCUMENTS, ..SearchOptions::default() };
            let response = reader.search(&Pipeline::channel(channel), query, &options).unwrap();
            let mut scores = vec![None; DOCUMENTS];
            for hit in response.hits {
                scores[number(&hit.id)] = Some(hit.score);
            }
            scores
        };
        let year = |i| match reader.document(&format!("d{i}")).unwrap().unwrap().get("year") {
            Some(Value::Integer(year)) => *year,
            _ => panic!("every document has a year"),
        };
        Self {
            bm25: scores("bm25"),
            dense: scores("dense"),
            years: (0..DOCUMENTS).map(year).collect(),
        }
    }

    fn channel(&self, name: &str) -> (&[Option<f32>], f64) {
        if name == "bm25" { (&self.bm25, 0.0) } else { (&self.dense, -1.0) }
    }

    fn eval(&self, pipeline: &Pipeline, wanted: usize, admitted: &[bool]) -> Given {
        let deep = wanted.max(100);
        match pipeline {
            Pipeline::Channel(name) => {
                let (scores, least) = self.channel(name);
                let found = (0..DOCUMENTS).filter(|&d| admitted[d]);
                let mut list: Vec<(usize, f32)> =
                    found.filter_map(|d| scores[d].map(|score| (d, score))).collect();
                sort(&mut list);
                list.truncate(wanted);
                let exact = (0..DOCUMENTS)
                    .map(|d| admitted[d].then(|| f64::from(scores[d].unwrap_or(0.0))))
                    .collect();
                Given { list, exact, admitted: admitted.to_vec(), least, is_sum: false }
            }
            Pipeline::Cut { of, to } => {
                let mut given = self.eval(of, *to as usize, admitted);
                given.list.truncate(*to as usize);
                given
            }
            Pipeline::Where { of, filter } => {
                let bound: i64 =
                    filter.to_string().split(' ').next_back().unwrap().parse().unwrap();
                let both: Vec<bool> =
                    (0..DOCUMENTS).map(|d| admitted[d] && self.years[d] >= bound).collect();
                let mut given = self.eval(of, wanted, &both);
                for (exact, ok) in given.exact.iter_mut().zip(&both) {
                    *exact = exact.filter(|_| *ok);
                }
                given
            }
            Pipeline::Rrf { of, k, weights } => {
                let below: Vec<Given> = of.iter().map(|p| self.eval(p, deep, admitted)).collect();
                let mut sums = vec![None; DOCUMENTS];
                for (i, given) in below.iter().enumerate() {
                    let weight = weights.as_ref().map_or(1.0, |weights| weights[i]);
                    for (rank, (doc, _)) in given.list.iter().enumerate() {
                        let part = weight / (k + (rank + 1) as f64);
                        sums[*doc] = Some(sums[*doc].unwrap_or(0.0) + part);
                    }
                }
                let list = listed(&sums, &[true; DOCUMENTS]);
                let exact: Vec<Option<f64>> =
                    sums.iter().map(|sum| sum.map(|sum: f64| f64::from(sum as f32))).collect();
                Given { list, exact, admitted: any(&below), least: 0.0, is_sum: false }
            }
            Pipeline::Cc { of, alpha } => {
                self.sum(&[(*alpha, &of[0]), (1.0 - alpha, &of[1])], deep, admitted)
            }
            Pipeline::Sum(parts) => {
                let parts: Vec<(f64, &Pipeline)> = parts.iter().map(|(w, p)| (*w, p)).collect();
                self.sum(&parts, deep, admitted)
            }
            Pipeline::Rescore { of, by } => {
                let given = self.eval(of, deep, admitted);
                let (scores, least) = self.channel(by);
                let mut list: Vec<(usize, f32)> =
                    given.list.iter().map(|&(d, _)| (d, scores[d].unwrap_or(0.0))).collect();
                sort(&mut list);
                let exact = (0..DOCUMENTS)
                    .map(|d| given.admitted[d].then(|| f64::from(scores[d].unwrap_or(0.0))))
                    .collect();
                Given { list, exact, admitted: given.admitted, least, is_sum: false }
            }
            Pipeline::Impacts(_) => panic!("impacts are compared in impacts.rs"),
            Pipeline::Rerank { .. } => panic!("rerankers are compared in rerank.rs"),
            Pipeline::Expand { .. } => panic!("expansion is compared in expand.rs"),
        }
    }

    fn sum(&self, parts: &[(f64, &Pipeline)], deep: usize, admitted: &[bool]) -> Given {
        let below: Vec<Given> = parts.iter().map(|(_, p)| self.eval(p, deep, admitted)).collect();
        let mut sums = vec![None; DOCUMENTS];
        let mut candidates = vec![false; DOCUMENTS];
        for ((weight, _), given) in parts.iter().zip(&below) {
            let Some(&(_, most)) = given.list.first() else { continue };
            let most = f64::from(most);
            for (doc, _) in &given.list {
                candidates[*doc] = true;
            }
            for (doc, score) in given.exact.iter().enumerate() {
                let Some(score) = score else { continue };
                let scaled = match given.is_sum {
                    true => *score,
                    false if most > given.least => (score - given.least) / (most - given.least),
                    false => f64::from(u8::from(*score >= most)),
                };
                sums[doc] = Some(sums[doc].unwrap_or(0.0) + weight * scaled);
            }
        }
        let list = listed(&sums, &candidates);
        Given { list, exact: sums, admitted: any(&below), least: 0.0, is_sum: true }
    }
}

fn number(id: &str) -> usize {
    id[1..].parse().unwrap()
}

fn any(below: &[Given]) -> Vec<bool> {
    (0..DOCUMENTS).map(|d| below.iter().any(|given| given.admitted[d])).collect()
}

fn sort(list: &mut [(usize, f32)]) {
    list.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then(a.0.cmp(&b.0)));
}

fn listed(sums: &[Option<f64>], candidates: &[bool]) -> Vec<(usize, f32)> {
    let mut list: Vec<(usize, f32)> = (0..DOCUMENTS)
        .filter(|&d| candidates[d])
        .filter_map(|d| sums[d].map(|sum| (d, sum as f32)))
        .collect();
    sort(&mut list);
    list
}

fn channel() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["bm25", "dense"]).prop_map(str::to_owned)
}

fn weight() -> impl Strategy<Value = f64> {
    (0_u32..8).prop_map(|n| f64::from(n) / 4.0)
}

fn tree() -> impl Strategy<Value = Pipeline> {
    channel().prop_map(Pipeline::Channel).prop_recursive(4, 12, 3, |inner| {
        let parts = || prop::collection::vec((weight(), inner.clone()), 1..4);
        prop_oneof![
            (inner.clone(), 1_u32..120).prop_map(|(of, to)| of.top(to)),
            parts().prop_map(|mut parts| {
                parts[0].0 += 0.25;
                let (weights, of): (Vec<f64>, Vec<Pipeline>) = parts.into_iter().unzip();
                Pipeline::Rrf { of, k: 60.0, weights: Some(weights) }
            }),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Pipeline::rrf),
            (inner.clone(), inner.clone(), 0_u32..=4).prop_map(|(a, b, part)| Pipeline::cc(
                a,
                b,
                f64::from(part) / 4.0
            )),
            parts().prop_map(|mut parts| {
                parts[0].0 += 0.25;
                Pipeline::Sum(parts)
            }),
            (inner.clone(), channel()).prop_map(|(of, by)| of.rescore(by)),
            (inner.clone(), 1899_i64..1911)
                .prop_map(|(of, year)| of.filter(format!("year >= {year}").parse().unwrap())),
        ]
    })
}

/// Compares the engine's answer and its explanations with the naive evaluation.
fn check(reader: &Reader, naive: &Naive, tree: &Pipeline, query: &str, k: usize) {
    let options = SearchOptions { k, explain: true, documents: false };
    let response = reader.search(tree, query, &options).unwrap();
    let mut given = naive.eval(tree, k, &[true; DOCUMENTS]);
    given.list.truncate(k);
    let got: Vec<(usize, f32)> =
        response.hits.iter().map(|hit| (number(&hit.id), hit.score)).collect();
    assert_eq!(got, given.list, "{tree}");
    for hit in response.hits.iter().take(3) {
        let explanation = hit.explanation.as_ref().unwrap();
        close(explanation.value, f64::from(hit.score), &explanation.to_string());
        check_sums(explanation);
    }
}

#[test]
fn every_pipeline_equals_its_naive_evaluation() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(DOCUMENTS, 7));
    let queries = ["radium decay", "the moon and a planet", "glass", "nothing known"];
    let naive: Vec<Naive> = queries.iter().map(|query| Naive::new(&reader, query)).collect();
    // What random trees meet too rarely.
    for text in [
        "(dense >> where(year >= 1908) >> rescore(bm25)) + bm25",
        "(bm25 >> where(year >= 1905)) + (dense % 10 >> where(year >= 1908))",
        "(rrf(bm25 >> where(year >= 1905), dense >> where(year >= 1908)) >> rescore(dense)) + bm25",
        "bm25 + (dense + rrf(bm25, dense)) % 20",
    ] {
        let tree: Pipeline = text.parse().unwrap();
        for (query, naive) in queries.iter().zip(&naive) {
            check(&reader, naive, &tree, query, DOCUMENTS);
        }
    }
    proptest!(ProptestConfig::with_cases(300), |(tree in tree(), query in 0..queries.len(), k in 1_usize..160)| {
        check(&reader, &naive[query], &tree, queries[query], k);
    });
}
