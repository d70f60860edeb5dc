//! Every byte flipped, every file cut short or missing: `Corrupt`, or no difference at all.

use ecphory_core::ErrorKind;
use ecphory_core::storage::{Memory, Storage};

use crate::support::*;

/// Files that hold the collection (not the lock, which is empty).
fn files(storage: &Memory) -> Vec<(String, Vec<u8>)> {
    let names = storage.names().into_iter();
    names.map(|name| (name.clone(), storage.open(&name).unwrap().to_vec())).collect()
}

fn check(storage: &Memory, expected: &str, what: &str) -> bool {
    match observe(storage) {
        Ok(seen) => {
            assert!(seen == expected, "{what}: another answer\n{seen}\n{expected}");
            false
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
            true
        }
    }
}

#[test]
fn a_flipped_byte_is_noticed_or_makes_no_difference() {
    let storage = Memory::new();
    lived_in(&storage);
    let expected = observe(&storage).unwrap();
    let (mut noticed, mut bytes) = (0, 0);
    for (name, content) in files(&storage) {
        for position in 0..content.len() {
            for flip in [1u8 << (position % 8), 0xff] {
                let mut broken = content.clone();
                broken[position] ^= flip;
                storage.overwrite(&name, broken);
                bytes += 1;
                noticed +=
                    u32::from(check(&storage, &expected, &format!("{name} byte {position}")));
            }
        }
        storage.overwrite(&name, content);
    }
    // What is not noticed: padding between sections, CURRENT (the newest manifest counts), the manifest before,
    // and the record at the end of the log, which says only that everything before it was synced.
    assert!(noticed > bytes / 2, "only {noticed} of {bytes} flips were noticed");
}

#[test]
fn a_file_that_is_cut_short_is_noticed() {
    let storage = Memory::new();
    lived_in(&storage);
    let expected = observe(&storage).unwrap();
    let is_log = |name: &str| name.starts_with("wal/");
    for (name, content) in files(&storage).into_iter().filter(|(name, _)| !is_log(name)) {
        for length in 0..content.len() {
            storage.overwrite(&name, content[..length].to_vec());
            let noticed = check(&storage, &expected, &format!("{name} cut to {length}"));
            assert!(noticed || !name.starts_with("seg/"), "{name} cut to {length} was not noticed");
        }
        storage.overwrite(&name, [&*content, b"x"].concat());
        check(&storage, &expected, &format!("{name} with a byte more"));
        storage.overwrite(&name, content);
    }
}

/// A log that is cut looks like one whose end was never synced: whole batches from the end on are missing,
/// and nothing else.
#[test]
fn a_log_that_is_cut_short_ends_with_a_whole_batch() {
    let storage = Memory::new();
    let sealed = lived_in(&storage).snapshot().unwrap().documents();
    let logs: Vec<_> =
        files(&storage).into_iter().filter(|(name, _)| name.starts_with("wal/")).collect();
    let [(name, content)] = logs.as_slice() else { panic!("one log file is in force: {logs:?}") };
    let mut kept = 0;
    for length in 0..content.len() {
        storage.overwrite(name, content[..length].to_vec());
        match open(&storage).and_then(|collection| collection.snapshot()) {
            Ok(snapshot) => {
                // One document was put and another deleted by the only batch.
                assert_eq!(snapshot.documents(), sealed);
                let found = |id: &str| snapshot.find(id).unwrap().is_some();
                assert_ne!(found("noether"), found("curie"), "cut to {length}");
                kept += u32::from(found("noether"));
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert!(length < 64, "only the header is known to be there: cut to {length}");
            }
        }
    }
    assert_eq!(kept, 120, "the length of the last record: until then the batch before is whole");
}

#[test]
fn a_missing_file_is_named() {
    let storage = Memory::new();
    lived_in(&storage);
    let expected = observe(&storage).unwrap();
    for (name, content) in files(&storage) {
        storage.remove(&name).unwrap();
        if name == "CURRENT" || name == "MANIFEST-000003" {
            check(&storage, &expected, &name);
        } else {
            let error = observe(&storage).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!(
                error.to_string(),
                format!("{name} is corrupt at byte 0: the file is missing")
            );
        }
        storage.overwrite(&name, content);
    }
}

#[test]
fn a_broken_collection_is_never_taken_for_an_empty_one() {
    let storage = Memory::new();
    assert_eq!(open(&storage).unwrap_err().kind(), ErrorKind::NotFound);
    five(&storage);
    let kinds = |storage: &Memory| {
        use std::sync::Arc;
        let create = ecphory_index::Collection::create(Arc::new(storage.clone()), schema());
        (
            open(storage).and_then(|c| c.snapshot()).map(|s| s.documents()).map_err(|e| e.kind()),
            create.unwrap_err().kind(),
        )
    };
    assert_eq!(kinds(&storage), (Ok(5), ErrorKind::Conflict));
    // Without CURRENT the newest manifest counts; a broken newest one is not passed over.
    storage.remove("CURRENT").unwrap();
    assert_eq!(kinds(&storage), (Ok(5), ErrorKind::Conflict));
    storage.overwrite("MANIFEST-000003", b"{}".to_vec());
    assert_eq!(kinds(&storage), (Err(ErrorKind::Corrupt), ErrorKind::Conflict));
    storage.remove("MANIFEST-000002").unwrap();
    storage.remove("MANIFEST-000003").unwrap();
    assert_eq!(kinds(&storage), (Err(ErrorKind::Corrupt), ErrorKind::Conflict));
}

#[test]
fn a_file_of_a_newer_version_is_not_called_corrupt() {
    let storage = Memory::new();
    five(&storage);
    let text = storage.open("MANIFEST-000003").unwrap().to_vec();
    let text = String::from_utf8(text).unwrap();
    let body = &text[..text.rfind("crc32 ").unwrap()];
    let body = body.replace("\"format\": 2", "\"format\": 3");
    let line = format!("crc32 {:08x}\n", ecphory_core::checksum::crc32(body.as_bytes()));
    storage.overwrite("MANIFEST-000003", [body, line].concat().into_bytes());
    let error = open(&storage).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("format version 3"), "{error}");
}
