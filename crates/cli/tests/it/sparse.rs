//! `--channel sparse=MODEL` with a small model of chance weights.

use crate::support::{CORPUS, Place, flipped};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/golden/heads/mlm-bert");

const USAGE: i32 = 2;
const CORRUPT: i32 = 6;

fn hits(place: &Place, collection: &str) -> Vec<(String, f64)> {
    let found = place.json(&["search", collection, "the radium", "-p", "sparse"]);
    let hit = |hit: &serde_json::Value| {
        (hit["id"].as_str().unwrap().to_owned(), hit["score"].as_f64().unwrap())
    };
    found["hits"].as_array().unwrap().iter().map(hit).collect()
}

#[test]
fn a_sparse_channel_lives_as_the_others_do() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    let channel = format!("sparse={MODEL}(max_tokens=16)");
    place.ok(&["index", "c.ecp", "corpus.jsonl", "--channel", "bm25", "--channel", &channel]);
    let first = hits(&place, "c.ecp");
    assert_eq!(first.len(), 4);
    place.write("more.jsonl", "{\"_id\": \"x\", \"text\": \"the radium cat\"}\n");
    place.ok(&["add", "c.ecp", "more.jsonl"]);
    place.ok(&["delete", "c.ecp", "--id", "hahn"]);
    let second = hits(&place, "c.ecp");
    assert_eq!(second.len(), 4);
    assert!(second.iter().all(|hit| hit.0 != "hahn"), "{second:?}");
    assert!(first.iter().filter(|hit| hit.0 != "hahn").all(|hit| second.contains(hit)));

    let explained = place.ok(&["search", "c.ecp", "the radium", "-p", "hybrid", "--explain"]);
    assert!(explained.contains("cc(bm25, sparse, alpha=0.5)"), "{explained}");
    assert!(explained.contains("term cat · query"), "{explained}");
    let state = place.json(&["inspect", "c.ecp"]);
    assert_eq!(state["channels"]["sparse"]["documents"], 4);
    assert_eq!(state["channels"]["sparse"]["complete"], true);
    assert!(state["bytes"]["channel/sparse/impacts"].as_u64().unwrap() > 0, "{state}");

    place.ok(&["compact", "c.ecp"]);
    place.ok(&["check", "c.ecp"]);
    place.ok(&["backup", "c.ecp", "b.ecp"]);
    place.ok(&["restore", "b.ecp", "r.ecp"]);
    for name in ["c.ecp", "b.ecp", "r.ecp"] {
        assert_eq!(hits(&place, name), second, "{name}");
    }
    // The same channel, added to documents that are there.
    place.ok(&["index", "later.ecp", "corpus.jsonl"]);
    place.ok(&["migrate", "later.ecp", "--add-channel", &channel]);
    assert_eq!(hits(&place, "later.ecp"), first);

    let parts = fs_err::read_dir(place.path("c.ecp/seg")).unwrap().map(|part| part.unwrap().path());
    let part = parts.into_iter().find(|part| part.extension().unwrap() == "sparse").unwrap();
    let whole = fs_err::read(&part).unwrap();
    fs_err::write(&part, flipped(&whole)).unwrap();
    let output = place.run(&["check", "c.ecp"]);
    assert_eq!(output.status.code(), Some(CORRUPT));
    assert!(String::from_utf8_lossy(&output.stdout).contains(".sparse"), "{output:?}");
    place.fails(CORRUPT, &["search", "c.ecp", "the radium", "-p", "sparse"]);
}

#[test]
fn a_sparse_channel_without_a_model_is_a_usage_error() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    let message = place.fails(USAGE, &["index", "c.ecp", "corpus.jsonl", "--channel", "sparse"]);
    assert!(message.contains("write sparse=MODEL"), "{message}");
    assert!(!place.path("c.ecp").exists());
}
