//! Where tests find data that is not in the repository, and what they do without.

use flate2::read::GzDecoder;
use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A committed golden.
pub fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    fs_err::read_to_string(path).unwrap()
}

/// A data set in one of the directories of `ECPHORY_DATA`; reports the test as skipped where there is none.
pub fn set(name: &str) -> Option<PathBuf> {
    let found = env::var_os("ECPHORY_DATA").and_then(|list| {
        env::split_paths(&list).map(|dir| dir.join(name)).find(|dir| dir.is_dir())
    });
    or_skip(found, &format!("the data set {name} is in no directory of ECPHORY_DATA"))
}

/// A file of a model in the cache; reports the test as skipped where there is none.
pub fn model(name: &str, file: &str) -> Option<PathBuf> {
    let cache = env::var_os("ECPHORY_CACHE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache/ecphory")));
    let found = cache.map(|dir| dir.join("models").join(name).join(file)).filter(|p| p.is_file());
    or_skip(found, &format!("the model {name} is not in the cache"))
}

fn or_skip(found: Option<PathBuf>, reason: &str) -> Option<PathBuf> {
    if found.is_none() {
        assert!(env::var("CI").as_deref() != Ok("true"), "{reason}");
        eprintln!("skipped: {reason}");
    }
    found
}

/// The lines of `NAME` or `NAME.gz` in a directory.
pub fn lines(dir: &Path, name: &str) -> Vec<String> {
    let plain = dir.join(name);
    let text = if plain.is_file() {
        fs_err::read_to_string(plain).unwrap()
    } else {
        let mut text = String::new();
        let packed = fs_err::File::open(dir.join(format!("{name}.gz"))).unwrap();
        GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        text
    };
    text.lines().map(str::to_owned).collect()
}

/// The texts of a corpus in BEIR layout, by id; title and text as one.
pub fn corpus(dir: &Path, name: &str) -> Vec<(String, String)> {
    let field = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("").to_owned();
    lines(dir, name)
        .iter()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = format!("{} {}", field(&row, "title"), field(&row, "text"));
            (field(&row, "_id"), text.trim().to_owned())
        })
        .collect()
}
