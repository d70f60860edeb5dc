use ecphory_core::Silent;

use super::*;
use crate::{EngineConfig, SearchOptions, StoreConfig};

fn engine(folder: &Path) -> Engine {
    let models = StoreConfig {
        cache: folder.join("cache"),
        hub: "http://127.0.0.1:9".to_owned(),
        python: "python3".into(),
        offline: true,
    };
    Engine::new(EngineConfig { threads: 2, models }).unwrap()
}

fn documents(count: usize) -> Vec<Document> {
    let words = ["radium", "decay", "moon", "orbit", "light"];
    let text = |i: usize| format!("{} {} {}", words[i % 5], words[i / 5 % 5], words[i / 7 % 5]);
    (0..count).map(|i| Document::new(format!("d{i}")).with("text", text(i))).collect()
}

#[test]
fn segments_change_nothing_but_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let documents = documents(100);
    let mut answers = Vec::new();
    for (name, segment, segments) in [("one", 100, 1), ("many", 7, 15)] {
        let collection =
            engine.create(folder.path().join(name), &["bm25".parse().unwrap()]).unwrap();
        collection.add_in_parts(&documents, segment, &Silent).unwrap();
        let reader = collection.snapshot().unwrap();
        assert_eq!((reader.segments(), reader.documents()), (segments, 100));
        let options = SearchOptions { k: 50, explain: false, documents: true };
        let pipeline = reader.pipeline("bm25").unwrap();
        answers.push(reader.search(&pipeline, "moon radium", &options).unwrap().hits);
    }
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn an_id_twice_in_different_segments_of_a_commit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut documents = documents(10);
    documents[9].id = "d0".to_owned();
    let path = folder.path().join("c");
    let collection = engine.create(&path, &["bm25".parse().unwrap()]).unwrap();
    let error = collection.add_in_parts(&documents, 4, &Silent).unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::Conflict);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_dead_process_left_is_swept_and_a_living_one_is_respected() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let path = folder.path().join("c");
    let building = Building::start(&path).unwrap();
    let storage = building.storage().unwrap();
    fs::write(building.path.join("left"), "x").unwrap();
    let collection = engine.create(&path, &["bm25".parse().unwrap()]).unwrap();
    let guard = storage.lock().unwrap();
    let error = collection.add(&documents(3), &Silent).unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::Conflict);
    assert!(building.path.join("left").exists());
    drop(guard);
    collection.add(&documents(3), &Silent).unwrap();
    assert!(!path.join("left").exists());
    assert_eq!(collection.snapshot().unwrap().documents(), 3);
}
