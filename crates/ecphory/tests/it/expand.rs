//! Expansion by feedback: which documents it finds, what it weighs, and that filters and fusions see the new query.

use ecphory::{Document, Pipeline, Reader, SearchOptions, Silent};

use crate::support::{Bench, check_sums};

/// A query word that leads to others: `radium` stands beside `glow`, and `glow` alone tells of the same.
fn reader(bench: &Bench) -> Reader {
    let texts = [
        "radium glow paint watch",
        "radium glow dial watch",
        "glow watch night",
        "moon night stars",
        "salt sea ship",
    ];
    let documents: Vec<Document> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| {
            Document::new(i.to_string())
                .with("text", *text)
                .with("title", "watch")
                .with("n", i as i64)
        })
        .collect();
    let collection = bench.create("e.ecp", &["bm25(fields=text)", "titles:bm25(fields=title)"]);
    collection.add(&documents, &Silent).unwrap();
    collection.snapshot().unwrap()
}

fn found(reader: &Reader, pipeline: &str, query: &str) -> Vec<(String, f32)> {
    let options = SearchOptions { k: 10, explain: true, documents: false };
    let pipeline = reader.pipeline(pipeline).unwrap();
    let response = reader.search(&pipeline, query, &options).unwrap();
    for hit in &response.hits {
        let explanation = hit.explanation.as_ref().unwrap();
        assert!((explanation.value - f64::from(hit.score)).abs() < 1e-5, "{explanation}");
        check_sums(explanation);
    }
    response.hits.into_iter().map(|hit| (hit.id, hit.score)).collect()
}

fn ids(hits: &[(String, f32)]) -> Vec<&str> {
    hits.iter().map(|hit| hit.0.as_str()).collect()
}

#[test]
fn words_of_the_best_find_what_the_query_does_not_say() {
    let bench = Bench::new();
    let reader = reader(&bench);
    let asked = found(&reader, "bm25", "radium");
    assert_eq!(ids(&asked), ["0", "1"]);
    let expanded = found(&reader, "bm25 >> expand(rm3, terms=3)", "radium");
    assert_eq!(ids(&expanded), ["0", "1", "2"]);
    // All of the weight on the query is the query.
    assert_eq!(found(&reader, "bm25 >> expand(rm3, original=1)", "radium"), asked);
    // A cut says what is learned from, not what is found.
    let one = found(&reader, "bm25 % 1 >> expand(rm3, terms=4)", "radium");
    assert_eq!(ids(&one), ["0", "1", "2"]);
    // Nothing to learn from.
    assert_eq!(found(&reader, "bm25 >> expand(rm3)", "absent"), []);
}

#[test]
fn filters_and_fusions_see_the_new_query() {
    let bench = Bench::new();
    let reader = reader(&bench);
    for pipeline in [
        "where(n >= 1) >> bm25 >> expand(rm3, terms=3)",
        "bm25 >> expand(rm3, terms=3) >> where(n >= 1)",
        "bm25 >> where(n >= 1) >> expand(rm3, terms=3)",
    ] {
        assert_eq!(ids(&found(&reader, pipeline, "radium")), ["1", "2"], "{pipeline}");
    }
    // Document 3 has none of the words; 4 has them neither, and both have the title.
    let expanded = found(&reader, "bm25 >> expand(rm3, terms=3)", "radium watch");
    let most = expanded[0].1;
    let blended =
        found(&reader, "0.5 * titles + 0.5 * (bm25 >> expand(rm3, terms=3))", "radium watch");
    assert_eq!(blended.len(), 5);
    for (id, score) in &blended {
        let words = expanded.iter().find(|hit| hit.0 == *id).map_or(0.0, |hit| hit.1);
        assert!((score - (0.5 + 0.5 * words / most)).abs() < 1e-5, "{id} {score}");
    }
    // The second channel, where it is named.
    let named = found(&reader, "rrf(bm25, titles) >> expand(rm3, channel=titles)", "watch");
    assert_eq!(named.len(), 5);
}

#[test]
fn what_cannot_be_expanded_is_refused() {
    let bench = Bench::new();
    let reader = reader(&bench);
    let refused = |pipeline: &str| {
        let pipeline: Pipeline = pipeline.parse().unwrap();
        reader.search(&pipeline, "radium", &SearchOptions::default()).unwrap_err().to_string()
    };
    let unread = refused("bm25 >> expand(rm3, channel=titles)");
    assert!(unread.contains("`titles` is not read as one before it"), "{unread}");
    let unknown = refused("bm25 >> expand(rm3, channel=title)");
    assert!(unknown.contains("did you mean `titles`?"), "{unknown}");
}
