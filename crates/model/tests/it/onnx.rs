//! Encoders through ONNX Runtime against our own executor, and everything that can be wrong with graph and library.
//!
//! What needs the library runs where `ECPHORY_TEST_ONNXRUNTIME` names it.

use std::path::{Path, PathBuf};

use ecphory_core::{ErrorKind, Silent};
use ecphory_model::{
    CrossEncoder, Encoder, EncoderOptions, Error, MaskedLm, Precision, Role, Runtime,
};
use tempfile::TempDir;

use crate::damage::copy_of;
use crate::support::{golden, open, pool};

const MODEL: &str = "tiny/bert-all-poolings";
const TEXTS: [&str; 8] = [
    "",
    "a",
    "cat",
    "the cat sat on the mat",
    "The CAT, sat!",
    "radium is a metal",
    "zebra crossing the queue",
    "a cat and a dog and a rat and a bat and a hat and a mat and a cat again",
];

/// Returns the library, or says that the test is skipped.
///
/// # Panics
/// Where there is none and `CI` is `true`: there every test has to run.
fn library() -> Option<PathBuf> {
    let library = std::env::var_os("ECPHORY_TEST_ONNXRUNTIME").map(PathBuf::from);
    if library.is_none() {
        let reason = "ECPHORY_TEST_ONNXRUNTIME names no ONNX Runtime library";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("skipped: {reason}");
    }
    library
}

/// Copies the model, with a graph in the place where exporters put it.
fn with_graph(graph: &str) -> TempDir {
    let copy = copy_of(MODEL);
    fs_err::create_dir(copy.path().join("onnx")).unwrap();
    let from = golden("onnx").join(graph);
    fs_err::copy(from, copy.path().join("onnx/model.onnx")).unwrap();
    copy
}

fn through(library: &Path) -> EncoderOptions {
    let runtime = Runtime::Onnx { library: library.to_owned() };
    EncoderOptions { runtime, ..EncoderOptions::default() }
}

fn refused(model: &Path, library: &Path) -> Error {
    Encoder::open(model, &through(library)).unwrap_err()
}

fn assert_refused(error: &Error, kind: ErrorKind, hint: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(hint), "{error}");
}

#[test]
fn vectors_equal_those_of_our_own_executor() {
    let Some(library) = library() else { return };
    let copy = with_graph("bert-all-poolings.onnx");
    let own = open(copy.path());
    // The weights of the graph are enough.
    fs_err::remove_file(copy.path().join("model.safetensors")).unwrap();
    let onnx = Encoder::open(copy.path(), &through(&library)).unwrap();
    assert_eq!(onnx.dimensions(), own.dimensions());
    assert_eq!((onnx.architecture(), onnx.max_tokens()), ("bert", own.max_tokens()));
    // On one thread all texts are one batch, padded to the last; on three there are several.
    for threads in [1, 3] {
        let vectors = |encoder: &Encoder| {
            encoder.encode(&TEXTS, Role::Document, &pool(threads), &Silent).unwrap()
        };
        for (own, onnx) in vectors(&own).iter().zip(vectors(&onnx)) {
            assert!((own - onnx).abs() < 1e-5, "{own} and {onnx}");
        }
    }
}

#[test]
fn the_fingerprint_tells_runtime_and_graph() {
    let Some(library) = library() else { return };
    let copy = with_graph("bert-all-poolings.onnx");
    let fingerprint = || {
        let encoder = Encoder::open(copy.path(), &through(&library)).unwrap();
        encoder.fingerprint().to_owned()
    };
    let first = fingerprint();
    assert_ne!(first, open(copy.path()).fingerprint());
    assert_eq!(first, fingerprint());
    // An empty name of the graph's producer at the end changes bytes, but no vector.
    let graph = copy.path().join("onnx/model.onnx");
    let longer = [&fs_err::read(&graph).unwrap()[..], &[0x12, 0]].concat();
    fs_err::write(&graph, longer).unwrap();
    assert_ne!(first, fingerprint());
}

#[test]
fn graphs_that_do_not_fit_are_refused_by_what_is_wrong() {
    let Some(library) = library() else { return };
    for (graph, kind, hint) in [
        ("unknown-input.onnx", ErrorKind::Input, "position_ids"),
        ("no-mask.onnx", ErrorKind::Input, "not attention_mask"),
        ("narrow-input.onnx", ErrorKind::Input, "type of input is input_ids"),
        ("fixed-size.onnx", ErrorKind::Input, "shape of input is input_ids"),
        ("no-states.onnx", ErrorKind::Input, "output is pooled"),
        ("half-states.onnx", ErrorKind::Input, "last_hidden_state"),
        ("other-size.onnx", ErrorKind::Corrupt, "states has shape [1, 1, 1]"),
    ] {
        assert_refused(&refused(with_graph(graph).path(), &library), kind, hint);
    }
    let copy = with_graph("bert-all-poolings.onnx");
    let graph = copy.path().join("onnx/model.onnx");
    let whole = fs_err::read(&graph).unwrap();
    fs_err::write(&graph, &whole[..whole.len() / 2]).unwrap();
    assert_refused(&refused(copy.path(), &library), ErrorKind::Corrupt, "model.onnx: ONNX Runtime");
}

#[test]
fn a_process_has_one_library() {
    let Some(library) = library() else { return };
    let copy = with_graph("bert-all-poolings.onnx");
    Encoder::open(copy.path(), &through(&library)).unwrap();
    let other = copy.path().join("another.so");
    fs_err::write(&other, "").unwrap();
    assert_refused(&refused(copy.path(), &other), ErrorKind::Conflict, "another.so");
}

#[test]
fn a_library_that_is_missing_or_none_is_an_error() {
    let copy = with_graph("bert-all-poolings.onnx");
    let none = copy.path().join("nowhere.so");
    assert_refused(&refused(copy.path(), &none), ErrorKind::NotFound, "nowhere.so");
    if std::env::var_os("ECPHORY_TEST_ONNXRUNTIME").is_none() {
        // Where a test has loaded a library, a second one is another error.
        let text = copy.path().join("config.json");
        assert_refused(&refused(copy.path(), &text), ErrorKind::Input, "config.json");
    }
}

#[test]
fn a_missing_graph_is_named_before_the_library_is_loaded() {
    let error = refused(&golden(MODEL), Path::new("nowhere.so"));
    assert_refused(&error, ErrorKind::NotFound, "onnx/model.onnx");
}

#[test]
fn what_has_no_graph_refuses_the_runtime() {
    let options = through(Path::new("nowhere.so"));
    let refusals = [
        Encoder::open(&golden("tiny/static"), &options).unwrap_err(),
        CrossEncoder::open(&golden("heads/cross-bert"), &options).unwrap_err(),
        MaskedLm::open(&golden("heads/mlm-bert"), &options).unwrap_err(),
    ];
    for error in refusals {
        assert_refused(&error, ErrorKind::Usage, "only transformers that encode do");
    }
    let options = EncoderOptions { precision: Precision::Int8, ..options };
    let error = Encoder::open(&golden(MODEL), &options).unwrap_err();
    assert_refused(&error, ErrorKind::Usage, "its own precision");
}
