//! Dense channels against brute force; filling in steps; bad rows.

use ecphory_core::storage::{Memory, Storage};
use ecphory_core::{DocAddress, DocNo, Document, ErrorKind, Scored};
use ecphory_index::{Collection, Coverage, Gap, Rows, Schema, Snapshot, Writer};
use ecphory_kernels::{Level, dot};
use proptest::prelude::*;

use crate::support::*;

const DIMENSIONS: usize = 5;

fn schema_of(dimensions: u32) -> Schema {
    Schema {
        channels: vec![dense_channel("dense", dimensions), dense_channel("other", dimensions)],
        fields: Vec::new(),
    }
}

/// Documents in segments of the given sizes, and for each its rows.
fn build(sizes: &[usize], rows: &[Vec<[f32; DIMENSIONS]>], steps: &[usize]) -> Snapshot {
    let storage = Memory::new();
    let collection = create(&storage, schema_of(DIMENSIONS as u32));
    let mut number = 0;
    let mut batches = Vec::new();
    for &size in sizes {
        batches.push(
            (0..size).map(|i| doc(number + i, "x").with("even", (number + i) % 2 == 0)).collect(),
        );
        number += size;
    }
    add(&collection, &batches);
    fill(&collection, rows, steps);
    collection.snapshot().unwrap()
}

/// Fills the channel in steps of the given sizes, a commit after each and a new writer after every second.
fn fill(collection: &Collection, rows: &[Vec<[f32; DIMENSIONS]>], steps: &[usize]) {
    let mut writer = collection.writer().unwrap();
    let (mut done, mut step) = (0, 0);
    while done < rows.len() {
        let Some(gap) = writer.uncovered("dense").unwrap() else { break };
        let size = steps[step % steps.len()].min(gap.count as usize).min(rows.len() - done);
        stage_some(&writer, &rows[done..done + size]);
        done += size;
        step += 1;
        if step % 3 > 0 {
            writer.commit().unwrap();
        }
        if step.is_multiple_of(2) {
            writer.commit().unwrap();
            drop(writer);
            writer = collection.writer().unwrap();
        }
    }
    writer.commit().unwrap();
}

fn stage_some(writer: &Writer, rows: &[Vec<[f32; DIMENSIONS]>]) {
    let counts: Vec<u32> = rows.iter().map(|rows| rows.len() as u32).collect();
    let values: Vec<f32> = rows.iter().flatten().flatten().copied().collect();
    writer
        .stage_rows("dense", Rows { counts: &counts, values: &values, ..Rows::default() })
        .unwrap();
}

fn brute_force(
    snapshot: &Snapshot,
    rows: &[Vec<[f32; DIMENSIONS]>],
    query: &[f32],
) -> Vec<(Scored<DocAddress>, u32)> {
    let mut hits = Vec::new();
    for (at, rows) in snapshot.addresses().zip(rows) {
        let scores = rows.iter().map(|row| dot::dot(Level::detect(), query, row) + 0.0);
        let mut best: Option<(Scored<DocAddress>, u32)> = None;
        for (score, row) in scores.zip(0..) {
            if best.is_none_or(|(best, _)| score > best.score) {
                best = Some((Scored { score, item: at }, row));
            }
        }
        hits.extend(best);
    }
    hits.sort_by(|a, b| a.0.best_first(&b.0));
    hits
}

fn row() -> impl Strategy<Value = [f32; DIMENSIONS]> {
    // Few values, so that equal scores are common.
    proptest::array::uniform5(prop::sample::select(vec![-1.0f32, 0.0, 0.5, 1.0]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn equals_brute_force_whatever_the_parts(
        sizes in proptest::collection::vec(1usize..12, 1..4),
        rows in proptest::collection::vec(proptest::collection::vec(row(), 0..4), 36),
        steps in proptest::collection::vec(1usize..7, 1..4),
        covered in 0usize..40,
        query in row(),
        k in 0usize..40,
    ) {
        let total: usize = sizes.iter().sum();
        let rows = &rows[..covered.min(total)];
        let snapshot = build(&sizes, rows, &steps);
        let coverage = Coverage { covered: rows.len() as u64, total: total as u64 };
        prop_assert_eq!(snapshot.coverage("dense").unwrap(), coverage);
        prop_assert_eq!(snapshot.coverage("other").unwrap().covered, 0);
        let dense = snapshot.dense("dense").unwrap();
        let expected = brute_force(&snapshot, rows, &query);
        let best: Vec<Scored<DocAddress>> = expected.iter().take(k).map(|hit| hit.0).collect();
        prop_assert_eq!(dense.search(&query, k, None).unwrap(), best);

        let even = snapshot.select(&"even = true".parse().unwrap()).unwrap();
        let best: Vec<Scored<DocAddress>> =
            expected.iter().map(|hit| hit.0).filter(|hit| even.contains(hit.item)).take(k).collect();
        prop_assert_eq!(dense.search(&query, k, Some(&even)).unwrap(), best);

        let all: Vec<DocAddress> = snapshot.addresses().collect();
        for (at, score) in all.iter().zip(dense.score(&query, &all).unwrap()) {
            let hit = expected.iter().find(|hit| hit.0.item == *at);
            prop_assert_eq!(score, hit.map(|hit| hit.0.score));
            let best = dense.best_row(&query, *at).unwrap();
            prop_assert_eq!(best, hit.map(|hit| (hit.1, hit.0.score)));
        }
    }
}

#[test]
fn the_next_gap_counts_what_is_staged_and_small_parts_grow_together() {
    let storage = Memory::new();
    let collection = create(&storage, schema_of(2));
    add(&collection, &[(0..100).map(|i| doc(i, "x")).collect(), vec![doc("last", "x")]]);
    let writer = collection.writer().unwrap();
    let gap = |segment, first, count| Some(Gap { segment, first: DocNo(first), count });
    for i in 0..100 {
        assert_eq!(writer.uncovered("dense").unwrap(), gap(0, i, 100 - i));
        writer
            .stage_rows("dense", Rows { counts: &[1], values: &[i as f32, 1.0], ..Rows::default() })
            .unwrap();
        writer.commit().unwrap();
        let coverage = Coverage { covered: u64::from(i) + 1, total: 101 };
        assert_eq!(collection.snapshot().unwrap().coverage("dense").unwrap(), coverage);
    }
    assert_eq!(writer.uncovered("dense").unwrap(), gap(1, 0, 1));
    writer.stage_rows("dense", Rows { counts: &[0], values: &[], ..Rows::default() }).unwrap();
    assert_eq!(writer.uncovered("dense").unwrap(), None);
    assert_eq!(writer.uncovered("other").unwrap(), gap(0, 0, 100));
    let refused =
        writer.stage_rows("dense", Rows { counts: &[1], values: &[1.0, 1.0], ..Rows::default() });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Input);
    writer.commit().unwrap();
    let parts = storage.list("seg").unwrap();
    let dense = parts.iter().filter(|file| file.contains(".dense")).count();
    assert!(dense <= 12, "100 commits left {dense} parts");
    let snapshot = collection.snapshot().unwrap();
    let hits = snapshot.dense("dense").unwrap().search(&[1.0, 0.0], 3, None).unwrap();
    assert_eq!(ids(&snapshot, &hits), ["99", "98", "97"]);
}

#[test]
fn bad_rows_and_queries_are_named_and_leave_nothing() {
    let storage = Memory::new();
    let collection = create(&storage, schema_of(2));
    add(&collection, &[vec![doc(0, "x"), doc(1, "x"), doc(2, "x")]]);
    let writer = collection.writer().unwrap();
    let check = |counts: &[u32], values: &[f32], message: &str| {
        let error =
            writer.stage_rows("dense", Rows { counts, values, ..Rows::default() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(error.to_string(), message);
        assert_eq!(writer.uncovered("dense").unwrap().unwrap().first, DocNo(0));
    };
    check(
        &[1, 2],
        &[0.0, 0.0, 1.0, 1.0, 2.0, f32::NAN],
        "channel \"dense\", row 1 of document 1: coordinate 1 is not a finite number",
    );
    check(
        &[1],
        &[f32::INFINITY, 0.0],
        "channel \"dense\", row 0 of document 0: coordinate 0 is not a finite number",
    );
    check(&[1], &[1.0], "channel \"dense\", 1 rows: 1 values where 2 are expected");
    check(&[1], &[1.0; 4], "channel \"dense\", 1 rows: 4 values where 2 are expected");
    check(
        &[1; 4],
        &[1.0; 8],
        "channel \"dense\", the rows: counts for 4 documents, but the next gap (in segment 0) has 3",
    );
    check(
        &[1],
        &[3e38, 3e38],
        "channel \"dense\", row 0 of document 0: the vector's length (Euclidean norm) is above 1e18",
    );
    let snapshot = collection.snapshot().unwrap();
    let dense = snapshot.dense("dense").unwrap();
    for query in [&[1.0][..], &[f32::NAN, 0.0], &[3e38, 0.0]] {
        let error = dense.search(query, 3, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().starts_with("channel \"dense\", the query: "), "{error}");
    }
}

#[test]
fn documents_without_any_channels_text_are_refused() {
    let collection = create(&Memory::new(), schema_of(2));
    let writer = collection.writer().unwrap();
    let blank = Document::new("b").with("text", " \n").with("other", "x");
    let error = stage(&writer, &[doc("a", "x"), blank]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let message = "document \"b\": no text in any field that a channel covers (text, title)";
    assert_eq!(error.to_string(), message);
    assert_eq!(writer.snapshot().documents(), 0);
}
