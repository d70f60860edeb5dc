//! Token states and their words.

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{
    Encoder, EncoderOptions, Role, TokenStates, TrainableEncoder, TrainableOptions,
};
use proptest::prelude::*;

use crate::support::{Stop, encode, golden, open, pool};

const TEXTS: [&str; 5] =
    ["", "a b c", "The cat sat on the mat", "Radium, is!", "a cat and a dog and a rat"];

fn states(encoder: &Encoder, texts: &[&str], role: Role) -> TokenStates {
    encoder.states(texts, role, &pool(2), &Silent).unwrap()
}

fn open_tiny(name: &str) -> Encoder {
    open(&golden("tiny").join(name))
}

#[test]
fn states_are_those_that_vectors_are_made_of() {
    // The vector is the mean of the states with unit length: summed here as pooling does, so that the bits agree.
    let encoder = open_tiny("xlm-roberta");
    let states = states(&encoder, &TEXTS, Role::Document);
    let columns = encoder.token_dimensions();
    assert_eq!((states.len(), states.columns()), (TEXTS.len(), columns));
    let vectors = encode(&encoder, &TEXTS, Role::Document);
    for (text, vector) in vectors.chunks_exact(columns).enumerate() {
        let mut mean = vec![0.0f32; columns];
        let rows = states.rows(text).chunks_exact(columns);
        let count = rows.len() as f32;
        assert_eq!(rows.len(), states.tokens(text).len());
        assert_eq!(rows.len(), states.words(text).len());
        for row in rows {
            mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        for x in &mut mean {
            *x /= count;
        }
        ecphory_kernels::nn::l2_normalize(ecphory_kernels::Level::detect(), &mut mean, columns);
        assert_eq!(mean, vector);
    }
}

#[test]
fn states_are_those_of_the_tape() {
    for name in ["bert-mean", "roberta", "mpnet", "distilbert", "modernbert", "modernbert-older"] {
        let path = golden("tiny").join(name);
        let tape = TrainableEncoder::open(&path, &TrainableOptions::default()).unwrap();
        for role in [Role::Query, Role::Document] {
            let states = states(&open(&path), &TEXTS, role);
            for (i, text) in TEXTS.iter().enumerate() {
                let tokens = tape.tokens_as(text, role).unwrap();
                assert_eq!(states.tokens(i), tokens, "{name}");
                let recording = pool(1).install(|| tape.forward(&[&tokens]));
                assert_eq!(recording.states().len(), states.rows(i).len());
                for (got, expected) in states.rows(i).iter().zip(recording.states()) {
                    let bound = 8.0 * f32::EPSILON * expected.abs().max(1.0);
                    assert!((got - expected).abs() <= bound, "{name}: {got}, not {expected}");
                }
            }
        }
    }
}

#[test]
fn states_of_a_table_are_its_rows() {
    let encoder = open_tiny("static");
    let states = states(&encoder, &["a b", ""], Role::Document);
    assert_eq!((states.tokens(0).len(), states.tokens(1).len()), (2, 0));
    let rows: Vec<&[f32]> = states.rows(0).chunks_exact(states.columns()).collect();
    let alone = [["a"], ["b"]].map(|text| self::states(&encoder, &text, Role::Document));
    assert_eq!(rows, [alone[0].rows(0), alone[1].rows(0)]);
    assert!(rows[0].iter().any(|x| *x != 0.0));
}

#[test]
fn words_have_numbers() {
    let encoder = open_tiny("bert-mean");
    let texts = ["cat mat, CAT", "mat"];
    let plain = states(&encoder, &texts, Role::Document);
    let words = plain.words(0);
    // `[CLS]`, the prompt of documents, and `[SEP]` are no words.
    let first = words.iter().position(|word| *word != 0).unwrap();
    assert!(first > 1 && words.last() == Some(&0));
    let own: Vec<u32> = words.iter().copied().filter(|word| *word != 0).collect();
    let (cat, mat) = (own[0], *plain.words(1).iter().find(|word| **word != 0).unwrap());
    assert!(cat != mat && own.contains(&mat) && own.last() == Some(&cat), "{own:?}");
    // SHA-256 of `cat` and of `mat`.
    assert_eq!((cat, mat), (0x77af_778b, 0x0c1c_541a));
}

#[test]
fn a_word_that_is_cut_has_no_number() {
    let directory = golden("tiny/bert-mean");
    let limited = |max_tokens| {
        let options = EncoderOptions { max_tokens: Some(max_tokens), ..EncoderOptions::default() };
        Encoder::open(&directory, &options).unwrap()
    };
    let text = "zzqqxxjj";
    let whole = states(&limited(40), &[text], Role::Query);
    let tokens = whole.tokens(0).len();
    let inside = whole.words(0).iter().filter(|word| **word != 0).count();
    assert!(inside > 1, "the word has several tokens");
    let cut = states(&limited(tokens - 1), &[text], Role::Query);
    assert_eq!(cut.tokens(0).len(), tokens - 1);
    assert!(cut.words(0).iter().all(|word| *word == 0), "no word is left");
}

#[test]
fn states_can_be_stopped() {
    let error = open_tiny("bert-mean").states(&["a"], Role::Query, &pool(1), &Stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_text_has_the_same_states_in_any_company(
        texts in proptest::collection::vec("[a-zA-Z ,!]{0,60}", 1..24),
        threads in 1usize..3,
        model in prop_oneof![
            Just("bert-mean"), Just("roberta"), Just("xlm-roberta"), Just("modernbert"), Just("static")
        ],
    ) {
        let encoder = open_tiny(model);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let together = encoder.states(&texts, Role::Document, &pool(threads), &Silent).unwrap();
        for (i, text) in texts.iter().enumerate() {
            let alone = encoder.states(&[text], Role::Document, &pool(1), &Silent).unwrap();
            prop_assert_eq!(alone.tokens(0), together.tokens(i));
            prop_assert_eq!(alone.words(0), together.words(i));
            prop_assert_eq!(alone.rows(0), together.rows(i));
        }
    }
}
