//! Weights in less than single precision: how far vectors move, and what they never depend on.

use std::path::Path;

use ecphory_core::Silent;
use ecphory_model::{Encoder, EncoderOptions, Precision, Role};
use serde::Deserialize;

use crate::support::{cached_model, encode, golden, pool};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
}

/// The models with linear maps, in files of f32, f16 and bf16.
const TINY: [&str; 6] =
    ["bert-mean", "bert-cls-dense", "bert-all-poolings", "roberta", "mpnet", "distilbert"];

/// The precisions that lose something of f32, with the least cosine to it: of the tiny models, whose random weights average
/// out over few values, and of MiniLM.
const LOSSY: [(Precision, f64, f64); 3] = [
    (Precision::F16, 0.999_999, 0.999_999),
    (Precision::Bf16, 0.999, 0.999_9),
    (Precision::Int8, 0.99, 0.99),
];

fn texts(file: &str) -> Vec<String> {
    let golden: Golden =
        serde_json::from_str(&fs_err::read_to_string(golden(file)).unwrap()).unwrap();
    golden.texts
}

fn open_as(directory: &Path, precision: Precision) -> Encoder {
    let options = EncoderOptions { precision, ..EncoderOptions::default() };
    Encoder::open(directory, &options).unwrap()
}

/// Returns the least cosine of rows with the rows of the same texts.
fn least_cosine(a: &[f32], b: &[f32], dimensions: usize) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let rows = a.chunks(dimensions).zip(b.chunks(dimensions));
    rows.map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).fold(1.0, f64::min)
}

/// Checks that vectors are those of f32 within a cosine, but not the same where the files hold more.
fn check(directory: &Path, texts: &[&str], bounds: &[(Precision, f64)]) {
    let exact = open_as(directory, Precision::F32);
    let expected = encode(&exact, texts, Role::Document);
    for &(precision, bound) in bounds {
        let encoder = open_as(directory, precision);
        let vectors = encode(&encoder, texts, Role::Document);
        let least = least_cosine(&vectors, &expected, exact.dimensions());
        assert!(least >= bound, "{} in {precision}: {least}", directory.display());
        if precision == Precision::Int8 {
            assert_ne!(vectors, expected, "nothing was rounded");
        }
        assert_ne!(encoder.fingerprint(), exact.fingerprint(), "{precision}");
    }
}

/// Checks that a text has the same bits alone, on one thread, as among others on two, the other way round.
fn check_invariance(directory: &Path, texts: &[&str]) {
    for precision in Precision::ALL {
        let encoder = open_as(directory, precision);
        let mut together = encode(&encoder, texts, Role::Document);
        let dimensions = encoder.dimensions();
        let backwards: Vec<&str> = texts.iter().rev().copied().collect();
        let reversed = encode(&encoder, &backwards, Role::Document);
        let reversed: Vec<f32> = reversed.chunks(dimensions).rev().flatten().copied().collect();
        assert_eq!(together, reversed, "{} in {precision}", directory.display());
        for (threads, text) in [1, 2, 3].into_iter().cycle().zip(texts) {
            let alone = encoder.encode(&[text], Role::Document, &pool(threads), &Silent).unwrap();
            let rest = together.split_off(dimensions);
            assert_eq!(alone, together, "{text:?} in {precision} on {threads} threads");
            together = rest;
        }
    }
}

#[test]
fn tiny_models_stay_within_the_bounds() {
    let texts = texts("tiny.json");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for name in TINY {
        let directory = golden("tiny").join(name);
        check(&directory, &texts, &LOSSY.map(|(precision, bound, _)| (precision, bound)));
        check_invariance(&directory, &texts);
    }
}

#[test]
fn minilm_stays_within_the_bounds() {
    let Some(directory) = cached_model("minilm") else { return };
    let texts = texts("minilm.json");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    check(&directory, &texts, &LOSSY.map(|(precision, _, bound)| (precision, bound)));
    check_invariance(&directory, &texts);
}

#[test]
fn what_loses_nothing_changes_nothing() {
    let texts = texts("tiny.json");
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    // The files of these hold f32, f16 and bf16.
    let same = [("bert-mean", None), ("bert-cls-dense", Some(Precision::F16))];
    for (name, own) in [&same[..], &[("bert-all-poolings", Some(Precision::Bf16))]].concat() {
        let directory = golden("tiny").join(name);
        let stored = open_as(&directory, Precision::Stored);
        let vectors = encode(&stored, &texts, Role::Query);
        let f32 = open_as(&directory, Precision::F32);
        assert_eq!(vectors, encode(&f32, &texts, Role::Query), "{name}");
        assert_eq!(stored.fingerprint(), f32.fingerprint(), "{name}");
        if let Some(own) = own {
            let named = open_as(&directory, own);
            assert_eq!(vectors, encode(&named, &texts, Role::Query), "{name} in {own}");
        }
    }
}

#[test]
fn static_tables_have_no_linear_maps() {
    for name in ["static", "model2vec"] {
        let directory = golden("tiny").join(name);
        let stored = open_as(&directory, Precision::Stored);
        let int8 = open_as(&directory, Precision::Int8);
        let vectors = encode(&stored, &["a b c"], Role::Document);
        assert_eq!(vectors, encode(&int8, &["a b c"], Role::Document));
        assert_eq!(stored.fingerprint(), int8.fingerprint());
    }
}

#[test]
fn names_round_trip_and_typing_errors_get_the_nearest() {
    for precision in Precision::ALL {
        assert_eq!(precision.to_string().parse::<Precision>().unwrap(), precision);
    }
    let error = "int9".parse::<Precision>().unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no precision `int9`, only stored, f32, f16, bf16 and int8; did you mean `int8`?"
    );
    assert!("".parse::<Precision>().is_err() && "F16".parse::<Precision>().is_err());
}
