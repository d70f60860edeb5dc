//! What the tests share.

use std::path::PathBuf;

use ecphory_core::{Progress, Silent};
use ecphory_model::{Encoder, EncoderOptions, Role};

/// The folder of committed goldens and fixtures.
pub fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Finds a pulled encoder in the cache, or says why the test is skipped.
pub fn cached_model(name: &str) -> Option<PathBuf> {
    cached_file(name, "model.safetensors")
}

/// Finds a pulled model in the cache by one of its files, or says why the test is skipped.
///
/// # Panics
/// Where the model is missing and `CI` is `true`: there every test has to run.
pub fn cached_file(name: &str, file: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("ECPHORY_CACHE").map(PathBuf::from).or_else(|| {
        std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/ecphory"))
    });
    let directory = cache.map(|cache| cache.join("models").join(name));
    if let Some(directory) = directory.filter(|d| d.join(file).exists()) {
        return Some(directory);
    }
    let reason = format!("the model {name} is not in the cache (ecphory models pull {name})");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    eprintln!("skipped: {reason}");
    None
}

/// Makes a pool.
pub fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}

/// Opens an encoder with its own limit.
pub fn open(directory: &std::path::Path) -> Encoder {
    Encoder::open(directory, &EncoderOptions::default()).expect("the model opens")
}

/// Encodes documents with two threads.
pub fn encode(encoder: &Encoder, texts: &[&str], role: Role) -> Vec<f32> {
    encoder.encode(texts, role, &pool(2), &Silent).expect("the texts are encoded")
}

/// Checks that rows equal the expected ones within `bound` in every coordinate.
pub fn assert_close(texts: &[&str], got: &[f32], expected: &[Vec<f32>], bound: f32) {
    let dimensions = expected[0].len();
    assert_eq!(got.len(), expected.len() * dimensions);
    for ((text, got), expected) in texts.iter().zip(got.chunks(dimensions)).zip(expected) {
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            let difference = (got - expected).abs();
            assert!(difference <= bound, "{text:?}[{i}]: {got}, the reference has {expected}");
        }
    }
}

/// Stops the work at once.
pub struct Stop;

impl Progress for Stop {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        true
    }
}
