use ecphory_core::Silent;
use fs_err as fs;

use super::building::Building;
use super::*;
use crate::SearchOptions;
use crate::offline::config;

fn engine(folder: &Path) -> Engine {
    Engine::new(config(folder, 2)).unwrap()
}

fn documents(count: usize) -> Vec<Document> {
    let words = ["radium", "decay", "moon", "orbit", "light"];
    let text = |i: usize| format!("{} {} {}", words[i % 5], words[i / 5 % 5], words[i / 7 % 5]);
    (0..count).map(|i| Document::new(format!("d{i}")).with("text", text(i))).collect()
}

/// Adds documents in bulk, with at most so many in a segment.
fn add_in_segments(collection: &Collection, documents: &[Document], most: usize) -> Result<()> {
    let mut bulk = collection.bulk(&BulkOptions::default(), &Silent)?;
    bulk.segment_documents_max = most;
    for document in documents {
        bulk.push(document.clone())?;
    }
    bulk.commit()
}

fn hits(collection: &Collection) -> Vec<crate::Hit> {
    let reader = collection.snapshot().unwrap();
    let options = SearchOptions { k: 50, explain: false, documents: true };
    reader.search(&reader.pipeline("bm25").unwrap(), "moon radium", &options).unwrap().hits
}

#[test]
fn segments_change_nothing_but_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let documents = documents(100);
    let create =
        |name| engine.create(folder.path().join(name), &["bm25".parse().unwrap()]).unwrap();
    let whole = create("whole");
    whole.add(&documents, &Silent).unwrap();
    assert_eq!(whole.snapshot().unwrap().segments(), 1);
    for (name, most, segments) in [("one", 100, 1), ("many", 7, 15)] {
        let collection = create(name);
        add_in_segments(&collection, &documents, most).unwrap();
        let reader = collection.snapshot().unwrap();
        assert_eq!((reader.segments(), reader.documents()), (segments, 100));
        assert_eq!(hits(&collection), hits(&whole));
    }
}

#[test]
fn less_memory_makes_more_segments_and_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let documents = documents(100);
    let create =
        |name| engine.create(folder.path().join(name), &["bm25".parse().unwrap()]).unwrap();
    let (much, little, none) = (create("much"), create("little"), create("none"));
    much.add(&documents, &Silent).unwrap();
    let small = BulkOptions { memory_bytes: 20_000 };
    let mut bulk = little.bulk(&small, &Silent).unwrap();
    for document in &documents {
        bulk.push(document.clone()).unwrap();
    }
    bulk.commit().unwrap();
    let mut bulk = none.bulk(&BulkOptions { memory_bytes: 0 }, &Silent).unwrap();
    bulk.extend(&documents[..10]).unwrap();
    bulk.commit().unwrap();
    let segments = little.snapshot().unwrap().segments();
    assert!((3..=20).contains(&segments), "{segments}");
    assert_eq!(hits(&much), hits(&little));
    assert_eq!(none.snapshot().unwrap().segments(), 10);
}

#[test]
fn pushing_and_extending_cut_at_the_same_places() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let documents = documents(60);
    let small = BulkOptions { memory_bytes: 20_000 };
    let mut segments = Vec::new();
    for name in ["pushed", "extended"] {
        let path = folder.path().join(name);
        let collection = engine.create(path, &["bm25".parse().unwrap()]).unwrap();
        let mut bulk = collection.bulk(&small, &Silent).unwrap();
        match name {
            "pushed" => documents.iter().for_each(|document| bulk.push(document.clone()).unwrap()),
            _ => bulk.extend(&documents).unwrap(),
        }
        bulk.commit().unwrap();
        segments.push(collection.snapshot().unwrap().segments());
    }
    assert!(segments[0] > 1);
    assert_eq!(segments[0], segments[1]);
}

#[test]
fn an_id_twice_in_different_segments_of_a_commit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let mut documents = documents(10);
    documents[9].id = "d0".to_owned();
    let path = folder.path().join("deep/er/c");
    let collection = engine.create(&path, &["bm25".parse().unwrap()]).unwrap();
    let error = add_in_segments(&collection, &documents, 4).unwrap_err();
    assert_eq!(error.kind(), ecphory_core::ErrorKind::Conflict);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    add_in_segments(&collection, &documents[..9], 4).unwrap();
    assert_eq!(collection.snapshot().unwrap().documents(), 9);
}

#[test]
fn bulk_work_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let documents = documents(20);
    let path = folder.path().join("c");
    let collection = engine.create(&path, &["bm25".parse().unwrap()]).unwrap();
    for committed in [0, 10] {
        let mut bulk = collection.bulk(&BulkOptions::default(), &Silent).unwrap();
        bulk.extend(&documents[10..]).unwrap();
        let other = collection.bulk(&BulkOptions::default(), &Silent);
        assert_eq!(other.err().unwrap().kind(), ecphory_core::ErrorKind::Conflict);
        drop(bulk);
        match committed {
            0 => assert!(fs::read_dir(folder.path()).unwrap().next().is_none()),
            _ => assert_eq!(collection.snapshot().unwrap().documents(), 10),
        }
        if committed == 0 {
            collection.add(&documents[..10], &Silent).unwrap();
        }
    }
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
