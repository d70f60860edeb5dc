//! `add` and `delete`, alone and beside other processes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{CORPUS, Place};

const USAGE: i32 = 2;
const INPUT: i32 = 3;
const NOT_FOUND: i32 = 4;
const CONFLICT: i32 = 5;

const MORE: &str = r#"{"_id": "darwin", "title": "Charles Darwin", "text": "He sailed on the Beagle.", "year": 1831}
{"_id": "noether", "title": "Emmy Noether", "text": "She proved a theorem on symmetries.", "year": 1915}
{"_id": "meitner", "title": "Lise Meitner", "text": "She explained nuclear fission.", "year": 1939}
"#;

fn indexed() -> Place {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.write("more.jsonl", MORE);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    place
}

fn documents(place: &Place) -> u64 {
    place.json(&["inspect", "c.ecp"])["documents"].as_u64().unwrap()
}

fn found(place: &Place, query: &str) -> Vec<String> {
    let found = place.json(&["search", "c.ecp", query, "-p", "bm25"]);
    let ids = found["hits"].as_array().unwrap().iter();
    ids.map(|hit| hit["id"].as_str().unwrap().to_owned()).collect()
}

/// The lines that `add --json` prints.
fn lines(output: &str) -> Vec<u64> {
    let value = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    output.lines().map(|line| value(line)["documents"].as_u64().unwrap()).collect()
}

#[test]
fn every_batch_is_acknowledged_by_a_line() {
    for durability in ["always", "interval", "os"] {
        for (batch, expected) in [("1", &[1, 2, 3][..]), ("2", &[2, 3]), ("1000", &[3])] {
            let place = indexed();
            let arguments = ["add", "c.ecp", "more.jsonl", "--durability", durability];
            let output = place.ok(&[&arguments[..], &["--batch", batch, "--json"]].concat());
            assert_eq!(lines(&output), expected);
            assert_eq!(documents(&place), 7);
            assert_eq!(found(&place, "fission"), ["meitner"]);
        }
    }
    let place = indexed();
    let text = place.ok(&["add", "c.ecp", "more.jsonl"]);
    assert!(text.contains("3 documents put, 0 of them in the place of others"), "{text}");
}

#[test]
fn an_id_that_is_there_is_named_with_its_line_and_replaced_on_request() {
    let place = indexed();
    let old = r#"{"_id": "fresh", "text": "a fresh one"}
{"_id": "curie", "text": "radium again"}
"#;
    place.write("old.jsonl", old);
    let message = place.fails(CONFLICT, &["add", "c.ecp", "old.jsonl"]);
    for part in ["old.jsonl:2", "`curie`", "--upsert"] {
        assert!(message.contains(part), "no {part} in: {message}");
    }
    assert_eq!(documents(&place), 4);
    let message = place.fails(CONFLICT, &["add", "c.ecp", "old.jsonl", "--batch", "1"]);
    assert!(message.contains("1 documents of the file were added before"), "{message}");
    assert_eq!(documents(&place), 5);
    let line = place.json(&["add", "c.ecp", "old.jsonl", "--upsert"]);
    assert_eq!((&line["documents"], &line["replaced"]), (&2.into(), &2.into()));
    assert_eq!(documents(&place), 5);
    assert_eq!(found(&place, "polonium"), [""; 0]);
    assert_eq!(found(&place, "again"), ["curie"]);
}

#[test]
fn malformed_lines_stop_the_adding_or_are_left_out() {
    let place = indexed();
    place.write("bad.jsonl", format!("{MORE}nonsense\n{{\"_id\": \"last\", \"text\": \"x\"}}\n"));
    let message = place.fails(INPUT, &["add", "c.ecp", "bad.jsonl", "--batch", "2"]);
    assert!(message.contains("bad.jsonl, line 4"), "{message}");
    assert_eq!(documents(&place), 6);
    let output = place.run(&["add", "c.ecp", "bad.jsonl", "--upsert", "--skip-bad", "--json"]);
    assert_eq!(lines(&String::from_utf8(output.stdout).unwrap()), [4]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.jsonl:4"));
    assert_eq!(documents(&place), 8);
    // What the schema refuses is named by its place as well.
    place.ok(&["migrate", "c.ecp", "--add-field", "year:integer"]);
    place.write("typed.jsonl", "{\"_id\": \"t\", \"text\": \"x\", \"year\": \"soon\"}\n");
    let message = place.fails(INPUT, &["add", "c.ecp", "typed.jsonl"]);
    assert!(message.contains("typed.jsonl:1") && message.contains("year"), "{message}");
    let index = ["index", "d.ecp", "typed.jsonl", "--field", "year:integer"];
    let message = place.fails(INPUT, &index);
    assert!(message.contains("typed.jsonl:1") && message.contains("year"), "{message}");
    assert!(!place.path("d.ecp").exists());
    place.fails(USAGE, &["index", "d.ecp", "typed.jsonl", "--field", "year:integr"]);
    place.fails(USAGE, &["index", "d.ecp", "typed.jsonl", "--field", "year"]);
}

#[test]
fn documents_are_deleted_by_id_and_by_filter() {
    let place = indexed();
    let deleted = place.json(&["delete", "c.ecp", "--id", "curie", "nobody"]);
    assert_eq!((&deleted["deleted"], &deleted["missing"]), (&1.into(), &1.into()));
    assert_eq!(found(&place, "radium"), ["whales"]);
    let text = place.ok(&["delete", "c.ecp", "--filter", "year > 1900 and lang = \"en\""]);
    assert!(text.contains("1 documents deleted"), "{text}");
    assert_eq!(documents(&place), 2);
    place.ok(&["compact", "c.ecp", "--purge"]);
    let inspected = place.json(&["inspect", "c.ecp"]);
    assert_eq!((&inspected["deleted_documents"], &inspected["documents"]), (&0.into(), &2.into()));
    place.ok(&["add", "c.ecp", "corpus.jsonl", "--upsert"]);
    assert_eq!(documents(&place), 4);
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    let place = indexed();
    place.fails(NOT_FOUND, &["add", "absent.ecp", "more.jsonl"]);
    place.fails(NOT_FOUND, &["add", "c.ecp", "absent.jsonl"]);
    place.fails(USAGE, &["add", "c.ecp", "more.jsonl", "--durability", "perhaps"]);
    place.fails(USAGE, &["add", "c.ecp", "more.jsonl", "--batch", "0"]);
    place.fails(NOT_FOUND, &["delete", "absent.ecp", "--id", "x"]);
    place.fails(USAGE, &["delete", "c.ecp"]);
    place.fails(USAGE, &["delete", "c.ecp", "--id", "x", "--filter", "year = 1"]);
    let message = place.fails(USAGE, &["delete", "c.ecp", "--filter", "year >"]);
    assert!(message.contains('^'), "{message}");
    assert_eq!(documents(&place), 4);
}

#[test]
fn counts_and_orders_by_field() {
    let place = indexed();
    let found = place.json(&[
        "search",
        "c.ecp",
        "discovered",
        "-p",
        "bm25",
        "--facet",
        "lang",
        "--sort",
        "year:desc",
    ]);
    let ids: Vec<_> = found["hits"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
    assert_eq!(ids, ["fleming", "curie"]);
    assert_eq!(found["facets"]["lang"][0]["value"], "en");
    assert_eq!(found["facets"]["lang"][0]["count"], 3);
    let browse = [
        "search",
        "c.ecp",
        "",
        "--sort",
        "year",
        "-k",
        "2",
        "--filter",
        "year > 1900",
        "--facet",
        "lang",
    ];
    let found = place.json(&browse);
    let ids: Vec<_> = found["hits"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
    assert_eq!(ids, ["fleming", "hahn"]);
    assert_eq!(found["facets"]["lang"].as_array().unwrap().len(), 2);
    let text = place.ok(&browse);
    assert!(text.contains("        1  de"), "{text}");
    place.fails(USAGE, &["search", "c.ecp", "x", "--facet", "lnag"]);
    place.fails(USAGE, &["search", "c.ecp", "x", "--sort", ":desc"]);
}

/// A file that the test writes while the command reads it.
struct Pipe {
    place: Place,
    file: Option<fs_err::File>,
    child: std::process::Child,
    acknowledged: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Pipe {
    fn new(place: Place) -> Self {
        let path = place.path("pipe.jsonl");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut child = place
            .command(&["add", "c.ecp", "pipe.jsonl", "--batch", "1", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let acknowledged = BufReader::new(child.stdout.take().unwrap()).lines();
        let file = Some(fs_err::OpenOptions::new().write(true).open(path).unwrap());
        Self { place, file, child, acknowledged }
    }

    /// Sends a document; where the command has gone, returns false.
    fn send(&mut self, id: &str) -> bool {
        let line = format!("{{\"_id\": \"{id}\", \"text\": \"sent in a pipe\"}}\n");
        self.file.as_mut().unwrap().write_all(line.as_bytes()).is_ok()
    }

    fn acknowledged(&mut self) -> u64 {
        let line = self.acknowledged.next().unwrap().unwrap();
        lines(&line)[0]
    }
}

#[test]
fn others_read_while_one_writes_and_nobody_else_writes() {
    let mut pipe = Pipe::new(indexed());
    // A batch is full when the next document comes.
    pipe.send("one");
    pipe.send("two");
    assert_eq!(pipe.acknowledged(), 1);
    assert_eq!(found(&pipe.place, "pipe"), ["one"]);
    assert_eq!(documents(&pipe.place), 5);
    let message = pipe.place.fails(CONFLICT, &["delete", "c.ecp", "--id", "one"]);
    assert!(message.contains("another writer"), "{message}");
    pipe.place.fails(CONFLICT, &["add", "c.ecp", "more.jsonl"]);
    pipe.place.fails(CONFLICT, &["compact", "c.ecp"]);
    pipe.place.ok(&["check", "c.ecp"]);
    pipe.place.ok(&["backup", "c.ecp", "copy.ecp"]);
    pipe.send("three");
    assert_eq!(pipe.acknowledged(), 2);
    assert_eq!(found(&pipe.place, "pipe"), ["one", "two"]);
    pipe.file = None;
    assert_eq!(pipe.acknowledged(), 3);
    assert!(pipe.child.wait().unwrap().success());
    assert_eq!(documents(&pipe.place), 7);
    let found = pipe.place.json(&["search", "copy.ecp", "pipe", "-p", "bm25"]);
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
}

#[test]
fn an_interrupted_add_says_how_to_go_on() {
    let mut pipe = Pipe::new(indexed());
    pipe.send("0");
    pipe.send("1");
    assert_eq!(pipe.acknowledged(), 1);
    let id = pipe.child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let mut sent = 2;
    while pipe.send(&sent.to_string()) {
        sent += 1;
        std::thread::yield_now();
    }
    let output = pipe.child.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("--upsert"), "{message}");
    let line = |id| format!("{{\"_id\": \"{id}\", \"text\": \"sent in a pipe\"}}\n");
    pipe.place.write("whole.jsonl", (0..sent).map(line).collect::<String>());
    pipe.place.ok(&["add", "c.ecp", "whole.jsonl", "--upsert"]);
    assert_eq!(documents(&pipe.place), 4 + sent);
}
