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
    for folder in ["", "seg", "wal"] {
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
fn version_1_opens_and_answers_and_can_be_written_to() {
    let storage = load("format-1");
    let collection = open(&storage).unwrap();
    let snapshot = collection.snapshot().unwrap();
    assert_eq!(snapshot.dump().unwrap(), include_str!("../golden/format-1.txt"));
    let bm25 = snapshot.bm25("bm25").unwrap();
    let hits = bm25.search(&bm25.analyze("fission uranium"), 10, None).unwrap().hits;
    assert_eq!(ids(&snapshot, &hits), ["meitner", "hahn"]);
    let hits = snapshot.dense("dense").unwrap().search(&[0.0, 0.0, 1.0], 10, None).unwrap();
    assert_eq!(ids(&snapshot, &hits), ["!", "curie"]);
    let writer = collection.writer().unwrap();
    stage(&writer, &[doc("new", "uranium")]).unwrap();
    writer.commit().unwrap();
    let snapshot = collection.snapshot().unwrap();
    let bm25 = snapshot.bm25("bm25").unwrap();
    let hits = bm25.search(&bm25.analyze("uranium"), 10, None).unwrap().hits;
    assert_eq!(ids(&snapshot, &hits), ["new", "meitner"]);
}

/// The second version has columns, tombstones and a log.
#[test]
fn the_bytes_of_version_2_have_not_changed() {
    let (old, new) = (load("format-2"), Memory::new());
    lived_in(&new);
    assert_eq!(old.names(), new.names());
    for name in old.names() {
        assert!(*old.open(&name).unwrap() == *new.open(&name).unwrap(), "{name} has other bytes");
    }
}

#[test]
fn version_2_opens_and_answers_and_can_be_written_to() {
    let storage = load("format-2");
    let collection = open(&storage).unwrap();
    let snapshot = collection.snapshot().unwrap();
    assert_eq!(snapshot.dump().unwrap(), include_str!("../golden/format-2.txt"));
    assert!(snapshot.check(&ecphory_core::Silent).unwrap().is_empty());
    let bm25 = snapshot.bm25("bm25").unwrap();
    let hits = bm25.search(&bm25.analyze("fission radium"), 10, None).unwrap().hits;
    assert_eq!(ids(&snapshot, &hits), ["long", "hahn", "noether", "meitner"]);
    let writer = collection.writer().unwrap();
    writer.put(ecphory_index::Batch::new().delete("noether").clone(), None).unwrap();
    writer.compact(&ecphory_core::storage::FullSpeed).unwrap();
    let snapshot = collection.snapshot().unwrap();
    assert_eq!((snapshot.documents(), snapshot.segments()), (3, 1));
}

/// Makes a directory of the current version in `tests/golden`, and the dumps:
/// `cargo test -p ecphory-index --test it -- --ignored make_golden`.
/// For a new format version it makes a new directory; those of released versions stay as they are.
#[test]
#[ignore = "writes the golden files"]
fn make_golden() {
    let version = format!("format-{}", ecphory_index::format::VERSION);
    let directory = Directory::create(golden().join(&version), &["seg", "wal"]).unwrap();
    let memory = Memory::new();
    let dump = lived_in(&memory).snapshot().unwrap().dump().unwrap();
    for name in memory.names() {
        let mut file = directory.create(&name).unwrap();
        file.write_all(&memory.open(&name).unwrap()).unwrap();
        file.sync().unwrap();
    }
    let folder = Directory::open(golden()).unwrap();
    let five = five(&Memory::new()).snapshot().unwrap().dump().unwrap();
    for (name, text) in [(format!("{version}.txt"), dump), ("five.txt".to_owned(), five)] {
        let mut file = folder.create(&name).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.sync().unwrap();
    }
    Collection::open(Arc::new(directory)).unwrap().snapshot().unwrap();
}
