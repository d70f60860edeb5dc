//! `check`, `backup`, `restore`, `migrate`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{CORPUS, Place, flipped};

const USAGE: i32 = 2;
const INPUT: i32 = 3;
const NOT_FOUND: i32 = 4;
const CONFLICT: i32 = 5;
const CORRUPT: i32 = 6;

fn indexed() -> Place {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    place
}

fn hits(place: &Place, collection: &str) -> Value {
    place.json(&["search", collection, "discovered radium", "-p", "bm25"])["hits"].clone()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn check_names_everything_that_is_wrong() {
    let place = indexed();
    place.write("more.jsonl", "{\"_id\": \"x\", \"text\": \"logged\"}\n");
    place.ok(&["add", "c.ecp", "more.jsonl"]);
    let sound = place.json(&["check", "c.ecp"]);
    assert_eq!((&sound["sound"], &sound["documents"]), (&true.into(), &5.into()));
    let parts = files(&place.path("c.ecp/seg"));
    let whole: Vec<Vec<u8>> = parts.iter().map(|part| fs_err::read(part).unwrap()).collect();
    let damage = |part: usize| fs_err::write(&parts[part], flipped(&whole[part])).unwrap();
    let name = |part: usize| parts[part].file_name().unwrap().to_string_lossy().into_owned();
    for part in 0..parts.len() {
        damage(part);
        let output = place.run(&["check", "c.ecp"]);
        assert_eq!(output.status.code(), Some(CORRUPT));
        assert!(String::from_utf8_lossy(&output.stdout).contains(&name(part)), "{output:?}");
        fs_err::write(&parts[part], &whole[part]).unwrap();
    }
    damage(0);
    damage(1);
    let output = place.run(&["check", "c.ecp", "--json"]);
    let problems: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(problems["sound"], false);
    let problems = problems["problems"].to_string();
    assert!(problems.contains(&name(0)) && problems.contains(&name(1)), "{problems}");
    for part in [0, 1] {
        fs_err::write(&parts[part], &whole[part]).unwrap();
    }
    place.ok(&["check", "c.ecp"]);
    for file in files(&place.path("c.ecp")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("MANIFEST-") {
            fs_err::write(&file, flipped(&fs_err::read(&file).unwrap())).unwrap();
        }
    }
    let output = place.run(&["check", "c.ecp"]);
    assert_eq!(output.status.code(), Some(CORRUPT));
    assert!(String::from_utf8_lossy(&output.stdout).contains("MANIFEST-"), "{output:?}");
    place.fails(NOT_FOUND, &["check", "absent.ecp"]);
}

#[test]
fn a_backup_is_restored_and_grows_by_what_is_new() {
    let place = indexed();
    let first = place.json(&["backup", "c.ecp", "copy"]);
    assert!(first["copied"].as_u64().unwrap() >= 2);
    let line = |id| format!("{{\"_id\": \"{id}\", \"text\": \"radium discovered anew\"}}\n");
    place.write("more.jsonl", [line("x"), line("y")].concat());
    place.ok(&["add", "c.ecp", "more.jsonl"]);
    place.ok(&["delete", "c.ecp", "--id", "y"]);
    let now = hits(&place, "c.ecp");
    assert_ne!(now, hits(&place, "copy"));
    let second = place.json(&["backup", "c.ecp", "copy"]);
    assert!(second["kept"].as_u64() >= first["copied"].as_u64(), "{first} {second}");
    fs_err::remove_dir_all(place.path("c.ecp")).unwrap();
    let restored = place.json(&["restore", "copy", "c.ecp"]);
    assert_eq!(restored["documents"], 5);
    assert_eq!(hits(&place, "c.ecp"), now);
    place.ok(&["check", "c.ecp"]);
    place.ok(&["check", "copy"]);
    // What was restored lives on.
    place.ok(&["add", "c.ecp", "corpus.jsonl", "--upsert"]);
    assert_eq!(place.json(&["inspect", "c.ecp"])["documents"], 5);

    place.fails(CONFLICT, &["restore", "copy", "c.ecp"]);
    place.fails(NOT_FOUND, &["restore", "absent", "d.ecp"]);
    place.write("mine/letter.txt", "dear");
    let message = place.fails(CONFLICT, &["backup", "c.ecp", "mine"]);
    assert!(message.contains("mine"), "{message}");
    place.fails(CONFLICT, &["backup", "c.ecp", "c.ecp"]);
    place.write("other.jsonl", "{\"_id\": \"y\", \"text\": \"another collection\"}\n");
    place.ok(&["index", "other.ecp", "other.jsonl"]);
    let message = place.fails(CONFLICT, &["backup", "other.ecp", "copy"]);
    assert!(message.contains("another collection"), "{message}");
    let left: Vec<_> = files(&place.path("mine"));
    assert_eq!(left.len(), 1);
}

#[test]
fn channels_and_fields_are_added_later() {
    let place = indexed();
    let before = hits(&place, "c.ecp");
    let changed = place.json(&[
        "migrate",
        "c.ecp",
        "--add-channel",
        "titles:bm25(fields=title)",
        "--add-field",
        "year:integer",
    ]);
    assert_eq!(changed["fields"][0], "year:integer");
    assert_eq!(changed["channels"].as_array().unwrap().len(), 2);
    let found = place.json(&["search", "c.ecp", "whales", "-p", "titles"]);
    assert_eq!(found["hits"][0]["id"], "whales");
    assert_eq!(hits(&place, "c.ecp"), before);
    let inspected = place.json(&["inspect", "c.ecp"]);
    assert_eq!(inspected["fields"]["year"], "integer");
    assert_eq!(inspected["channels"]["titles"]["complete"], true);
    let message = place.fails(USAGE, &["search", "c.ecp", "x", "--filter", "year = \"soon\""]);
    assert!(message.contains('^'), "{message}");

    place.fails(INPUT, &["migrate", "c.ecp", "--add-field", "lang:integer"]);
    place.fails(USAGE, &["migrate", "c.ecp", "--add-field", "year:integer"]);
    place.fails(USAGE, &["migrate", "c.ecp", "--add-field", "lang:keywrd"]);
    place.fails(USAGE, &["migrate", "c.ecp", "--add-channel", "bm25"]);
    place.fails(NOT_FOUND, &["migrate", "c.ecp", "--add-channel", "dense=nobody", "--offline"]);
    place.fails(NOT_FOUND, &["migrate", "absent.ecp"]);
    assert_eq!(hits(&place, "c.ecp"), before);
}

#[test]
fn a_collection_of_the_first_format_is_brought_up_to_date() {
    let place = Place::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../index/tests/golden/format-1");
    for from in walk(&golden) {
        let to = place.path("c.ecp").join(from.strip_prefix(&golden).unwrap());
        fs_err::create_dir_all(to.parent().unwrap()).unwrap();
        fs_err::copy(&from, &to).unwrap();
    }
    fs_err::create_dir_all(place.path("c.ecp/tmp")).unwrap();
    let before = place.json(&["inspect", "c.ecp"]);
    let channel = before["channels"].as_object().unwrap().keys().next().unwrap().clone();
    let search = ["search", "c.ecp", "the", "-k", "100", "-p", &channel];
    let answer = place.json(&search)["hits"].clone();
    place.ok(&["migrate", "c.ecp"]);
    place.ok(&["check", "c.ecp"]);
    let after = place.json(&["inspect", "c.ecp"]);
    assert_eq!(after["documents"], before["documents"]);
    let columns = |inspected: &Value| {
        inspected["bytes"].as_object().unwrap().keys().any(|name| name.contains("column"))
    };
    assert!(!columns(&before) && columns(&after), "{before} {after}");
    assert_eq!(place.json(&search)["hits"], answer);
    // Again there is nothing to do.
    place.ok(&["migrate", "c.ecp"]);
    assert_eq!(place.json(&["inspect", "c.ecp"])["generation"], after["generation"]);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let inside = |path: PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    files(folder).into_iter().flat_map(inside).collect()
}
