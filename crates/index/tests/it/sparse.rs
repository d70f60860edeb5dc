//! Sparse channels against brute force, whatever the segments; counted work; bad rows.

use std::collections::BTreeMap;

use ecphory_core::storage::{FullSpeed, Memory};
use ecphory_core::{DocAddress, Document, ErrorKind, Scored, Silent};
use ecphory_index::{Batch, Collection, Filter, Rows, Schema, Selection, Snapshot, Work, Writer};
use proptest::prelude::*;

use crate::support::*;

const TERMS: u32 = 50;

/// A document's terms with their weights.
type Vector = BTreeMap<u32, f32>;

/// What every document holds, in the order of the last writes; `None` where it was never encoded.
type Model = Vec<(u16, Option<Vector>)>;

fn schema_of(terms: u32) -> Schema {
    Schema { channels: vec![sparse_channel("sparse", terms)], fields: Vec::new() }
}

fn numbered(number: u16) -> Document {
    doc(number, "x").with("group", i64::from(number % 3))
}

/// One thing that a user does.
#[derive(Clone, Debug)]
enum Step {
    Put {
        docs: BTreeMap<u16, Vector>,
        encoded: bool,
    },
    /// Adds documents that are not there in bulk, without vectors.
    Stage(Vec<u16>),
    Delete(Vec<u16>),
    /// Gives vectors to some documents that have none.
    Fill(Vec<Vector>),
    Seal,
    Maintain,
    Compact,
    Reopen,
}

/// Frequent terms have small numbers, as by Zipf's law, and weights are few, so that equal scores are common.
fn vector() -> impl Strategy<Value = Vector> {
    let term = (0.0f64..1.0).prop_map(|x| (f64::from(TERMS).powf(x) - 1.0) as u32);
    let weight = prop_oneof![
        4 => prop::sample::select(vec![0.25f32, 0.5, 1.0, 3.0]),
        2 => 0.001f32..4.0,
        1 => prop::sample::select(vec![f32::from_bits(1), 1e-30, 1e15]),
    ];
    proptest::collection::btree_map(term, weight, 0..12)
}

fn step() -> impl Strategy<Value = Step> {
    let docs = proptest::collection::btree_map(0u16..60, vector(), 1..12);
    let numbers = || proptest::collection::vec(0u16..60, 1..6);
    prop_oneof![
        6 => (docs, any::<bool>()).prop_map(|(docs, encoded)| Step::Put { docs, encoded }),
        2 => numbers().prop_map(Step::Stage),
        2 => numbers().prop_map(Step::Delete),
        3 => proptest::collection::vec(vector(), 1..9).prop_map(Step::Fill),
        2 => Just(Step::Seal),
        2 => Just(Step::Maintain),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

fn sparse_rows<'v>(vectors: impl Iterator<Item = &'v Vector>) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
    let (mut counts, mut terms, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for vector in vectors {
        counts.push(vector.len() as u32);
        terms.extend(vector.keys());
        weights.extend(vector.values());
    }
    (counts, terms, weights)
}

fn put(writer: &Writer, docs: &BTreeMap<u16, Vector>, encoded: bool) {
    let mut batch = Batch::new();
    for &number in docs.keys() {
        batch.upsert(numbered(number));
    }
    if encoded {
        let (counts, terms, weights) = sparse_rows(docs.values());
        batch.sparse_rows("sparse", counts, terms, weights);
    }
    writer.put(batch, None).unwrap();
}

/// Stages vectors for the documents at the beginning of the next gap.
fn fill(writer: &Writer, model: &mut Model, vectors: &[Vector]) {
    let Some(gap) = writer.uncovered("sparse").unwrap() else { return };
    let snapshot = writer.snapshot();
    let vectors = &vectors[..vectors.len().min(gap.count as usize)];
    for (vector, doc) in vectors.iter().zip(gap.first.0..) {
        // A dead one gets rows as well.
        let Ok(id) = snapshot.id(DocAddress::new(gap.segment, doc)) else { continue };
        let entry = model.iter_mut().find(|entry| entry.0.to_string() == id).unwrap();
        entry.1 = Some(vector.clone());
    }
    let (counts, terms, values) = sparse_rows(vectors.iter());
    writer.stage_rows("sparse", Rows { counts: &counts, terms: &terms, values: &values }).unwrap();
    writer.commit().unwrap();
}

fn apply(writer: &Writer, model: &mut Model, step: &Step) {
    match step {
        Step::Put { docs, encoded } => {
            put(writer, docs, *encoded);
            model.retain(|entry| !docs.contains_key(&entry.0));
            let vector = |vector: &Vector| encoded.then(|| vector.clone());
            model.extend(docs.iter().map(|(&number, of)| (number, vector(of))));
        }
        Step::Stage(numbers) => {
            let mut new: Vec<u16> = numbers.clone();
            new.retain(|number| !model.iter().any(|entry| entry.0 == *number));
            new.sort_unstable();
            new.dedup();
            let documents: Vec<Document> = new.iter().map(|&number| numbered(number)).collect();
            stage(writer, &documents).unwrap();
            writer.commit().unwrap();
            model.extend(new.into_iter().map(|number| (number, None)));
        }
        Step::Delete(numbers) => {
            let mut batch = Batch::new();
            for number in numbers {
                batch.delete(number.to_string());
            }
            writer.put(batch, None).unwrap();
            model.retain(|entry| !numbers.contains(&entry.0));
        }
        Step::Fill(vectors) => fill(writer, model, vectors),
        Step::Seal => writer.seal().unwrap(),
        Step::Maintain => while writer.maintain(&FullSpeed).unwrap() {},
        Step::Compact => writer.compact(&FullSpeed).unwrap(),
        Step::Reopen => unreachable!("the caller does that"),
    }
}

/// The score that the engine promises: f32, in the order of the terms.
fn naive_score(query: &Vector, vector: &Vector) -> f32 {
    let shared = vector.iter().filter_map(|(term, weight)| Some(query.get(term)? * weight));
    shared.fold(0.0, |sum, product| sum + product)
}

fn brute_force(
    snapshot: &Snapshot,
    model: &Model,
    query: &Vector,
    selection: Option<&Selection>,
) -> Vec<Scored<DocAddress>> {
    let mut hits = Vec::new();
    for (at, (_, vector)) in snapshot.addresses().zip(model) {
        let Some(vector) = vector else { continue };
        let shares = query.keys().any(|term| vector.contains_key(term));
        if shares && selection.is_none_or(|selection| selection.contains(at)) {
            hits.push(Scored { score: naive_score(query, vector), item: at });
        }
    }
    hits.sort_by(Scored::best_first);
    hits
}

fn check(snapshot: &Snapshot, model: &Model, query: &Vector) -> Result<(), TestCaseError> {
    let found: Vec<String> =
        snapshot.addresses().map(|at| snapshot.id(at).unwrap().to_owned()).collect();
    let expected: Vec<String> = model.iter().map(|entry| entry.0.to_string()).collect();
    prop_assert_eq!(found, expected);
    let sparse = snapshot.sparse("sparse").unwrap();
    // In any order.
    let pairs: Vec<(u32, f32)> =
        query.iter().rev().map(|(&term, &weight)| (term, weight)).collect();
    let filter: Filter = "group = 1".parse().unwrap();
    let one = match snapshot.documents() {
        0 => None,
        _ => Some(snapshot.select(&filter).unwrap()),
    };
    for selection in [None, one.as_ref()] {
        let all = brute_force(snapshot, model, query, selection);
        for k in [0, 1, 3, 10, 1000] {
            let hits = sparse.search(&pairs, k, selection).unwrap().hits;
            prop_assert_eq!(&hits[..], &all[..k.min(all.len())], "the best {}", k);
        }
    }
    let at: Vec<DocAddress> = snapshot.addresses().collect();
    let scores = sparse.score(&pairs, &at).unwrap();
    for ((&at, score), (_, vector)) in at.iter().zip(scores).zip(model) {
        let expected = vector.as_ref().map(|vector| naive_score(query, vector));
        prop_assert_eq!(score.map(f32::to_bits), expected.map(f32::to_bits));
        let parts = sparse.explain(&pairs, at).unwrap();
        prop_assert_eq!(parts.is_some(), vector.is_some());
        let sum = parts.map(|parts| parts.iter().fold(0.0, |sum, part| sum + part.score));
        prop_assert_eq!(sum.map(f32::to_bits), expected.map(f32::to_bits));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn equals_brute_force_after_any_life(
        steps in proptest::collection::vec(step(), 1..14),
        queries in proptest::collection::vec(vector(), 3),
    ) {
        let storage = Memory::new();
        let collection = create(&storage, schema_of(TERMS));
        let mut writer = collection.writer().unwrap();
        let mut model = Model::new();
        for step in &steps {
            if let Step::Reopen = step {
                drop(writer);
                writer = collection.writer().unwrap();
            } else {
                apply(&writer, &mut model, step);
            }
            check(&writer.snapshot(), &model, &queries[0])?;
        }
        // A reader that replays the log sees the same, and so does one of a backup.
        let target = Memory::new();
        let read = open(&storage).unwrap().snapshot().unwrap();
        read.backup(&target, &Silent).unwrap();
        let backup = open(&target).unwrap().snapshot().unwrap();
        for query in &queries {
            check(&read, &model, query)?;
            check(&backup, &model, query)?;
        }
        for snapshot in [&read, &backup] {
            let wrong = snapshot.check(&Silent).unwrap();
            prop_assert!(wrong.is_empty(), "{:?}", wrong);
        }
        let covered = model.iter().filter(|entry| entry.1.is_some()).count() as u64;
        prop_assert_eq!(read.coverage("sparse").unwrap().covered, covered);
    }
}

/// Random numbers that are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((self.0 >> 33) * u64::from(limit)) >> 31) as u32
    }

    fn vector(&mut self, terms: u32, count: u32) -> Vector {
        let mut vector = Vector::new();
        for _ in 0..count {
            let x = f64::from(self.below(1 << 20)) / f64::from(1 << 20);
            let term = (f64::from(terms).powf(x) - 1.0) as u32;
            vector.insert(term, (self.below(1000) + 1) as f32 / 250.0);
        }
        vector
    }
}

/// More documents than a chunk has, in one segment and in two ranges of rows.
fn two_chunks() -> (Snapshot, Vec<Vector>) {
    const DOCUMENTS: u32 = 70_000;
    let collection = create(&Memory::new(), schema_of(2000));
    let writer = collection.writer().unwrap();
    let documents: Vec<Document> = (0..DOCUMENTS).map(|number| doc(number, "x")).collect();
    stage(&writer, &documents).unwrap();
    let mut random = Random(7);
    let vectors: Vec<Vector> = (0..DOCUMENTS).map(|_| random.vector(2000, 20)).collect();
    for window in [&vectors[..67_000], &vectors[67_000..]] {
        let (counts, terms, values) = sparse_rows(window.iter());
        let rows = Rows { counts: &counts, terms: &terms, values: &values };
        writer.stage_rows("sparse", rows).unwrap();
        writer.commit().unwrap();
    }
    (collection.snapshot().unwrap(), vectors)
}

#[test]
fn chunks_equal_brute_force_and_take_a_known_amount_of_work() {
    let (snapshot, vectors) = two_chunks();
    let sparse = snapshot.sparse("sparse").unwrap();
    let model: Model = vectors.iter().map(|vector| (0, Some(vector.clone()))).collect();
    let mut random = Random(11);
    let mut work = Work::default();
    for _ in 0..20 {
        let query = random.vector(2000, 12);
        let pairs: Vec<(u32, f32)> = query.iter().map(|(&term, &weight)| (term, weight)).collect();
        let all = brute_force(&snapshot, &model, &query, None);
        let having =
            |vector: &Vector| vector.keys().filter(|term| query.contains_key(term)).count();
        let postings: usize = vectors.iter().map(having).sum();
        for k in [10, 1000] {
            let found = sparse.search(&pairs, k, None).unwrap();
            assert_eq!(found.hits, all[..k]);
            assert_eq!(found.work.postings + found.work.skipped, postings as u64);
            work += found.work;
        }
    }
    // Counted work, which depends on nothing but the code.
    assert_eq!(work, Work { postings: 6_320_700, skipped: 0, scored: 22_141 });
}

#[test]
fn bad_rows_and_queries_are_named_and_leave_nothing() {
    let collection = create(&Memory::new(), schema_of(9));
    add(&collection, &[vec![doc(0, "x"), doc(1, "x")]]);
    let writer = collection.writer().unwrap();
    let check = |counts: &[u32], terms: &[u32], values: &[f32], message: &str| {
        let rows = Rows { counts, terms, values };
        let error = writer.stage_rows("sparse", rows).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert_eq!(error.to_string(), format!("channel \"sparse\", {message}"));
        assert_eq!(writer.uncovered("sparse").unwrap().unwrap().first.0, 0);
        let mut batch = Batch::new();
        batch.add(doc(7, "x")).add(doc(8, "x"));
        batch.sparse_rows("sparse", counts.to_vec(), terms.to_vec(), values.to_vec());
        let error = writer.put(batch, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert_eq!(writer.snapshot().documents(), 2);
    };
    check(
        &[1, 1],
        &[1, 9],
        &[1.0, 1.0],
        "document 1: term 9 is not in the vocabulary, which has 9",
    );
    check(
        &[2],
        &[3, 3],
        &[1.0, 1.0],
        "document 0: term 3 is there twice or out of order; terms increase",
    );
    let weight = "document 0: the weight of term 3 is not a number above 0 and up to 1e15";
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        check(&[1], &[3], &[bad], weight);
    }
    check(&[1], &[], &[1.0], "1 rows: 0 terms where 1 are expected");
    check(&[1], &[3], &[], "1 rows: 0 values where 1 are expected");
    let snapshot = collection.snapshot().unwrap();
    let sparse = snapshot.sparse("sparse").unwrap();
    for query in [&[(9, 1.0)][..], &[(1, 1.0), (1, 2.0)], &[(1, 0.0)], &[(1, f32::NAN)]] {
        let error = sparse.search(query, 3, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().starts_with("channel \"sparse\", the query: "), "{error}");
    }
    assert_eq!(sparse.search(&[], 3, None).unwrap().hits, []);
    let message = snapshot.dense("sparse").unwrap_err().to_string();
    assert_eq!(message, "channel \"sparse\" is a sparse channel, not a dense channel");
}

/// A compacted collection is the one that would have been built of what lives, and its dump says what it holds.
#[test]
fn merging_gives_the_impacts_of_a_build_from_scratch() {
    let vectors: Vec<Vector> = vec![
        [(1, 0.5), (4, 2.0)].into(),
        [(4, 1.0)].into(),
        [].into(),
        [(0, 0.25), (4, 4.0), (8, 1.0)].into(),
    ];
    let docs = |numbers: &[u16]| -> BTreeMap<u16, Vector> {
        numbers.iter().map(|&number| (number, vectors[usize::from(number)].clone())).collect()
    };
    let merged = create(&Memory::new(), schema_of(9));
    let writer = merged.writer().unwrap();
    put(&writer, &docs(&[0, 3]), true);
    writer.seal().unwrap();
    put(&writer, &docs(&[1, 2]), true);
    writer.put(Batch::new().delete("3").clone(), None).unwrap();
    writer.compact(&FullSpeed).unwrap();
    let fresh: Collection = create(&Memory::new(), schema_of(9));
    let writer = fresh.writer().unwrap();
    put(&writer, &docs(&[0, 1, 2]), true);
    writer.seal().unwrap();
    let dump = merged.snapshot().unwrap().dump().unwrap();
    assert_eq!(dump, fresh.snapshot().unwrap().dump().unwrap());
    let sparse = &dump[dump.find("  sparse").unwrap()..];
    assert_eq!(
        sparse,
        "  sparse sparse\n    0 1:0.5 4:2\n    1 4:1\n    2 \n    term 1 * 0.0019607844 0:255\n    \
         term 4 * 0.007843138 0:255 1:128\n"
    );
}
