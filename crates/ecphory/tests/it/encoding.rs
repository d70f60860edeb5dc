//! Filling, writing and searching share one encoding service.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use ecphory::{
    CacheOptions, EncoderOptions, EncodingCache, EncodingOptions, Engine, EngineConfig, Role,
    SearchOptions, Silent, WriterOptions,
};

use crate::support::{Bench, documents, store};

#[test]
fn queries_of_many_threads_are_encoded_once() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(40, 2));
    let before = bench.engine.encoding_stats();
    let pipeline = reader.pipeline("dense % 5").unwrap();
    let options = SearchOptions { k: 5, explain: false, documents: false };
    let queries = ["radium moon", "newton apple", "star light glass"];
    let ids = |query: &str| -> Vec<(String, f32)> {
        let response = reader.search(&pipeline, query, &options).unwrap();
        response.hits.into_iter().map(|hit| (hit.id, hit.score)).collect()
    };
    let expected: Vec<_> = queries.iter().map(|query| ids(query)).collect();
    thread::scope(|scope| {
        for thread in 0..8 {
            let (ids, expected) = (&ids, &expected);
            scope.spawn(move || {
                for turn in 0..30 {
                    let number = (thread + turn) % queries.len();
                    assert_eq!(ids(queries[number]), expected[number]);
                }
            });
        }
    });
    let after = bench.engine.encoding_stats();
    assert_eq!(after.asked - before.asked, 3 + 8 * 30);
    assert_eq!(after.encoded - before.encoded, 3);
    assert_eq!(after.found - before.found, 8 * 30);
}

#[test]
fn a_document_whose_text_is_the_same_is_not_encoded_again() {
    let bench = Bench::new();
    let documents = documents(40, 2);
    let dense = format!("dense={}", bench.model("model", 1));
    let again = format!("again:{dense}");
    let collection = bench.create("c.ecp", &[&dense, &again]);
    collection.add(&documents, &Silent).unwrap();
    collection.fill(&Silent).unwrap();
    let filled = bench.engine.encoding_stats();
    // The second channel of the same model over the same fields found everything in the cache.
    assert_eq!(filled.asked, filled.found + filled.encoded);
    assert!(filled.asked > 60 && filled.encoded <= filled.asked / 2, "{filled:?}");
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    let mut changed = documents.clone();
    changed[7] = changed[7].clone().with("text", "gravity orbit penicillin gravity orbit uranium");
    changed[7].fields.retain(|(name, _)| name != "title");
    writer.upsert(changed).unwrap();
    writer.close().unwrap();
    let upserted = bench.engine.encoding_stats();
    assert!(upserted.asked - filled.asked >= filled.asked);
    assert_eq!(upserted.encoded - filled.encoded, 1);
}

/// An engine whose vectors outlive it.
fn lasting(folder: &Path) -> Engine {
    let cache = EncodingCache::open(&folder.join("encodings"), CacheOptions::default()).unwrap();
    Engine::new(EngineConfig {
        threads: 2,
        models: store(folder),
        encoding: EncodingOptions::default(),
        disk_cache: Some(Arc::new(cache)),
    })
    .unwrap()
}

#[test]
fn vectors_outlive_an_engine() {
    let bench = Bench::new();
    let model = bench.model("model", 1);
    let texts = ["radium moon", "newton apple", "radium moon"];
    let encode = |engine: &Engine, role| {
        let encoder = engine.encoder(&model, &EncoderOptions::default()).unwrap();
        engine.encode(&encoder, &texts, role, &Silent).unwrap()
    };
    for role in [Role::Query, Role::Document] {
        let expected = encode(&bench.engine, role);
        let first = lasting(bench.folder.path());
        assert_eq!(encode(&first, role), expected);
        let stats = first.encoding_stats();
        assert_eq!((stats.asked, stats.found, stats.stored, stats.encoded), (3, 1, 0, 2));
        assert!(first.disk_cache().unwrap().size().unwrap() > 0);
        drop(first);
        let second = lasting(bench.folder.path());
        assert_eq!(encode(&second, role), expected);
        assert_eq!(encode(&second, role), expected);
        let stats = second.encoding_stats();
        assert_eq!((stats.asked, stats.found, stats.stored, stats.encoded), (6, 4, 2, 0));
    }
    assert!(bench.engine.disk_cache().is_none());
}
