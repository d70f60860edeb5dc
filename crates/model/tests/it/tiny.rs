//! Small random models in every supported layout against PyTorch: these run on any machine.

use std::collections::BTreeMap;

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{Encoder, EncoderOptions, Role};
use proptest::prelude::*;
use serde::Deserialize;

use crate::support::{Stop, assert_close, encode, golden, open, pool};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    models: BTreeMap<String, Model>,
}

#[derive(Deserialize)]
struct Model {
    max_tokens: usize,
    document: Vec<Vec<f32>>,
    query: Option<Vec<Vec<f32>>>,
}

fn read_golden() -> Golden {
    serde_json::from_str(&fs_err::read_to_string(golden("tiny.json")).unwrap()).unwrap()
}

fn open_tiny(name: &str) -> Encoder {
    open(&golden("tiny").join(name))
}

/// Checks one model against the golden, and returns it.
fn check(name: &str) -> Encoder {
    let golden = read_golden();
    let model = &golden.models[name];
    let encoder = open_tiny(name);
    assert_eq!(encoder.max_tokens(), model.max_tokens);
    assert_eq!(encoder.dimensions(), model.document[0].len());
    // `StaticEmbedding` of sentence-transformers gives no vector for the empty text.
    let texts: Vec<&str> = golden.texts.iter().map(String::as_str).collect();
    let texts = &texts[texts.len() - model.document.len()..];
    assert_close(texts, &encode(&encoder, texts, Role::Document), &model.document, 1e-4);
    if let Some(query) = &model.query {
        assert_close(texts, &encode(&encoder, texts, Role::Query), query, 1e-4);
    }
    encoder
}

#[test]
fn bert_with_mean_unit_length_and_prompts() {
    let encoder = check("bert-mean");
    assert!(encoder.normalized() && encoder.notes().is_empty());
    assert_eq!((encoder.name(), encoder.architecture()), ("bert-mean", "bert"));
}

#[test]
fn bert_in_f16_with_tanh_gelu_first_token_and_dense() {
    let encoder = check("bert-cls-dense");
    assert!(!encoder.normalized());
}

#[test]
fn bert_in_bf16_with_relu_all_poolings_and_older_spellings() {
    check("bert-all-poolings");
}

#[test]
fn bare_directories_of_the_other_families() {
    for (name, architecture) in [
        ("roberta", "roberta"),
        ("xlm-roberta", "roberta"),
        ("mpnet", "mpnet"),
        ("distilbert", "distilbert"),
        ("modernbert", "modernbert"),
        ("modernbert-older", "modernbert"),
    ] {
        let encoder = check(name);
        assert_eq!(encoder.architecture(), architecture);
        assert!(encoder.normalized());
        assert!(encoder.notes()[0].contains("modules.json"), "the assumption is stated");
    }
}

#[test]
fn static_tables() {
    for name in ["static", "model2vec"] {
        let encoder = check(name);
        assert_eq!(encoder.architecture(), "static");
        // No token, no vector.
        assert_eq!(encode(&encoder, &[""], Role::Document), [0.0; 8]);
    }
}

#[test]
fn no_texts_make_no_vectors() {
    assert_eq!(encode(&open_tiny("bert-mean"), &[], Role::Query), [0.0; 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_text_has_one_vector_in_any_company(
        texts in proptest::collection::vec("[a-z ,!]{0,60}", 1..24),
        threads in 1usize..3,
        model in prop_oneof![
            Just("bert-mean"),
            Just("mpnet"),
            Just("bert-all-poolings"),
            Just("static"),
            Just("roberta"),
            Just("xlm-roberta"),
            Just("distilbert"),
            Just("modernbert"),
            Just("modernbert-older"),
        ],
    ) {
        let encoder = open_tiny(model);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = encoder.encode(&texts, Role::Document, &pool(threads), &Silent).unwrap();
        let one = pool(1);
        for (text, together) in texts.iter().zip(together.chunks(encoder.dimensions())) {
            let alone = encoder.encode(&[text], Role::Document, &one, &Silent).unwrap();
            prop_assert_eq!(&alone[..], together);
        }
    }
}

#[test]
fn the_limit_of_tokens_cuts_and_counts_in_the_fingerprint() {
    let directory = golden("tiny/bert-mean");
    let limited = |max_tokens| {
        Encoder::open(&directory, &EncoderOptions { max_tokens, ..EncoderOptions::default() })
    };
    let (own, four) = (limited(None).unwrap(), limited(Some(12)).unwrap());
    assert_ne!(own.fingerprint(), four.fingerprint());
    assert_eq!(own.fingerprint(), limited(Some(24)).unwrap().fingerprint());
    // `query: ` and `pass: ` take tokens too; both texts agree in the first eight.
    let (long, longer) = ("a b c d e f g h i j k l", "a b c d e f g h i j z z z z");
    assert_eq!(encode(&four, &[long], Role::Document), encode(&four, &[longer], Role::Document));
    assert_ne!(encode(&own, &[long], Role::Document), encode(&own, &[longer], Role::Document));
    for wrong in [0, 2, 41] {
        let error = limited(Some(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains("3 to 40"), "{error}");
    }
}

#[test]
fn encoding_can_be_stopped() {
    let error = open_tiny("bert-mean").encode(&["a"], Role::Query, &pool(1), &Stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}
