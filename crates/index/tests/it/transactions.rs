//! Any sequence of batches, seals, merges and reopenings, against a collection built from scratch.

use ecphory_core::storage::{FullSpeed, Memory};
use ecphory_core::{Document, Scored};
use ecphory_index::{Batch, Collection, Durability, Filter, Snapshot, Writer, WriterOptions};
use proptest::prelude::*;

use crate::support::*;

/// One thing that a user does.
#[derive(Clone, Debug)]
enum Step {
    /// Puts documents by number, with a text; with vectors or without.
    Upsert {
        docs: Vec<(u8, String)>,
        vectors: bool,
    },
    Delete(Vec<u8>),
    DeleteWhere(u8),
    Seal,
    Maintain,
    Compact,
    Purge,
    /// Closes the writer and opens another one on the same files.
    Reopen,
    /// Drops the writer without closing it.
    Abandon,
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["radium", "decay", "moon", "orbit", "light", "zinc"]);
    proptest::collection::vec(word, 1..7).prop_map(|words| words.join(" "))
}

fn step() -> impl Strategy<Value = Step> {
    let docs = proptest::collection::btree_map(0u8..40, words(), 1..6);
    prop_oneof![
        6 => (docs, any::<bool>()).prop_map(|(docs, vectors)| Step::Upsert {
            docs: docs.into_iter().collect(), vectors,
        }),
        3 => proptest::collection::vec(0u8..40, 1..4).prop_map(Step::Delete),
        1 => (0u8..5).prop_map(Step::DeleteWhere),
        2 => Just(Step::Seal),
        2 => Just(Step::Maintain),
        1 => Just(Step::Compact),
        1 => Just(Step::Purge),
        1 => Just(Step::Reopen),
        1 => Just(Step::Abandon),
    ]
}

fn document(number: u8, text: &str) -> Document {
    Document::new(format!("d{number}"))
        .with("text", text)
        .with("group", i64::from(number % 5))
        .with("kind", ["a", "b", "c"][usize::from(number % 3)])
}

fn vector(number: u8, text: &str) -> [f32; 3] {
    [f32::from(number) / 40.0, text.len() as f32 / 40.0, 0.5]
}

/// Documents in the order of their last write, and whether each has a vector.
type Model = Vec<(u8, String, bool)>;

fn batch(docs: &[(u8, String)], vectors: bool) -> Batch {
    let mut batch = Batch::new();
    for (number, text) in docs {
        batch.upsert(document(*number, text));
    }
    if vectors {
        let values = docs.iter().flat_map(|(number, text)| vector(*number, text)).collect();
        batch.rows("dense", vec![1; docs.len()], values);
    }
    batch
}

fn apply(writer: &Writer, model: &mut Model, step: &Step) {
    match step {
        Step::Upsert { docs, vectors } => {
            writer.put(batch(docs, *vectors), None).unwrap();
            model.retain(|(number, _, _)| docs.iter().all(|(put, _)| put != number));
            model.extend(docs.iter().map(|(number, text)| (*number, text.clone(), *vectors)));
        }
        Step::Delete(numbers) => {
            let mut batch = Batch::new();
            for number in numbers {
                batch.delete(format!("d{number}"));
            }
            let there = model.iter().filter(|(number, _, _)| numbers.contains(number)).count();
            let written = writer.put(batch, None).unwrap();
            assert_eq!(written.deleted, there as u64);
            model.retain(|(number, _, _)| !numbers.contains(number));
        }
        Step::DeleteWhere(group) => {
            let filter: Filter = format!("group = {group}").parse().unwrap();
            writer.delete_where(&filter).unwrap();
            model.retain(|(number, _, _)| number % 5 != *group);
        }
        Step::Seal => writer.seal().unwrap(),
        Step::Maintain => while writer.maintain(&FullSpeed).unwrap() {},
        Step::Compact => writer.compact(&FullSpeed).unwrap(),
        Step::Purge => writer.purge(&FullSpeed).unwrap(),
        Step::Reopen | Step::Abandon => unreachable!("the caller does that"),
    }
}

/// Everything that a search can see, with ids for documents.
fn answers(snapshot: &Snapshot) -> String {
    use std::fmt::Write;
    let mut out = format!("{}\n", snapshot.documents());
    let show = |hits: Vec<Scored<_>>| -> Vec<(String, u32)> {
        let id = |hit: &Scored<_>| snapshot.id(hit.item).unwrap().to_owned();
        hits.iter().map(|hit| (id(hit), hit.score.to_bits())).collect()
    };
    let bm25 = snapshot.bm25("bm25").unwrap();
    let filter: Filter = "group in (1, 3)".parse().unwrap();
    let selection = snapshot.select(&filter).unwrap();
    writeln!(out, "{:?}", selection.iter().map(|at| snapshot.id(at).unwrap()).collect::<Vec<_>>())
        .unwrap();
    for query in ["radium", "moon orbit", "zinc zinc light decay", "absent"] {
        let terms = bm25.analyze(query);
        for (k, selection) in [(3, None), (100, None), (100, Some(&selection))] {
            let hits = bm25.search(&terms, k, selection).unwrap().hits;
            let at: Vec<_> = hits.iter().map(|hit| hit.item).collect();
            let again = bm25.score(&terms, &at).unwrap();
            assert!(hits.iter().zip(again).all(|(hit, score)| hit.score == score));
            writeln!(out, "{query} {k}: {:?}", show(hits)).unwrap();
        }
    }
    let dense = snapshot.dense("dense").unwrap();
    for (k, selection) in [(4, None), (100, None), (100, Some(&selection))] {
        writeln!(out, "{:?}", show(dense.search(&[0.3, 0.8, -0.2], k, selection).unwrap()))
            .unwrap();
    }
    for field in ["group", "kind"] {
        for selection in [None, Some(&selection)] {
            writeln!(out, "{:?}", snapshot.facets(field, selection, 3).unwrap()).unwrap();
            let sorted = snapshot.sort_by(field, field == "kind", selection, 7).unwrap();
            let ids = sorted.iter().map(|&at| snapshot.id(at).unwrap()).collect::<Vec<_>>();
            writeln!(out, "{field} {ids:?}").unwrap();
        }
    }
    for at in snapshot.addresses() {
        let document = snapshot.document(at).unwrap();
        assert_eq!(snapshot.find(&document.id).unwrap(), Some(at));
        writeln!(out, "{document:?}").unwrap();
    }
    out
}

/// The answers of a collection that is built from the model in one go.
fn rebuilt(model: &Model) -> String {
    let collection = create(&Memory::new(), schema());
    let writer = collection.writer().unwrap();
    let documents: Vec<_> = model.iter().map(|(number, text, _)| document(*number, text)).collect();
    for (document, (number, text, vectors)) in documents.into_iter().zip(model) {
        let mut batch = Batch::new();
        batch.add(document);
        if *vectors {
            batch.rows("dense", vec![1], vector(*number, text).to_vec());
        }
        writer.put(batch, None).unwrap();
    }
    answers(&collection.snapshot().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_history_equals_a_rebuild(
        steps in proptest::collection::vec(step(), 1..28),
        durability in prop::sample::select(vec![Durability::Synced, Durability::Logged]),
    ) {
        let storage = Memory::new();
        let mut collection = create(&storage, schema());
        let options = WriterOptions { durability, ..WriterOptions::default() };
        let mut writer = collection.writer_with(options).unwrap();
        let follower = open(&storage).unwrap();
        let mut model = Model::new();
        let mut held: Option<(Snapshot, String)> = None;
        for step in &steps {
            match step {
                Step::Reopen => writer.close().unwrap(),
                Step::Abandon => drop(writer),
                other => {
                    apply(&writer, &mut model, other);
                    let expected = rebuilt(&model);
                    let here = answers(&collection.snapshot().unwrap());
                    prop_assert!(here == expected, "after {step:?}\n{here}\n{expected}");
                    // A reader in another process sees the same.
                    let there = answers(&follower.snapshot().unwrap());
                    prop_assert!(there == expected, "elsewhere after {step:?}\n{there}\n{expected}");
                    if held.is_none() {
                        held = Some((follower.snapshot().unwrap(), there));
                    }
                    continue;
                }
            }
            collection = open(&storage).unwrap();
            writer = collection.writer_with(options).unwrap();
        }
        drop(writer);
        let fresh = answers(&Collection::open(std::sync::Arc::new(storage)).unwrap().snapshot().unwrap());
        prop_assert_eq!(fresh, rebuilt(&model));
        if let Some((snapshot, seen)) = held {
            prop_assert_eq!(answers(&snapshot), seen, "a snapshot changed under its holder");
        }
    }
}
