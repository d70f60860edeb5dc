//! Columns against the documents they are made of: read back, merged, and broken byte by byte.

use std::collections::{BTreeMap, BTreeSet};

use ecphory_core::storage::{Memory, Storage};
use ecphory_core::{Document, ErrorKind, Value};
use proptest::prelude::*;

use super::*;
use crate::format::manifest::{PartEntry, PartKind};
use crate::format::part::{PartFile, PartIdentity};
use crate::format::spool::SpoolRoom;
use crate::segment::documents::{
    DocumentsPart, FieldNames, FieldValue, Ids, StoredUnit, write_documents,
};
use crate::segment::survivors::Survivors;
use crate::segment::tombstones::Tombstones;
use crate::{ChannelKind, ChannelSchema, FieldKind, FieldSchema, Schema};

/// A channel over `text`; `n` float, `when` date, `place` geo and `k` keyword are declared.
fn schema() -> Schema {
    let channel = ChannelSchema {
        name: "bm25".to_owned(),
        fields: vec!["text".to_owned()],
        kind: ChannelKind::Bm25(crate::Bm25Settings::default()),
    };
    let fields = [
        ("n", FieldKind::Float),
        ("when", FieldKind::Date),
        ("place", FieldKind::Geo),
        ("k", FieldKind::Keyword),
        ("body", FieldKind::Text),
    ];
    let fields = fields.map(|(name, kind)| FieldSchema { name: name.to_owned(), kind }).to_vec();
    Schema { channels: vec![channel], fields }
}

fn identity(kind: PartKind, part: u64, documents: usize) -> PartIdentity {
    PartIdentity { kind, part, segment: 1, first: 0, documents: documents as u32 }
}

fn room(storage: &Memory, part: u64) -> SpoolRoom<'_> {
    SpoolRoom { storage, limit: 64, part }
}

fn build(docs: &[Document], storage: &Memory, part: u64) -> PartEntry {
    let room = room(storage, part);
    let columns = build_columns(docs, &schema(), None, room).unwrap();
    columns.write(identity(PartKind::Columns, part, docs.len()), room).unwrap()
}

fn open(storage: &Memory, entry: &PartEntry) -> crate::Result<ColumnsPart> {
    ColumnsPart::verify(&PartFile::open(storage, 1, entry)?)
}

fn stored(docs: &[Document], storage: &Memory, part: u64) -> DocumentsPart {
    let (mut names, mut ids) = (FieldNames::default(), Ids::default());
    for document in docs {
        document.fields.iter().for_each(|(name, _)| names.add(name));
        ids.push(&document.id).unwrap();
    }
    let units = [StoredUnit::build(docs, 0, &names)];
    let (blocks, bytes) = StoredUnit::join(&units);
    let identity = identity(PartKind::Documents, part, docs.len());
    let entry = write_documents(storage, identity, ids, &names, &blocks, bytes).unwrap();
    DocumentsPart::verify(&PartFile::open(storage, 1, &entry).unwrap()).unwrap()
}

fn keys(coding: Coding, value: &Value) -> BTreeSet<Vec<u8>> {
    let (mut out, mut key) = (BTreeSet::new(), Vec::new());
    coding.for_each_key(&FieldValue::of(value), &mut key, &mut |key| {
        out.insert(key.to_vec());
    });
    out
}

/// Which fields should be listed, and whether with a column, by the documents.
fn expected_fields(docs: &[Document], schema: &Schema) -> BTreeMap<String, bool> {
    let mut fields = BTreeMap::from([("text".to_owned(), false), ("body".to_owned(), false)]);
    for (name, value) in docs.iter().flat_map(|document| &document.fields) {
        let long = keys(Coding::AsIs, value).iter().any(|key| key.len() > 257);
        let fits = !long || schema.field(name).is_some();
        *fields.entry(name.clone()).or_insert(true) &= fits;
    }
    fields
}

fn lists(column: &Column) -> Vec<Option<Vec<u32>>> {
    let mut lists = Vec::new();
    column.for_each_list(|_, list| lists.push(list.map(<[u32]>::to_vec)));
    lists
}

fn check(part: &ColumnsPart, docs: &[Document], schema: &Schema) {
    let expected = expected_fields(docs, schema);
    assert_eq!(part.names(), expected.keys().cloned().collect::<Vec<_>>());
    for (name, fits) in expected {
        let Found::Column(column) = part.column(&name).unwrap() else {
            assert!(!fits, "{name} has no column");
            continue;
        };
        assert!(fits, "{name} has a column");
        let coding = schema.coding(&name);
        let mut all = BTreeSet::new();
        let found = lists(column);
        assert_eq!(found.len(), docs.len());
        for ((document, found), doc) in docs.iter().zip(found).zip(0..) {
            let found: Option<BTreeSet<Vec<u8>>> =
                found.map(|list| list.into_iter().map(|o| column.key(o).to_vec()).collect());
            let expected = document.get(&name).map(|value| keys(coding, value));
            assert_eq!(found, expected, "{name} of document {doc}");
            all.extend(expected.into_iter().flatten());
        }
        assert_eq!(column.keys() as usize, all.len(), "{name} has values that no document has");
    }
    assert!(matches!(part.column("no-such-field").unwrap(), Found::Nothing));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["", "a", "ab", "b", "2020-05", "1,2"]).prop_map(Value::from),
        Just(Value::Text("long ".repeat(60))),
        prop_oneof![-2i64..3, any::<i64>()].prop_map(Value::Integer),
        prop::sample::select(vec![-1.5, -0.0, 0.0, 1.0, 2.5]).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        proptest::collection::vec(inner, 0..3).prop_map(Value::List)
    })
}

/// Values of any types, even in declared fields: such documents come from before the declaration.
fn documents() -> impl Strategy<Value = Vec<Document>> {
    let names = vec!["x", "y", "n", "when", "place", "k", "text", "body"];
    let fields = proptest::collection::btree_map(prop::sample::select(names), value(), 0..4);
    proptest::collection::vec(fields, 1..12).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        numbered
            .map(|(number, fields)| {
                let document = Document::new(number.to_string());
                fields
                    .into_iter()
                    .fold(document, |document, (name, value)| document.with(name, value))
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn columns_hold_the_values_of_the_documents(docs in documents()) {
        let storage = Memory::new();
        check(&open(&storage, &build(&docs, &storage, 1)).unwrap(), &docs, &schema());
    }

    #[test]
    fn merged_columns_are_those_of_the_surviving_documents(
        segments in proptest::collection::vec((documents(), any::<bool>()), 1..4),
        dead in proptest::collection::btree_set((0usize..4, 0u32..12), 0..12),
    ) {
        let storage = Memory::new();
        let mut inputs = Vec::new();
        let mut alive = Vec::new();
        for ((docs, old), number) in segments.iter().zip(0usize..) {
            let mut tombstones = Tombstones::new(0);
            let dead = dead.iter().filter(|(segment, doc)| *segment == number && (*doc as usize) < docs.len());
            dead.for_each(|(_, doc)| assert!(tombstones.insert(*doc, &|_| 0)));
            let survivors = Survivors::new(docs.len() as u32, &tombstones, alive.len() as u32);
            alive.extend(survivors.iter().map(|doc| docs[doc as usize].clone()));
            let part = 2 * number as u64;
            // A segment of version 1 has no columns.
            let columns = (!old).then(|| open(&storage, &build(docs, &storage, part)).unwrap());
            inputs.push((stored(docs, &storage, part + 1), columns, survivors));
        }
        let inputs: Vec<MergeInput<'_>> = inputs.iter().map(|(stored, columns, survivors)| {
            MergeInput { stored, columns: columns.as_ref(), survivors }
        }).collect();
        let room = room(&storage, 9);
        let merged = merge_columns(&inputs, &schema(), room).unwrap();
        let merged = merged.write(identity(PartKind::Columns, 9, alive.len()), room).unwrap();
        let other = Memory::new();
        prop_assert_eq!(&merged, &build(&alive, &other, 9));
        let file = merged.file();
        prop_assert!(*storage.open(&file).unwrap() == *other.open(&file).unwrap());
        prop_assert!(storage.list("tmp").unwrap().is_empty());
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let docs = numbered(2000, |number| Value::Text(format!("{}", number % 77)));
    let (one, three) = (Memory::new(), Memory::new());
    let entry = build(&docs, &one, 1);
    let columns = build_columns(&docs, &schema(), Some(&pool), room(&three, 1)).unwrap();
    let other = columns.write(identity(PartKind::Columns, 1, docs.len()), room(&three, 1)).unwrap();
    assert_eq!(entry, other);
    assert!(*one.open(&entry.file()).unwrap() == *three.open(&entry.file()).unwrap());
}

fn numbered(count: i64, value: impl Fn(i64) -> Value) -> Vec<Document> {
    (0..count).map(|number| Document::new(number.to_string()).with("x", value(number))).collect()
}

#[test]
fn ordinals_grow_with_the_number_of_values() {
    for (count, width) in [(255, 1), (256, 2), (65_535, 2), (65_536, 4)] {
        let mut docs = numbered(count, Value::Integer);
        docs.push(Document::new("without"));
        let storage = Memory::new();
        let entry = build(&docs, &storage, 1);
        let part = open(&storage, &entry).unwrap();
        let Found::Column(column) = part.column("x").unwrap() else { panic!("x has no column") };
        let expected = (0..count as u32).map(|ordinal| Some(vec![ordinal])).chain([None]);
        assert_eq!(lists(column), expected.collect::<Vec<_>>());
        let bytes = (11 * count + width * (count + 1)) as u64;
        assert!((bytes..bytes + 1000).contains(&entry.bytes), "{} of {bytes} bytes", entry.bytes);
    }
}

#[test]
fn a_broken_byte_is_corrupt_and_never_a_panic() {
    let list = |items: &[&str]| Value::List(items.iter().map(|&item| item.into()).collect());
    let docs = [
        Document::new("1").with("x", "a").with("y", list(&["b", "a"])).with("n", 1.5),
        Document::new("2").with("x", 7).with("y", list(&[])).with("when", "2020"),
        Document::new("3").with("y", "c").with("place", "1,2").with("flag", true),
    ];
    let storage = Memory::new();
    let entry = build(&docs, &storage, 1);
    let read = |checksums: bool| -> crate::Result<Vec<String>> {
        let part = open(&storage, &entry)?;
        let mut seen = Vec::new();
        for name in ["flag", "n", "place", "when", "x", "y"] {
            let found = if checksums { part.column(name)? } else { part.unchecked_column(name)? };
            let Found::Column(column) = found else {
                seen.push(format!("{found:?}"));
                continue;
            };
            for test in [KeyTest::Present, KeyTest::In(vec![KeyRange::exactly(b"\x04a".to_vec())])]
            {
                seen.push(format!("{name} {:?}", column.select(&test)));
            }
            for list in lists(column) {
                let keys = list.map(|list| {
                    list.into_iter().map(|o| column.key(o).to_vec()).collect::<Vec<_>>()
                });
                seen.push(format!("{keys:?}"));
            }
        }
        Ok(seen)
    };
    let expected = read(true).unwrap();
    assert_eq!(expected, read(false).unwrap());
    let content = storage.open(&entry.file()).unwrap().to_vec();
    let mut unnoticed = 0;
    for position in 0..content.len() {
        for flip in [1u8 << (position % 8), 0xff] {
            let mut broken = content.clone();
            broken[position] ^= flip;
            storage.overwrite(&entry.file(), broken);
            match read(true) {
                Ok(seen) => {
                    assert_eq!(seen, expected, "byte {position}");
                    unnoticed += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
            }
            // With checksums that were made for the broken bytes there is another column, or an error.
            if let Err(error) = read(false) {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            }
        }
    }
    // The bytes between sections.
    assert!(unnoticed < 2 * 3 * 64, "{unnoticed} flips were not noticed");
}
