//! multilingual-e5-small against PyTorch, and on translations, where the model is in the cache.

use std::path::PathBuf;

use ecphory_core::Silent;
use ecphory_model::Role;
use serde::Deserialize;

use crate::support::{assert_close, cached_model, encode, golden, open, pool};

#[derive(Deserialize)]
struct Golden {
    queries: Vec<String>,
    query_vectors: Vec<Vec<f32>>,
    passages: Vec<String>,
    passage_vectors: Vec<Vec<f32>>,
}

fn read_golden() -> Golden {
    serde_json::from_str(&fs_err::read_to_string(golden("me5.json")).unwrap()).unwrap()
}

#[test]
fn embeddings_from_four_bits_equal_pytorch() {
    let Some(directory) = cached_model("me5") else { return };
    let encoder = open(&directory);
    assert_eq!((encoder.dimensions(), encoder.max_tokens()), (384, 512));
    assert!(encoder.normalized() && encoder.notes().is_empty());
    let golden = read_golden();
    let queries: Vec<&str> = golden.queries.iter().map(String::as_str).collect();
    let passages: Vec<&str> = golden.passages.iter().map(String::as_str).collect();
    let close = |texts: &[&str], role, expected: &[Vec<f32>]| {
        assert_close(texts, &encode(&encoder, texts, role), expected, 1e-4);
    };
    close(&queries, Role::Query, &golden.query_vectors);
    close(&passages, Role::Document, &golden.passage_vectors);
    // The prompts differ.
    let [query, passage] = [Role::Query, Role::Document].map(|role| encode(&encoder, &["a"], role));
    assert_ne!(query, passage);
}

#[test]
fn batch_order_and_threads_do_not_change_a_bit() {
    let Some(directory) = cached_model("me5") else { return };
    let encoder = open(&directory);
    let golden = read_golden();
    let texts: Vec<&str> = golden.passages.iter().map(String::as_str).collect();
    let together = encode(&encoder, &texts, Role::Document);
    let one = pool(1);
    for (text, together) in texts.iter().zip(together.chunks(encoder.dimensions())) {
        let alone = encoder.encode(&[text], Role::Document, &one, &Silent).unwrap();
        assert_eq!(alone, together, "{text:?}");
    }
}

/// The first pairs of a language and English, where `ECPHORY_DATA` has them.
fn pairs(code: &str, count: usize) -> Option<Vec<(String, String)>> {
    let list = std::env::var_os("ECPHORY_DATA").unwrap_or_default();
    let path: Option<PathBuf> = std::env::split_paths(&list)
        .map(|folder| folder.join("tatoeba").join(format!("{code}-eng.tsv")))
        .find(|path| path.is_file());
    let Some(path) = path else {
        let reason = "ECPHORY_DATA has no tatoeba";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("skipped: {reason}");
        return None;
    };
    let text = fs_err::read_to_string(path).unwrap();
    let pair = |line: &str| line.split_once('\t').map(|(a, b)| (a.to_owned(), b.to_owned()));
    Some(text.lines().take(count).map(|line| pair(line).unwrap()).collect())
}

/// How many rows are nearest to their own translations.
fn found(from: &[f32], to: &[f32], width: usize) -> usize {
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
    let nearest = |row: &[f32]| {
        let scores = to.chunks(width).map(|other| dot(row, other)).enumerate();
        scores.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
    };
    from.chunks(width).enumerate().filter(|(index, row)| nearest(row) == *index).count()
}

#[test]
fn translations_are_found_in_every_script() {
    let Some(directory) = cached_model("me5") else { return };
    let encoder = open(&directory);
    for code in ["deu", "cmn", "hin", "tha", "rus"] {
        let Some(pairs) = pairs(code, 40) else { return };
        let foreign: Vec<&str> = pairs.iter().map(|pair| pair.0.as_str()).collect();
        let english: Vec<&str> = pairs.iter().map(|pair| pair.1.as_str()).collect();
        let [foreign, english] =
            [foreign, english].map(|texts| encode(&encoder, &texts, Role::Query));
        let width = encoder.dimensions();
        for found in [found(&foreign, &english, width), found(&english, &foreign, width)] {
            assert!(found >= 36, "{code}: {found} of {}", pairs.len());
        }
    }
}
