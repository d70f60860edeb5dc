//! Damaged and unsupported model directories: each gives an error of its kind that names the file.

use std::path::Path;

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{Encoder, EncoderOptions, Error, Role};
use tempfile::TempDir;

use crate::support::{golden, pool};

/// Copies a small model of `tiny` to a place where it can be damaged.
fn copy(name: &str) -> TempDir {
    copy_of(&format!("tiny/{name}"))
}

/// Copies a small model of the goldens to a place where it can be damaged.
pub fn copy_of(name: &str) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    let mut folders = vec![std::path::PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(golden(name).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let inside = folder.join(entry.file_name());
            if entry.path().is_dir() {
                fs_err::create_dir(to.path().join(&inside)).unwrap();
                folders.push(inside);
            } else {
                fs_err::copy(entry.path(), to.path().join(&inside)).unwrap();
            }
        }
    }
    to
}

fn open(directory: &Path) -> Result<Encoder, Error> {
    Encoder::open(directory, &EncoderOptions::default())
}

/// Changes one file of a copy.
pub fn rewrite(copy: &Path, file: &str, rewrite: impl Fn(&str) -> String) {
    let path = copy.join(file);
    let text = fs_err::read_to_string(&path).unwrap();
    let rewritten = rewrite(&text);
    assert_ne!(text, rewritten, "{file} is changed");
    fs_err::write(&path, rewritten).unwrap();
}

/// Rewrites one file of a copy, and checks the kind of the error and that it names `hint`.
fn check(model: &str, file: &str, change: impl Fn(&str) -> String, kind: ErrorKind, hint: &str) {
    let copy = copy(model);
    rewrite(copy.path(), file, change);
    let error = open(copy.path()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(hint), "{error}");
}

#[test]
fn missing_files_are_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let copy = copy("mpnet");
        fs_err::remove_file(copy.path().join(file)).unwrap();
        let error = open(copy.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
    let nowhere = golden("tiny/nowhere");
    assert_eq!(open(&nowhere).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn truncated_weights_are_corrupt() {
    let copy = copy("distilbert");
    let path = copy.path().join("model.safetensors");
    let whole = fs_err::read(&path).unwrap();
    for length in [0, 4, 8, 100, 2000, whole.len() - 1] {
        fs_err::write(&path, &whole[..length]).unwrap();
        let error = open(copy.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error}");
        assert!(error.to_string().contains("model.safetensors"), "{error}");
    }
}

#[test]
fn flipped_header_bits_never_panic_and_never_change_vectors() {
    let copy = copy("static");
    let path = copy.path().join("model.safetensors");
    let whole = fs_err::read(&path).unwrap();
    let header = 8 + usize::try_from(u64::from_le_bytes(whole[..8].try_into().unwrap())).unwrap();
    let mut opened = 0;
    for byte in 0..header {
        for bit in [0x01, 0x10, 0x80] {
            let mut flipped = whole.clone();
            flipped[byte] ^= bit;
            // Replaced and not overwritten: an open map of the old file stays whole.
            fs_err::remove_file(&path).unwrap();
            fs_err::write(&path, &flipped).unwrap();
            match open(copy.path()) {
                Ok(encoder) => {
                    opened += 1;
                    assert_eq!(encoder.dimensions(), 8);
                }
                Err(error) => assert!(
                    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Input),
                    "byte {byte}: {error}"
                ),
            }
        }
    }
    // Only padding and free text of the header may change unseen.
    assert!(opened < header / 4, "{opened} of {header} bytes do not matter");
}

#[test]
fn configurations_that_do_not_fit_the_weights() {
    use ErrorKind::{Corrupt, Input};
    let config = "config.json";
    let replace = |from: &'static str, to: &'static str| move |text: &str| text.replace(from, to);
    check(
        "roberta",
        config,
        replace("\"hidden_size\": 16", "\"hidden_size\": 32"),
        Corrupt,
        "shape",
    );
    check(
        "roberta",
        config,
        replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
        Corrupt,
        "layer.2",
    );
    check(
        "roberta",
        config,
        replace("\"num_attention_heads\": 2", "\"num_attention_heads\": 3"),
        Input,
        "divisor",
    );
    check(
        "roberta",
        config,
        replace("\"num_attention_heads\": 2", "\"num_attention_heads\": 0"),
        Input,
        "num_attention_heads",
    );
    check(
        "roberta",
        config,
        replace("\"model_type\": \"roberta\"", "\"model_type\": \"gpt2\""),
        Input,
        "distilbert",
    );
    check("roberta", config, replace("\"gelu\"", "\"swish\""), Input, "hidden_act");
    check("roberta", config, replace("{", "["), Corrupt, "config.json");
    check("roberta", config, replace("\"vocab_size\"", "\"vocab\""), Corrupt, "vocab_size");
    check(
        "roberta",
        "tokenizer.json",
        replace("WordPiece", "WordPizza"),
        Corrupt,
        "tokenizer.json",
    );
    check("bert-mean", "modules.json", replace("Pooling", "WordWeights"), Input, "WordWeights");
    check("bert-mean", "1_Pooling/config.json", replace("mean", "median"), Input, "median");
    check("bert-cls-dense", "2_Dense/config.json", replace("Tanh", "Mystery"), Input, "Mystery");
    check("bert-cls-dense", "2_Dense/config.json", replace("16", "17"), Input, "in_features");
}

#[test]
fn configurations_of_modernbert_that_do_not_fit() {
    use ErrorKind::{Corrupt, Input};
    let config = "config.json";
    let replace = |from: &'static str, to: &'static str| move |text: &str| text.replace(from, to);
    check("modernbert", config, replace("\"gelu\"", "\"mish\""), Input, "hidden_activation");
    check(
        "modernbert",
        config,
        replace("full_attention\",", "linear_attention\","),
        Input,
        "linear",
    );
    check("modernbert", config, replace("\"default\"", "\"yarn\""), Input, "rope_type");
    check(
        "modernbert",
        config,
        replace("\"rope_theta\": 500.0", "\"rope_theta\": -1.0"),
        Input,
        "theta",
    );
    check(
        "modernbert",
        config,
        replace("\"num_attention_heads\": 2", "\"num_attention_heads\": 16"),
        Input,
        "num_attention_heads",
    );
    check(
        "modernbert",
        config,
        replace("\"num_hidden_layers\": 4", "\"num_hidden_layers\": 5"),
        Input,
        "layer_types",
    );
    check(
        "modernbert",
        config,
        replace("\"norm_bias\": false", "\"norm_bias\": true"),
        Corrupt,
        "norm.bias",
    );
}

#[test]
fn a_tokenizer_of_another_model_is_noticed() {
    let copy = copy("static");
    let path = copy.path().join("tokenizer.json");
    let text = fs_err::read_to_string(&path).unwrap();
    let shifted = text.replace("\"cat\": 5", "\"cat\": 50");
    assert_ne!(text, shifted, "the id of `cat` begins with 5");
    fs_err::write(&path, shifted).unwrap();
    let encoder = open(copy.path()).unwrap();
    let error = encoder.encode(&["cat"], Role::Query, &pool(1), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn the_fingerprint_covers_what_changes_vectors() {
    let fingerprint = |directory: &Path| open(directory).unwrap().fingerprint().to_owned();
    let original = fingerprint(copy("bert-mean").path());
    assert_eq!(original.len(), 64);
    assert_eq!(original, fingerprint(&golden("tiny/bert-mean")), "the place does not count");
    for (file, from, to) in [
        ("config.json", "\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": 1e-5"),
        ("config_sentence_transformers.json", "query: ", "question: "),
        ("1_Pooling/config.json", "mean", "max"),
        ("tokenizer.json", "\"lowercase\": true", "\"lowercase\": false"),
        ("tokenizer_config.json", "\"model_max_length\": 24", "\"model_max_length\": 23"),
    ] {
        let copy = copy("bert-mean");
        let path = copy.path().join(file);
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has {from}");
        fs_err::write(&path, text.replace(from, to)).unwrap();
        assert_ne!(original, fingerprint(copy.path()), "{file}");
    }
    let copy = copy("bert-mean");
    let path = copy.path().join("model.safetensors");
    let mut weights = fs_err::read(&path).unwrap();
    *weights.last_mut().unwrap() ^= 1;
    fs_err::write(&path, weights).unwrap();
    assert_ne!(original, fingerprint(copy.path()));
}
