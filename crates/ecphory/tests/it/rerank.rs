//! `p >> cross(model)` and `p >> maxsim(model)` against scoring by hand.

use std::path::Path;

use ecphory::model::{CrossEncoder, LateEncoder};
use ecphory::pipeline::Reranking;
use ecphory::{EncoderOptions, ErrorKind, Fact, Pipeline, Reader, SearchOptions, Silent};

use crate::support::{Bench, StopAfter, check_sums, close, documents};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/golden/heads/cross-bert");
const LATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/golden/tiny/bert-mean");
const QUERY: &str = "radium moon";

fn search(reader: &Reader, pipeline: &Pipeline, k: usize) -> Vec<(String, f32)> {
    let options = SearchOptions { k, ..SearchOptions::default() };
    let response = reader.search(pipeline, QUERY, &options).unwrap();
    response.hits.into_iter().map(|hit| (hit.id, hit.score)).collect()
}

/// The model that a kind of reranking is tried with.
fn model(by: Reranking) -> &'static str {
    match by {
        Reranking::Cross => MODEL,
        Reranking::MaxSim => LATE,
    }
}

fn scores(reader: &Reader, by: Reranking, ids: &[&str]) -> Vec<f32> {
    let text = |id: &&str| {
        let document = reader.document(id).unwrap().unwrap();
        format!("{} {}", document.text("title").unwrap(), document.text("text").unwrap())
    };
    let texts: Vec<String> = ids.iter().map(text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (path, options) = (Path::new(model(by)), EncoderOptions::default());
    match by {
        Reranking::Cross => {
            let model = CrossEncoder::open(path, &options).unwrap();
            model.score(QUERY, &texts, &pool, &Silent).unwrap()
        }
        Reranking::MaxSim => {
            let model = LateEncoder::open(path, &options).unwrap();
            model.score(QUERY, &texts, None, &pool, &Silent).unwrap()
        }
    }
}

/// Sorts by score, then in the order of the collection.
fn reranked(reader: &Reader, by: Reranking, hits: &[(String, f32)]) -> Vec<(String, f32)> {
    let ids: Vec<&str> = hits.iter().map(|(id, _)| id.as_str()).collect();
    let mut scored: Vec<(String, f32)> =
        ids.iter().map(|id| (*id).to_owned()).zip(scores(reader, by, &ids)).collect();
    let number = |id: &str| id[1..].parse::<usize>().unwrap();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(number(&a.0).cmp(&number(&b.0))));
    scored
}

#[test]
fn hits_are_sorted_by_the_scores_of_the_model() {
    let bench = Bench::new();
    // The same texts twice, so that scores tie.
    let mut all = documents(150, 4);
    let again = all.clone().into_iter().zip(150..).map(|(mut document, i)| {
        document.id = format!("d{i}");
        document
    });
    all.extend(again.collect::<Vec<_>>());
    let reader = bench.filled(&all);
    let dense = Pipeline::channel("dense");
    let cut = search(&reader, &dense.clone().top(20), 20);
    for by in Reranking::ALL {
        let expected = reranked(&reader, by, &cut);
        assert_ne!(cut, expected);
        assert!(expected.windows(2).any(|pair| pair[0].1 == pair[1].1), "nothing ties");
        let pipeline = dense.clone().top(20).rerank(by, model(by));
        assert_eq!(search(&reader, &pipeline, 20), expected);
        // Without a cut a hundred are read, however few are asked for.
        let deep = reranked(&reader, by, &search(&reader, &dense, 100));
        let uncut = dense.clone().rerank(by, model(by));
        assert_eq!(search(&reader, &uncut, 5), deep[..5]);
        let parsed = reader.pipeline(&uncut.to_string()).unwrap();
        assert_eq!(parsed, uncut);
        let options = SearchOptions { k: 5, ..SearchOptions::default() };
        let batch = reader.search_batch(&uncut, &["moon", QUERY], &options, &Silent).unwrap();
        let second: Vec<f32> = batch[1].hits.iter().map(|hit| hit.score).collect();
        assert_eq!(second, deep[..5].iter().map(|hit| hit.1).collect::<Vec<_>>());
        let file = Path::new(model(by)).file_name().unwrap().to_str().unwrap();
        let stage = format!("{} {file}", by.name());
        assert!(batch[1].timings.iter().any(|one| one.name == stage));
    }
    // One plan may have both, with the same model's name for one and another's path.
    let both = Pipeline::sum([
        (1.0, dense.clone().top(5).cross(MODEL)),
        (1.0, dense.clone().top(5).max_sim(LATE)),
    ]);
    assert_eq!(search(&reader, &both, 5).len(), 5);
}

#[test]
fn a_sum_scores_what_only_the_other_operand_found() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(60, 4));
    let crossed = Pipeline::channel("dense").top(3).cross(MODEL);
    let sum = Pipeline::sum([(1.0, crossed.clone()), (0.0, Pipeline::channel("dense"))]);
    let most = search(&reader, &crossed, 3)[0].1;
    let hits = search(&reader, &sum, 60);
    assert_eq!(hits.len(), 60);
    let ids: Vec<&str> = hits.iter().map(|(id, _)| id.as_str()).collect();
    for ((id, score), raw) in hits.iter().zip(scores(&reader, Reranking::Cross, &ids)) {
        close(f64::from(*score), f64::from(raw) / f64::from(most), id);
    }
}

#[test]
fn the_explanation_tells_both_scores() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(60, 4));
    let bm25 = Pipeline::channel("bm25").top(20);
    let before = search(&reader, &bm25, 20);
    let options = SearchOptions { k: 20, explain: true, documents: false };
    for (by, what) in [
        (Reranking::Cross, "cross-encoder cross-bert"),
        (Reranking::MaxSim, "late interaction bert-mean"),
    ] {
        let pipeline = bm25.clone().rerank(by, model(by));
        let response = reader.search(&pipeline, QUERY, &options).unwrap();
        assert!(!response.hits.is_empty());
        for hit in response.hits {
            let explanation = hit.explanation.unwrap();
            let place = before.iter().position(|(id, _)| *id == hit.id).unwrap();
            let was = f64::from(before[place].1);
            check_sums(&explanation);
            assert_eq!(explanation.value, f64::from(hit.score));
            assert_eq!(explanation.parts[0].what, what);
            // Late interaction names the match of each token: `[CLS]`, `radium`, `moon`, `[SEP]` at least.
            let tokens = explanation.parts[0].parts.len();
            assert!(if by == Reranking::MaxSim { tokens >= 4 } else { tokens == 0 });
            close(explanation.inputs[0].value, was, &hit.id);
            let rank = ("rank before".to_owned(), Fact::Count(place as u64 + 1));
            assert!(explanation.facts.contains(&rank), "{explanation}");
        }
    }
}

#[test]
fn models_are_checked_before_the_search_and_work_can_be_stopped() {
    let bench = Bench::new();
    let reader = bench.filled(&documents(60, 4));
    let options = SearchOptions::default();
    let refused = |model: &str| {
        let pipeline = Pipeline::channel("bm25").cross(model);
        reader.search(&pipeline, QUERY, &options).unwrap_err()
    };
    for missing in ["nowhere", "./no/such/model"] {
        let error = refused(missing);
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(missing), "{error}");
    }
    let bare = MODEL.replace("heads/cross-bert", "tiny/bert-mean");
    let error = refused(&bare);
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    let said = format!("`{bare}` cannot be opened as a cross-encoder");
    assert!(error.to_string().starts_with(&said), "{error}");
    let pipeline = Pipeline::channel("dense").cross(MODEL);
    // The first look is the query's encoding's or the search's, a later one the cross-encoder's.
    let looks = (0..100).take_while(|&looks| {
        let stopped = reader.search_batch(&pipeline, &[QUERY], &options, &StopAfter::new(looks));
        stopped.is_err_and(|error| error.kind() == ErrorKind::Interrupted)
    });
    assert!(looks.count() > 2);
}

#[test]
fn the_model_reads_the_fields_that_the_channels_read() {
    let bench = Bench::new();
    let collection = bench.create("titles.ecp", &["bm25(fields=title)"]);
    collection.add(&documents(20, 3), &Silent).unwrap();
    let reader = collection.snapshot().unwrap();
    let found = search(&reader, &Pipeline::channel("bm25").cross(MODEL), 5);
    let model = CrossEncoder::open(Path::new(MODEL), &EncoderOptions::default()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert!(!found.is_empty());
    for (id, score) in found {
        let document = reader.document(&id).unwrap().unwrap();
        let title = document.text("title").unwrap();
        assert_eq!(model.score(QUERY, &[title], &pool, &Silent).unwrap(), [score]);
    }
}
