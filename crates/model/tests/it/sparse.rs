//! Sparse encoders that training made of an encoder, and directories that are none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{
    Encoder, EncoderOptions, MaskedLm, Role, SparseEncoder, SparseVector, TermActivation, TermHead,
    TrainableEncoder, TrainableOptions,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{golden, pool};

const TEXTS: [&str; 3] = ["the cat is on the mat", "a dog and a rat", "the the the"];

/// What a head over some tokens is made of.
struct Parts {
    tokens: Vec<u32>,
    map: Vec<f32>,
    rows: Vec<f32>,
    row: Vec<f32>,
    biases: Vec<f32>,
}

impl Parts {
    fn new(hidden: usize) -> Self {
        let wave = |count: usize, speed: f32| -> Vec<f32> {
            (0..count).map(|at| (speed * at as f32).sin()).collect()
        };
        let tokens: Vec<u32> = (5..60).step_by(2).collect();
        Self {
            map: wave(hidden * hidden, 0.7),
            rows: wave(tokens.len() * hidden, 1.3),
            row: wave(hidden, 0.9),
            biases: wave(tokens.len(), 0.4),
            tokens,
        }
    }

    fn head(&self, queries: Option<Vec<f32>>) -> TermHead<'_> {
        TermHead {
            map: &self.map,
            map_bias: &self.row,
            scale: &self.row,
            shift: &self.row,
            tokens: &self.tokens,
            rows: &self.rows,
            biases: &self.biases,
            activation: TermActivation::DoubleLog,
            queries,
        }
    }
}

fn trainable(name: &str) -> TrainableEncoder {
    let directory = golden("tiny").join(name);
    TrainableEncoder::open(&directory, &TrainableOptions::default()).unwrap()
}

fn saved(encoder: &TrainableEncoder, queries: Option<Vec<f32>>, folder: &Path) -> PathBuf {
    let out = folder.join("sparse");
    encoder.save_with_terms(&out, &Parts::new(encoder.hidden()).head(queries)).unwrap();
    out
}

fn open(directory: &Path) -> SparseEncoder {
    SparseEncoder::open(directory, &EncoderOptions::default()).unwrap()
}

fn encode(model: &SparseEncoder, role: Role) -> Vec<SparseVector> {
    model.encode(&TEXTS, role, &pool(2), &Silent).unwrap()
}

#[derive(Deserialize)]
struct Golden {
    texts: Vec<String>,
    models: BTreeMap<String, Sides>,
}

/// For each text the terms that weigh something.
#[derive(Deserialize)]
struct Sides {
    query: Vec<Vec<(u32, f32)>>,
    document: Vec<Vec<(u32, f32)>>,
}

#[test]
fn weights_are_those_of_sentence_transformers() {
    let bytes = fs_err::read(golden("sparse.json")).unwrap();
    let expected: Golden = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(expected.models.len(), 3);
    let texts: Vec<&str> = expected.texts.iter().map(String::as_str).collect();
    for (name, sides) in &expected.models {
        let directory = golden("sparse").join(name);
        assert!(SparseEncoder::opens(&directory).unwrap(), "{name}");
        let model = open(&directory);
        assert_eq!(model.looks_queries_up(), name == "inference-free");
        for (role, expected) in [(Role::Query, &sides.query), (Role::Document, &sides.document)] {
            let found = model.encode(&texts, role, &pool(2), &Silent).unwrap();
            for (found, expected) in found.iter().zip(expected) {
                let terms: Vec<u32> = expected.iter().map(|(term, _)| *term).collect();
                assert_eq!(found.terms, terms, "{name}");
                for (found, (term, weight)) in found.weights.iter().zip(expected) {
                    let error = (found - weight).abs();
                    assert!(error < 1e-4, "{name}, {role:?}, term {term}: {found}, not {weight}");
                }
            }
        }
    }
}

#[test]
fn a_head_over_words_is_saved_as_a_masked_language_model_has_it() {
    for name in ["bert-mean", "distilbert", "roberta", "mpnet"] {
        let folder = tempfile::tempdir().unwrap();
        let encoder = trainable(name);
        let out = saved(&encoder, None, folder.path());
        let model = open(&out);
        assert!(!model.looks_queries_up() && SparseEncoder::opens(&out).unwrap());
        assert_eq!((model.name(), model.max_tokens()), ("sparse", encoder.max_tokens()));
        let masked = MaskedLm::open(&out, &EncoderOptions::default()).unwrap();
        // A sparse encoder puts the directory's prompts before texts, a masked language model reads them as they stand.
        let prompted = |role| TEXTS.map(|text| format!("{}{text}", encoder.prompt(role)));
        let texts = prompted(Role::Document);
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let logits = masked.logits(&texts, &pool(1), &Silent).unwrap();
        let tokens = Parts::new(encoder.hidden()).tokens;
        for (found, logits) in encode(&model, Role::Document).iter().zip(&logits) {
            let terms = model.terms();
            let largest = |term: usize| {
                logits.values.iter().skip(term).step_by(terms).fold(0.0_f32, |a, &b| a.max(b))
            };
            let all = (0..terms).map(|term| (term as u32, largest(term).ln_1p().ln_1p()));
            let expected: Vec<(u32, f32)> = all.filter(|(_, weight)| *weight > 0.0).collect();
            let found: Vec<(u32, f32)> =
                found.terms.iter().copied().zip(found.weights.iter().copied()).collect();
            assert_eq!(found, expected, "{name}");
            assert!(found.iter().all(|(term, _)| tokens.contains(term)) && found.len() > 3);
        }
        let are_alike = encode(&model, Role::Query) == encode(&model, Role::Document);
        assert_eq!(are_alike, prompted(Role::Query) == prompted(Role::Document), "{name}");
        // It makes no single vectors.
        let error = Encoder::open(&out, &EncoderOptions::default()).unwrap_err();
        assert!(error.kind() == ErrorKind::Input && error.to_string().contains("sparse channel"));
        let again = encoder.save_with_terms(&out, &Parts::new(encoder.hidden()).head(None));
        assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
    }
}

#[test]
fn queries_that_are_looked_up_meet_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = trainable("bert-mean");
    // Whatever is computed by this model is no number.
    for parameter in encoder.parameters_mut().iter_mut() {
        parameter.values_mut().fill(f32::NAN);
    }
    let parts = Parts::new(encoder.hidden());
    let idf: Vec<f32> = (0..parts.tokens.len()).map(|at| at as f32 / 4.0).collect();
    let model = open(&saved(&encoder, Some(idf.clone()), folder.path()));
    assert!(model.looks_queries_up());
    for (text, found) in TEXTS.iter().zip(encode(&model, Role::Query)) {
        let read = encoder.tokens(text).unwrap();
        let mut expected: Vec<(u32, f32)> = Vec::new();
        for (&token, &weight) in parts.tokens.iter().zip(&idf) {
            if weight > 0.0 && read.contains(&token) {
                expected.push((token, weight));
            }
        }
        let found: Vec<(u32, f32)> = found.terms.into_iter().zip(found.weights).collect();
        assert_eq!(found, expected, "{text}");
    }
    assert!(encode(&model, Role::Query).iter().any(|found| !found.terms.is_empty()));
    assert!(encode(&model, Role::Document).iter().all(|found| found.terms.is_empty()));
}

#[test]
fn fingerprints_tell_tables_and_poolings_apart() {
    let folders: Vec<tempfile::TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let encoder = trainable("bert-mean");
    let count = Parts::new(encoder.hidden()).tokens.len();
    let tables = [None, Some(vec![1.0; count]), Some(vec![2.0; count])];
    let mut prints: Vec<String> = tables
        .into_iter()
        .zip(&folders)
        .map(|(table, folder)| {
            open(&saved(&encoder, table, folder.path())).fingerprint().to_owned()
        })
        .collect();
    let pooling = folders[0].path().join("sparse/1_SpladePooling/config.json");
    edit(&pooling, |settings| settings["pooling_strategy"] = "sum".into());
    prints.push(open(&folders[0].path().join("sparse")).fingerprint().to_owned());
    prints.sort();
    prints.dedup();
    assert_eq!(prints.len(), 4);
}

fn edit(path: &Path, change: impl Fn(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    change(&mut value);
    fs_err::write(path, value.to_string()).unwrap();
}

#[test]
fn what_would_change_weights_and_is_not_done_is_refused() {
    let refused = |queries: bool, file: &str, change: &dyn Fn(&mut Value), expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let encoder = trainable("bert-mean");
        let table = queries.then(|| vec![1.0; Parts::new(encoder.hidden()).tokens.len()]);
        let out = saved(&encoder, table, folder.path());
        edit(&out.join(file), change);
        let error = SparseEncoder::open(&out, &EncoderOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let pooling = "1_SpladePooling/config.json";
    refused(false, pooling, &|it| it["pooling_strategy"] = "min".into(), "max, sum");
    refused(false, pooling, &|it| it["activation_function"] = "elu".into(), "relu, log1p_relu");
    let more = json!({"idx": 2, "name": "2", "path": "", "type": "x.SparseAutoEncoder"});
    let push = |it: &mut Value| it.as_array_mut().unwrap().push(more.clone());
    refused(false, "modules.json", &push, "MLMTransformer, SpladePooling");
    let dense = |it: &mut Value| it[1]["type"] = "x.Pooling".into();
    refused(false, "modules.json", &dense, "MLMTransformer, SpladePooling");
    let router = "router_config.json";
    refused(true, router, &|it| it["structure"]["query"] = json!([]), "SparseStaticEmbedding");
    refused(true, router, &|it| it["structure"]["document"] = json!([""]), "SpladePooling");
    // A weight that no query can have.
    let folder = tempfile::tempdir().unwrap();
    let encoder = trainable("bert-mean");
    let count = Parts::new(encoder.hidden()).tokens.len();
    let out = saved(&encoder, Some(vec![-1.0; count]), folder.path());
    let error = SparseEncoder::open(&out, &EncoderOptions::default()).unwrap_err();
    assert!(error.to_string().contains("-1 for term 5"), "{error}");
}
