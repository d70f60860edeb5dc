//! Checks, backups and changes of the schema.

use ecphory_core::storage::{FullSpeed, Memory, Storage};
use ecphory_core::{Document, ErrorKind, Progress, Silent};
use ecphory_index::{Batch, Bm25Settings, Collection, FieldKind, FieldSchema, Filter, Rows};

use crate::support::*;

#[test]
fn a_sound_collection_passes_and_each_damaged_part_is_named() {
    let storage = Memory::new();
    let collection = lived_in(&storage);
    assert!(collection.check(&Silent).unwrap().is_empty());
    for name in storage.names().into_iter().filter(|name| name.starts_with("seg/")) {
        let content = storage.open(&name).unwrap().to_vec();
        let mut broken = content.clone();
        // The first section of every part begins behind the header.
        broken[64] ^= 1;
        storage.overwrite(&name, broken);
        let found = open(&storage).unwrap().check(&Silent).unwrap();
        assert!(!found.is_empty(), "{name} passed");
        for error in found {
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(error.to_string().starts_with(&name), "{name}: {error}");
        }
        storage.overwrite(&name, content);
    }
}

#[test]
fn a_backup_answers_like_the_collection_and_the_next_one_copies_only_what_is_new() {
    let storage = Memory::new();
    let collection = lived_in(&storage);
    let snapshot = collection.snapshot().unwrap();
    assert_eq!((snapshot.documents(), snapshot.tail_documents()), (4, 1));
    let target = Memory::new();
    let first = snapshot.backup(&target, &Silent).unwrap();
    assert_eq!(first.kept, 0);
    let check = |snapshot: &ecphory_index::Snapshot| {
        let copy = open(&target).unwrap();
        assert!(copy.check(&Silent).unwrap().is_empty());
        let copied = copy.snapshot().unwrap();
        assert_eq!(documents(&copied), documents(snapshot));
        let bm25 = |snapshot: &ecphory_index::Snapshot| {
            let bm25 = snapshot.bm25("bm25").unwrap();
            let hits = bm25.search(&bm25.analyze("radium fission"), 10, None).unwrap().hits;
            let scores: Vec<u32> = hits.iter().map(|hit| hit.score.to_bits()).collect();
            (ids(snapshot, &hits), scores)
        };
        assert_eq!(bm25(&copied), bm25(snapshot));
    };
    check(&snapshot);
    // Nothing has changed: only the tail, which the collection has in its log, is written again.
    let again = snapshot.backup(&target, &Silent).unwrap();
    assert_eq!(again.kept, first.copied - again.copied);
    assert!(again.kept >= 6, "{again:?}");
    check(&snapshot);

    let writer = collection.writer().unwrap();
    let mut batch = Batch::new();
    batch.add(doc("later", "radium")).delete("noether");
    writer.put(batch, None).unwrap();
    writer.compact(&FullSpeed).unwrap();
    // The snapshot that is held is backed up as it was.
    snapshot.backup(&Memory::new(), &Silent).unwrap();
    let now = collection.snapshot().unwrap();
    now.backup(&target, &Silent).unwrap();
    check(&now);
    // What the backup no longer needs is gone.
    let parts = target.list("seg").unwrap().len();
    assert_eq!(parts, storage.list("seg").unwrap().len());
    // A backup is a collection: it can be written to.
    let writer = open(&target).unwrap().writer().unwrap();
    writer.put(Batch::new().add(doc("more", "radium")).clone(), None).unwrap();
    writer.compact(&FullSpeed).unwrap();
    assert_eq!(open(&target).unwrap().snapshot().unwrap().documents(), now.documents() + 1);
}

#[test]
fn a_backup_can_be_backed_up_again_and_again() {
    let storage = Memory::new();
    lived_in(&storage);
    let mut source = storage;
    for round in 0..3 {
        // Dead documents and a tail: parts that the backup has to make itself.
        let collection = open(&source).unwrap();
        let writer = collection.writer().unwrap();
        for put in 0..3 {
            let mut batch = Batch::new();
            batch
                .upsert(doc("hahn", &format!("fission {round} {put}")))
                .add(doc(10 * round + put, "x"));
            writer.put(batch, None).unwrap();
        }
        let target = Memory::new();
        for put in 3..6 {
            collection.snapshot().unwrap().backup(&target, &Silent).unwrap();
            let copy = open(&target).unwrap();
            let contents = |collection: &Collection| {
                let snapshot = collection.snapshot().unwrap();
                let documents = snapshot.addresses().map(|at| snapshot.document(at).unwrap());
                documents.collect::<Vec<_>>()
            };
            assert_eq!(contents(&copy), contents(&collection));
            let found = copy.check(&Silent).unwrap();
            assert!(found.is_empty(), "{found:?}");
            let mut batch = Batch::new();
            batch.add(doc(10 * round + put, "y"));
            writer.put(batch, None).unwrap();
            writer.seal().unwrap();
        }
        source = target;
    }
}

#[test]
fn a_backup_is_never_written_over_another_collection() {
    let (storage, other) = (Memory::new(), Memory::new());
    let snapshot = lived_in(&storage).snapshot().unwrap();
    let stranger = create(&other, schema());
    add(&stranger, &[vec![doc("x", "moon")]]);
    let before = other.names();
    let error = snapshot.backup(&other, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(other.names(), before);
}

#[test]
fn identities_tell_collections_apart_that_their_parts_do_not() {
    use ecphory_index::Collection;
    use std::sync::Arc;
    let made = |identity| {
        let storage = Arc::new(Memory::new());
        let collection = Collection::create_as(storage, schema(), identity).unwrap();
        add(&collection, &[vec![doc("x", "moon")]]);
        collection.snapshot().unwrap()
    };
    let (mine, theirs) = (made(1), made(2));
    let target = Memory::new();
    mine.backup(&target, &Silent).unwrap();
    assert_eq!(theirs.backup(&target, &Silent).unwrap_err().kind(), ErrorKind::Conflict);
    mine.backup(&target, &Silent).unwrap();
    // A restored collection goes its own way.
    let restored = Memory::new();
    open(&target).unwrap().snapshot().unwrap().restore(&restored, 3, &Silent).unwrap();
    let restored = open(&restored).unwrap().snapshot().unwrap();
    assert_eq!(documents(&restored), documents(&mine));
    assert_eq!(restored.backup(&target, &Silent).unwrap_err().kind(), ErrorKind::Conflict);
    let taken = restored.restore(&target, 4, &Silent).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
}

fn documents(snapshot: &ecphory_index::Snapshot) -> Vec<Document> {
    snapshot.addresses().map(|at| snapshot.document(at).unwrap()).collect()
}

#[test]
fn a_lexical_channel_that_is_added_answers_as_if_it_had_been_there() {
    let storage = Memory::new();
    let collection = lived_in(&storage);
    let follower = open(&storage).unwrap();
    follower.snapshot().unwrap();
    let writer = collection.writer().unwrap();
    let english = Bm25Settings { analyzer: "english".to_owned(), ..Bm25Settings::default() };
    let mut channel = bm25_channel(english.clone());
    channel.name = "stems".to_owned();
    writer.add_channel(channel.clone(), &Silent).unwrap();
    writer.put(Batch::new().add(doc("z", "radiums and uraniums")).clone(), None).unwrap();
    let answers = |snapshot: &ecphory_index::Snapshot| {
        let bm25 = snapshot.bm25("stems").unwrap();
        let hits = bm25.search(&bm25.analyze("radiums uranium"), 10, None).unwrap().hits;
        let scores: Vec<u32> = hits.iter().map(|hit| hit.score.to_bits()).collect();
        (ids(snapshot, &hits), scores)
    };
    let here = answers(&collection.snapshot().unwrap());
    assert!(here.0.len() > 3);
    assert_eq!(answers(&follower.snapshot().unwrap()), here, "a reader elsewhere");
    let mut schema = schema();
    schema.channels.push(channel.clone());
    let fresh = create(&Memory::new(), schema);
    let rebuilt = fresh.writer().unwrap();
    for document in documents(&collection.snapshot().unwrap()) {
        rebuilt.put(Batch::new().add(document).clone(), None).unwrap();
    }
    assert_eq!(answers(&fresh.snapshot().unwrap()), here);
    writer.purge(&FullSpeed).unwrap();
    assert_eq!(answers(&collection.snapshot().unwrap()), here);
    let error = writer.add_channel(channel, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    assert!(collection.check(&Silent).unwrap().is_empty());
}

#[test]
fn a_dense_channel_that_is_added_is_filled_gap_by_gap() {
    let storage = Memory::new();
    let collection = lived_in(&storage);
    let writer = collection.writer().unwrap();
    writer.add_channel(dense_channel("wide", 2), &Silent).unwrap();
    let coverage = collection.snapshot().unwrap().coverage("wide").unwrap();
    assert_eq!((coverage.covered, coverage.total), (0, 4));
    while let Some(gap) = writer.uncovered("wide").unwrap() {
        let counts = vec![1; gap.count as usize];
        let values = vec![0.5; 2 * gap.count as usize];
        writer
            .stage_rows("wide", Rows { counts: &counts, values: &values, ..Rows::default() })
            .unwrap();
    }
    writer.commit().unwrap();
    let snapshot = collection.snapshot().unwrap();
    let coverage = snapshot.coverage("wide").unwrap();
    assert_eq!((coverage.covered, coverage.total), (4, 4));
    assert_eq!(snapshot.dense("wide").unwrap().search(&[1.0, 1.0], 10, None).unwrap().len(), 4);
}

#[test]
fn a_field_that_is_declared_later_is_checked_and_filtered_by_its_kind() {
    let storage = Memory::new();
    let collection = lived_in(&storage);
    let writer = collection.writer().unwrap();
    let field = |name: &str, kind| FieldSchema { name: name.to_owned(), kind };
    let error = writer.add_field(field("year", FieldKind::Bool), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    writer.add_field(field("year", FieldKind::Integer), &Silent).unwrap();
    let snapshot = collection.snapshot().unwrap();
    let late: Filter = "year >= 1882".parse().unwrap();
    let found = snapshot.select(&late).unwrap();
    let found: Vec<&str> = found.iter().map(|at| snapshot.id(at).unwrap()).collect();
    assert_eq!(found, ["hahn", "noether"]);
    let wrong: Filter = "year = \"1882\"".parse().unwrap();
    assert_eq!(snapshot.select(&wrong).unwrap_err().kind(), ErrorKind::Usage);
    let mut batch = Batch::new();
    batch.add(doc("x", "moon").with("year", "nineteen"));
    assert_eq!(writer.put(batch, None).unwrap_err().kind(), ErrorKind::Input);
    assert_eq!(open(&storage).unwrap().schema().fields.len(), 1);
}

#[test]
fn a_stopped_change_of_the_schema_changes_nothing() {
    struct Stop;
    impl Progress for Stop {
        fn begin(&self, _: &str, _: u64) {}
        fn advance(&self, _: u64) {}
        fn end(&self) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let storage = Memory::new();
    let collection = lived_in(&storage);
    let writer = collection.writer().unwrap();
    let mut channel = bm25_channel(raw(1.2, 0.75));
    channel.name = "other".to_owned();
    let error = writer.add_channel(channel, &Stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(collection.schema().channels.len(), 2);
    assert_eq!(open(&storage).unwrap().schema().channels.len(), 2);
    writer.put(Batch::new().add(doc("x", "moon")).clone(), None).unwrap();
    assert_eq!(collection.snapshot().unwrap().documents(), 5);
}

#[test]
fn purging_leaves_no_byte_of_what_was_deleted() {
    let storage = Memory::new();
    let collection = create(&storage, schema());
    let writer = collection.writer().unwrap();
    let secret = "xylophonequartzsecret";
    let holds = |storage: &Memory| {
        let files = storage.names().into_iter();
        files
            .filter(|name| {
                let bytes = storage.open(name).unwrap();
                bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
            })
            .collect::<Vec<_>>()
    };
    let mut batch = Batch::new();
    batch.add(doc(secret, secret)).add(doc("kept", "moon"));
    writer.put(batch, None).unwrap();
    assert!(!holds(&storage).is_empty(), "the log has it");
    writer.seal().unwrap();
    assert!(!holds(&storage).is_empty(), "the segment has it");
    writer.put(Batch::new().delete(secret).clone(), None).unwrap();
    writer.purge(&FullSpeed).unwrap();
    assert_eq!(holds(&storage), [""; 0]);
    assert_eq!(collection.snapshot().unwrap().documents(), 1);
}

/// The log said that a document was deleted; replayed after the bulk build it deleted the new one instead of the old.
#[test]
fn a_document_that_was_deleted_comes_back_by_a_bulk_build() {
    let storage = Memory::new();
    let collection = create(&storage, schema());
    add(&collection, &[vec![doc("a", "old"), doc("b", "other")]]);
    let writer = collection.writer().unwrap();
    writer.put(Batch::new().delete("a").clone(), None).unwrap();
    stage(&writer, &[doc("a", "new")]).unwrap();
    writer.commit().unwrap();
    drop(writer);
    let snapshot = open(&storage).unwrap().snapshot().unwrap();
    let found: Vec<Document> =
        snapshot.addresses().map(|at| snapshot.document(at).unwrap()).collect();
    assert_eq!(found, [doc("b", "other"), doc("a", "new")]);
}
