//! The precision of a channel's encoder: documents and queries have it alike, and vectors of two are never mixed.

use std::path::{Path, PathBuf};

use ecphory::eval::{Dataset, Metric, Run, evaluate};
use ecphory::read::ReadOptions;
use ecphory::{
    Document, EncoderOptions, Engine, ErrorKind, Precision, Reader, Role, SearchOptions, Silent,
};
use ecphory_core::checksum::crc32;

use crate::support::{Bench, engine, requests, store};

/// A transformer of a few kilobytes with random weights, without prompts.
fn tiny() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/golden/tiny/roberta").to_owned()
}

const TEXTS: [&str; 5] =
    ["a", "a cat", "the cat sat on the mat", "radium is a metal", "zebra crossing the queue"];

fn documents() -> Vec<Document> {
    let document = |(i, text): (usize, &&str)| Document::new(format!("d{i}")).with("text", *text);
    TEXTS.iter().enumerate().map(document).collect()
}

fn vectors(engine: &Engine, precision: Precision, texts: &[&str], role: Role) -> Vec<f32> {
    let options = EncoderOptions { precision, ..EncoderOptions::default() };
    let encoder = engine.encoder(&tiny(), &options).unwrap();
    let through_the_cache = engine.encode(&encoder, texts, role, &Silent).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(through_the_cache, encoder.encode(texts, role, &pool, &Silent).unwrap());
    through_the_cache
}

fn scores(reader: &Reader, channel: &str, query: &str) -> Vec<(String, f32)> {
    let options = SearchOptions { k: 10, ..SearchOptions::default() };
    let response = reader.search(&channel.parse().unwrap(), query, &options).unwrap();
    response.hits.into_iter().map(|hit| (hit.id, hit.score)).collect()
}

#[test]
fn documents_and_queries_are_encoded_in_the_precision_of_the_channel() {
    let bench = Bench::new();
    let channels = Precision::ALL.map(|p| format!("in-{p}:dense={}(precision={p})", tiny()));
    let collection = bench.create("c.ecp", &channels.each_ref().map(String::as_str));
    collection.add(&documents(), &Silent).unwrap();
    collection.fill(&Silent).unwrap();
    // From the disk, by an engine that has not seen the requests.
    let fresh = engine(bench.folder.path());
    let reader = fresh.open(bench.path("c.ecp")).unwrap().snapshot().unwrap();
    let specs: Vec<String> = reader.channels().iter().map(ToString::to_string).collect();
    assert_eq!(specs, channels);
    let query = "the metal cat";
    let mut all = Vec::new();
    for precision in Precision::ALL {
        let rows = vectors(&bench.engine, precision, &TEXTS, Role::Document);
        let asked = vectors(&bench.engine, precision, &[query], Role::Query);
        let found = scores(&reader, &format!("in-{precision}"), query);
        assert_eq!(found.len(), TEXTS.len());
        for (id, score) in &found {
            let number: usize = id[1..].parse().unwrap();
            let row = &rows[number * asked.len()..][..asked.len()];
            let expected: f32 = row.iter().zip(&asked).map(|(a, b)| a * b).sum();
            assert!((score - expected).abs() < 1e-5, "{precision} {id}: {score}, {expected}");
        }
        all.push((asked, found));
    }
    // `stored` and `f32` are the same here; every other precision has vectors of its own.
    assert_eq!(all[0], all[1]);
    for (i, one) in all[1..].iter().enumerate() {
        assert!(all[i + 2..].iter().all(|other| other.0 != one.0), "{}", Precision::ALL[i + 1]);
    }
}

/// Changes the manifest of a collection on disk, and gives it the checksum that it needs.
fn edit_manifest(collection: &Path, edit: impl Fn(&str) -> String) {
    for entry in fs_err::read_dir(collection).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("MANIFEST-") {
            continue;
        }
        let text = fs_err::read_to_string(&path).unwrap();
        let content = edit(&text[..text.rfind("crc32 ").unwrap()]);
        let sealed = format!("{content}crc32 {:08x}\n", crc32(content.as_bytes()));
        fs_err::write(&path, sealed).unwrap();
    }
}

#[test]
fn vectors_of_two_precisions_are_never_mixed() {
    let bench = Bench::new();
    let dense = format!("dense={}(precision=int8)", tiny());
    let collection = bench.create("c.ecp", &[&dense]);
    collection.add(&documents(), &Silent).unwrap();
    collection.fill(&Silent).unwrap();
    drop(collection);
    let path = bench.path("c.ecp");
    let error = |engine: &Engine| {
        let reader = engine.open(&path).unwrap().snapshot().unwrap();
        let pipeline = "dense".parse().unwrap();
        reader.search(&pipeline, "cat", &SearchOptions::default()).unwrap_err()
    };
    // As if the setting had been lost: the fingerprint of the vectors is still that of int8.
    edit_manifest(&path, |text| {
        let without: Vec<&str> = text.lines().filter(|l| !l.contains("\"precision\"")).collect();
        assert!(without.len() < text.lines().count(), "{text}");
        without.join("\n").replace("\"passages\": null,", "\"passages\": null") + "\n"
    });
    let lost = error(&bench.engine);
    assert_eq!(lost.kind(), ErrorKind::Conflict, "{lost}");
    assert!(lost.to_string().contains("filled by another model"), "{lost}");
    // A name that this version does not know.
    edit_manifest(&path, |text| {
        text.replace("\"passages\": null", "\"passages\": null,\n\"precision\": \"int3\"")
    });
    let unknown = error(&bench.engine);
    assert_eq!(unknown.kind(), ErrorKind::Usage, "{unknown}");
    assert!(unknown.to_string().contains("did you mean `int8`?"), "{unknown}");
}

#[test]
fn a_wrong_precision_is_refused_before_anything_is_made() {
    let bench = Bench::new();
    let mut request = requests(&[&format!("dense={}", tiny())]).remove(0);
    if let ecphory::RequestKind::Dense { precision, .. } = &mut request.kind {
        *precision = Some("int9".to_owned());
    }
    for error in [
        bench.engine.create(bench.path("c.ecp"), &[request.clone()]).unwrap_err(),
        bench.engine.requested_fingerprint(&request).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains("did you mean `int8`?"), "{error}");
    }
    assert!(!bench.path("c.ecp").exists());
}

/// Finds what a test needs, or says that it is skipped; in continuous integration that is a failure.
fn needed(found: Option<PathBuf>, what: &str) -> Option<PathBuf> {
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what}");
        eprintln!("skipped: {what}");
    }
    found
}

fn minilm() -> Option<PathBuf> {
    let cache = std::env::var_os("ECPHORY_CACHE").map(PathBuf::from).or_else(|| {
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/ecphory"))
    });
    let model = cache.map(|cache| cache.join("models/minilm")).filter(|path| path.is_dir());
    needed(model, "the model minilm is not in the cache (ecphory models pull minilm)")
}

fn data(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("ECPHORY_DATA").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|d| d.join(name)).find(|d| d.is_dir());
    needed(found, &format!("the data set {name} is not in ECPHORY_DATA"))
}

/// nDCG@10 of each channel.
fn judged(data: &Path, channels: &[(&str, String)]) -> Vec<f64> {
    let dataset = Dataset::open(data, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::new(ecphory::EngineConfig {
        threads: 2,
        models: store(folder.path()),
        encoding: ecphory::EncodingOptions::default(),
        disk_cache: None,
    });
    let specs: Vec<&str> = channels.iter().map(|(_, spec)| spec.as_str()).collect();
    let path = folder.path().join("c.ecp");
    let collection = engine.unwrap().create(&path, &requests(&specs)).unwrap();
    let corpus = ecphory::read::corpus(&dataset.corpus, &ReadOptions::default(), &Silent).unwrap();
    collection.add(&corpus.documents, &Silent).unwrap();
    collection.fill(&Silent).unwrap();
    let reader = collection.snapshot().unwrap();
    let queries: Vec<&str> = dataset.queries.iter().map(|query| query.text.as_str()).collect();
    let options = SearchOptions { k: 100, explain: false, documents: false };
    let mut values = Vec::new();
    for (name, _) in channels {
        let pipeline = name.parse().unwrap();
        let responses = reader.search_batch(&pipeline, &queries, &options, &Silent).unwrap();
        let mut run = Run::new(*name);
        for (query, response) in dataset.queries.iter().zip(responses) {
            let hits = response.hits.into_iter().map(|hit| (hit.id, f64::from(hit.score)));
            run.insert(&query.id, hits.collect()).unwrap();
        }
        let metric: Metric = "nDCG@10".parse().unwrap();
        values.push(evaluate(&metric, &dataset.qrels, &run).mean());
    }
    values
}

/// The two smallest judged sets, against gross errors: what int8 does to rankings was measured on six sets
/// (docs/decisions/0002-int8.md). The 35 queries of `adi` move by 0.005 when no more than last bits of the arithmetic change.
#[test]
fn int8_ranks_about_as_single_precision() {
    let Some(model) = minilm() else { return };
    let channels = ["f32", "int8"]
        .map(|name| (name, format!("{name}:dense={}(precision={name})", model.display())));
    for (name, bound) in [("adi", 0.01), ("limit-small", 0.005)] {
        let Some(data) = data(name) else { return };
        let values = judged(&data, &channels);
        let difference = values[1] - values[0];
        assert!(values[0] > 0.3, "{name}: {values:?}");
        assert!(difference.abs() > 0.0 && difference.abs() <= bound, "{name}: {values:?}");
    }
}
