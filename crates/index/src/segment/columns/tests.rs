//! Columns against the documents they are made of: read back, merged, and broken byte by byte.

use std::collections::{BTreeMap, BTreeSet};

use ecphory_core::storage::{Memory, Storage};
use ecphory_core::{Document, ErrorKind, Value};
use proptest::prelude::*;

use super::write::Columns;
use super::*;
use crate::format::manifest::{PartEntry, PartKind};
use crate::format::part::{PartFile, PartIdentity};
use crate::segment::documents::{
    DocumentsPart, FieldNames, FieldValue, Ids, StoredUnit, write_documents,
};
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

/// Writes the columns; `None` where there are none.
fn written(columns: &Columns, documents: usize, storage: &Memory, part: u64) -> Option<PartEntry> {
    let identity = identity(PartKind::Columns, part, documents);
    (!columns.is_empty()).then(|| columns.write(storage, identity).unwrap())
}

fn open(storage: &Memory, entry: &PartEntry) -> crate::Result<ColumnsPart> {
    ColumnsPart::verify(&PartFile::open(storage, 1, entry)?)
}

fn stored(docs: &[Document], storage: &Memory, part: u64) -> DocumentsPart {
    let mut names = FieldNames::default();
    docs.iter().flat_map(|document| &document.fields).for_each(|(name, _)| names.add(name));
    let unit = StoredUnit::build(docs, 0, &names);
    let identity = identity(PartKind::Documents, part, docs.len());
    let mut ids = Ids::default();
    docs.iter().for_each(|document| ids.push(&document.id).unwrap());
    let units = [unit];
    let (blocks, bytes) = StoredUnit::join(&units);
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

/// Which fields should have a column, by the documents.
fn expected_fields(docs: &[Document], schema: &Schema) -> BTreeSet<String> {
    let mut fields: BTreeMap<&str, bool> = BTreeMap::new();
    for (name, value) in docs.iter().flat_map(|document| &document.fields) {
        let long = keys(Coding::AsIs, value).iter().any(|key| key.len() > 257);
        let fits = match name.as_str() {
            "text" | "body" => false,
            _ => !long || schema.field(name).is_some(),
        };
        *fields.entry(name).or_insert(true) &= fits;
    }
    fields.into_iter().filter(|(_, fits)| *fits).map(|(name, _)| name.to_owned()).collect()
}

fn check(part: &ColumnsPart, docs: &[Document], schema: &Schema) {
    let names: BTreeSet<String> = part.names().iter().cloned().collect();
    assert_eq!(names, expected_fields(docs, schema));
    for name in part.names() {
        let (column, coding) = (part.column(name).unwrap().unwrap(), schema.coding(name));
        let mut all = BTreeSet::new();
        for (doc, document) in docs.iter().enumerate() {
            let found: Option<BTreeSet<Vec<u8>>> = column
                .list(doc as u32)
                .map(|list| list.map(|ordinal| column.key(ordinal).to_vec()).collect());
            let expected = document.get(name).map(|value| keys(coding, value));
            assert_eq!(found, expected, "{name} of document {doc}");
            all.extend(expected.into_iter().flatten());
        }
        assert_eq!(column.keys() as usize, all.len(), "{name} has values that no document has");
    }
    assert!(part.column("no-such-field").unwrap().is_none());
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
        match written(&build_columns(&docs, &schema(), None), docs.len(), &storage, 1) {
            Some(entry) => check(&open(&storage, &entry).unwrap(), &docs, &schema()),
            None => prop_assert!(expected_fields(&docs, &schema()).is_empty()),
        }
    }

    #[test]
    fn merged_columns_are_those_of_the_surviving_documents(
        segments in proptest::collection::vec((documents(), any::<bool>()), 1..4),
        dead in proptest::collection::btree_set((0usize..4, 0u32..12), 0..12),
    ) {
        let (storage, schema) = (Memory::new(), schema());
        let mut open_segments = Vec::new();
        for ((docs, old), number) in segments.iter().zip(1u64..) {
            // A segment of version 1 has no columns.
            let columns = if *old { Columns::default() } else { build_columns(docs, &schema, None) };
            let entry = written(&columns, docs.len(), &storage, 2 * number);
            let part = entry.map(|entry| open(&storage, &entry).unwrap());
            open_segments.push((docs, stored(docs, &storage, 2 * number + 1), part));
        }
        let survives: Vec<Box<dyn Fn(u32) -> bool>> = (0..segments.len())
            .map(|segment| {
                let dead = dead.clone();
                Box::new(move |doc| !dead.contains(&(segment, doc))) as Box<dyn Fn(u32) -> bool>
            })
            .collect();
        let inputs: Vec<MergeInput<'_>> = open_segments
            .iter()
            .zip(&survives)
            .map(|((docs, stored, columns), survives)| MergeInput {
                stored,
                columns: columns.as_ref(),
                documents: docs.len() as u32,
                survives,
            })
            .collect();
        let merged = merge_columns(&inputs, &schema).unwrap();
        let mut survivors = Vec::new();
        for ((docs, ..), survives) in open_segments.iter().zip(&survives) {
            let alive = docs.iter().zip(0..).filter(|(_, number)| survives(*number));
            survivors.extend(alive.map(|(document, _)| document.clone()));
        }
        let (one, other) = (Memory::new(), Memory::new());
        let merged = written(&merged, survivors.len(), &one, 9);
        let built = written(&build_columns(&survivors, &schema, None), survivors.len(), &other, 9);
        prop_assert_eq!(&merged, &built);
        if let Some(entry) = merged {
            prop_assert!(*one.open(&entry.file()).unwrap() == *other.open(&entry.file()).unwrap());
        }
    }
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
        let columns = build_columns(&docs, &schema(), None);
        let entry = written(&columns, docs.len(), &storage, 1).unwrap();
        let part = open(&storage, &entry).unwrap();
        let column = part.column("x").unwrap().unwrap();
        assert_eq!(column.list(count as u32).map(|list| list.len()), None);
        assert_eq!(column.list(count as u32 - 1).unwrap().collect::<Vec<_>>(), [count as u32 - 1]);
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
    let entry = written(&build_columns(&docs, &schema(), None), docs.len(), &storage, 1).unwrap();
    let read = |checksums: bool| -> crate::Result<Vec<String>> {
        let part = open(&storage, &entry)?;
        let mut seen = Vec::new();
        for name in ["flag", "n", "place", "when", "x", "y"] {
            let column = if checksums { part.column(name)? } else { part.unchecked_column(name)? };
            let Some(column) = column else { continue };
            for test in [KeyTest::Present, KeyTest::In(vec![KeyRange::exactly(b"\x04a".to_vec())])]
            {
                seen.push(format!("{name} {:?}", column.select(&test)));
            }
            for doc in 0..3 {
                let keys =
                    column.list(doc).map(|list| list.map(|o| column.key(o)).collect::<Vec<_>>());
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
