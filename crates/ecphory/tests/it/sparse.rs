//! Sparse channels against brute force over the vectors of their encoder.

use std::path::Path;

use ecphory::model::{SparseEncoder, SparseVector};
use ecphory::{
    Document, EncoderOptions, ErrorKind, Explanation, Fact, Reader, Role, SearchOptions, Silent,
    WriterOptions,
};

use crate::support::{Bench, Sequence, check_sums, close};

/// A masked language model with weights by chance, which weighs about half of its 74 terms in every text.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/golden/heads/mlm-bert");

const WORDS: [&str; 12] =
    ["the", "cat", "sat", "on", "mat", "dog", "and", "is", "rad", "query", "pass", "zebra"];

const QUERIES: [&str; 3] = ["the cat sat", "zebra query!", "is rad"];

fn documents(numbers: std::ops::Range<usize>) -> Vec<Document> {
    let mut sequence = Sequence(numbers.start as u64);
    let mut text = |length: usize| {
        (0..length).map(|_| WORDS[sequence.below(WORDS.len())]).collect::<Vec<_>>().join(" ")
    };
    numbers
        .map(|number| {
            let document = Document::new(format!("d{number}")).with("year", number as i64);
            document.with("title", text(1)).with("text", text(number % 7))
        })
        .collect()
}

fn encode(texts: &[String], role: Role) -> Vec<SparseVector> {
    let encoder = SparseEncoder::open(Path::new(MODEL), &EncoderOptions::default()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    encoder.encode(&texts, role, &pool, &Silent).unwrap()
}

fn product(query: &SparseVector, document: &SparseVector) -> Option<f32> {
    let mut score = None;
    for (term, weight) in document.terms.iter().zip(&document.weights) {
        if let Ok(place) = query.terms.binary_search(term) {
            score = Some(score.unwrap_or(0.0) + query.weights[place] * weight);
        }
    }
    score
}

/// The documents that share a term with a query, best first; they are in the order of the last writes.
fn brute_force(documents: &[Document], query: &str) -> Vec<(String, f32)> {
    let fields = ["title".to_owned(), "text".to_owned()];
    let texts: Vec<String> =
        documents.iter().map(|document| document.joined_text(&fields)).collect();
    let query = encode(&[query.to_owned()], Role::Query).remove(0);
    let scores = encode(&texts, Role::Document).into_iter().map(|vector| product(&query, &vector));
    let mut hits: Vec<(String, f32)> = documents
        .iter()
        .zip(scores)
        .filter_map(|(document, score)| Some((document.id.clone(), score?)))
        .collect();
    hits.sort_by(|a, b| b.1.total_cmp(&a.1));
    hits
}

fn hits(reader: &Reader, pipeline: &str, query: &str, k: usize) -> Vec<(String, f32)> {
    let options = SearchOptions { k, ..SearchOptions::default() };
    let response = reader.search(&reader.pipeline(pipeline).unwrap(), query, &options).unwrap();
    assert!(response.notes.is_empty(), "{:?}", response.notes);
    response.hits.into_iter().map(|hit| (hit.id, hit.score)).collect()
}

fn check(reader: &Reader, model: &[Document]) {
    for query in QUERIES {
        let all = brute_force(model, query);
        assert_eq!(hits(reader, "sparse", query, 10), all[..10]);
        assert_eq!(hits(reader, "sparse", query, 1000), all);
        let recent: Vec<Document> = model
            .iter()
            .filter(|document| matches!(document.get("year"), Some(ecphory::Value::Integer(year)) if *year >= 50))
            .cloned()
            .collect();
        let filtered = hits(reader, "sparse >> where(year >= 50)", query, 1000);
        assert_eq!(filtered, brute_force(&recent, query));
    }
}

#[test]
fn a_life_equals_brute_force_over_the_vectors_of_the_encoder() {
    let bench = Bench::new();
    let mut model = documents(0..100);
    {
        let collection = bench.create("c.ecp", &["bm25", &format!("sparse={MODEL}")]);
        collection.add(&model, &Silent).unwrap();
        let filled = collection.fill(&Silent).unwrap();
        assert_eq!((filled.documents, filled.vectors), (100, 100));
        check(&collection.snapshot().unwrap(), &model);
    }
    let collection = bench.engine.open(bench.path("c.ecp")).unwrap();
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    writer.add(documents(100..140)).unwrap();
    model.extend(documents(100..140));
    // An update is a deletion and a document that comes last.
    let mut changed = documents(7..9);
    changed[0].fields[1].1 = "zebra zebra dog".into();
    writer.upsert(changed.clone()).unwrap();
    writer.delete(["d3", "d77", "d120"]).unwrap();
    let gone = ["d3", "d77", "d120", "d7", "d8"];
    model.retain(|document| !gone.contains(&document.id.as_str()));
    model.extend(changed);
    check(&writer.snapshot().unwrap(), &model);
    writer.compact().unwrap();
    check(&writer.snapshot().unwrap(), &model);
    writer.close().unwrap();
    let reader = bench.engine.open(bench.path("c.ecp")).unwrap().snapshot().unwrap();
    check(&reader, &model);
    assert_eq!(reader.coverage("sparse").unwrap().covered, 137);
    let channels: Vec<String> = reader.channels().iter().map(ToString::to_string).collect();
    let path = std::path::absolute(MODEL).unwrap();
    assert_eq!(channels, ["bm25".to_owned(), format!("sparse={}", path.display())]);
}

#[test]
fn a_sparse_channel_is_fused_and_explained_like_any_other() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25", &format!("sparse={MODEL}(max_tokens=8)")]);
    collection.add(&documents(0..60), &Silent).unwrap();
    collection.fill(&Silent).unwrap();
    let reader = collection.snapshot().unwrap();
    let hybrid = reader.pipeline("hybrid").unwrap().to_string();
    assert_eq!(hybrid, "cc(bm25, sparse, alpha=0.5)");
    let options = SearchOptions { k: 5, explain: true, documents: false };
    for pipeline in ["sparse", "hybrid", "rrf(bm25, sparse)", "bm25 >> rescore(sparse)"] {
        let pipeline = reader.pipeline(pipeline).unwrap();
        let response = reader.search(&pipeline, "the cat sat", &options).unwrap();
        assert_eq!(response.hits.len(), 5, "{pipeline}");
        for hit in response.hits {
            let explanation = hit.explanation.unwrap();
            check_sums(&explanation);
            close(explanation.value, f64::from(hit.score), &explanation.what);
        }
    }
    let pipeline = reader.pipeline("sparse").unwrap();
    let response = reader.search(&pipeline, "the cat sat", &options).unwrap();
    for hit in response.hits {
        let explanation = hit.explanation.unwrap();
        // In 32 bits and in the order of the terms the parts are the score.
        let sum = explanation.parts.iter().fold(0.0, |sum: f32, part| sum + part.value as f32);
        assert_eq!(sum.to_bits(), hit.score.to_bits());
        for part in &explanation.parts {
            assert!(part.what.starts_with("term "), "{}", part.what);
            assert!(!part.what.starts_with("term number"), "{}", part.what);
            let fact = |part: &Explanation, name: &str| match &part
                .facts
                .iter()
                .find(|fact| fact.0 == name)
                .unwrap()
                .1
            {
                Fact::Number(number) => *number,
                other => panic!("{other}"),
            };
            close(fact(part, "query") * fact(part, "document"), part.value, &part.what);
        }
    }
}

#[test]
fn what_is_not_filled_is_noted_and_another_model_is_a_conflict() {
    let bench = Bench::new();
    let copy = bench.path("model");
    fs_err::create_dir(&copy).unwrap();
    for file in fs_err::read_dir(MODEL).unwrap() {
        let file = file.unwrap();
        fs_err::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let collection = bench.create("c.ecp", &[&format!("sparse={}", copy.display())]);
    collection.add(&documents(0..10), &Silent).unwrap();
    let reader = collection.snapshot().unwrap();
    let pipeline = reader.pipeline("sparse").unwrap();
    let options = SearchOptions::default();
    let response = reader.search(&pipeline, "cat", &options).unwrap();
    assert!(response.hits.is_empty());
    assert_eq!(response.notes, ["channel `sparse` covers 0 of 10 documents so far"]);
    collection.fill(&Silent).unwrap();
    // Other weights under the same name.
    let weights = copy.join("model.safetensors");
    let mut bytes = fs_err::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs_err::write(&weights, bytes).unwrap();
    let other = Bench::new();
    let reader = other.engine.open(bench.path("c.ecp")).unwrap().snapshot().unwrap();
    let error = reader.search(&pipeline, "cat", &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("with 74 terms"), "{error}");
    // A model that weighs no terms.
    let vectors = format!("sparse={}", bench.model("vectors", 1));
    let refused = bench.engine.create(bench.path("d.ecp"), &crate::support::requests(&[&vectors]));
    assert!(refused.is_err());
    assert!(!bench.path("d.ecp").exists());
}
