//! The engine of unit tests: its models lie in a folder, and nothing is fetched.

use std::path::Path;

use crate::{EncodingOptions, EngineConfig, StoreConfig};

/// Configures an engine whose models and cache are in `folder`.
pub(crate) fn config(folder: &Path, threads: usize) -> EngineConfig {
    let models = StoreConfig {
        cache: folder.join("cache"),
        hub: "http://127.0.0.1:9".to_owned(),
        python: "python3".into(),
        offline: true,
    };
    EngineConfig { threads, models, encoding: EncodingOptions::default(), disk_cache: None }
}
