//! Cross-encoders whose parameters move: their logits, what is saved, and heads that begin anew.

use std::path::Path;

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{
    CrossEncoder, EncoderOptions, Error, Gradients, ParameterGroup, ScoreFunction, TokenPair,
    TrainableCrossEncoder, TrainableOptions,
};
use safetensors::SafeTensors;

use crate::damage::{copy_of, rewrite};
use crate::support::{cached_model, golden, pool};
use crate::trainable::descend;

const QUERY: &str = "the cat on the mat";
const DOCUMENTS: [&str; 4] = [
    "",
    "the cat sat on the mat",
    "radium is a metal",
    "a dog and a cat and a rat and a bat and a hat and a mat and a cat again",
];
const CROSS: [&str; 5] =
    ["cross-bert", "cross-distilbert", "cross-modernbert", "cross-mpnet", "cross-xlm-roberta"];
const ENCODERS: [&str; 6] =
    ["bert-mean", "distilbert", "modernbert", "modernbert-older", "mpnet", "roberta"];

fn trainable(directory: &Path) -> TrainableCrossEncoder {
    TrainableCrossEncoder::open(directory, &TrainableOptions::default(), 7).unwrap()
}

fn cross(directory: &Path) -> CrossEncoder {
    CrossEncoder::open(directory, &EncoderOptions::default()).unwrap()
}

fn pairs(model: &TrainableCrossEncoder) -> Vec<TokenPair> {
    DOCUMENTS.iter().map(|document| model.pair(QUERY, document).unwrap()).collect()
}

fn logits(model: &TrainableCrossEncoder) -> Vec<f32> {
    let pairs = pairs(model);
    let pairs: Vec<&TokenPair> = pairs.iter().collect();
    pool(2).install(|| model.forward(&pairs)).states().to_vec()
}

fn scores(directory: &Path) -> Vec<f32> {
    cross(directory).score(QUERY, &DOCUMENTS, &pool(2), &Silent).unwrap()
}

fn assert_near(what: &str, got: &[f32], expected: &[f32], bound: f32) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= bound, "{what}: {got}, not {expected}");
    }
}

/// Moves all parameters, so that a tensor that is not saved is missed.
fn shake(model: &mut TrainableCrossEncoder) {
    for parameter in model.parameters_mut() {
        for (i, value) in parameter.values_mut().iter_mut().enumerate() {
            *value += 0.05 * ((i * 7 % 11) as f32 - 5.0) / 5.0;
        }
    }
}

#[test]
fn logits_are_those_of_the_cross_encoder() {
    for name in CROSS {
        let directory = golden("heads").join(name);
        let model = trainable(&directory);
        assert!(model.drawn().is_empty(), "{name}: {:?}", model.drawn());
        let expected = cross(&directory).logits(QUERY, &DOCUMENTS, &pool(2), &Silent).unwrap();
        assert_near(name, &logits(&model), &expected, 1e-5);
        assert_eq!(model.max_tokens(), cross(&directory).max_tokens());
    }
}

#[test]
fn what_is_saved_scores_the_same() {
    let folders = CROSS.map(|name| format!("heads/{name}"));
    for name in folders.into_iter().chain(ENCODERS.map(|name| format!("tiny/{name}"))) {
        let mut model = trainable(&golden(&name));
        shake(&mut model);
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep/saved");
        model.save(&out).unwrap();
        assert_eq!(cross(&out).function(), ScoreFunction::Identity);
        assert_eq!(cross(&out).max_tokens(), model.max_tokens(), "{name}");
        assert_near(&name, &scores(&out), &logits(&model), 1e-5);
        for other in ["modules.json", "1_Pooling", "config_sentence_transformers.json"] {
            assert!(!out.join(other).exists(), "{name}: {other}");
        }
        let again = trainable(&out);
        assert!(again.drawn().is_empty(), "{name}: {:?}", again.drawn());
        assert_near(&name, &logits(&again), &logits(&model), 0.0);
        let error = model.save(&out).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[test]
fn the_directory_is_a_classifier_of_one_label() {
    let copy = copy_of("tiny/bert-mean");
    rewrite(copy.path(), "config.json", |text| {
        text.replacen('{', "{\"torch_dtype\": \"float16\", \"num_labels\": 3,", 1)
    });
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("saved");
    let options = TrainableOptions { max_tokens: Some(11), freeze_below: 0 };
    TrainableCrossEncoder::open(copy.path(), &options, 0).unwrap().save(&out).unwrap();
    assert_eq!(cross(&out).max_tokens(), 11);
    let text = fs_err::read_to_string(out.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["architectures"][0], "BertForSequenceClassification");
    assert_eq!(config["id2label"].as_object().unwrap().len(), 1);
    assert_eq!(config["torch_dtype"], "float32");
    assert!(config.get("num_labels").is_none());
    let bytes = fs_err::read(out.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for name in file.names() {
        let is_named = name.starts_with("bert.") || name.starts_with("classifier.");
        assert!(is_named, "{name}");
    }
    assert_eq!(file.tensor("classifier.weight").unwrap().shape(), [1, 32]);
    assert!(file.tensor("bert.pooler.dense.weight").is_ok());
}

#[test]
fn a_missing_head_is_drawn_from_the_seed() {
    let directory = golden("tiny/mpnet");
    let open =
        |seed| TrainableCrossEncoder::open(&directory, &TrainableOptions::default(), seed).unwrap();
    let values = |model: &TrainableCrossEncoder| -> Vec<Vec<f32>> {
        model.parameters().iter().map(|parameter| parameter.values().to_vec()).collect()
    };
    let (one, other) = (open(1), open(2));
    assert_eq!(values(&one), values(&open(1)));
    let mut drawn = one.drawn().to_vec();
    drawn.sort();
    let expected = ["dense.bias", "dense.weight", "out_proj.bias", "out_proj.weight"];
    assert_eq!(drawn, expected.map(|name| format!("classifier.{name}")));
    for (one, other) in one.parameters().iter().zip(other.parameters()) {
        let is_weight = drawn.iter().any(|name| name == one.name()) && one.shape().len() > 1;
        assert_eq!(one.values() != other.values(), is_weight, "{}", one.name());
        if one.name() == "classifier.dense.weight" {
            let squares = one.values().iter().map(|x| x * x).sum::<f32>();
            let deviation = (squares / one.values().len() as f32).sqrt();
            assert!((0.017..0.023).contains(&deviation), "{deviation}");
        }
    }
    // BERT keeps its pooler where there is one.
    let drawn = trainable(&golden("tiny/bert-mean")).drawn().join(" ");
    assert!(drawn.contains("classifier.weight"), "{drawn}");
}

#[test]
fn steps_against_the_gradient_lower_the_loss() {
    for name in ["tiny/bert-mean", "tiny/modernbert", "heads/cross-mpnet"] {
        let mut model = trainable(&golden(name));
        let pairs = pairs(&model);
        let pairs: Vec<&TokenPair> = pairs.iter().collect();
        let mut gradients = Gradients::new(model.parameters());
        let mut losses = Vec::new();
        let wanted = [-1.0f32, 1.0, -1.0, -1.0];
        for _ in 0..20 {
            let recording = model.forward(&pairs);
            let d: Vec<f32> = recording.states().iter().zip(wanted).map(|(x, y)| x - y).collect();
            losses.push(d.iter().map(|d| d * d).sum::<f32>());
            gradients.zero();
            model.backward(recording, &d, &mut gradients);
            descend(model.parameters_mut(), &gradients, 0.003);
        }
        assert!(losses.is_sorted_by(|before, after| before > after), "{name}: {losses:?}");
    }
}

#[test]
fn the_head_moves_where_all_layers_are_frozen() {
    let options = TrainableOptions { max_tokens: None, freeze_below: 2 };
    let model = TrainableCrossEncoder::open(&golden("tiny/bert-mean"), &options, 7).unwrap();
    for parameter in model.parameters() {
        let is_head = parameter.group() == ParameterGroup::Other;
        assert_eq!(parameter.is_trainable(), is_head, "{}", parameter.name());
    }
    assert_eq!(model.parameters().iter().filter(|p| p.is_trainable()).count(), 4);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let refused = |directory: &Path, options: &TrainableOptions| {
        TrainableCrossEncoder::open(directory, options, 0).unwrap_err()
    };
    let default = TrainableOptions::default();
    let error = refused(&golden("tiny/nowhere"), &default);
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let options = TrainableOptions { freeze_below: 3, max_tokens: None };
    let error = refused(&golden("tiny/bert-mean"), &options);
    assert!(matches!(error, Error::FrozenLayers { asked: 3, layers: 2, .. }), "{error}");
    let copy = copy_of("tiny/bert-mean");
    rewrite(copy.path(), "config.json", |text| {
        text.replace("\"initializer_range\": 0.02", "\"initializer_range\": -1")
    });
    let error = refused(copy.path(), &default);
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    assert!(error.to_string().contains("initializer_range"), "{error}");
}

#[test]
fn minilm_becomes_a_cross_encoder() {
    let Some(directory) = cached_model("minilm") else { return };
    let model = trainable(&directory);
    // MiniLM has a pooler.
    assert_eq!(model.drawn(), ["classifier.weight", "classifier.bias"]);
    assert_eq!(model.max_tokens(), 256);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("saved");
    model.save(&out).unwrap();
    assert_near("minilm", &scores(&out), &logits(&model), 1e-5);
}
