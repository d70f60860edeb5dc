//! BM25 against the naive one: ids, scores and order, whatever the segments.

use ecphory_core::storage::Memory;
use ecphory_core::{DocAddress, Document, Scored};
use ecphory_index::{QueryTerm, Schema, Snapshot};
use proptest::prelude::*;

use crate::support::*;

/// Few words, so that many documents share terms and scores; now and then one that is repeated very often.
fn text() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g", "longer", "word", "ä"]);
    let words = (word, prop_oneof![20 => Just(1usize), 3 => 2usize..6, 1 => 250usize..400]);
    let words = proptest::collection::vec(words, 0..9);
    words.prop_map(|words| {
        let words: Vec<String> =
            words.iter().map(|(word, n)| [*word].repeat(*n).join(" ")).collect();
        words.join(" ")
    })
}

fn batches(texts: &[String], cuts: &[bool]) -> Vec<Vec<Document>> {
    let mut batches = vec![Vec::new()];
    for (i, text) in texts.iter().enumerate() {
        // The point is a text without terms; a document without text would be refused.
        let document = doc(i, if text.is_empty() { "." } else { text });
        if cuts.get(i) == Some(&true) && !batches.last().unwrap().is_empty() {
            batches.push(Vec::new());
        }
        batches.last_mut().unwrap().push(document);
    }
    batches
}

fn build(texts: &[String], cuts: &[bool], k1: f32, b: f32) -> Snapshot {
    let schema = Schema { channels: vec![bm25_channel(raw(k1, b))], fields: Vec::new() };
    add(&create(&Memory::new(), schema), &batches(texts, cuts))
}

fn query_terms() -> impl Strategy<Value = Vec<QueryTerm>> {
    let term = prop::sample::select(vec!["a", "b", "c", "d", "longer", "ä", "absent"]);
    let weight = prop_oneof![Just(0.0f32), Just(1.0), Just(2.0), 0.01f32..3.0];
    let term =
        (term, weight).prop_map(|(term, weight)| QueryTerm { term: term.to_owned(), weight });
    proptest::collection::vec(term, 0..6)
}

/// Ids and bits of scores: what may not depend on the segments.
fn by_id(snapshot: &Snapshot, hits: &[Scored<DocAddress>]) -> Vec<(String, u32)> {
    let bits = hits.iter().map(|hit| hit.score.to_bits());
    ids(snapshot, hits).into_iter().zip(bits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn equals_the_naive_search_in_any_layout(
        texts in proptest::collection::vec(text(), 1..30),
        cuts in proptest::collection::vec(any::<bool>(), 30),
        terms in query_terms(),
        k in 0usize..40,
        k1 in prop_oneof![Just(0.0f32), Just(0.9f32), 0.0f32..3.0],
        b in prop_oneof![Just(0.4f32), 0.0f32..=1.0],
    ) {
        let single = build(&texts, &[], k1, b);
        let several = build(&texts, &cuts, k1, b);
        let counted: Vec<QueryTerm> = terms.iter().filter(|term| term.weight > 0.0).cloned().collect();
        for snapshot in [&single, &several] {
            let mut text = NaiveBm25::new(snapshot, k1, b);
            text.forget(".");
            let expected = text.search(&counted);
            let bm25 = snapshot.bm25("bm25").unwrap();
            let hits = bm25.search(&terms, k, None).unwrap().hits;
            let best: Vec<Scored<DocAddress>> = expected.iter().take(k).map(|hit| hit.0).collect();
            prop_assert_eq!(&hits, &best);
            for (hit, exact) in &expected {
                prop_assert!((f64::from(hit.score) - exact).abs() <= 1e-5 * exact.max(1e-3));
                let parts = bm25.explain(&terms, hit.item).unwrap();
                prop_assert_eq!(parts.iter().map(|part| part.score).sum::<f32>(), hit.score);
            }
            let all: Vec<DocAddress> = snapshot.addresses().collect();
            let scores = bm25.score(&terms, &all).unwrap();
            for (at, score) in all.iter().zip(scores) {
                let hit = expected.iter().find(|hit| hit.0.item == *at);
                prop_assert_eq!(score, hit.map_or(0.0, |hit| hit.0.score));
            }
        }
        let hits = |snapshot: &Snapshot| {
            by_id(snapshot, &snapshot.bm25("bm25").unwrap().search(&terms, k, None).unwrap().hits)
        };
        prop_assert_eq!(hits(&single), hits(&several));
    }
}

#[test]
fn a_query_is_analysed_like_a_document_and_counts_repetitions() {
    let snapshot = build(&["Radium RADIUM".to_owned(), "other".to_owned()], &[], 0.9, 0.4);
    let bm25 = snapshot.bm25("bm25").unwrap();
    let terms = bm25.analyze("radium Other radium");
    let expected = [("radium", 2.0), ("other", 1.0)];
    assert_eq!(terms.iter().map(|t| (t.term.as_str(), t.weight)).collect::<Vec<_>>(), expected);
    let once = bm25.score(&query(&["radium"]), &[DocAddress::new(0, 0)]).unwrap()[0];
    let twice = bm25.score(&terms[..1], &[DocAddress::new(0, 0)]).unwrap()[0];
    assert_eq!(twice, 2.0 * once);
    // N = 2, df = 1, tf = 2, length 2, average 1.5.
    let idf = 2f64.ln();
    let expected = idf * 2.0 / (2.0 + 0.9 * (0.6 + 0.4 * 2.0 / 1.5));
    assert!((f64::from(once) - expected).abs() < 1e-6);
}

#[test]
fn an_empty_collection_has_no_hits() {
    let collection = create(&Memory::new(), schema());
    let snapshot = collection.snapshot().unwrap();
    assert_eq!((snapshot.documents(), snapshot.segments(), snapshot.generation()), (0, 0, 1));
    let bm25 = snapshot.bm25("bm25").unwrap();
    assert!(bm25.search(&query(&["a"]), 10, None).unwrap().hits.is_empty());
    assert!(snapshot.dense("dense").unwrap().search(&[0.0; 3], 10, None).unwrap().is_empty());
    assert_eq!(snapshot.find("a").unwrap(), None);
}

#[test]
fn wrong_calls_are_refused() {
    use ecphory_core::ErrorKind;
    let snapshot = build(&["a".to_owned()], &[], 0.9, 0.4);
    let unknown = snapshot.bm25("bm24").unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Usage);
    assert!(unknown.to_string().contains("did you mean `bm25`?"), "{unknown}");
    let kind = snapshot.dense("bm25").unwrap_err().to_string();
    assert_eq!(kind, "channel \"bm25\" is a bm25 channel, not a dense channel");
    let bm25 = snapshot.bm25("bm25").unwrap();
    for at in [DocAddress::new(0, 1), DocAddress::new(1, 0)] {
        assert_eq!(bm25.score(&query(&["a"]), &[at]).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(snapshot.document(at).unwrap_err().kind(), ErrorKind::Usage);
    }
    let other = build(&["a".to_owned(), "b".to_owned()], &[], 0.9, 0.4);
    let foreign = other.select(&"exists(_id)".parse().unwrap()).unwrap();
    let refused = bm25.search(&query(&["a"]), 10, Some(&foreign)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    for weight in [f32::NAN, f32::INFINITY, -1.0] {
        let term = QueryTerm { term: "a".to_owned(), weight };
        let error = bm25.search(&[term], 10, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("the weight of \"a\""), "{error}");
    }
}
