//! The queries and judgments that ship with the program; `data/README.md` says how they were made.

use anyhow::Context as _;
use ecphory::eval::{Qrels, Queries, Query};
use serde::Deserialize;

/// The queries, in BEIR's JSONL layout.
const QUERIES: &str = include_str!("../../data/cratedocs-queries.jsonl");

/// The judgments, in BEIR's TSV layout.
const QRELS: &str = include_str!("../../data/cratedocs-qrels.tsv");

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id")]
    id: String,
    text: String,
}

/// Returns the queries in their order.
pub fn queries() -> anyhow::Result<Queries> {
    let mut queries = Queries::default();
    for (at, line) in QUERIES.lines().enumerate() {
        let place = || format!("cratedocs-queries.jsonl, line {}", at + 1);
        let QueryLine { id, text } = serde_json::from_str(line).with_context(place)?;
        queries.push(Query { id, text }).with_context(place)?;
    }
    Ok(queries)
}

/// Returns the judgments: 0 not relevant, 1 somewhat, 2 relevant, 3 the answer.
pub fn qrels() -> anyhow::Result<Qrels> {
    let mut qrels = Qrels::default();
    for (at, line) in QRELS.lines().enumerate().skip(1) {
        let place = || format!("cratedocs-qrels.tsv, line {}", at + 1);
        let mut fields = line.split('\t');
        let (Some(query), Some(document), Some(grade), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            anyhow::bail!("{}: expected three fields", place());
        };
        let grade = grade.parse().with_context(place)?;
        qrels.insert(query, document, grade).with_context(place)?;
    }
    Ok(qrels)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_query_has_an_answer_and_each_judgment_a_query() {
        let (queries, qrels) = (queries().unwrap(), qrels().unwrap());
        assert!(queries.len() >= 60, "{} queries", queries.len());
        let answered: Vec<&str> = qrels.judged_queries(2).collect();
        let asked: Vec<&str> = queries.iter().map(|query| query.id.as_str()).collect();
        assert_eq!(answered, asked);
        assert_eq!(qrels.queries.len(), queries.len(), "judgments of queries that are not there");
        let pairs = qrels.queries.values().map(BTreeMap::len).sum::<usize>();
        assert_eq!(pairs, QRELS.lines().count() - 1, "a pair is judged twice");
        for (query, judged) in &qrels.queries {
            assert!(judged.values().all(|grade| (0..=3).contains(grade)), "grades of {query}");
        }
    }
}
