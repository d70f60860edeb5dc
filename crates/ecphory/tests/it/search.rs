use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ecphory::{
    Clock, EncodingOptions, Engine, EngineConfig, ErrorKind, Explanation, Fact, Pipeline, Reader,
    SearchOptions, Silent, Value,
};

use crate::support::{Bench, StopAfter, check_sums, close, documents, requests, store};

fn search(reader: &Reader, pipeline: &str, query: &str, k: usize) -> Vec<(String, f32)> {
    let options = SearchOptions { k, ..SearchOptions::default() };
    let pipeline = reader.pipeline(pipeline).unwrap();
    let response = reader.search(&pipeline, query, &options).unwrap();
    response.hits.into_iter().map(|hit| (hit.id, hit.score)).collect()
}

fn explain(reader: &Reader, pipeline: &str, query: &str) -> Explanation {
    let options = SearchOptions { k: 1, explain: true, documents: false };
    let pipeline = reader.pipeline(pipeline).unwrap();
    let mut response = reader.search(&pipeline, query, &options).unwrap();
    let hit = response.hits.remove(0);
    let explanation = hit.explanation.unwrap();
    close(explanation.value, f64::from(hit.score), &explanation.to_string());
    check_sums(&explanation);
    explanation
}

#[test]
fn names_are_resolved_and_unknown_ones_shown() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(10, 1));
    let hybrid = reader.pipeline("hybrid % 5").unwrap();
    assert_eq!(hybrid.to_string(), "cc(bm25, dense, alpha=0.2) % 5");
    assert_eq!(hybrid.channels(), ["bm25", "dense"]);
    assert_eq!(reader.pipeline(&hybrid.to_string()).unwrap(), hybrid);
    let error = reader.pipeline("rrf(bm25, dens) >> rescore(bm25)").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(
        error.to_string(),
        "pipeline: the collection has no channel `dens`; did you mean `dense`?\n  \
         rrf(bm25, dens) >> rescore(bm25)\n            ^"
    );
    let error = reader.pipeline("colbert").unwrap_err().to_string();
    assert!(error.contains("it has bm25, dense"), "{error}");
    // A pipeline that no reader has seen is resolved when it is planned.
    let raw: Pipeline = "hybrid".parse().unwrap();
    let options = SearchOptions::default();
    let (raw, resolved) = (
        reader.search(&raw, "moon", &options).unwrap(),
        reader.search(&reader.pipeline("hybrid").unwrap(), "moon", &options).unwrap(),
    );
    assert_eq!(raw.hits, resolved.hits);
    let unknown = reader.search(&Pipeline::channel("dens"), "moon", &options).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Usage);
    let invalid = Pipeline::channel("bm25").top(0);
    assert_eq!(reader.search(&invalid, "moon", &options).unwrap_err().kind(), ErrorKind::Usage);
    for k in [0, usize::MAX] {
        let options = SearchOptions { k, ..options };
        let error = reader.search(&Pipeline::channel("bm25"), "moon", &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
}

#[test]
fn filters_reach_every_scan() {
    let bench = Bench::new();
    let all = documents(600, 5);
    let reader = bench.filled(&all);
    let selected = |id: &str| {
        let document = reader.document(id).unwrap().unwrap();
        let year = document.get("year") == Some(&Value::Integer(1907));
        year && document.text("lang") == Some("de")
    };
    let matching = all.iter().filter(|document| selected(&document.id)).count();
    assert!((5..50).contains(&matching), "{matching}");
    let filter = "where(year = 1907 and lang = \"de\")";
    for pipeline in [
        format!("dense >> {filter}"),
        format!("{filter} >> dense"),
        format!("dense % 50 >> {filter}"),
        format!("rrf(bm25, dense) >> {filter}"),
        "where(year = 1907) >> hybrid >> where(lang = \"de\")".to_owned(),
        format!("rrf(bm25 >> {filter}, dense >> {filter})"),
        format!("bm25 + dense >> {filter} >> rescore(dense)"),
    ] {
        let hits = search(&reader, &pipeline, "radium", 600);
        assert!(hits.iter().all(|(id, _)| selected(id)), "{pipeline}");
        assert_eq!(hits.len(), matching, "{pipeline}");
    }
    assert_eq!(
        search(&reader, &format!("dense % 3 >> {filter}"), "radium", 600),
        search(&reader, &format!("(dense >> {filter}) % 3"), "radium", 600)
    );
    assert!(search(&reader, "hybrid >> where(year > 3000)", "radium", 10).is_empty());
}

#[test]
fn lists_are_read_to_the_depth_that_the_guide_states() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(400, 5));
    let count = |pipeline: &str, k| search(&reader, pipeline, "radium", k).len();
    assert_eq!(count("dense", 7), 7);
    assert_eq!(count("dense % 5", 7), 5);
    assert_eq!(count("dense >> rescore(bm25)", 300), 300);
    assert_eq!(count("rrf(dense)", 400), 400);
    assert_eq!(count("rrf(dense % 20)", 400), 20);
    // Below a fusion the list is read to 100, or to what is asked for.
    let rank_of_last = |k| search(&reader, "rrf(dense) % 1000", "radium", k).len();
    assert_eq!(rank_of_last(400), 400);
    assert_eq!(count("(rrf(dense) % 100) % 1000", 400), 100);
}

#[test]
fn a_batch_gives_the_answers_of_single_queries() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(200, 9));
    let queries = ["radium", "moon and light", "", "zzz", "nobel prize physics"];
    let options = SearchOptions { k: 20, explain: true, documents: true };
    let pipeline = reader.pipeline("hybrid").unwrap();
    let batch = reader.search_batch(&pipeline, &queries, &options, &Silent).unwrap();
    for (query, response) in queries.iter().zip(batch) {
        let single = reader.search(&pipeline, query, &options).unwrap();
        assert_eq!(single.hits, response.hits);
        assert!(single.hits.iter().all(|hit| hit.document.as_ref().unwrap().id == hit.id));
    }
    assert!(reader.search_batch(&pipeline, &[], &options, &Silent).unwrap().is_empty());
    let stopped =
        reader.search_batch(&pipeline, &queries, &options, &StopAfter::new(0)).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
}

#[test]
fn explanations_show_terms_ranks_and_changes() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(200, 9));
    let bm25 = explain(&reader, "bm25", "radium moon moon");
    assert!(bm25.parts.iter().any(|part| part.what.starts_with("term ")), "{bm25}");
    assert!(bm25.parts[0].facts.iter().any(|(name, _)| name == "idf"), "{bm25}");

    let rrf = explain(&reader, "rrf(bm25, dense, weights=[2, 1])", "radium moon");
    assert!(rrf.parts[0].what.starts_with("2 / (60 + "), "{rrf}");
    assert_eq!(rrf.parts.len(), 2);

    let sum = explain(&reader, "0.3 * bm25 + 0.7 * dense", "radium moon");
    assert!(sum.parts[0].what.starts_with("0.3 * ("), "{sum}");
    assert!(sum.parts[1].what.contains(" - -1.0000) / ("), "{sum}");

    let rescored = explain(&reader, "bm25 % 20 >> rescore(dense)", "radium moon");
    let change = rescored.facts.iter().find(|(name, _)| name == "change").unwrap();
    let before = rescored.inputs[0].value;
    assert_eq!(change.1, Fact::Number(rescored.value - before));

    let filtered = explain(&reader, "bm25 >> where(year >= 1905)", "radium moon");
    assert!(filtered.to_string().contains("filter where(year >= 1905)"), "{filtered}");
    assert_eq!(filtered.to_json()["facts"]["filter"], "where(year >= 1905)");
    assert_eq!(rrf.to_json()["parts"].as_array().unwrap().len(), 2);
}

#[test]
fn the_nearest_passage_is_named() {
    let bench = Bench::new();
    let dense =
        format!("dense={}(passages=sentences(words=5, overlap=0))", bench.model("model", 1));
    let collection = bench.create("c.ecp", &[&dense]);
    let document = ecphory::Document::new("1").with(
        "text",
        "Apple apple apple apple. Moon orbit planet star. Penicillin mould dose glass.",
    );
    collection.add(&[document], &Silent).unwrap();
    collection.fill(&Silent).unwrap();
    let explanation = explain(&collection.snapshot().unwrap(), "dense", "moon orbit planet star");
    close(explanation.value, 1.0, "the same words");
    let shown = explanation.to_string();
    assert!(shown.contains("passage 2, of 3, text \"Moon orbit planet star.\""), "{shown}");
}

#[test]
fn timings_come_from_the_clock_that_was_handed_in() {
    /// Goes on by a millisecond whenever it is read.
    struct Ticks(AtomicU64);
    impl Clock for Ticks {
        fn now(&self) -> Duration {
            Duration::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
        }
    }
    let bench = Bench::new();
    let reader = bench.filled(&documents(20, 1));
    drop(reader);
    let config = EngineConfig {
        threads: 1,
        models: store(bench.folder.path()),
        encoding: EncodingOptions::default(),
        disk_cache: None,
    };
    let engine = Engine::with_clock(config, Arc::new(Ticks(AtomicU64::new(0)))).unwrap();
    let reader = engine.open(bench.path("c.ecp")).unwrap().snapshot().unwrap();
    let pipeline = reader.pipeline("rrf(bm25, dense) >> rescore(bm25)").unwrap();
    let response = reader.search(&pipeline, "moon", &SearchOptions::default()).unwrap();
    let stages: Vec<(&str, u64)> =
        response.timings.iter().map(|stage| (stage.name.as_str(), stage.micros)).collect();
    let expected = [
        ("plan", 1000),
        ("encode query with model", 1000),
        ("search bm25", 1000),
        ("search dense", 1000),
        ("fuse", 1000),
        ("rescore bm25", 1000),
    ];
    assert_eq!(stages, expected);
}

#[test]
fn hybrid_of_one_channel_is_that_channel_and_of_three_takes_all() {
    let bench = Bench::new();
    let model = bench.model("model", 1);
    let one = bench.create("one.ecp", &["words:bm25"]);
    one.add(&documents(10, 1), &Silent).unwrap();
    assert_eq!(one.snapshot().unwrap().pipeline("hybrid").unwrap().to_string(), "words");
    let three = bench
        .engine
        .create(
            bench.path("three.ecp"),
            &requests(&["bm25", "t:bm25(fields=title)", &format!("dense={model}")]),
        )
        .unwrap();
    three.add(&documents(10, 1), &Silent).unwrap();
    let hybrid = three.snapshot().unwrap().pipeline("hybrid").unwrap();
    assert_eq!(hybrid.to_string(), "0.1 * bm25 + 0.1 * t + 0.8 * dense");
}
