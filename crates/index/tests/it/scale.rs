//! Several chunks and units: the paths that small collections do not reach.

use ecphory_core::storage::{Memory, Storage};
use ecphory_core::{DocAddress, Document, Scored, Silent};
use ecphory_index::{Rows, Schema, Work};

use crate::support::*;

/// More than a chunk of documents with a common word, a rare one, and lengths that vary.
fn documents(count: u32) -> Vec<Document> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    (0..count)
        .map(|i| {
            let mut text = format!("common w{} w{}", next() % 50, next() % 3000);
            for _ in 0..next() % 4 {
                text += " common";
            }
            if i % 30_000 == 7 {
                text += &" rare".repeat(300);
            }
            doc(i, &text).with("n", i64::from(i))
        })
        .collect()
}

#[test]
fn several_chunks_equal_the_naive_search() {
    let schema = Schema { channels: vec![bm25_channel(raw(0.9, 0.4))], fields: Vec::new() };
    let documents = documents(70_000);
    let one = add(&create(&Memory::new(), schema.clone()), std::slice::from_ref(&documents));
    let (a, b) = documents.split_at(66_000);
    let two = add(&create(&Memory::new(), schema), &[a.to_vec(), b.to_vec()]);
    let filter = "n >= 65530 and n < 66010".parse().unwrap();
    for snapshot in [&one, &two] {
        let naive = NaiveBm25::new(snapshot, 0.9, 0.4);
        let bm25 = snapshot.bm25("bm25").unwrap();
        let selection = snapshot.select(&filter).unwrap();
        assert_eq!(selection.count(), 480);
        for words in
            [&["common"][..], &["rare"], &["w7", "w1234"], &["rare", "common", "w3", "w2999"]]
        {
            let terms = query(words);
            let expected: Vec<Scored<DocAddress>> =
                naive.search(&terms).iter().map(|hit| hit.0).collect();
            for k in [1, 10, 1000, 100_000] {
                let hits = bm25.search(&terms, k, None).unwrap().hits;
                assert!(hits == expected[..k.min(expected.len())], "{words:?} {k}");
            }
            let best: Vec<Scored<DocAddress>> = expected
                .iter()
                .copied()
                .filter(|hit| selection.contains(hit.item))
                .take(100)
                .collect();
            assert_eq!(bm25.search(&terms, 100, Some(&selection)).unwrap().hits, best, "{words:?}");
            let last: Vec<DocAddress> =
                expected.iter().rev().take(500).map(|hit| hit.item).collect();
            let scores: Vec<f32> = expected.iter().rev().take(500).map(|hit| hit.score).collect();
            assert_eq!(bm25.score(&terms, &last).unwrap(), scores);
        }
        for id in ["0", "4095", "4096", "65535", "65536", "69999"] {
            let at = snapshot.find(id).unwrap().unwrap();
            let document = snapshot.document(at).unwrap();
            assert_eq!(
                (document.id.as_str(), document.get("n")),
                (id, Some(&id.parse::<i64>().unwrap().into()))
            );
        }
    }
}

#[test]
fn a_search_takes_a_known_amount_of_work() {
    let schema = Schema { channels: vec![bm25_channel(raw(0.9, 0.4))], fields: Vec::new() };
    // Each a chunk of its own, so that what the first finds bounds the others.
    let documents = documents(150_000);
    let snapshot = add(&create(&Memory::new(), schema), &[documents]);
    let bm25 = snapshot.bm25("bm25").unwrap();
    let by_impacts = snapshot.bm25("bm25").unwrap().by_impacts();
    let (mut work, mut of_impacts) = (Work::default(), Work::default());
    for k in [10, 1000] {
        for words in [&["common"][..], &["w7", "w1234"], &["common", "w3", "w2999"]] {
            work += bm25.search(&query(words), k, None).unwrap().work;
            of_impacts += by_impacts.search(&query(words), k, None).unwrap().work;
        }
    }
    // Counted work, which depends on nothing but the code.
    assert_eq!((work.postings, work.skipped), (612_098, 0));
    assert_eq!(of_impacts, Work { postings: 506_580, skipped: 105_518, scored: 0 });
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let documents = documents(10_000);
    let build = |threads| {
        let storage = Memory::new();
        let collection = create(&storage, schema());
        let writer = collection.writer().unwrap();
        writer.stage(&documents, &pool(threads), &Silent).unwrap();
        let rows = Rows { counts: &[1; 500], values: &[0.5; 1500], ..Rows::default() };
        writer.stage_rows("dense", rows).unwrap();
        writer.commit().unwrap();
        let names = storage.names();
        let contents: Vec<Vec<u8>> =
            names.iter().map(|name| storage.open(name).unwrap().to_vec()).collect();
        (names, contents)
    };
    let one = build(1);
    for threads in [2, 3] {
        assert!(build(threads) == one, "{threads} threads write other bytes than one");
    }
}
