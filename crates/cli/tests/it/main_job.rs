//! Index, search, run, inspect, fuse, encode.

use crate::support::{CORPUS, Place, data, skip};

#[test]
fn lexical_index_search_and_inspect() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    let indexed = place.json(&["index", "c.ecp", "corpus.jsonl", "--channel", "bm25"]);
    assert_eq!(indexed["documents"], 4);
    let found =
        place.json(&["search", "c.ecp", "who discovered radium", "-k", "2", "--pipeline", "bm25"]);
    let ids: Vec<_> = found["hits"].as_array().unwrap().iter().map(|hit| &hit["id"]).collect();
    assert_eq!(ids, ["curie", "fleming"]);
    assert_eq!(found["hits"][0]["document"]["year"], 1898);
    let inspected = place.json(&["inspect", "c.ecp", "--document", "hahn"]);
    assert_eq!(inspected["documents"], 4);
    assert_eq!(inspected["document"]["lang"], "de");
    assert!(inspected["bytes_total"].as_u64().unwrap() > 0);
}

#[test]
fn little_memory_makes_more_segments_and_the_same_answers() {
    let place = Place::new();
    let line = |i: usize| {
        let text = format!("whale {} sea {} {}", i % 7, i % 11, "plankton ".repeat(60));
        format!("{{\"_id\": \"{i}\", \"text\": \"{text}\"}}\n")
    };
    place.write("corpus.jsonl", (0..9000).map(line).collect::<String>());
    place.ok(&["index", "much.ecp", "corpus.jsonl"]);
    place.ok(&["index", "little.ecp", "corpus.jsonl", "--memory", "16MiB"]);
    let segments = |name| place.json(&["inspect", name])["segments"].as_u64().unwrap();
    assert_eq!(segments("much.ecp"), 1);
    assert!(segments("little.ecp") > 1);
    let hits = |name| place.json(&["search", name, "sea 3 10", "-p", "bm25"])["hits"].clone();
    assert_eq!(hits("much.ecp"), hits("little.ecp"));
}

#[test]
fn a_filter_never_costs_hits() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    let found = place.json(&[
        "search",
        "c.ecp",
        "radium",
        "-k",
        "1",
        "--pipeline",
        "bm25",
        "--filter",
        "not exists(year)",
    ]);
    assert_eq!(found["hits"][0]["id"], "whales");
    let found = place.json(&[
        "search",
        "c.ecp",
        "discovered",
        "-p",
        "bm25 >> where(year > 1900 and lang = \"en\")",
    ]);
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
    assert_eq!(found["hits"][0]["id"], "fleming");
}

#[test]
fn an_explanation_sums_to_the_score() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    let found = place.json(&["search", "c.ecp", "discovered radium", "-p", "bm25", "--explain"]);
    let hit = &found["hits"][0];
    let parts = hit["explanation"]["parts"].as_array().unwrap();
    let sum: f64 = parts.iter().map(|part| part["value"].as_f64().unwrap()).sum();
    assert_eq!(parts.len(), 2);
    assert!((sum - hit["score"].as_f64().unwrap()).abs() < 1e-6);
    let text = place.ok(&["search", "c.ecp", "discovered radium", "-p", "bm25", "--explain"]);
    assert!(text.contains("idf") && text.contains(" ms"));
}

#[test]
fn runs_are_judged_and_fused() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.write("queries.jsonl", "{\"_id\": \"1\", \"text\": \"Marie Curie radium\"}\n{\"_id\": \"2\", \"text\": \"Fleming penicillin\"}\n");
    place.write("qrels.tsv", "query-id\tcorpus-id\tscore\n1\tcurie\t1\n2\tfleming\t1\n");
    place.ok(&[
        "index",
        "c.ecp",
        "corpus.jsonl",
        "--channel",
        "bm25",
        "--channel",
        "short:bm25(fields=title)",
    ]);
    place.ok(&[
        "run",
        "c.ecp",
        "queries.jsonl",
        "--pipeline",
        "bm25",
        "-k",
        "10",
        "-o",
        "bm25.trec",
    ]);
    place.ok(&[
        "run",
        "c.ecp",
        "queries.jsonl",
        "--pipeline",
        "short",
        "-k",
        "10",
        "-o",
        "short.trec",
    ]);
    let first = fs_err::read_to_string(place.path("bm25.trec")).unwrap();
    let columns: Vec<&str> = first.lines().next().unwrap().split(' ').collect();
    assert_eq!(columns.len(), 6);
    assert_eq!((columns[0], columns[1], columns[2], columns[3]), ("1", "Q0", "curie", "1"));
    place.ok(&["fuse", "bm25.trec", "short.trec", "-o", "fused.trec"]);
    let judged = place.json(&[
        "eval",
        "qrels.tsv",
        "bm25.trec",
        "fused.trec",
        "-m",
        "nDCG@10",
        "-m",
        "RR@10",
        "--per-query",
    ]);
    assert_eq!(judged["bm25.trec"]["nDCG@10"], 1.0);
    assert_eq!(judged["fused.trec"]["RR@10"], 1.0);
    assert_eq!(judged["bm25.trec"]["per_query"]["nDCG@10"]["2"], 1.0);
}

#[test]
fn a_broken_pipe_is_no_failure() {
    let place = Place::new();
    place.write("corpus.jsonl", CORPUS);
    place.ok(&["index", "c.ecp", "corpus.jsonl"]);
    let binary = env!("CARGO_BIN_EXE_ecphory");
    let script = format!("set -o pipefail; '{binary}' inspect c.ecp | true");
    let status = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(place.path("."))
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn dense_and_hybrid_with_a_real_model() {
    let Some(place) = Place::with_models() else { return };
    place.write("corpus.jsonl", CORPUS);
    place.ok(&[
        "index",
        "c.ecp",
        "corpus.jsonl",
        "--channel",
        "bm25",
        "--channel",
        "dense=minilm",
        "--offline",
    ]);
    let found = place.json(&["search", "c.ecp", "antibiotic", "-k", "1", "--pipeline", "dense"]);
    assert_eq!(found["hits"][0]["id"], "fleming");
    let found = place.json(&["search", "c.ecp", "animals of the ocean", "--explain"]);
    assert_eq!(found["hits"][0]["id"], "whales");
    let vectors = place.ok(&["encode", "minilm", "--text", "a cat", "--role", "query"]);
    let line: serde_json::Value = serde_json::from_str(vectors.trim()).unwrap();
    let norm: f64 =
        line["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap().powi(2)).sum();
    assert!((norm - 1.0).abs() < 1e-4);
}

#[test]
fn bm25_on_scifact_equals_anserini() {
    let Some(scifact) = data("scifact") else { return };
    let place = Place::new();
    let corpus = scifact.join("corpus.jsonl.gz");
    let queries = scifact.join("queries.jsonl");
    let qrels = scifact.join("qrels/test.tsv");
    place.ok(&["index", "c.ecp", corpus.to_str().unwrap(), "--channel", "bm25"]);
    place.ok(&["run", "c.ecp", queries.to_str().unwrap(), "--pipeline", "bm25", "-o", "bm25.trec"]);
    let judged =
        place.json(&["eval", qrels.to_str().unwrap(), "bm25.trec", "-m", "nDCG@10", "-m", "R@100"]);
    let value = |metric: &str| judged["bm25.trec"][metric].as_f64().unwrap();
    // Anserini's regression for BEIR SciFact, flat index: 0.6789 and 0.9253.
    assert!((value("nDCG@10") - 0.6789).abs() <= 0.003, "nDCG@10 is {}", value("nDCG@10"));
    assert!((value("R@100") - 0.9253).abs() <= 0.01, "R@100 is {}", value("R@100"));
}

#[test]
fn an_interrupted_fill_keeps_what_is_there_and_says_how_to_go_on() {
    let Some(place) = Place::with_models() else { return };
    let Some(cranfield) = data("cranfield") else { return };
    let corpus = cranfield.join("corpus.jsonl");
    let mut child = place
        .command(&[
            "index",
            "c.ecp",
            corpus.to_str().unwrap(),
            "--channel",
            "bm25",
            "--channel",
            "dense=minilm",
            "--skip-bad",
        ])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The lexical channel is published before the first vector is encoded.
    let published = place.path("c.ecp").join("CURRENT");
    while !published.exists() {
        assert!(child.try_wait().unwrap().is_none(), "indexing ended before it published anything");
        std::thread::yield_now();
    }
    let stopped =
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        skip("the dense channel was filled before the interruption came");
        return;
    }
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{message}");
    assert!(message.contains("--resume"), "{message}");
    let found = place.json(&["search", "c.ecp", "boundary layer", "-k", "3", "--pipeline", "bm25"]);
    assert_eq!(found["hits"].as_array().unwrap().len(), 3);
    let partial = place.json(&["inspect", "c.ecp"]);
    assert_eq!(partial["channels"]["dense"]["complete"], false);
}

#[test]
fn generators_are_listed_and_shown() {
    let place = Place::new();
    let models = place.json(&["models", "list"]);
    let entry = models.as_array().unwrap().iter().find(|entry| entry["name"] == "smollm2").unwrap();
    assert_eq!((&entry["use"], &entry["pulled"]), (&"generator".into(), &false.into()));
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/tests/golden/decoders/gguf");
    let shown = place.json(&["models", "show", tiny]);
    assert_eq!(shown["architecture"], "llama");
    assert_eq!((&shown["vocabulary"], &shown["chat"]), (&277.into(), &true.into()));
}
