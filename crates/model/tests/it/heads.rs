//! Masked language models and cross-encoders against PyTorch: small random ones, and SPLADE-tiny where it is in the cache.

use std::collections::BTreeMap;
use std::path::Path;

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{
    CrossEncoder, EncoderOptions, Error, MaskedLm, Role, ScoreFunction, SparseEncoder, SparseVector,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::damage::{copy_of, rewrite};
use crate::support::{cached_model, golden, pool};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    query: String,
    documents: Vec<String>,
    long: String,
    max_tokens: usize,
    /// For each model, text and token a row over the vocabulary.
    logits: BTreeMap<String, Vec<Vec<Vec<f32>>>>,
    scores: BTreeMap<String, Scores>,
}

#[derive(Deserialize)]
struct Scores {
    /// Of the documents for the query, of the long text for itself, and of `cat` for the long text.
    scores: Vec<f32>,
}

fn read_golden() -> Golden {
    serde_json::from_str(&fs_err::read_to_string(golden("heads.json")).unwrap()).unwrap()
}

fn masked(name: &str) -> MaskedLm {
    MaskedLm::open(&golden("heads").join(name), &EncoderOptions::default()).unwrap()
}

fn cross(name: &str) -> CrossEncoder {
    CrossEncoder::open(&golden("heads").join(name), &EncoderOptions::default()).unwrap()
}

fn texts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

#[test]
fn logits_of_every_family_equal_pytorch() {
    let golden = read_golden();
    let texts = texts(&golden.texts);
    assert_eq!(golden.logits.len(), 5);
    for (name, expected) in &golden.logits {
        let model = masked(name);
        let logits = model.logits(&texts, &pool(2), &Silent).unwrap();
        for ((text, got), expected) in texts.iter().zip(&logits).zip(expected) {
            assert_eq!(got.tokens.len(), expected.len(), "{name} {text:?}");
            assert_eq!(got.values.len(), expected.len() * model.vocabulary());
            for (got, expected) in got.values.iter().zip(expected.iter().flatten()) {
                assert!((got - expected).abs() <= 1e-4, "{name} {text:?}: {got}, not {expected}");
            }
        }
    }
}

/// The weights of terms that SPLADE makes of logits.
fn pooled(logits: &[f32], terms: usize) -> Vec<(u32, f32)> {
    let largest =
        |term: usize| logits.iter().skip(term).step_by(terms).fold(0.0_f32, |a, &b| a.max(b));
    let weights = (0..terms).map(|term| (term as u32, largest(term).ln_1p()));
    weights.filter(|(_, weight)| *weight > 0.0).collect()
}

fn pairs(vector: &SparseVector) -> Vec<(u32, f32)> {
    vector.terms.iter().copied().zip(vector.weights.iter().copied()).collect()
}

#[test]
fn weights_of_terms_are_those_of_all_logits_bit_for_bit() {
    let golden = read_golden();
    let texts = texts(&golden.texts);
    for name in golden.logits.keys() {
        let logits = masked(name).logits(&texts, &pool(2), &Silent).unwrap();
        // A masked language model alone is taken for SPLADE.
        let directory = crate::support::golden("heads").join(name);
        let model = SparseEncoder::open(&directory, &EncoderOptions::default()).unwrap();
        for threads in [1, 3] {
            let found = model.encode(&texts, Role::Document, &pool(threads), &Silent).unwrap();
            for (found, logits) in found.iter().zip(&logits) {
                assert_eq!(pairs(found), pooled(&logits.values, model.terms()), "{name}");
            }
        }
        assert!(!model.looks_queries_up());
    }
}

#[test]
fn scores_of_every_family_equal_sentence_transformers() {
    let golden = read_golden();
    let documents = texts(&golden.documents);
    assert_eq!(golden.scores.len(), 5);
    for (name, expected) in &golden.scores {
        let model = cross(name);
        assert_eq!(model.max_tokens(), golden.max_tokens);
        let score = |query: &str, documents: &[&str]| {
            model.score(query, documents, &pool(2), &Silent).unwrap()
        };
        let mut scores = score(&golden.query, &documents);
        // Both are too long, then only the query is.
        scores.extend(score(&golden.long, &[&golden.long, "cat"]));
        assert_eq!(scores.len(), expected.scores.len());
        for (got, expected) in scores.iter().zip(&expected.scores) {
            assert!((got - expected).abs() <= 1e-4, "{name}: {got}, not {expected}");
        }
    }
    assert_eq!(cross("cross-bert").architecture(), "bert");
}

#[test]
fn a_sigmoid_is_applied_where_the_model_asks_for_it() {
    let model = cross("cross-bert");
    assert_eq!(model.function(), ScoreFunction::Sigmoid);
    let call = |logits: bool| {
        let run = if logits { CrossEncoder::logits } else { CrossEncoder::score };
        run(&model, "cat", &["the cat", "mat"], &pool(1), &Silent).unwrap()
    };
    for (logit, score) in call(true).iter().zip(call(false)) {
        assert!((1.0 / (1.0 + (-logit).exp()) - score).abs() < 1e-6);
    }
    for name in ["cross-xlm-roberta", "cross-distilbert", "cross-modernbert"] {
        assert_eq!(cross(name).function(), ScoreFunction::Identity, "{name}");
    }
    // Without a word about it sentence-transformers takes a sigmoid.
    let copy = copy_of("heads/cross-distilbert");
    rewrite(copy.path(), "config.json", |t| t.replace("sbert_ce_default_activation_function", "x"));
    let model = CrossEncoder::open(copy.path(), &EncoderOptions::default()).unwrap();
    assert_eq!(model.function(), ScoreFunction::Sigmoid);
    assert_ne!(model.fingerprint(), cross("cross-distilbert").fingerprint());
}

#[test]
fn the_second_text_is_told_from_the_first() {
    // Were all types 0, the order of two equally long texts would change only their positions.
    let copy = copy_of("heads/cross-bert");
    rewrite(copy.path(), "tokenizer_config.json", |text| text.replace("\"token_type_ids\",", ""));
    let without = CrossEncoder::open(copy.path(), &EncoderOptions::default()).unwrap();
    let score = |model: &CrossEncoder| model.logits("cat", &["mat"], &pool(1), &Silent).unwrap()[0];
    assert!((score(&without) - score(&cross("cross-bert"))).abs() > 1e-3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_pair_has_one_score_in_any_company(
        query in "[a-z ,!]{0,30}",
        documents in proptest::collection::vec("[a-z ,!]{0,60}", 1..16),
        threads in 1usize..3,
        model in prop_oneof![
            Just("cross-bert"), Just("cross-xlm-roberta"), Just("cross-mpnet"),
            Just("cross-distilbert"), Just("cross-modernbert"),
        ],
    ) {
        let model = cross(model);
        let documents = texts(&documents);
        let together = model.score(&query, &documents, &pool(threads), &Silent).unwrap();
        let one = pool(1);
        for (document, together) in documents.iter().zip(&together) {
            let alone = model.score(&query, &[document], &one, &Silent).unwrap();
            prop_assert_eq!(alone[0].to_bits(), together.to_bits());
        }
    }

    #[test]
    fn a_text_has_one_set_of_logits_in_any_company(
        owned in proptest::collection::vec("[a-z ,!]{0,40}", 1..12),
        threads in 1usize..3,
        model in prop_oneof![
            Just("mlm-bert"), Just("mlm-roberta"), Just("mlm-mpnet"), Just("mlm-distilbert"), Just("mlm-modernbert"),
        ],
    ) {
        let model = masked(model);
        let texts = texts(&owned);
        let together = model.logits(&texts, &pool(threads), &Silent).unwrap();
        for (text, together) in texts.iter().zip(&together) {
            prop_assert_eq!(&model.logits(&[text], &pool(1), &Silent).unwrap()[0], together);
        }
    }
}

#[test]
fn models_without_the_head_are_refused() {
    let masked =
        |directory: &Path| MaskedLm::open(directory, &EncoderOptions::default()).unwrap_err();
    let cross =
        |directory: &Path| CrossEncoder::open(directory, &EncoderOptions::default()).unwrap_err();
    let bare = golden("tiny/bert-mean");
    for error in [masked(&bare), cross(&bare)] {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(matches!(error, Error::MissingTensor { .. }), "{error}");
    }
    assert_eq!(masked(&golden("heads/nowhere")).kind(), ErrorKind::NotFound);
    let refused = |file: &str, from: &str, to: &str, hint: &str| {
        let copy = copy_of("heads/cross-modernbert");
        rewrite(copy.path(), file, |text| text.replace(from, to));
        let error = cross(copy.path());
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    };
    refused(
        "config.json",
        "\"classifier_pooling\": \"mean\"",
        "\"classifier_pooling\": \"max\"",
        "cls, mean",
    );
    refused(
        "config.json",
        "\"classifier_activation\": \"gelu\"",
        "\"classifier_activation\": \"mish\"",
        "mish",
    );
    let settings = "config_sentence_transformers.json";
    refused(settings, "linear.Identity", "activation.Tanh", "Sigmoid, Identity");
    refused(
        settings,
        "\"default_prompt_name\": null",
        "\"default_prompt_name\": \"q\"",
        "default_prompt_name",
    );
    let options = EncoderOptions { max_tokens: Some(41), ..EncoderOptions::default() };
    let error = CrossEncoder::open(&golden("heads/cross-bert"), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[derive(Deserialize)]
struct Splade {
    texts: Vec<String>,
    /// For each text, the terms whose `log(1 + relu(largest logit))` is above 0.5.
    terms: Vec<Vec<(u32, f32)>>,
}

#[test]
fn splade_weights_equal_pytorch() {
    let Some(directory) = cached_model("splade") else { return };
    let golden: Splade =
        serde_json::from_str(&fs_err::read_to_string(golden("splade.json")).unwrap()).unwrap();
    let model = SparseEncoder::open(&directory, &EncoderOptions::default()).unwrap();
    assert_eq!(model.terms(), 30_522);
    let texts = texts(&golden.texts);
    let found = model.encode(&texts, Role::Query, &pool(2), &Silent).unwrap();
    for ((text, found), terms) in texts.iter().zip(&found).zip(&golden.terms) {
        assert!(terms.len() > 5, "{text:?}");
        let mut heavy = pairs(found);
        heavy.retain(|(_, weight)| *weight > 0.5);
        assert_eq!(heavy.len(), terms.len(), "{text:?}");
        for ((id, weight), (expected_id, expected)) in heavy.iter().zip(terms) {
            assert_eq!(id, expected_id, "{text:?}");
            assert!((weight - expected).abs() < 1e-4, "{text:?} {id}: {weight} for {expected}");
        }
    }
    let capital = model.term(3007);
    assert_eq!(capital.as_deref(), Some("capital"));
}
