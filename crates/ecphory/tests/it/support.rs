//! What the tests share: a tiny static model written by hand, documents by rule, engines, clocks.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ecphory::{
    ChannelRequest, Collection, Document, EncodingOptions, Engine, EngineConfig, Explanation,
    Progress, Reader, Silent, StoreConfig,
};
use tempfile::TempDir;

pub use crate::tiny_model::{Sequence, sentence, write_model};

/// A folder with an engine whose models are in it.
pub struct Bench {
    pub folder: TempDir,
    pub engine: Engine,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        Self { folder, engine }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a model and returns its path as text.
    pub fn model(&self, name: &str, seed: u64) -> String {
        let directory = self.path(name);
        write_model(&directory, seed);
        directory.to_str().unwrap().to_owned()
    }

    pub fn create(&self, name: &str, channels: &[&str]) -> Collection {
        self.engine.create(self.path(name), &requests(channels)).unwrap()
    }

    /// Makes a collection with both kinds of channel, complete.
    pub fn filled(&self, documents: &[Document]) -> Reader {
        let dense = format!("dense={}", self.model("model", 1));
        let collection = self.create("c.ecp", &["bm25", &dense]);
        collection.add(documents, &Silent).unwrap();
        collection.fill(&Silent).unwrap();
        collection.snapshot().unwrap()
    }
}

pub fn requests(channels: &[&str]) -> Vec<ChannelRequest> {
    channels.iter().map(|text| text.parse().unwrap_or_else(|error| panic!("{error}"))).collect()
}

pub fn engine(folder: &Path) -> Engine {
    Engine::new(EngineConfig {
        threads: 2,
        models: store(folder),
        encoding: EncodingOptions::default(),
        disk_cache: None,
    })
    .unwrap()
}

pub fn store(folder: &Path) -> StoreConfig {
    StoreConfig {
        cache: folder.join("cache"),
        hub: "http://127.0.0.1:9".to_owned(),
        python: "python3".into(),
        offline: true,
    }
}

/// Documents with a title, a text, a year from 1900 to 1909 and a language.
pub fn documents(count: usize, seed: u64) -> Vec<Document> {
    let mut sequence = Sequence(seed);
    (0..count)
        .map(|i| {
            let title = sentence(&mut sequence, 2);
            let length = 3 + sequence.below(12);
            Document::new(format!("d{i}"))
                .with("title", title)
                .with("text", sentence(&mut sequence, length))
                .with("year", 1900 + sequence.below(10) as i64)
                .with("lang", ["de", "en", "fr"][sequence.below(3)])
        })
        .collect()
}

/// Stops the work after it was asked a number of times.
pub struct StopAfter(AtomicU64);

impl StopAfter {
    pub fn new(looks: u64) -> Self {
        Self(AtomicU64::new(looks))
    }
}

impl Progress for StopAfter {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        let left =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.is_err()
    }
}

/// Checks that every sum in the tree holds to a millionth.
pub fn check_sums(explanation: &Explanation) {
    if !explanation.parts.is_empty() {
        let sum: f64 = explanation.parts.iter().map(|part| part.value).sum();
        close(sum, explanation.value, &explanation.what);
    }
    for inside in explanation.parts.iter().chain(&explanation.inputs) {
        check_sums(inside);
    }
}

pub fn close(got: f64, expected: f64, what: &str) {
    let bound = 1e-6 * expected.abs().max(1e-3);
    assert!((got - expected).abs() <= bound, "{what}: {got}, expected {expected}");
}
