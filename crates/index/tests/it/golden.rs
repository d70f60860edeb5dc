//! The content of a small collection as text, and a committed collection of every format version.

use std::path::PathBuf;
use std::sync::Arc;

use ecphory_core::storage::{Directory, Memory, Storage};
use ecphory_index::Collection;

use crate::support::*;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Reads a directory into memory, so that the test cannot change it.
fn load(version: &str) -> Memory {
    let directory = Directory::open(golden().join(version)).unwrap();
    let memory = Memory::new();
    for folder in ["", "seg"] {
        for name in directory.list(folder).unwrap() {
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            memory.overwrite(&name, directory.open(&name).unwrap().to_vec());
        }
    }
    memory
}

#[test]
fn the_five_documents_look_as_ever() {
    let storage = Memory::new();
    let dump = five(&storage).snapshot().unwrap().dump().unwrap();
    assert_eq!(dump, include_str!("../golden/five.txt"), "the whole dump:\n{dump}");
}

#[test]
fn the_bytes_of_version_1_have_not_changed() {
    let (old, new) = (load("v1"), Memory::new());
    five(&new);
    assert_eq!(old.names(), new.names());
    for name in old.names() {
        assert!(*old.open(&name).unwrap() == *new.open(&name).unwrap(), "{name} has other bytes");
    }
}

#[test]
fn version_1_opens_and_answers_and_can_be_written_to() {
    let storage = load("v1");
    let collection = open(&storage).unwrap();
    let snapshot = collection.snapshot().unwrap();
    assert_eq!(snapshot.dump().unwrap(), include_str!("../golden/five.txt"));
    let bm25 = snapshot.bm25("bm25").unwrap();
    let hits = bm25.search(&bm25.analyze("fission uranium"), 10, None).unwrap();
    assert_eq!(ids(&snapshot, &hits), ["meitner", "hahn"]);
    let hits = snapshot.dense("dense").unwrap().search(&[0.0, 0.0, 1.0], 10, None).unwrap();
    assert_eq!(ids(&snapshot, &hits), ["!", "curie"]);
    let writer = collection.writer().unwrap();
    stage(&writer, &[doc("new", "uranium")]).unwrap();
    writer.commit().unwrap();
    let snapshot = collection.snapshot().unwrap();
    let bm25 = snapshot.bm25("bm25").unwrap();
    let hits = bm25.search(&bm25.analyze("uranium"), 10, None).unwrap();
    assert_eq!(ids(&snapshot, &hits), ["new", "meitner"]);
}

/// Makes `tests/golden/v1` and `five.txt`: `cargo test -p ecphory-index --test it -- --ignored make_golden`.
/// For a new format version it makes a new directory; those of released versions stay as they are.
#[test]
#[ignore = "writes the golden files"]
fn make_golden() {
    let target = golden().join(format!("v{}", ecphory_index::format::VERSION));
    let directory = Directory::create(&target, &["seg"]).unwrap();
    let memory = Memory::new();
    let dump = five(&memory).snapshot().unwrap().dump().unwrap();
    for name in memory.names() {
        let mut file = directory.create(&name).unwrap();
        file.write_all(&memory.open(&name).unwrap()).unwrap();
        file.sync().unwrap();
    }
    let folder = Directory::open(golden()).unwrap();
    let mut file = folder.create("five.txt").unwrap();
    file.write_all(dump.as_bytes()).unwrap();
    Collection::open(Arc::new(directory)).unwrap().snapshot().unwrap();
}
