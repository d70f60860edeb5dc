//! Model directories in another type, against rounding value by value.

use std::path::{Path, PathBuf};

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{
    Encoder, EncoderOptions, Precision, Role, TrainableEncoder, TrainableOptions, average_models,
    convert, weight_bytes,
};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use tempfile::TempDir;

use crate::support::{Stop, encode, golden, open};

const TEXTS: [&str; 4] =
    ["", "a b c", "hello, world", "the quick brown fox jumps over the lazy dog"];
const ALL: [&str; 8] = [
    "bert-all-poolings",
    "bert-cls-dense",
    "bert-mean",
    "distilbert",
    "model2vec",
    "mpnet",
    "roberta",
    "static",
];

fn tiny(name: &str) -> PathBuf {
    golden("tiny").join(name)
}

fn convert_to(model: &Path, folder: &TempDir, precision: Precision) -> PathBuf {
    let out = folder.path().join("deep").join(format!("{precision}"));
    convert(model, &out, precision, &Silent).unwrap();
    out
}

/// Lists files below a folder by their path in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Reads the values of a tensor the plain way.
fn values(dtype: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        Dtype::BF16 => {
            data.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()
        }
        _ => return None,
    })
}

fn check_file(before: &[u8], after: &[u8], precision: Precision) {
    let before = SafeTensors::deserialize(before).unwrap();
    let after = SafeTensors::deserialize(after).unwrap();
    assert_eq!(before.len(), after.len());
    for (name, old) in before.tensors() {
        let new = after.tensor(&name).unwrap();
        assert_eq!(old.shape(), new.shape(), "{name}");
        let Some(expected) = values(old.dtype(), old.data()) else {
            assert_eq!((old.dtype(), old.data()), (new.dtype(), new.data()), "{name}");
            continue;
        };
        let round = |value: &f32| match precision {
            Precision::F16 => f16::from_f32(*value).to_f32(),
            Precision::Bf16 => bf16::from_f32(*value).to_f32(),
            _ => *value,
        };
        let expected: Vec<f32> = expected.iter().map(round).collect();
        assert_eq!(new.dtype().to_string().to_lowercase(), precision.name(), "{name}");
        assert_eq!(values(new.dtype(), new.data()).unwrap(), expected, "{name}");
    }
}

#[test]
fn every_value_is_rounded_and_everything_else_is_as_it_was() {
    for name in ALL {
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let folder = tempfile::tempdir().unwrap();
            let (model, out) = (tiny(name), convert_to(&tiny(name), &folder, precision));
            let (before, after) = (files(&model), files(&out));
            assert_eq!(before.len(), after.len());
            for (from, to) in before.iter().zip(&after) {
                assert_eq!(from.strip_prefix(&model).unwrap(), to.strip_prefix(&out).unwrap());
                let (from_bytes, to_bytes) =
                    (fs_err::read(from).unwrap(), fs_err::read(to).unwrap());
                if from.extension().is_some_and(|extension| extension == "safetensors") {
                    check_file(&from_bytes, &to_bytes, precision);
                } else {
                    assert_eq!(from_bytes, to_bytes, "{}", to.display());
                }
            }
            // It is there alone: nothing of the work is left beside it.
            assert_eq!(fs_err::read_dir(out.parent().unwrap()).unwrap().count(), 1);
        }
    }
}

/// All tensors were rounded, so the rounded model in f32 is the same model, whichever way its numbers lie in memory.
#[test]
fn a_rounded_model_is_one_model_in_any_type_that_holds_it() {
    for name in ALL {
        for precision in [Precision::F16, Precision::Bf16] {
            let folder = tempfile::tempdir().unwrap();
            let narrow = convert_to(&tiny(name), &folder, precision);
            let wide = convert_to(&narrow, &folder, Precision::F32);
            let expected = encode(&open(&narrow), &TEXTS, Role::Document);
            assert_eq!(encode(&open(&wide), &TEXTS, Role::Document), expected, "{name}");
            let options = EncoderOptions { precision, ..EncoderOptions::default() };
            let packed = Encoder::open(&wide, &options).unwrap();
            assert_eq!(encode(&packed, &TEXTS, Role::Document), expected, "{name} packed");
        }
    }
}

/// The precision of an encoder rounds linear maps, a conversion the embeddings, norms and biases too: what differs
/// is no more than their rounding.
#[test]
fn converting_and_opening_in_a_precision_differ_by_the_rounding_of_tables() {
    for name in ["bert-mean", "roberta", "mpnet", "distilbert"] {
        let folder = tempfile::tempdir().unwrap();
        let options = EncoderOptions { precision: Precision::F16, ..EncoderOptions::default() };
        let opened = Encoder::open(&tiny(name), &options).unwrap();
        let opened = encode(&opened, &TEXTS, Role::Document);
        let converted = convert_to(&tiny(name), &folder, Precision::F16);
        let converted = encode(&open(&converted), &TEXTS, Role::Document);
        assert_ne!(opened, converted, "{name}");
        for (a, b) in opened.iter().zip(&converted) {
            assert!((a - b).abs() < 2e-3, "{name}: {a} and {b}");
        }
    }
}

#[test]
fn bytes_are_counted_and_the_same_input_gives_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let model = tiny("model2vec");
    let before = weight_bytes(&model).unwrap();
    let done = convert(&model, &one, Precision::F16, &Silent).unwrap();
    assert_eq!(convert(&model, &two, Precision::F16, &Silent).unwrap(), done);
    for (a, b) in files(&one).iter().zip(files(&two)) {
        assert_eq!(fs_err::read(a).unwrap(), fs_err::read(b).unwrap());
    }
    let after = weight_bytes(&one).unwrap();
    let bytes = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
    assert_eq!((done.bytes_before, done.bytes_after), (bytes(&before), bytes(&after)));
    assert_eq!(before["F32"], 2 * after["F16"]);
    assert_eq!((before.get("I64"), before.get("I32")), (after.get("I64"), after.get("I32")));
    assert!(done.tensors > 0 && !after.contains_key("F32"));
}

#[test]
fn what_cannot_be_done_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let refuse = |model: &Path, out: &Path, precision, kind, says: &str| {
        let error = convert(model, out, precision, &Silent).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    };
    let model = tiny("bert-mean");
    refuse(&model, &out, Precision::Int8, ErrorKind::Usage, "when a model is opened");
    refuse(&model, &out, Precision::Stored, ErrorKind::Usage, "convert to f32, f16 or bf16");
    refuse(&model, folder.path(), Precision::F16, ErrorKind::Conflict, "exists already");
    refuse(&folder.path().join("no"), &out, Precision::F16, ErrorKind::NotFound, "no");
    let stopped = convert(&model, &out, Precision::F16, &Stop).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);

    let empty = folder.path().join("empty");
    fs_err::create_dir(&empty).unwrap();
    fs_err::write(empty.join("config.json"), "{}").unwrap();
    refuse(&empty, &out, Precision::F16, ErrorKind::NotFound, "safetensors");
    // 10^5 is beyond f16, and well inside bf16.
    let file = |value: f32| {
        let header = r#"{"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(&value.to_le_bytes());
        file
    };
    fs_err::write(empty.join("model.safetensors"), file(1e5)).unwrap();
    refuse(&empty, &out, Precision::F16, ErrorKind::Input, "embeddings has the value 100000");
    convert(&empty, &folder.path().join("bf16"), Precision::Bf16, &Silent).unwrap();
    fs_err::write(empty.join("model.safetensors"), &file(1.0)[..60]).unwrap();
    refuse(&empty, &out, Precision::F16, ErrorKind::Corrupt, "model.safetensors");
    let left = files(folder.path());
    assert!(
        left.iter().all(|p| p.starts_with(&empty) || p.starts_with(folder.path().join("bf16")))
    );
}

/// Several files of weights, listed by an index.
#[test]
fn the_list_of_several_files_gets_their_new_size() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    fs_err::create_dir(&model).unwrap();
    for entry in fs_err::read_dir(tiny("bert-mean")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs_err::copy(&path, model.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs_err::remove_file(model.join("modules.json")).unwrap();
    let part = "model-00001-of-00001.safetensors";
    fs_err::rename(model.join("model.safetensors"), model.join(part)).unwrap();
    let bytes = fs_err::read(model.join(part)).unwrap();
    let names = SafeTensors::deserialize(&bytes).unwrap();
    let map: serde_json::Map<_, _> =
        names.names().iter().map(|name| ((*name).to_string(), part.into())).collect();
    let total: u64 = weight_bytes(&model).unwrap().values().sum();
    let index = serde_json::json!({"metadata": {"total_size": total}, "weight_map": map});
    let file = "model.safetensors.index.json";
    fs_err::write(model.join(file), index.to_string()).unwrap();
    let out = convert_to(&model, &folder, Precision::Bf16);
    let index: serde_json::Value =
        serde_json::from_slice(&fs_err::read(out.join(file)).unwrap()).unwrap();
    let after: u64 = weight_bytes(&out).unwrap().values().sum();
    assert_eq!(index["metadata"]["total_size"], after);
    assert!(after < total);
    open(&out);
}

/// A model whose weights are those of another times a number.
fn scaled(model: &Path, factor: f32, out: &Path) {
    let mut moved = TrainableEncoder::open(model, &TrainableOptions::default()).unwrap();
    for parameter in moved.parameters_mut().iter_mut() {
        parameter.values_mut().iter_mut().for_each(|value| *value *= factor);
    }
    moved.save(out).unwrap();
}

fn weights(model: &Path) -> Vec<f32> {
    let model = TrainableEncoder::open(model, &TrainableOptions::default()).unwrap();
    model.parameters().iter().flat_map(|parameter| parameter.values().to_vec()).collect()
}

#[test]
fn a_mean_is_that_of_all_weights() {
    let folder = TempDir::new().unwrap();
    let (first, double) = (tiny("bert-mean"), folder.path().join("double"));
    scaled(&first, 2.0, &double);
    let out = folder.path().join("mean");
    average_models(&[(first.clone(), 3.0), (double.clone(), 1.0)], &out, &Silent).unwrap();
    for (mean, value) in weights(&out).into_iter().zip(weights(&first)) {
        assert!((mean - 1.25 * value).abs() <= 1e-6 * value.abs(), "{mean} {value}");
    }
    let encoded = |model: &Path| encode(&open(model), &TEXTS, Role::Query);
    assert_ne!(encoded(&out), encoded(&first));
    let error = average_models(&[(first.clone(), 1.0), (double, 1.0)], &out, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
}

#[test]
fn what_is_not_alike_has_no_mean() {
    let folder = TempDir::new().unwrap();
    let (first, out) = (tiny("bert-mean"), folder.path().join("mean"));
    let refused = |models: &[(PathBuf, f64)]| {
        let error = average_models(models, &out, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert!(!out.exists());
        error.to_string()
    };
    let said = refused(&[(first.clone(), 1.0), (tiny("distilbert"), 1.0)]);
    assert!(said.contains("distilbert/config.json"), "{said}");
    for weights in [[0.0, 0.0], [-1.0, 2.0], [f64::NAN, 1.0]] {
        let said = refused(&[(first.clone(), weights[0]), (first.clone(), weights[1])]);
        assert!(said.contains("weights"), "{said}");
    }
    refused(&[]);
}
