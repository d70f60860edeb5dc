//! Late interaction: vectors of tokens and MaxSim against the same by hand.

use std::path::{Path, PathBuf};

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{
    AddedModules, CacheOptions, DenseModule, Encoder, EncoderOptions, EncodingCache, LateEncoder,
    Precision, Role, TrainableEncoder, TrainableOptions, convert,
};

use crate::support::{golden, open, pool};

const TEXTS: [&str; 4] =
    ["the cat sat on the mat", "a dog", "", "radium is an element that glows in the dark"];
const OUT: usize = 3;

fn tiny() -> PathBuf {
    golden("tiny").join("bert-mean")
}

fn map(columns: usize) -> DenseModule {
    let weights = (0..OUT * columns).map(|i| ((i * 7 + 3) % 11) as f32 / 11.0 - 0.5).collect();
    DenseModule { weights, input: columns, bias: None }
}

/// A directory for late interaction whose map is [`map`].
fn trained(folder: &Path, tokens: [usize; 2]) -> PathBuf {
    let out = folder.join("late");
    convert(&tiny(), &out, Precision::F32, &Silent).unwrap();
    let dense = vec![map(open(&tiny()).token_dimensions())];
    AddedModules { dense, tokens: Some(tokens), ..AddedModules::default() }.write(&out).unwrap();
    assert!(!out.join("1_Pooling").exists());
    out
}

fn late(directory: &Path) -> LateEncoder {
    LateEncoder::open(directory, &EncoderOptions::default()).unwrap()
}

/// The vectors of a text's tokens: states, mapped where there is a map, and scaled.
fn by_hand(text: &str, role: Role, dense: Option<&DenseModule>) -> Vec<Vec<f64>> {
    let encoder = open(&tiny());
    let states = encoder.states(&[text], role, &pool(1), &Silent).unwrap();
    let rows = states.rows(0).chunks_exact(states.columns());
    let mapped = rows.map(|row| match dense {
        None => row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>(),
        Some(dense) => {
            let out = dense.weights.chunks_exact(dense.input);
            out.map(|weights| dot(weights, row)).collect()
        }
    });
    let unit = |row: Vec<f64>| {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.iter().map(|x| x / length).collect()
    };
    mapped.map(unit).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn max_sim(query: &[Vec<f64>], document: &[Vec<f64>]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let best = |q: &Vec<f64>| document.iter().map(|d| product(q, d)).fold(f64::MIN, f64::max);
    query.iter().map(best).sum()
}

#[test]
fn scores_are_max_sim_of_mapped_states_of_unit_length() {
    let folder = tempfile::tempdir().unwrap();
    let dense = map(open(&tiny()).token_dimensions());
    let most = open(&tiny()).max_tokens();
    for (directory, dense) in [(trained(folder.path(), [most; 2]), Some(&dense)), (tiny(), None)] {
        let model = late(&directory);
        assert_eq!(model.is_trained(), dense.is_some());
        assert_eq!(LateEncoder::opens(&directory).unwrap(), dense.is_some());
        let scores = model.score(TEXTS[0], &TEXTS, None, &pool(2), &Silent).unwrap();
        let query = by_hand(TEXTS[0], Role::Query, dense);
        for (text, score) in TEXTS.iter().zip(&scores) {
            let expected = max_sim(&query, &by_hand(text, Role::Document, dense));
            assert!((f64::from(*score) - expected).abs() < 4e-3, "{text}: {score}, {expected}");
            let matches = model.matches(TEXTS[0], text).unwrap();
            let sum: f64 = matches.iter().map(|found| f64::from(found.score)).sum();
            assert_eq!(sum as f32, *score, "{text}");
            assert_eq!(matches.len(), query.len());
        }
        let vectors = model.vectors(TEXTS[3], Role::Document).unwrap();
        let rows = by_hand(TEXTS[3], Role::Document, dense);
        assert_eq!(vectors.len(), rows.len() * model.dimensions());
        for (got, expected) in vectors.iter().zip(rows.iter().flatten()) {
            assert!((f64::from(*got) - expected).abs() < 1e-3, "{got}, not {expected}");
        }
    }
    let named = late(&tiny()).matches("a cat", "the dog").unwrap();
    let of_query: Vec<&str> = named.iter().map(|found| &*found.query).collect();
    assert!(of_query.ends_with(&["a", "cat", "[SEP]"]), "{of_query:?}");
    let all = ["[CLS]", "the", "dog", "[SEP]"];
    assert!(named.iter().all(|found| all.contains(&&*found.document)), "{named:?}");
}

#[test]
fn a_score_has_the_same_bits_from_the_cache_on_any_threads_and_in_any_company() {
    let folder = tempfile::tempdir().unwrap();
    let model = late(&trained(folder.path(), [32, 64]));
    let cache = EncodingCache::open(&folder.path().join("kept"), CacheOptions::default()).unwrap();
    let all = model.score(TEXTS[3], &TEXTS, None, &pool(1), &Silent).unwrap();
    for _ in 0..2 {
        let kept = model.score(TEXTS[3], &TEXTS, Some(&cache), &pool(2), &Silent).unwrap();
        assert_eq!(kept, all);
    }
    for (text, score) in TEXTS.iter().zip(&all) {
        assert_eq!(model.score(TEXTS[3], &[text], None, &pool(2), &Silent).unwrap(), [*score]);
    }
    assert!(model.score(TEXTS[0], &[], None, &pool(1), &Silent).unwrap().is_empty());
}

#[test]
fn queries_and_documents_have_limits_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let model = late(&trained(folder.path(), [4, 6]));
    assert_eq!([Role::Query, Role::Document].map(|role| model.max_tokens(role)), [4, 6]);
    let rows = |role| model.vectors(TEXTS[0], role).unwrap().len() / model.dimensions();
    assert_eq!([rows(Role::Query), rows(Role::Document)], [4, 6]);
}

#[test]
fn what_makes_no_vector_a_text_is_refused_as_an_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let directory = trained(folder.path(), [32, 64]);
    let encoder = Encoder::open(&directory, &EncoderOptions::default()).unwrap_err();
    let trainable = TrainableEncoder::open(&directory, &TrainableOptions::default());
    for error in [encoder, trainable.map(|_| ()).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("maxsim("), "{error}");
    }
}

#[test]
fn settings_that_would_change_vectors_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let directory = trained(folder.path(), [32, 64]);
    let path = directory.join("config_sentence_transformers.json");
    let plain: serde_json::Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    for (setting, value) in [
        ("query_prefix", Some("[Q] ".into())),
        ("document_prefix", None),
        ("do_query_expansion", Some(true.into())),
        ("do_query_expansion", None),
        ("skiplist_words", Some(serde_json::json!(["."]))),
        ("skiplist_words", None),
    ] {
        let mut settings = plain.clone();
        let fields = settings.as_object_mut().unwrap();
        match value {
            Some(value) => fields.insert(setting.to_owned(), value),
            None => fields.remove(setting),
        };
        fs_err::write(&path, settings.to_string()).unwrap();
        let error = LateEncoder::open(&directory, &EncoderOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{setting}");
        assert!(error.to_string().contains(setting), "{error}");
    }
}
