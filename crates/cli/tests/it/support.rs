//! Runs the binary in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A working directory with an empty cache.
pub struct Place {
    directory: TempDir,
    /// Where models are looked up.
    cache: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cache = directory.path().join("cache");
        Self { directory, cache }
    }

    /// Uses the cache of the user, for tests that need a model.
    pub fn with_models() -> Option<Self> {
        let cache = std::env::var_os("ECPHORY_CACHE").map_or_else(
            || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache/ecphory"),
            PathBuf::from,
        );
        if !cache.join("models/minilm/model.safetensors").is_file() {
            skip("the model minilm is not in the cache (`ecphory models pull minilm`)");
            return None;
        }
        Some(Self { directory: tempfile::tempdir().unwrap(), cache })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }

    /// Returns the command, ready to start in this place.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ecphory"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env("ECPHORY_CACHE", &self.cache)
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the command, which has to succeed; returns its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} failed:\n{errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the command with `--json`; returns what it printed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    /// Runs the command, which has to fail with this exit code and without a panic; returns the message.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?} said:\n{errors}");
        assert!(!errors.contains("panicked"), "{arguments:?} panicked:\n{errors}");
        errors
    }
}

/// Flips a bit in the middle of a file's content; what is zero may be padding, which nobody reads.
pub fn flipped(content: &[u8]) -> Vec<u8> {
    let mut flipped = content.to_vec();
    let middle = content.len() / 2;
    let used = (middle..content.len()).find(|&at| content[at] != 0).unwrap();
    flipped[used] ^= 0x10;
    flipped
}

/// Finds a data set's directory through `ECPHORY_DATA`.
pub fn data(name: &str) -> Option<PathBuf> {
    let directories = std::env::var_os("ECPHORY_DATA").unwrap_or_default();
    let found = std::env::split_paths(&directories).map(|d| d.join(name)).find(|d| d.is_dir());
    if found.is_none() {
        skip(&format!("the data set {name} is not in ECPHORY_DATA"));
    }
    found
}

/// Says that a test could not run; that is a failure in continuous integration.
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "skipped with CI=true: {reason}");
}

/// A corpus of four documents in BEIR layout.
pub const CORPUS: &str = r#"{"_id": "curie", "title": "Marie Curie", "text": "She discovered radium and polonium.", "year": 1898, "lang": "en"}
{"_id": "fleming", "title": "Alexander Fleming", "text": "He discovered penicillin in a dish of mould.", "year": 1928, "lang": "en"}
{"_id": "hahn", "title": "Otto Hahn", "text": "Er entdeckte die Kernspaltung.", "year": 1938, "lang": "de"}
{"_id": "whales", "title": "Whales", "text": "Whales are mammals that live in the sea; radium is no part of their diet.", "lang": "en"}
"#;
