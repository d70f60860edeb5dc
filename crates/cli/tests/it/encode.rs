//! `encode` as a real process: files in every format, killed and interrupted, and what is wrong with its input.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Place;
use crate::tiny_model::{Sequence, sentence, write_model};

fn corpus(count: usize, words: usize) -> String {
    let mut sequence = Sequence(9);
    let line = |i: usize| {
        let text = sentence(&mut sequence, 1 + i % words);
        json!({"_id": format!("d{i}"), "title": "radium", "text": text, "body": "moon"}).to_string()
    };
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn place(count: usize, words: usize) -> Place {
    let place = Place::new();
    write_model(&place.path("model"), 1);
    place.write("corpus.jsonl", corpus(count, words));
    place
}

fn bytes(place: &Place, name: &str) -> Vec<u8> {
    fs_err::read(place.path(name)).unwrap()
}

#[test]
fn every_format_holds_the_same_vectors() {
    let place = place(30, 9);
    let lines = place.ok(&["encode", "./model", "corpus.jsonl"]);
    let vectors: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows: Vec<u8> = vectors
        .iter()
        .flat_map(|line| line["vector"].as_array().unwrap())
        .flat_map(|value| (value.as_f64().unwrap() as f32).to_le_bytes())
        .collect();
    assert_eq!(rows.len(), 30 * 6 * 4);
    let done = place.json(&["encode", "./model", "corpus.jsonl", "-o", "v.npy"]);
    assert_eq!((&done["texts"], &done["resumed"]), (&30.into(), &0.into()));
    assert_eq!(bytes(&place, "v.npy")[128..], rows);
    let ids = fs_err::read_to_string(place.path("v.npy.ids")).unwrap();
    assert!(ids.lines().zip(&vectors).all(|(id, line)| line["_id"] == id));
    place.ok(&["encode", "./model", "corpus.jsonl", "-o", "v.safetensors", "--batch", "7"]);
    assert!(bytes(&place, "v.safetensors").ends_with(&rows));
    place.ok(&["encode", "./model", "corpus.jsonl", "-o", "v.jsonl", "--batch", "1"]);
    assert_eq!(bytes(&place, "v.jsonl"), lines.as_bytes());
    place.ok(&["encode", "./model", "corpus.jsonl", "-o", "v.parquet"]);
    assert!(bytes(&place, "v.parquet").windows(rows.len()).any(|part| part == rows));
    place.ok(&["encode", "./model", "corpus.jsonl", "-o", "h.npy", "--values", "f16"]);
    assert_eq!(bytes(&place, "h.npy").len(), 128 + rows.len() / 2);
}

#[test]
fn texts_come_from_options_lines_and_fields() {
    let place = place(3, 4);
    let two = place.ok(&["encode", "./model", "--text", "moon star", "--text", "radium"]);
    place.write("lines.txt", "moon star\r\nradium\n");
    let output = place
        .command(&["encode", "./model"])
        .stdin(fs_err::File::open(place.path("lines.txt")).unwrap().into_file())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), two);
    let bodies = place.ok(&["encode", "./model", "corpus.jsonl", "--field", "body"]);
    let vector = |lines: &str, line: usize| -> Value {
        serde_json::from_str::<Value>(lines.lines().nth(line).unwrap()).unwrap()["vector"].clone()
    };
    let moon = place.ok(&["encode", "./model", "--text", "moon"]);
    assert_eq!(vector(&bodies, 2), vector(&moon, 0));
    let joined = ["encode", "./model", "corpus.jsonl", "--field", "title", "--field", "body"];
    let both = place.ok(&["encode", "./model", "--text", "radium moon"]);
    assert_eq!(vector(&place.ok(&joined), 0), vector(&both, 0));
    let message = place.fails(3, &["encode", "./model", "corpus.jsonl", "--field", "bodi"]);
    assert!(
        message.contains("corpus.jsonl, line 1: document `d0` has no text in bodi"),
        "{message}"
    );
    let cut = place.ok(&["encode", "./model", "--text", "moon star", "--max-tokens", "1"]);
    assert_eq!(vector(&cut, 0), vector(&moon, 0));
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let place = place(6000, 60);
    let mut sequence = Sequence(3);
    for name in ["v.npy", "v.parquet", "v.safetensors"] {
        let whole = format!("whole-{name}");
        place.ok(&["encode", "./model", "corpus.jsonl", "-o", &whole]);
        let resume = ["encode", "./model", "corpus.jsonl", "-o", name, "--resume", "--batch", "50"];
        let journal = place.path(&format!("{name}.journal"));
        let length = || fs_err::metadata(&journal).map_or(0, |journal| journal.len());
        let mut kills = 0;
        loop {
            // Some batches later; a batch is about 200 bytes of the journal, the whole 24,000.
            let moment = length() + sequence.below(9000) as u64;
            let mut command = place.command(&resume);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            while length() < moment && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            let killed = !child.wait().unwrap().success();
            kills += usize::from(killed);
            if place.path(name).exists() {
                // What has its name is whole, also where the process was killed while it tidied up.
                assert_eq!(bytes(&place, name), bytes(&place, &whole), "{name}");
                if journal.exists() {
                    place.ok(&resume);
                }
                break;
            }
            assert!(killed, "{name} is missing");
        }
        println!("{name}: {kills} kills");
        assert!(kills > 1, "{name}: only {kills} kills");
        let left = fs_err::read_dir(place.path(".")).unwrap();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> =
            left.filter(|name| name.contains("partial") || name.contains("journal")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let place = place(100_000, 3);
    let encode = ["encode", "./model", "corpus.jsonl", "-o", "v.npy", "--batch", "20"];
    let mut command = place.command(&encode);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let journal = place.path("v.npy.journal");
    let begun = || fs_err::metadata(&journal).is_ok_and(|journal| journal.len() > 1000);
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be interrupted");
        std::thread::yield_now();
    }
    let stop = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(stop.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("texts are in v.npy.partial"), "{message}");
    assert!(message.contains("--resume goes on"), "{message}");
    assert!(!place.path("v.npy").exists());
    let message = place.fails(5, &encode);
    assert!(message.contains("was begun before"), "{message}");
    let done = place.json(&[&encode[..], &["--resume"]].concat());
    assert_eq!(done["texts"], 100_000);
    assert!(done["resumed"].as_u64().unwrap() > 0);
    place.ok(&["encode", "./model", "corpus.jsonl", "-o", "whole.npy"]);
    assert_eq!(bytes(&place, "v.npy"), bytes(&place, "whole.npy"));
    assert_eq!(bytes(&place, "v.npy.ids"), bytes(&place, "whole.npy.ids"));
}

#[test]
fn bad_input_is_named_and_what_was_done_is_kept() {
    let place = place(40, 4);
    let good = corpus(40, 4);
    place.write(
        "bad.jsonl",
        format!("{good}\n{{\"_id\": \"x\"\n{{\"_id\": \"y\", \"text\": \" \"}}"),
    );
    let encode = ["encode", "./model", "bad.jsonl", "-o", "v.npy", "--batch", "10"];
    let message = place.fails(3, &encode);
    assert!(message.contains("bad.jsonl, line 41: invalid JSON"), "{message}");
    assert!(message.contains("30 texts are in v.npy.partial"), "{message}");
    assert!(!place.path("v.npy").exists());
    let done = place.json(&[&encode[..], &["--resume", "--skip-bad"]].concat());
    assert_eq!((&done["texts"], &done["resumed"]), (&40.into(), &30.into()));
    assert_eq!(done["skipped"][0]["place"], "bad.jsonl:41");
    assert_eq!(done["skipped"][1]["reason"], "document `y` has no text in title, text");
    place.ok(&["encode", "./model", "corpus.jsonl", "-o", "whole.npy"]);
    assert_eq!(bytes(&place, "v.npy"), bytes(&place, "whole.npy"));
    let message = place.fails(5, &encode);
    assert!(message.contains("v.npy exists already"), "{message}");
    // Another corpus, another model, another role.
    place.fails(3, &[&encode[..], &["--replace"]].concat());
    place.write(
        "bad.jsonl",
        format!("{}\n\n\n\n\n\n\n\n\n\n\n\n\n\n{{", good.replace("d17", "d71")),
    );
    let resume = [&encode[..], &["--resume"]].concat();
    let message = place.fails(5, &resume);
    assert!(message.contains("the size of the input was"), "{message}");
    let message = place.fails(5, &[&resume[..], &["--role", "query"]].concat());
    assert!(message.contains("the role was document, and is query now"), "{message}");
    let message = place.fails(2, &["encode", "./model", "corpus.jsonl", "-o", "v.bin"]);
    assert!(message.contains(".safetensors, .parquet or .jsonl"), "{message}");
    place.fails(2, &["encode", "./model", "corpus.jsonl", "--resume"]);
    place.fails(2, &["encode", "./model", "corpus.jsonl", "--values", "f16"]);
    place.fails(2, &["encode", "./model", "corpus.jsonl", "-o", "w.parquet", "--values", "f16"]);
    place.fails(4, &["encode", "./model", "missing.jsonl", "-o", "w.npy"]);
}

/// A transformer of a few kilobytes with random weights.
const BERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/golden/tiny/bert-mean");

#[test]
fn weights_lie_in_memory_as_asked_for() {
    let place = place(40, 30);
    let one = |precision: &str| {
        place.ok(&["encode", BERT, "--text", "the cat sat", "--precision", precision])
    };
    let stored = place.ok(&["encode", BERT, "--text", "the cat sat"]);
    assert_eq!((one("stored"), one("f32")), (stored.clone(), stored.clone()));
    let lossy = ["f16", "bf16", "int8"].map(one);
    assert!(
        lossy.iter().all(|lines| *lines != stored) && lossy[0] != lossy[1] && lossy[1] != lossy[2]
    );
    let message = place.fails(2, &["encode", BERT, "--text", "a", "--precision", "int9"]);
    assert!(message.contains("did you mean `int8`?"), "{message}");
    // What was begun in one precision does not go on in another.
    let begin = ["encode", BERT, "corpus.jsonl", "-o", "v.npy", "--batch", "1"];
    place.write("broken.jsonl", format!("{}\n{{", corpus(3, 4)));
    let broken = ["encode", BERT, "broken.jsonl", "-o", "w.npy", "--batch", "1"];
    place.fails(3, &broken);
    let other = [&broken[..], &["--resume", "--precision", "int8"]].concat();
    let message = place.fails(5, &other);
    assert!(message.contains("w.npy"), "{message}");
    place.ok(&[&begin[..], &["--precision", "int8"]].concat());
    assert_eq!(bytes(&place, "v.npy").len() % 64, 0);
}

#[test]
fn a_model_is_converted_shown_and_used() {
    let place = Place::new();
    let done = place.json(&["models", "convert", BERT, "half", "--precision", "f16"]);
    assert_eq!(done["bytes_before"].as_u64(), done["bytes_after"].as_u64().map(|bytes| 2 * bytes));
    let shown = place.json(&["models", "show", "./half"]);
    assert_eq!(shown["weights"]["F16"], done["bytes_after"]);
    let table = place.ok(&["models", "show", "./half"]);
    assert!(table.contains("F16 0.0 MB"), "{table}");
    let line = place.ok(&["encode", "./half", "--text", "the cat sat"]);
    assert!(line.starts_with("{\"_id\":\"1\",\"vector\":["), "{line}");
    place.write("c.jsonl", "{\"_id\": \"1\", \"text\": \"the cat sat\"}\n");
    place.ok(&["index", "c.ecp", "c.jsonl", "--channel", "dense=./half(precision=int8)"]);
    let state = place.json(&["inspect", "c.ecp"]);
    let spec = state["channels"]["dense"]["spec"].as_str().unwrap();
    assert!(spec.ends_with("half(precision=int8)"), "{spec}");
    let int8 = place.fails(2, &["models", "convert", BERT, "q", "--precision", "int8"]);
    assert!(int8.contains("int8 is made when a model is opened"), "{int8}");
    let there = place.fails(5, &["models", "convert", BERT, "half", "--precision", "f16"]);
    assert!(there.contains("half exists already"), "{there}");
    let bad =
        place.fails(2, &["index", "d.ecp", "c.jsonl", "--channel", "dense=./half(precision=i8)"]);
    assert!(bad.contains("stored, f32, f16, bf16 and int8"), "{bad}");
}
