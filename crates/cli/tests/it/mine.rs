//! `mine`, `split` and `data audit` as real processes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::Place;
use crate::tiny_model::{Sequence, sentence, write_model};

/// Forty documents, and 36 queries with an answer each, a third of them to test; two tiny models beside them.
fn place() -> Place {
    let place = Place::new();
    write_model(&place.path("tiny"), 1);
    write_model(&place.path("other"), 2);
    let mut sequence = Sequence(5);
    let (mut corpus, mut queries) = (String::new(), String::new());
    let header = "query-id\tcorpus-id\tscore\n";
    let mut qrels = [header.to_owned(), header.to_owned()];
    for number in 0..40 {
        let text = sentence(&mut sequence, 6);
        writeln!(corpus, "{}", json!({"_id": format!("d{number}"), "text": text})).unwrap();
    }
    for number in 0..36 {
        let text = sentence(&mut sequence, 3);
        writeln!(queries, "{}", json!({"_id": format!("q{number}"), "text": text})).unwrap();
        writeln!(qrels[usize::from(number % 3 == 0)], "q{number}\td{number}\t1").unwrap();
    }
    place.write("set/corpus.jsonl", corpus);
    place.write("set/queries.jsonl", queries);
    place.write("set/qrels/train.tsv", &qrels[0]);
    place.write("set/qrels/test.tsv", &qrels[1]);
    place
}

const MINE: [&str; 7] = ["mine", "--data", "./set", "--channel", "bm25", "--pipeline", "bm25"];

fn mine<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&MINE[..], more].concat()
}

fn sets(place: &Place, name: &str) -> Vec<Value> {
    let text = fs_err::read_to_string(place.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn negatives_come_as_a_file_that_is_the_same_however_it_is_made() {
    let place = place();
    let told = place.json(&mine(&["--keep", "3", "-o", "mined.jsonl"]));
    let mined = sets(&place, "mined.jsonl");
    assert_eq!((told["pairs"].as_u64(), mined.len()), (Some(24), 24), "{told}");
    let of = |set: &Value| set["negatives"].as_array().unwrap().len() as u64;
    assert_eq!(told["negatives"], mined.iter().map(of).sum::<u64>());
    assert_eq!(told["short"], mined.iter().filter(|set| of(set) < 3).count());
    for set in &mined {
        let documents = set["negatives"].as_array().unwrap().iter().map(|n| &n["document"]);
        let documents: Vec<&Value> = documents.collect();
        assert!(!documents.contains(&&set["positive"]));
    }
    let bytes = |name: &str| fs_err::read(place.path(name)).unwrap();
    let text = place.ok(&mine(&["--keep", "3", "-o", "again.jsonl", "--threads", "1"]));
    assert!(text.contains("judged pairs") && text.contains("removed: duplicate"), "{text}");
    assert!(bytes("mined.jsonl") == bytes("again.jsonl"));
    let printed = place.ok(&mine(&["--keep", "3", "-o", "-"]));
    assert!(printed.as_bytes() == bytes("mined.jsonl"));
    place.ok(&mine(&["--keep", "3", "--seed", "8", "-o", "seed.jsonl"]));
    assert!(bytes("mined.jsonl") != bytes("seed.jsonl"));
    place.ok(&mine(&["--split", "test", "--skip", "2", "-o", "test.tsv"]));
    let tabs = fs_err::read_to_string(place.path("test.tsv")).unwrap();
    assert!(tabs.lines().count() == 12 && tabs.starts_with("q0\td0\t"), "{tabs}");
}

#[test]
fn a_teacher_may_be_a_model_or_a_channel() {
    let place = place();
    let by_model = ["--teacher", "./tiny", "--audit", "4"];
    let told = place.json(&mine(&[&by_model[..], &["-o", "model.jsonl"]].concat()));
    assert!(told["removed"]["teacher margin"].as_u64().unwrap() > 0, "{told}");
    let likely = told["likely_answers"].as_array().unwrap();
    assert_eq!(likely.len(), 4);
    let excess =
        |miss: &Value| miss["score"].as_f64().unwrap() - miss["positive_score"].as_f64().unwrap();
    assert!(likely.iter().map(excess).collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
    let text = place.ok(&mine(&["--teacher", "./tiny", "--audit", "-o", "shown.jsonl"]));
    assert!(text.contains("likely answers that nobody judged"), "{text}");
    // The same model as a channel of the collection teaches the same.
    let mut arguments = mine(&["--teacher", "dense", "-o", "channel.jsonl"]);
    arguments.extend(["--channel", "dense=./tiny"]);
    place.ok(&arguments);
    assert_eq!(sets(&place, "model.jsonl"), sets(&place, "channel.jsonl"));
}

#[test]
fn what_is_wrong_with_mining_has_its_code() {
    let place = place();
    let said = place.fails(2, &mine(&["--skip", "100", "-o", "x.jsonl"]));
    assert!(said.contains("--skip has to be smaller"), "{said}");
    let said = place.fails(2, &mine(&["--ratio", "0.9", "-o", "x.jsonl"]));
    assert!(said.contains("--teacher"), "{said}");
    let said =
        place.fails(2, &["mine", "--data", "./set", "--channel", "bm25", "-p", "bm26", "-o", "x"]);
    assert!(said.contains("did you mean `bm25`"), "{said}");
    place.fails(4, &mine(&["--split", "dev", "-o", "x.jsonl"]));
    place.fails(4, &mine(&["--teacher", "./nowhere", "-o", "x.jsonl"]));
    place.fails(4, &mine(&["-o", "nowhere/x.jsonl"]));
    assert!(!place.path("x.jsonl").exists());
}

fn ids(place: &Place, name: &str) -> BTreeSet<String> {
    let text = fs_err::read_to_string(place.path(name)).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// The value of a metric for a run of the collection, on some judgments.
fn judged(place: &Place, qrels: &Path) -> Value {
    place.json(&["eval", qrels.to_str().unwrap(), "run.trec", "-m", "nDCG@10", "--per-query"])
}

#[test]
fn restrain_draws_equal_sets_and_leaves_the_test_alone() {
    let place = place();
    let split = ["split", "--protocol", "restrain", "--data", "./set", "--encoder", "./other"];
    let told = place.json(&[&split[..], &["--out", "regimes"]].concat());
    let [near, far, test] = ["train-interpolation", "train-extrapolation", "test"]
        .map(|name| ids(&place, &format!("regimes/qrels/{name}.tsv")));
    assert!(!near.is_empty() && near.len() == far.len(), "{told}");
    assert!(near.is_disjoint(&far) && test.len() == 12);
    let train = ids(&place, "set/qrels/train.tsv");
    assert!(near.union(&far).all(|query| train.contains(query)));
    assert_eq!(told["splits"][0]["relevant"], told["splits"][1]["relevant"]);
    // Whatever was not trained on either set scores the same after both: the test queries are those of the source.
    place.ok(&["index", "c.ecp", "set/corpus.jsonl"]);
    place.ok(&["run", "c.ecp", "set/queries.jsonl", "-p", "bm25", "-o", "run.trec"]);
    let before = judged(&place, &place.path("set/qrels/test.tsv"));
    assert_eq!(before, judged(&place, &place.path("regimes/qrels/test.tsv")));
    // Both splits are trained on like any other.
    place.ok(&[
        "mine",
        "--data",
        "./regimes",
        "--split",
        "train-extrapolation",
        "--channel",
        "bm25",
        "-o",
        "m.jsonl",
    ]);
    place.fails(5, &[&split[..], &["--out", "regimes"]].concat());
    place.ok(&[&split[..], &["--out", "again"]].concat());
    place.ok(&[&split[..], &["--out", "other-seed", "--seed", "8"]].concat());
    let file =
        |name: &str| fs_err::read(place.path(name).join("qrels/train-extrapolation.tsv")).unwrap();
    assert!(file("regimes") == file("again") && file("regimes") != file("other-seed"));
}

#[test]
fn resttest_holds_every_group_out() {
    let place = place();
    let split = ["split", "--protocol", "resttest", "--data", "./set", "--encoder", "./other"];
    let told = place.json(&[&split[..], &["--groups", "3", "--out", "folds"]].concat());
    let splits = told["splits"].as_array().unwrap();
    assert_eq!(splits.len() % 3, 0);
    let mut held_out = Vec::new();
    for fold in splits.chunks(3) {
        let files = fold.iter().map(|split| {
            ids(&place, &format!("folds/qrels/{}.tsv", split["name"].as_str().unwrap()))
        });
        let files: Vec<BTreeSet<String>> = files.collect();
        let [train, inside, outside] = &files[..] else { panic!("{told}") };
        assert!(!train.is_empty() && inside.is_disjoint(outside));
        assert_eq!(inside.len() + outside.len(), 12);
        held_out.extend(outside.iter().cloned());
    }
    held_out.sort();
    let test: Vec<String> = ids(&place, "set/qrels/test.tsv").into_iter().collect();
    assert_eq!(held_out, test);
    place.fails(3, &[&split[..], &["--groups", "1", "--out", "one"]].concat());
    assert!(!place.path("one").exists());
}

#[test]
fn an_audit_finds_what_is_there_twice() {
    let place = place();
    let none = place.json(&["data", "audit", "./set"]);
    assert_eq!((&none["same_id"], &none["near"]), (&json!([]), &json!([])), "{none}");
    assert_eq!(none["sharing"], json!({"of": 12, "count": 0}));
    let test = "the curie prize of physics for radium and its decay";
    place.write(
        "set/queries.jsonl",
        format!(
            "{}\n{}\n{}\n",
            json!({"_id": "a", "text": test}),
            json!({"_id": "b", "text": format!("{test} today")}),
            json!({"_id": "c", "text": "moon"}),
        ),
    );
    let qrels = |lines: &str| format!("query-id\tcorpus-id\tscore\n{lines}");
    place.write("set/qrels/train.tsv", qrels("a\td1\t1\nc\td2\t1\n"));
    place.write("set/qrels/test.tsv", qrels("b\td1\t1\nc\td3\t1\n"));
    let found = place.json(&["data", "audit", "./set"]);
    assert_eq!(found["same_id"], json!(["c"]));
    assert_eq!(found["near"], json!([{"test": "b", "train": "a", "overlap": 1.0}]));
    assert_eq!(found["sharing"], json!({"of": 2, "count": 1}));
    let text = place.ok(&["data", "audit", "./set", "--shared", "2"]);
    assert!(text.contains("that share 2 relevant documents or more"), "{text}");
    place.write("made.tsv", "s1\tThe Curie prize of physics, for radium and its decay, today!\n");
    let found = place.json(&["data", "audit", "./set", "--queries", "made.tsv"]);
    assert_eq!(found["same_text"][0]["train"], "s1");
    assert_eq!(found["sharing"], Value::Null);
    place.fails(2, &["data", "audit", "./set", "--overlap", "0"]);
    place.fails(4, &["data", "audit", "./set", "--train", "dev"]);
}
