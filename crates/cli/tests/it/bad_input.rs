//! Every wrong input gives a message that names the place, and the exit code of its kind.

use crate::support::{CORPUS, Place, flipped};

const INPUT: i32 = 3;
const USAGE: i32 = 2;
const NOT_FOUND: i32 = 4;
const CONFLICT: i32 = 5;
const CORRUPT: i32 = 6;

#[test]
fn a_malformed_line_is_named_and_nothing_is_written() {
    let good = r#"{"_id": "a", "title": "", "text": "one"}"#;
    for (bad, reason) in [
        (&b"{\"_id\": \"b\", \"text\": "[..], "JSON"),
        (b"{\"title\": \"no id\", \"text\": \"x\"}", "_id"),
        (b"{\"_id\": \"a\", \"text\": \"again\"}", "line 1"),
        (b"{\"_id\": \"b\", \"title\": \" \", \"text\": \"\"}", "no text"),
        (b"{\"_id\": \"b\", \"text\": \"\xff\"}", "UTF-8"),
        (b"[1, 2]", "object"),
    ] {
        let place = Place::new();
        let corpus = [good.as_bytes(), b"\n", bad, b"\n"].concat();
        place.write("corpus.jsonl", corpus);
        let message = place.fails(INPUT, &["index", "c.ecp", "corpus.jsonl"]);
        assert!(message.contains("corpus.jsonl"), "no file in: {message}");
        assert!(
            message.contains("line 2") || message.contains("corpus.jsonl:2"),
            "no line in: {message}"
        );
        assert!(message.contains(reason), "no `{reason}` in: {message}");
        assert!(!place.path("c.ecp").exists(), "something was written");
        let left: Vec<_> =
            fs_err::read_dir(place.path(".")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(
            left.iter().all(|name| name == "corpus.jsonl" || name == "cache"),
            "left behind: {left:?}"
        );

        let indexed = place.json(&["index", "c.ecp", "corpus.jsonl", "--skip-bad"]);
        assert_eq!(indexed["documents"], 1);
        assert_eq!(indexed["skipped"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn what_is_missing_is_not_found() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    assert!(place.fails(NOT_FOUND, &["index", "c.ecp", "absent.jsonl"]).contains("absent.jsonl"));
    assert!(place.fails(NOT_FOUND, &["search", "absent.ecp", "x"]).contains("absent.ecp"));
    let message = place.fails(
        NOT_FOUND,
        &["index", "c.ecp", "corpus.jsonl", "--channel", "dense=minilm", "--offline"],
    );
    assert!(message.contains("models pull minilm"), "{message}");
    assert!(!place.path("c.ecp").exists());
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    assert!(
        place.fails(NOT_FOUND, &["inspect", "c.ecp", "--document", "nobody"]).contains("nobody")
    );
}

#[test]
fn wrong_expressions_are_shown_with_a_caret() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    let message = place.fails(USAGE, &["search", "c.ecp", "x", "--pipeline", "rrf(bm25, "]);
    assert!(message.contains('^'), "{message}");
    let message = place.fails(USAGE, &["search", "c.ecp", "x", "--pipeline", "bm52"]);
    assert!(message.contains("bm25"), "no nearest name in: {message}");
    let message = place.fails(USAGE, &["search", "c.ecp", "x", "--filter", "year >="]);
    assert!(message.contains('^'), "{message}");
    place.fails(USAGE, &["index", "d.ecp", "corpus.jsonl", "--channel", "bm25(k2=3)"]);
    place.fails(USAGE, &["index", "d.ecp", "corpus.jsonl", "--channel", "bm25(k1=-1)"]);
    place.fails(USAGE, &["search", "c.ecp", "x", "-k", "0"]);
    assert!(!place.path("d.ecp").exists());
}

#[test]
fn sizes_that_are_none_are_shown_how_to_be_written() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    for (size, reason) in [("lots", "256MiB"), ("1M", "256MiB"), ("1MiB", "at least 16MiB")] {
        let message = place.fails(USAGE, &["index", "c.ecp", "corpus.jsonl", "--memory", size]);
        assert!(message.contains(reason), "{message}");
    }
    place.fails(USAGE, &["index", "c.ecp", "--resume", "--memory", "1GiB"]);
    assert!(!place.path("c.ecp").exists());
}

#[test]
fn a_collection_is_never_overwritten_by_accident() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    let message = place.fails(CONFLICT, &["index", "c.ecp", "corpus.jsonl"]);
    assert!(message.contains("--replace"), "{message}");
    place.ok(&["index", "c.ecp", "corpus.jsonl", "--replace"]);
    place.write("mine/letter.txt", "dear");
    place.fails(CONFLICT, &["index", "mine", "corpus.jsonl", "--replace"]);
    assert!(place.path("mine/letter.txt").exists());
}

#[test]
fn a_flipped_or_missing_byte_is_corruption() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    let segment = place.path("c.ecp/seg");
    let parts: Vec<_> =
        fs_err::read_dir(&segment).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(parts.len() >= 3, "documents, columns and bm25 are parts of their own");
    let search = ["search", "c.ecp", "radium", "-p", "bm25", "--filter", "lang = \"en\""];
    for part in parts {
        let whole = fs_err::read(&part).unwrap();
        for broken in [&flipped(&whole)[..], &whole[..whole.len() - 7], &[]] {
            fs_err::write(&part, broken).unwrap();
            let message = place.fails(CORRUPT, &search);
            let name = part.file_name().unwrap().to_string_lossy().into_owned();
            assert!(message.contains(&name), "no file name in: {message}");
        }
        fs_err::write(&part, &whole).unwrap();
    }
    place.ok(&["search", "c.ecp", "radium", "--pipeline", "bm25"]);
}

#[test]
fn wrong_runs_and_judgments_name_the_line() {
    let place = Place::new();
    place.write("qrels.tsv", "query-id\tcorpus-id\tscore\n1\ta\t1\n");
    place.write("good.trec", "1 Q0 a 1 2.0 x\n");
    for (content, reason) in [
        ("1 Q0 a 1 2.0 x\n1 Q0 b\n", "columns"),
        ("1 Q0 a 1 2.0 x\n1 Q0 b 2 NaN x\n", "NaN"),
        ("1 Q0 a 1 2.0 x\n1 Q0 a 2 1.0 x\n", "a"),
    ] {
        place.write("bad.trec", content);
        let message = place.fails(INPUT, &["eval", "qrels.tsv", "bad.trec"]);
        assert!(
            message.contains("bad.trec") && message.contains('2') && message.contains(reason),
            "{message}"
        );
    }
    place.write("bad.tsv", "query-id\tcorpus-id\tscore\n1\ta\tmany\n");
    let message = place.fails(INPUT, &["eval", "bad.tsv", "good.trec"]);
    assert!(message.contains("bad.tsv") && message.contains("many"), "{message}");
    let message = place.fails(USAGE, &["eval", "qrels.tsv", "good.trec", "-m", "nDGC@10"]);
    assert!(message.contains("nDCG"), "{message}");
}

#[test]
fn a_corrupt_model_is_named() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.write("model/config.json", "{\"model_type\": \"bert\"");
    place.write("model/tokenizer.json", "{}");
    place.write("model/model.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}");
    let model = place.path("model");
    let channel = format!("dense={}", model.display());
    let message = place.fails(CORRUPT, &["index", "c.ecp", "corpus.jsonl", "--channel", &channel]);
    assert!(message.contains("config.json"), "{message}");
    assert!(!place.path("c.ecp").exists());
}
