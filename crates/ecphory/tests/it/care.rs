//! Backups, changes of the schema, and what fields say, on collections that are written to meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use ecphory::{
    Document, ErrorKind, Hit, Order, SearchOptions, Silent, Value, WriterOptions, parse_field,
};

use crate::collection::answers;
use crate::support::{Bench, StopAfter, documents};

#[test]
fn a_backup_taken_while_others_write_is_a_state_that_was() {
    let bench = Bench::new();
    let dense = format!("dense={}", bench.model("model", 1));
    let collection = bench.create("c.ecp", &["bm25", &dense]);
    let all = documents(600, 3);
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    writer.add(all[..100].to_vec()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for document in &all[100..] {
                writer.add(vec![document.clone()]).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut last = 0;
        let mut number = 0;
        while !done.load(Ordering::SeqCst) || number == 0 {
            number += 1;
            collection.backup(bench.path("copy"), &Silent).unwrap();
            let copy = bench.engine.open(bench.path("copy")).unwrap();
            assert!(copy.check(&Silent).unwrap().is_empty());
            let copy = copy.snapshot().unwrap();
            let count = copy.documents() as usize;
            assert!(count >= last.max(100), "{count} after {last}");
            last = count;
            let name = format!("fresh-{number}.ecp");
            let fresh = bench.create(&name, &["bm25", &dense]);
            fresh.add(&all[..count], &Silent).unwrap();
            fresh.fill(&Silent).unwrap();
            for pipeline in ["bm25", "dense"] {
                let fresh = answers(&fresh.snapshot().unwrap(), pipeline);
                assert_eq!(answers(&copy, pipeline), fresh);
            }
        }
    });
    collection.backup(bench.path("copy"), &Silent).unwrap();
    let stopped = bench.engine.restore(bench.path("copy"), bench.path("r.ecp"), &StopAfter::new(0));
    assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(!bench.path("r.ecp").exists());
    let restored = bench.engine.restore(bench.path("copy"), bench.path("r.ecp"), &Silent).unwrap();
    let reader = writer.snapshot().unwrap();
    for pipeline in ["bm25", "dense", "hybrid"] {
        assert_eq!(answers(&restored.snapshot().unwrap(), pipeline), answers(&reader, pipeline));
    }
    restored.writer(&WriterOptions::default()).unwrap().delete(["d1"]).unwrap();
    assert_eq!(restored.snapshot().unwrap().documents(), 599);
}

#[test]
fn a_channel_added_later_equals_one_that_was_there() {
    let bench = Bench::new();
    let dense = format!("dense={}", bench.model("model", 1));
    let all = documents(300, 3);
    let collection = bench.create("c.ecp", &["bm25"]);
    // On a collection that is not on disk yet a field is only noted down.
    collection.add_field(parse_field("year:integer").unwrap(), &Silent).unwrap();
    collection.add(&all[..200], &Silent).unwrap();
    let writer = collection.writer(&WriterOptions::default()).unwrap();
    writer.add(all[200..].to_vec()).unwrap();
    drop(writer);
    let before = collection.snapshot().unwrap();
    collection.add_channel(&dense.parse().unwrap(), &Silent).unwrap();
    let titles = "titles:bm25(fields=title)";
    collection.add_channel(&titles.parse().unwrap(), &Silent).unwrap();
    collection.add_field(parse_field("lang:keyword").unwrap(), &Silent).unwrap();
    let reader = collection.snapshot().unwrap();
    assert_eq!(reader.coverage("dense").unwrap().covered, 0);
    assert_eq!(collection.fill(&Silent).unwrap().documents, 300);
    let reader = collection.snapshot().unwrap();
    assert_eq!(before.channels().len(), 1);
    let fresh = bench.create("fresh.ecp", &["bm25", &dense, titles]);
    fresh.add(&all, &Silent).unwrap();
    fresh.fill(&Silent).unwrap();
    let fresh = fresh.snapshot().unwrap();
    for pipeline in ["bm25", "dense", "titles", "hybrid", "bm25 >> where(lang = \"de\")"] {
        assert_eq!(answers(&reader, pipeline), answers(&fresh, pipeline), "{pipeline}");
    }
    let wrong = collection.add_field(parse_field("title:integer").unwrap(), &Silent);
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Usage);
    let bad = Document::new("x").with("text", "radium").with("year", "soon");
    assert_eq!(collection.add(&[bad], &Silent).unwrap_err().kind(), ErrorKind::Input);
    for text in ["year", ":integer", "year:integr"] {
        assert_eq!(parse_field(text).unwrap_err().kind(), ErrorKind::Usage, "{text}");
    }
}

fn year(hit: &Hit) -> i64 {
    match hit.document.as_ref().unwrap().get("year") {
        Some(Value::Integer(year)) => *year,
        other => panic!("{other:?} is no year"),
    }
}

#[test]
fn hits_are_sorted_and_counted_as_by_hand() {
    let bench = Bench::new();
    let collection = bench.create("c.ecp", &["bm25"]);
    let all = documents(200, 3);
    for part in all.chunks(30) {
        collection.add(part, &Silent).unwrap();
    }
    let reader = collection.snapshot().unwrap();
    let options = SearchOptions { k: 40, documents: true, ..SearchOptions::default() };
    let pipeline = reader.pipeline("bm25").unwrap();
    let hits = reader.search(&pipeline, "radium moon", &options).unwrap().hits;
    let place = |hit: &Hit| all.iter().position(|document| document.id == hit.id);
    for (order, sign) in [("year", 1), ("year:asc", 1), ("year:desc", -1)] {
        let order: Order = order.parse().unwrap();
        let mut expected = hits.clone();
        expected.sort_by_key(|hit| (sign * year(hit), place(hit)));
        assert_eq!(reader.reorder(hits.clone(), &order).unwrap(), expected);
        assert_eq!(order.to_string().parse::<Order>().unwrap(), order);
        let filter = "lang = \"de\" and year < 1905".parse().unwrap();
        let found = reader.browse(&order, Some(&filter), 1000).unwrap();
        let german = |document: &&Document| {
            document.text("lang") == Some("de")
                && matches!(document.get("year"), Some(Value::Integer(year)) if *year < 1905)
        };
        assert_eq!(found.len(), all.iter().filter(german).count());
        assert!(found.is_sorted_by_key(|hit| (sign * year(hit), place(hit))));
        let counts = reader.facets("lang", Some(&filter), 10).unwrap();
        assert_eq!(counts, [("de".into(), found.len() as u64)]);
    }
    let counts = reader.facets("year", None, 3).unwrap();
    assert_eq!(counts.len(), 3);
    for (value, count) in counts {
        let same = all.iter().filter(|document| document.get("year") == Some(&value)).count();
        assert_eq!(same as u64, count);
    }
    assert_eq!(":desc".parse::<Order>().unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(reader.facets("yaer", None, 3).unwrap_err().kind(), ErrorKind::Usage);
}
