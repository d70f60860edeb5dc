//! Compare: tables and reports.

use std::fmt::Write;

use crate::support::{Place, data};

fn judged_files(place: &Place) {
    let mut qrels = "query-id\tcorpus-id\tscore\n".to_owned();
    let (mut good, mut bad) = (String::new(), String::new());
    for query in 1..=12 {
        writeln!(qrels, "{query}\trel\t1").unwrap();
        writeln!(good, "{query} Q0 rel 1 2 good\n{query} Q0 other 2 1 good").unwrap();
        writeln!(bad, "{query} Q0 other 1 2 bad\n{query} Q0 rel 2 1 bad").unwrap();
    }
    place.write("qrels.tsv", qrels);
    place.write("good.trec", good);
    place.write("bad.trec", bad);
}

#[test]
fn compare_prints_a_table_and_writes_reports() {
    let place = Place::new();
    judged_files(&place);
    let text = place.ok(&[
        "compare",
        "qrels.tsv",
        "bad.trec",
        "good.trec",
        "-m",
        "RR@10",
        "--html",
        "r.html",
        "--markdown",
        "r.md",
    ]);
    assert!(text.contains("0.5000") && text.contains("1.0000"), "{text}");
    let html = fs_err::read_to_string(place.path("r.html")).unwrap();
    assert!(html.contains("<svg") && !html.contains("src=\"http") && !html.contains("href=\"http"));
    assert!(fs_err::read_to_string(place.path("r.md")).unwrap().contains('|'));
    let json = place.json(&["compare", "qrels.tsv", "bad.trec", "good.trec", "-m", "RR@10"]);
    assert!(json.is_object());
}

#[test]
fn compare_runs_pipelines_over_data_sets() {
    if data("adi").is_none() {
        return;
    }
    let place = Place::new();
    let arguments = [
        "compare",
        "--data",
        "adi",
        "--channel",
        "bm25",
        "--pipeline",
        "bm25",
        "--pipeline",
        "bm25 % 5",
        "-m",
        "R@100",
    ];
    let first = place.ok(&arguments);
    assert!(first.contains("adi"), "{first}");
    // The second run finds the collection in the cache and prints the same.
    assert_eq!(place.ok(&arguments), first);
}

#[test]
fn ties_are_shown_on_request() {
    let place = Place::new();
    place.write("qrels.tsv", "query-id\tcorpus-id\tscore\n1\tb\t1\n");
    place.write("tied.trec", "1 Q0 a 1 1 x\n1 Q0 b 2 1 x\n");
    let json = place.json(&["eval", "qrels.tsv", "tied.trec", "-m", "RR@10", "--ties"]);
    let run = &json["tied.trec"];
    // trec_eval puts the greater id first among equals.
    assert_eq!(run["RR@10"], 1.0);
    assert_eq!(run["ties"]["RR@10"]["best"], 1.0);
    assert_eq!(run["ties"]["RR@10"]["worst"], 0.5);
}
