//! Writers: batches, what readers see of them, the work in the background.

use std::time::Duration;

use ecphory::{
    Batch, Collection, Document, Durability, ErrorKind, Filter, Reader, Silent, Value,
    WriterOptions,
};

use crate::collection::answers;
use crate::support::{Bench, Sequence, documents};

fn dense(bench: &Bench) -> String {
    format!("dense={}", bench.model("model", 1))
}

/// What the collection should hold: documents in the order of their last write.
#[derive(Default)]
struct Model(Vec<Document>);

impl Model {
    fn put(&mut self, document: Document) {
        self.delete(&document.id.clone());
        self.0.push(document);
    }

    fn delete(&mut self, id: &str) {
        self.0.retain(|document| document.id != id);
    }
}

fn check_equal(bench: &Bench, reader: &Reader, model: &Model, name: &str) {
    let fresh = bench.create(name, &["bm25", &dense(bench)]);
    fresh.add(&model.0, &Silent).unwrap();
    fresh.fill(&Silent).unwrap();
    let fresh = fresh.snapshot().unwrap();
    assert_eq!(reader.documents(), model.0.len() as u64);
    assert_eq!(reader.coverage("dense").unwrap().covered, model.0.len() as u64);
    for pipeline in ["bm25", "dense", "hybrid", "bm25 >> where(year >= 1904)"] {
        let pipeline = reader.pipeline(pipeline).unwrap().to_string();
        assert_eq!(answers(reader, &pipeline), answers(&fresh, &pipeline), "{name}: {pipeline}");
    }
}

#[test]
fn a_history_of_batches_equals_a_rebuild_in_every_channel() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25", &dense(&bench)]);
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    let mut sequence = Sequence(11);
    let mut model = Model::default();
    for round in 0..40 {
        let mut batch = Batch::new();
        for mut document in documents(1 + sequence.below(12), 100 + round) {
            document.id = format!("d{}", sequence.below(150));
            if batch.documents().iter().any(|other| other.id == document.id) {
                continue;
            }
            batch.upsert(document);
        }
        let deleted = format!("d{}", sequence.below(150));
        batch.delete(&deleted);
        model.delete(&deleted);
        batch.documents().iter().for_each(|document| model.put(document.clone()));
        writer.put(batch).unwrap();
        if round % 10 == 9 {
            let name = format!("fresh-{round}.ecp");
            check_equal(&bench, &writer.snapshot().unwrap(), &model, &name);
        }
    }
    let filter: Filter = "year < 1903".parse().unwrap();
    let before = model.0.len();
    let year = |document: &Document| match document.get("year") {
        Some(Value::Integer(year)) => *year,
        other => panic!("{other:?} is no year"),
    };
    model.0.retain(|document| year(document) >= 1903);
    assert_eq!(writer.delete_where(&filter).unwrap().deleted, (before - model.0.len()) as u64);
    check_equal(&bench, &collection.snapshot().unwrap(), &model, "filtered.ecp");
    writer.close().unwrap();
    // Another engine, as another process would be, reads the same.
    let other = crate::support::engine(bench.folder.path());
    let other = other.open(bench.path("c.ecp")).unwrap();
    check_equal(&bench, &other.snapshot().unwrap(), &model, "reopened.ecp");
    other.compact().unwrap();
    let compacted = other.snapshot().unwrap();
    assert_eq!((compacted.segments(), compacted.deleted_documents()), (1, 0));
    check_equal(&bench, &compacted, &model, "compacted.ecp");
}

#[test]
fn a_batch_is_all_or_nothing() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25", &dense(&bench)]);
    let all = documents(20, 1);
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    assert_eq!(writer.add(all[..10].to_vec()).unwrap().put, 10);
    let check = |error: ecphory::Error, kind: ErrorKind, says: &str| {
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(collection.snapshot().unwrap().documents(), 10);
    };
    check(writer.add(all[9..].to_vec()).unwrap_err(), ErrorKind::Conflict, "d9");
    let twice = [&all[10..12], &all[10..11]].concat();
    check(writer.upsert(twice).unwrap_err(), ErrorKind::Conflict, "d10");
    let empty = vec![all[10].clone(), Document::new("x").with("text", " ")];
    check(writer.upsert(empty).unwrap_err(), ErrorKind::Input, "no text");
    check(collection.add(&all[10..], &Silent).unwrap_err(), ErrorKind::Conflict, "another writer");
    let replaced = writer.upsert(all[5..].to_vec()).unwrap();
    assert_eq!((replaced.put, replaced.replaced), (15, 5));
    let deleted = writer.delete(["d1", "d1", "nobody"]).unwrap();
    assert_eq!((deleted.deleted, deleted.missing), (1, 1));
    assert_eq!(collection.snapshot().unwrap().documents(), 19);
}

#[test]
fn readers_do_not_change_and_others_see_every_batch_at_once() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25", &dense(&bench)]);
    let other = |bench: &Bench| {
        let engine = crate::support::engine(bench.folder.path());
        engine.open(bench.path("c.ecp")).unwrap().snapshot().unwrap()
    };
    for durability in
        [Durability::Always, Durability::Interval(Duration::from_millis(5)), Durability::Os]
    {
        let writer =
            collection.writer(&WriterOptions { durability, ..WriterOptions::default() }).unwrap();
        let held = collection.snapshot().unwrap();
        let before = held.documents();
        let found = answers(&held, "dense");
        for document in documents(30, 5) {
            let id = document.id.clone();
            writer.upsert(vec![document.clone()]).unwrap();
            assert_eq!(collection.snapshot().unwrap().document(&id).unwrap().unwrap(), document);
        }
        let last = documents(30, 5).pop().unwrap();
        assert_eq!(other(&bench).document("d29").unwrap().unwrap(), last);
        writer.delete(["d29"]).unwrap();
        assert_eq!(other(&bench).document("d29").unwrap(), None);
        assert_eq!(other(&bench).coverage("dense").unwrap().covered, 29);
        assert_eq!((held.documents(), answers(&held, "dense")), (before, found));
        drop(writer);
        assert_eq!(other(&bench).documents(), 29);
    }
}

#[test]
fn a_channel_that_lacks_documents_is_filled_while_others_are_put() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25", &dense(&bench)]);
    let all = documents(400, 3);
    collection.add(&all[..300], &Silent).unwrap();
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    writer.add(all[300..310].to_vec()).unwrap();
    assert_eq!(collection.snapshot().unwrap().coverage("dense").unwrap().covered, 0);
    std::thread::scope(|scope| {
        let filling = scope.spawn(|| writer.fill(&Silent).unwrap());
        for document in &all[310..] {
            writer.add(vec![document.clone()]).unwrap();
            writer.delete([&all[document.fields.len()].id]).unwrap();
        }
        filling.join().unwrap()
    });
    writer.fill(&Silent).unwrap();
    let reader = writer.snapshot().unwrap();
    let mut model = Model(all);
    model.delete("d4");
    check_equal(&bench, &reader, &model, "fresh.ecp");
}

#[test]
fn small_batches_are_sealed_and_merged_in_the_background() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25"]);
    let options = WriterOptions { memory_bytes: 1 << 20, ..WriterOptions::default() };
    let writer = collection.writer(&options).unwrap();
    let all = documents(20_000, 3);
    for part in all.chunks(250) {
        writer.add(part.to_vec()).unwrap();
    }
    let sealed = |collection: &Collection| {
        let reader = collection.snapshot().unwrap();
        reader.documents() - reader.tail_documents()
    };
    while sealed(&collection) == 0 {
        std::thread::yield_now();
    }
    writer.close().unwrap();
    let reader = collection.snapshot().unwrap();
    assert_eq!(reader.documents(), 20_000);
    assert!(reader.segments() < 20, "{} segments", reader.segments());
    let fresh = bench.create("fresh.ecp", &["bm25"]);
    fresh.add(&all, &Silent).unwrap();
    assert_eq!(answers(&reader, "bm25"), answers(&fresh.snapshot().unwrap(), "bm25"));
}

#[test]
fn what_fails_in_the_background_is_told_at_the_next_call() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25"]);
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    let folder = bench.path("c.ecp").join("tmp");
    fs_err::remove_dir_all(&folder).unwrap();
    writer.add(documents(17_000, 1)).unwrap();
    let error = loop {
        match writer.sync() {
            Ok(()) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    // Told once; the next batch tries again, and everything is there.
    fs_err::create_dir(&folder).unwrap();
    writer.upsert(documents(1, 2)).unwrap();
    writer.close().unwrap();
    let reader = collection.snapshot().unwrap();
    assert_eq!((reader.documents(), reader.tail_documents()), (17_000, 0));
}

#[test]
fn a_slow_merge_does_not_hold_up_the_end() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25"]);
    let options = WriterOptions { merge_bytes_per_second: Some(1), ..WriterOptions::default() };
    let writer = collection.writer(&options).unwrap();
    // The seal that this asks for would take days.
    writer.add(documents(17_000, 1)).unwrap();
    writer.close().unwrap();
    assert_eq!(collection.snapshot().unwrap().tail_documents(), 0);
}
