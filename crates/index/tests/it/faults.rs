//! A storage that fails at every step, the lock, what a dropped writer leaves, and bad documents.

use std::io;

use ecphory_core::storage::{Directory, Memory, Storage};
use ecphory_core::{Document, ErrorKind, Progress, Silent, Value};
use ecphory_index::{Collection, Rows};
use std::sync::Arc;

use crate::support::*;

#[test]
fn a_disk_that_fills_at_any_step_leaves_the_last_commit() {
    let origin = Memory::new();
    five(&origin);
    let before = observe(&origin).unwrap();
    let mut steps = 0;
    loop {
        let storage = copy(&origin);
        let collection = open(&storage).unwrap();
        let held = collection.snapshot().unwrap();
        let held_dump = held.dump().unwrap();
        let writer = collection.writer().unwrap();
        storage.fail_after(steps, io::ErrorKind::StorageFull);
        let outcome = stage(&writer, &[doc("new", "radium")]).and_then(|()| {
            writer.stage_rows(
                "dense",
                Rows { counts: &[1], values: &[0.0, 0.0, 1.0], ..Rows::default() },
            )?;
            writer.commit()
        });
        storage.heal();
        assert_eq!(held.dump().unwrap(), held_dump, "a snapshot changed under its holder");
        let after = observe(&storage).unwrap();
        let Err(error) = outcome else {
            assert_ne!(after, before);
            break;
        };
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
        // Only where the sync of the folder after the last rename failed is the commit there already.
        let committed = open(&storage).unwrap().snapshot().unwrap().find("new").unwrap().is_some();
        assert!(after == before || committed, "step {steps} left something else");
        assert_eq!(writer.commit().unwrap_err().kind(), ErrorKind::Io, "the writer has stopped");
        drop(writer);

        // The next writer starts from there, and sweeps.
        let writer = collection.writer().unwrap();
        assert!(storage.list("tmp").unwrap().is_empty());
        stage(&writer, &[doc("newer", "radium")]).unwrap();
        writer.commit().unwrap();
        let snapshot = collection.snapshot().unwrap();
        assert_eq!(snapshot.documents(), if committed { 7 } else { 6 });
        assert!(snapshot.find("newer").unwrap().is_some());
        steps += 1;
    }
    assert!(steps > 15, "only {steps} steps were tried");
}

#[test]
fn creating_on_a_full_disk_can_be_repeated() {
    for steps in 0.. {
        let storage = Memory::new();
        storage.fail_after(steps, io::ErrorKind::StorageFull);
        let outcome = Collection::create(Arc::new(storage.clone()), schema());
        storage.heal();
        let Err(error) = outcome else { break };
        assert_eq!(error.kind(), ErrorKind::Limit);
        match Collection::create(Arc::new(storage.clone()), schema()) {
            Ok(_) => assert_eq!(open(&storage).unwrap().snapshot().unwrap().documents(), 0),
            // The last sync failed: the collection is there.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict);
                assert_eq!(open(&storage).unwrap().snapshot().unwrap().documents(), 0);
            }
        }
    }
}

#[test]
fn there_is_one_writer_and_readers_do_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    let storage = || Arc::new(Directory::create(dir.path(), &["seg"]).unwrap());
    let collection = Collection::create(storage(), schema()).unwrap();
    let writer = collection.writer().unwrap();
    let other = Collection::open(storage()).unwrap();
    let error = other.writer().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("wait until it is done"), "{error}");
    stage(&writer, &[doc("a", "radium")]).unwrap();
    let empty = other.snapshot().unwrap();
    assert_eq!(empty.documents(), 0);
    assert_eq!(writer.snapshot().documents(), 1);
    writer.commit().unwrap();
    assert_eq!(other.snapshot().unwrap().documents(), 1);
    assert_eq!(empty.documents(), 0);
    drop(writer);
    other.writer().unwrap();
}

#[test]
fn what_was_not_committed_is_swept_and_its_numbers_are_not_used_again() {
    let storage = Memory::new();
    let collection = create(&storage, schema());
    let writer = collection.writer().unwrap();
    stage(&writer, &[doc("a", "x")]).unwrap();
    let lost = storage.list("seg").unwrap();
    drop(writer);
    assert_eq!(collection.snapshot().unwrap().documents(), 0);
    assert_eq!(storage.list("seg").unwrap(), lost, "readers remove nothing");
    storage.overwrite("tmp/rest", b"rest".to_vec());
    let writer = collection.writer().unwrap();
    assert!(storage.list("seg").unwrap().is_empty() && storage.list("tmp").unwrap().is_empty());
    stage(&writer, &[doc("a", "x")]).unwrap();
    writer.commit().unwrap();
    assert!(storage.list("seg").unwrap().iter().all(|file| !lost.contains(file)));
    for _ in 0..3 {
        let generation = collection.snapshot().unwrap().generation();
        writer.commit().unwrap();
        assert_eq!(collection.snapshot().unwrap().generation(), generation, "nothing was staged");
    }
    stage(&writer, &[doc("b", "x")]).unwrap();
    writer.commit().unwrap();
    let manifests: Vec<String> =
        storage.list("").unwrap().into_iter().filter(|file| file.starts_with("MANIFEST")).collect();
    assert_eq!(manifests, ["MANIFEST-000002", "MANIFEST-000003"], "the last two are kept");
}

fn check_refused(documents: &[Document], kind: ErrorKind, message: &str) {
    let storage = Memory::new();
    let collection = create(&storage, schema());
    add(&collection, &[vec![doc("old", "x")]]);
    let before = storage.names();
    let writer = collection.writer().unwrap();
    let error = stage(&writer, documents).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    writer.commit().unwrap();
    assert_eq!(storage.names(), before, "something of the batch was kept");
    stage(&writer, &[doc("good", "x")]).unwrap();
}

#[test]
fn bad_documents_are_named_and_nothing_of_the_batch_is_kept() {
    let duplicate = [doc("a", "x"), doc("b", "x"), doc("a", "y")];
    let message = "the id \"a\" is there twice: documents 0 and 2 of the batch (counted from 0)";
    check_refused(&duplicate, ErrorKind::Conflict, message);
    let message = "the id \"old\" is there twice: the collection already has it, and document 1 of the batch (counted from 0)";
    check_refused(&[doc("a", "x"), doc("old", "x")], ErrorKind::Conflict, message);
    let message = "document \"number 1 of the batch\": the id is empty";
    check_refused(&[doc("a", "x"), doc("", "x")], ErrorKind::Input, message);
    let message = "document \"number 0 of the batch\": the id has 65537 bytes, the limit is 65536";
    check_refused(&[doc("x".repeat(65_537), "x")], ErrorKind::Input, message);
    let message = "document \"a\": field \"n\" holds a number that is not finite";
    check_refused(&[doc("a", "x").with("n", f64::NAN)], ErrorKind::Input, message);
    let list = |inner: Value| Value::List(vec![inner]);
    let deep = (0..9).fold(Value::Integer(1), |inner, _| list(inner));
    let message = "document \"a\": field \"n\" has lists nested more than 8 deep";
    check_refused(&[doc("a", "x").with("n", deep)], ErrorKind::Input, message);
    let message = "document \"a\": field \"_id\" cannot be stored: the name is that of the id";
    check_refused(&[doc("a", "x").with("_id", "b")], ErrorKind::Input, message);
    let mut twice = doc("a", "x");
    twice.fields.push(("text".to_owned(), "y".into()));
    let message = "document \"a\": field \"text\" cannot be stored: the name is there twice";
    check_refused(&[twice], ErrorKind::Input, message);
}

/// Stages a document whose field is named like its kind; `expected` is what the message ends with.
fn check_value(field: &str, value: impl Into<Value>, expected: &str) {
    use ecphory_index::{FieldKind, Schema};
    let kinds = FieldKind::ALL.map(|kind| (kind.name(), kind));
    let collection = create(&Memory::new(), Schema { fields: declared(&kinds), ..schema() });
    let document = doc("a", "x").with(field, value);
    match stage(&collection.writer().unwrap(), std::slice::from_ref(&document)) {
        Ok(()) => assert_eq!(expected, "", "{document:?}"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Input);
            let start = format!("document \"a\": field \"{field}\" is declared {field} and takes ");
            assert_eq!(error.to_string(), format!("{start}{expected}"));
        }
    }
}

#[test]
fn a_value_of_another_type_than_declared_is_named() {
    let texts = |all: &[&str]| Value::List(all.iter().map(|&text| text.into()).collect());
    let list = |inner: Value| Value::List(vec![inner]);
    check_value("text", texts(&["a"]), "");
    check_value("text", true, "a text, found true");
    check_value("keyword", 7, "a text, found the whole number 7");
    check_value("keyword", list(list(2.into())), "a text, found the whole number 2");
    check_value("integer", i64::MAX, "");
    check_value("integer", texts(&[]), "");
    check_value("integer", 7.0, "a whole number, found the number 7.0");
    check_value("integer", "7", "a whole number, found the text \"7\"");
    let mixed = Value::List(vec![1.into(), "b".into()]);
    check_value("integer", mixed, "a whole number, found the text \"b\"");
    let cut = format!("a whole number, found the text \"{}\"...", "x".repeat(40));
    check_value("integer", "x".repeat(100), &cut);
    check_value("float", 7, "");
    check_value("float", list(0.5.into()), "");
    check_value("float", false, "a number, found false");
    check_value("bool", true, "");
    check_value("bool", 1, "true or false, found the whole number 1");
}

#[test]
fn dates_and_places_that_are_none_are_named() {
    let numbers = |all: &[f64]| Value::List(all.iter().map(|&number| number.into()).collect());
    let date = "a date such as 2020, 2020-05, 2020-05-17 or 2020-05-17T10:00:00Z, found";
    check_value("date", "2020-05", "");
    check_value("date", Value::List(vec!["2020".into(), "1999-12-31T23:59:59Z".into()]), "");
    check_value("date", 2020, &format!("{date} the whole number 2020"));
    check_value("date", "2020-13", &format!("{date} the text \"2020-13\""));
    let place = "a latitude from -90 to 90 and a longitude from -180 to 180, found";
    check_value("geo", numbers(&[52.5, 13.4]), "");
    check_value("geo", Value::List(vec![numbers(&[52.5, 13.4]), "-90,180".into()]), "");
    check_value("geo", "91,0", &format!("{place} the text \"91,0\""));
    check_value("geo", numbers(&[1.0, 2.0, 3.0]), &format!("{place} the list (1, 2, 3)"));
}

#[test]
fn a_stopped_build_leaves_nothing() {
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
    let collection = create(&storage, schema());
    let writer = collection.writer().unwrap();
    let error = writer.stage(&[doc("a", "x")], &pool(2), &Stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(storage.list("seg").unwrap().is_empty());
    writer.stage(&[doc("a", "x")], &pool(2), &Silent).unwrap();
}
