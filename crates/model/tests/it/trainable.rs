//! Encoders whose parameters move: gradients against PyTorch, and what is saved.

use std::path::Path;

use ecphory_core::ErrorKind;
use ecphory_model::{
    Encoder, EncoderOptions, Error, Gradient, Gradients, ParameterGroup, Parameters, Pooling, Role,
    TrainableEncoder, TrainableOptions,
};
use safetensors::SafeTensors;

use crate::damage::{copy_of, rewrite};
use crate::support::{cached_model, encode, golden, open, pool};

const TEXTS: [&str; 5] =
    ["", "a b c", "the cat sat on the mat", "Radium, is!", "a cat and a dog and a rat"];

fn trainable(directory: &Path) -> TrainableEncoder {
    TrainableEncoder::open(directory, &TrainableOptions::default()).unwrap()
}

fn tiny(name: &str) -> TrainableEncoder {
    trainable(&golden("tiny").join(name))
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let data = file.tensor(name).unwrap_or_else(|_| panic!("the golden has no {name}")).data();
    data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn integers(file: &SafeTensors<'_>, name: &str) -> Vec<usize> {
    let data = file.tensor(name).unwrap().data();
    data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as usize).collect()
}

/// Writes a gradient out in full.
fn full(gradient: &Gradient, count: usize, columns: usize) -> Vec<f32> {
    match gradient {
        Gradient::Dense(values) => values.clone(),
        Gradient::Rows { rows, values } => {
            let mut all = vec![0.0; count];
            for (row, values) in rows.iter().zip(values.chunks_exact(columns)) {
                all[*row as usize * columns..][..columns].copy_from_slice(values);
            }
            all
        }
    }
}

/// Takes a step against the gradient.
pub fn descend(parameters: &mut Parameters, gradients: &Gradients, rate: f32) {
    for (index, gradient) in gradients.iter() {
        let columns = parameters[index].shape()[1..].iter().product();
        let values = parameters[index].values_mut();
        let gradient = full(gradient, values.len(), columns);
        values.iter_mut().zip(gradient).for_each(|(value, d)| *value -= rate * d);
    }
}

#[test]
fn gradients_equal_pytorch() {
    for name in ["bert-mean", "distilbert", "modernbert", "mpnet"] {
        let bytes = fs_err::read(golden("gradients").join(format!("{name}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let encoder = tiny(name);
        let mut tokens = integers(&file, "loss.tokens").into_iter().map(|token| token as u32);
        let lengths = integers(&file, "loss.lengths");
        let sequences: Vec<Vec<u32>> =
            lengths.iter().map(|&length| tokens.by_ref().take(length).collect()).collect();
        let sequences: Vec<&[u32]> = sequences.iter().map(|sequence| &sequence[..]).collect();
        let mut gradients = Gradients::new(encoder.parameters());
        pool(2).install(|| {
            let recording = encoder.forward(&sequences);
            assert_eq!(recording.columns(), encoder.hidden());
            encoder.backward(recording, &floats(&file, "loss.weights"), &mut gradients);
        });
        let all = gradients.iter().flat_map(|(_, gradient)| gradient.values());
        let overall = all.fold(0.0f32, |most, x| most.max(x.abs()));
        for (index, gradient) in gradients.iter() {
            let parameter = &encoder.parameters()[index];
            let expected = floats(&file, parameter.name());
            let columns = parameter.shape()[1..].iter().product();
            let got = full(gradient, parameter.values().len(), columns);
            assert_eq!(got.len(), expected.len());
            // The gradient of a key's bias is zero but for rounding: a softmax does not see it.
            let largest = expected.iter().fold(0.01 * overall, |most, x| most.max(x.abs()));
            for (got, expected) in got.iter().zip(&expected) {
                let bound = 1e-4 * (0.1 * largest + expected.abs());
                let name = parameter.name();
                assert!((got - expected).abs() < bound, "{name}: {got}, not {expected}");
            }
        }
        assert_eq!(gradients.iter().count(), encoder.parameters().len());
    }
}

/// The vector of a text by the states of a trainable encoder, with the mean and unit length.
fn vector(encoder: &TrainableEncoder, text: &str, role: Role) -> Vec<f32> {
    assert_eq!((encoder.pooling(), encoder.normalizes()), (&[Pooling::Mean][..], true));
    let tokens = encoder.tokens_as(text, role).unwrap();
    assert_eq!(tokens, encoder.tokens(&format!("{}{text}", encoder.prompt(role))).unwrap());
    let recording = pool(2).install(|| encoder.forward(&[&tokens]));
    let mut sum = vec![0.0f64; encoder.hidden()];
    for row in recording.states().chunks_exact(encoder.hidden()) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
    }
    let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    sum.iter().map(|x| (x / length) as f32).collect()
}

fn assert_near(got: &[f32], expected: &[f32], bound: f32) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= bound, "{got}, not {expected}");
    }
}

fn vectors(encoder: &TrainableEncoder, role: Role) -> Vec<f32> {
    TEXTS.iter().flat_map(|text| vector(encoder, text, role)).collect()
}

#[test]
fn states_are_those_of_the_encoder() {
    for name in ["bert-mean", "roberta", "mpnet", "distilbert", "modernbert", "modernbert-older"] {
        let encoder = open(&golden("tiny").join(name));
        for role in [Role::Query, Role::Document] {
            assert_near(&vectors(&tiny(name), role), &encode(&encoder, &TEXTS, role), 2e-5);
        }
    }
}

#[test]
fn what_is_saved_gives_the_same_vectors() {
    for name in [
        "bert-mean",
        "bert-all-poolings-without-dense",
        "roberta",
        "mpnet",
        "distilbert",
        "modernbert",
        "modernbert-older",
    ] {
        let from = match name {
            "bert-all-poolings-without-dense" => {
                let copy = copy_of("tiny/bert-all-poolings");
                without_dense(copy.path());
                copy
            }
            name => copy_of(&format!("tiny/{name}")),
        };
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep/saved");
        trainable(from.path()).save(&out).unwrap();
        let before = encode(&open(from.path()), &TEXTS, Role::Query);
        assert_near(&encode(&open(&out), &TEXTS, Role::Query), &before, 1e-6);
        assert_eq!(trainable(&out).parameters().len(), trainable(from.path()).parameters().len());
        let error = trainable(from.path()).save(&out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

/// Takes the dense module out of a model.
fn without_dense(directory: &Path) {
    let path = directory.join("modules.json");
    let text = fs_err::read_to_string(&path).unwrap();
    let mut modules: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    modules.retain(|module| !module["type"].as_str().unwrap().ends_with("Dense"));
    fs_err::write(&path, serde_json::to_string(&modules).unwrap()).unwrap();
}

#[test]
fn what_moved_is_saved_and_all_else_stays() {
    for (name, untouched) in
        [("bert-mean", None), ("mpnet", Some("encoder.relative_attention_bias.weight"))]
    {
        let copy = copy_of(&format!("tiny/{name}"));
        rewrite(copy.path(), "config.json", |text| {
            text.replacen('{', "{\"torch_dtype\": \"float16\",", 1)
        });
        fs_err::create_dir(copy.path().join("onnx")).unwrap();
        for other in ["onnx/model.onnx", "pytorch_model.bin", "onnx/config.txt", "vocab.txt"] {
            fs_err::write(copy.path().join(other), "old").unwrap();
        }
        let mut encoder = trainable(copy.path());
        let before = vectors(&encoder, Role::Document);
        for parameter in encoder.parameters_mut() {
            for (i, value) in parameter.values_mut().iter_mut().enumerate() {
                *value += 0.05 * ((i * 7 % 11) as f32 - 5.0) / 5.0;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("saved");
        encoder.save(&out).unwrap();
        let after = vectors(&encoder, Role::Document);
        let moved = before.iter().zip(&after).any(|(a, b)| (a - b).abs() > 1e-2);
        assert!(moved, "other parameters make other vectors");
        assert_near(&encode(&open(&out), &TEXTS, Role::Document), &after, 2e-5);
        assert!(out.join("vocab.txt").exists());
        assert!(!out.join("onnx").exists() && !out.join("pytorch_model.bin").exists());
        let config = fs_err::read_to_string(out.join("config.json")).unwrap();
        assert!(config.contains("float32") && !config.contains("float16"), "{config}");
        let read = |folder: &Path| fs_err::read(folder.join("model.safetensors")).unwrap();
        let (old, new) = (read(copy.path()), read(&out));
        let (_, header) = SafeTensors::read_metadata(&new).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["format"], "pt");
        let files = [&old, &new].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
        assert_eq!(files[0].names().len(), files[1].names().len());
        for tensor in files[0].names() {
            let is_same = floats(&files[0], tensor) == floats(&files[1], tensor);
            assert_eq!(is_same, untouched == Some(tensor), "{tensor}");
        }
    }
}

#[test]
fn steps_against_the_gradient_lower_the_loss() {
    for name in ["bert-mean", "modernbert"] {
        let mut encoder = tiny(name);
        let tokens = ["the cat", "a dog and a rat"].map(|text| encoder.tokens(text).unwrap());
        let sequences: Vec<&[u32]> = tokens.iter().map(|tokens| &tokens[..]).collect();
        let mut gradients = Gradients::new(encoder.parameters());
        let mut losses = Vec::new();
        // Towards states of 1.
        for _ in 0..20 {
            let recording = encoder.forward(&sequences);
            let count = recording.states().len() as f32;
            let d: Vec<f32> = recording.states().iter().map(|x| (x - 1.0) / count).collect();
            losses.push(d.iter().map(|d| d * d * count / 2.0).sum::<f32>());
            gradients.zero();
            encoder.backward(recording, &d, &mut gradients);
            descend(encoder.parameters_mut(), &gradients, 0.1);
        }
        assert!(losses.is_sorted_by(|before, after| before > after), "{name}: {losses:?}");
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let refused = |name: &str, options: &TrainableOptions| {
        TrainableEncoder::open(&golden("tiny").join(name), options).unwrap_err()
    };
    for (name, hint) in [("bert-cls-dense", "Dense"), ("static", "StaticEmbedding")] {
        let error = refused(name, &TrainableOptions::default());
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
    }
    let error = refused("bert-mean", &TrainableOptions { freeze_below: 3, max_tokens: None });
    assert!(matches!(error, Error::FrozenLayers { asked: 3, layers: 2, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = refused("bert-mean", &TrainableOptions { freeze_below: 0, max_tokens: Some(41) });
    assert!(matches!(error, Error::MaxTokens { .. }), "{error}");
    assert_eq!(refused("nowhere", &TrainableOptions::default()).kind(), ErrorKind::NotFound);
}

#[test]
fn options_have_their_effect() {
    let directory = golden("tiny/bert-mean");
    let options = TrainableOptions { max_tokens: Some(5), freeze_below: 1 };
    let encoder = TrainableEncoder::open(&directory, &options).unwrap();
    assert_eq!((encoder.max_tokens(), encoder.layers(), encoder.name()), (5, 2, "bert-mean"));
    assert_eq!(encoder.tokens("a b c d e f g").unwrap().len(), 5);
    assert_eq!(
        (encoder.prompt(Role::Query), encoder.prompt(Role::Document)),
        ("query: ", "pass: ")
    );
    for parameter in encoder.parameters() {
        let is_above = parameter.group() == ParameterGroup::Layer(1);
        assert_eq!(parameter.is_trainable(), is_above, "{}", parameter.name());
    }
}

#[test]
fn minilm_gives_and_saves_the_vectors_of_its_encoder() {
    let Some(directory) = cached_model("minilm") else { return };
    let encoder = trainable(&directory);
    assert_near(
        &vectors(&encoder, Role::Document),
        &encode(&open(&directory), &TEXTS, Role::Document),
        2e-6,
    );
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("saved");
    encoder.save(&out).unwrap();
    let saved = Encoder::open(&out, &EncoderOptions::default()).unwrap();
    assert_near(
        &encode(&saved, &TEXTS, Role::Document),
        &encode(&open(&directory), &TEXTS, Role::Document),
        1e-6,
    );
}
