//! Facets and sorting against documents in memory: from columns, and from the stored documents.

use std::cmp::Ordering;

use ecphory_core::storage::Memory;
use ecphory_core::{DocAddress, Document, Value};
use ecphory_index::{FieldKind, Filter, Schema, Snapshot};
use proptest::prelude::*;

use crate::support::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["", "a", "ab", "b"]).prop_map(Value::from),
        (-2i64..3).prop_map(Value::Integer),
        prop::sample::select(vec![-1.5, -0.0, 1.0, 2.5, 1e300]).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
    ];
    let list = proptest::collection::vec(leaf.clone(), 0..3).prop_map(Value::List);
    prop_oneof![3 => leaf, 1 => list]
}

/// Compares values of any types as sorting does. The whole numbers of this test are small.
fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Bool(_) => 0,
        Value::Integer(_) | Value::Float(_) => 1,
        Value::Text(_) => 2,
        Value::List(_) => unreachable!("lists are spread out"),
    };
    let number = |value: &Value| match value {
        Value::Integer(number) => *number as f64,
        Value::Float(number) => *number,
        _ => unreachable!("of equal rank with a number"),
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => number(a).partial_cmp(&number(b)).unwrap(),
    })
}

/// The different values of a document, sorted.
fn values(document: &Document, field: &str) -> Vec<Value> {
    let mut values = match document.get(field) {
        None => Vec::new(),
        Some(Value::List(items)) => items.clone(),
        Some(single) => vec![single.clone()],
    };
    values.sort_by(order);
    values.dedup_by(|a, b| order(a, b).is_eq());
    values
}

fn naive_facets(docs: &[&Document], field: &str, limit: usize) -> Vec<(Value, u64)> {
    let mut counts: Vec<(Value, u64)> = Vec::new();
    for value in docs.iter().flat_map(|document| values(document, field)) {
        match counts.iter_mut().find(|(known, _)| order(known, &value).is_eq()) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| order(&a.0, &b.0)));
    counts.truncate(limit);
    counts
}

fn naive_sort(docs: &[(DocAddress, &Document)], field: &str, descending: bool) -> Vec<DocAddress> {
    let end = |document| {
        let values = values(document, field);
        if descending { values.last().cloned() } else { values.first().cloned() }
    };
    let mut keyed: Vec<_> = docs.iter().map(|(at, document)| (end(document), *at)).collect();
    // A stable sort: equal ones stay in order.
    keyed.sort_by(|a, b| match (&a.0, &b.0) {
        (Some(a), Some(b)) if descending => order(b, a),
        (Some(a), Some(b)) => order(a, b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    keyed.into_iter().map(|(_, at)| at).collect()
}

fn check(snapshot: &Snapshot, docs: &[Document], descending: bool, few: usize) {
    let all: Vec<(DocAddress, &Document)> = snapshot.addresses().zip(docs).collect();
    let chosen: Vec<_> = all.iter().filter(|(_, d)| d.get("y").is_some()).copied().collect();
    let filter: Filter = "exists(y)".parse().unwrap();
    let selection = snapshot.select(&filter).unwrap();
    for (selection, docs) in [(None, all), (Some(&selection), chosen)] {
        for field in ["x", "y"] {
            for limit in [few, 100] {
                let facets = snapshot.facets(field, selection, limit).unwrap();
                let only: Vec<&Document> = docs.iter().map(|(_, document)| *document).collect();
                let expected = naive_facets(&only, field, limit);
                assert_eq!(facets.len(), expected.len());
                for (a, b) in facets.iter().zip(&expected) {
                    assert!(order(&a.0, &b.0).is_eq() && a.1 == b.1, "{facets:?} {expected:?}");
                }
                let sorted = snapshot.sort_by(field, descending, selection, limit).unwrap();
                let mut expected = naive_sort(&docs, field, descending);
                expected.truncate(limit);
                assert_eq!(sorted, expected, "{field}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn equal_the_naive_ones(
        fields in proptest::collection::vec(
            proptest::collection::btree_map(prop::sample::select(vec!["x", "y"]), value(), 0..3), 1..20),
        cut in 0usize..20,
        descending in any::<bool>(),
        few in 0usize..6,
        long in any::<bool>(),
    ) {
        let mut docs: Vec<Document> = fields.iter().enumerate().map(|(i, fields)| {
            fields.iter().fold(doc(i, "word"), |d, (name, value)| d.with(name, value.clone()))
        }).collect();
        // So that every field is known; a long text leaves its segment without a column.
        let text = if long { "long ".repeat(60) } else { "short".to_owned() };
        docs.push(doc("last", "word").with("x", text).with("y", 1));
        let (first, second) = docs.split_at(cut.min(docs.len()));
        let storage = Memory::new();
        let snapshot = add(&create(&storage, schema()), &[first.to_vec(), second.to_vec()]);
        check(&snapshot, &docs, descending, few);
        let bare = open(&without_columns(&storage)).unwrap().snapshot().unwrap();
        check(&bare, &docs, descending, few);
    }
}

#[test]
fn declared_fields_give_their_own_types_and_ids_sort_too() {
    use FieldKind as K;
    let fields = declared(&[("n", K::Float), ("when", K::Date), ("place", K::Geo)]);
    let storage = Memory::new();
    let docs = vec![
        doc("b", "x").with("n", 2).with("when", "2020-05").with("place", "1,2"),
        doc("c", "x").with("n", 2.0).with("when", "2020-05-01T02:00:00+02:00"),
        doc("a", "x").with("n", -1.5).with("when", "2019-12-31T23:00:00Z"),
    ];
    let snapshot = add(&create(&storage, Schema { fields, ..schema() }), &[docs]);
    for snapshot in [snapshot, open(&without_columns(&storage)).unwrap().snapshot().unwrap()] {
        let facets = |field: &str| snapshot.facets(field, None, 10).unwrap();
        assert_eq!(facets("n"), [(Value::Float(2.0), 2), (Value::Float(-1.5), 1)]);
        assert_eq!(facets("when"), [("2020-05-01".into(), 2), ("2019-12-31T23:00:00Z".into(), 1)]);
        let place = Value::List(vec![1.0.into(), 2.0.into()]);
        assert_eq!(facets("place"), [(place, 1)]);
        let sorted = |field: &str, descending| {
            let sorted = snapshot.sort_by(field, descending, None, 10).unwrap();
            sorted.into_iter().map(|at| snapshot.id(at).unwrap().to_owned()).collect::<String>()
        };
        assert_eq!(sorted("when", false), "abc");
        assert_eq!(sorted("n", true), "bca");
        assert_eq!(sorted("place", false), "bca");
        assert_eq!(sorted("_id", false), "abc");
        assert_eq!(facets("_id").len(), 3);
        assert!(snapshot.facets("plaec", None, 1).unwrap_err().to_string().contains("`place`"));
        assert!(snapshot.sort_by("plaec", true, None, 1).is_err());
    }
}

#[test]
fn many_documents_are_cut_to_the_first_ones() {
    let docs: Vec<Document> =
        (0..5000).map(|i| doc(i, "x").with("year", i64::from(i * 7919 % 5000))).collect();
    let (first, second) = docs.split_at(3000);
    let snapshot = add(&create(&Memory::new(), schema()), &[first.to_vec(), second.to_vec()]);
    for descending in [false, true] {
        let at = snapshot.sort_by("year", descending, None, 10).unwrap();
        let years: Vec<_> = at
            .iter()
            .map(|&at| snapshot.document(at).unwrap().get("year").cloned().unwrap())
            .collect();
        let expected: Vec<Value> =
            (0..10).map(|i| Value::Integer(if descending { 4999 - i } else { i })).collect();
        assert_eq!(years, expected);
    }
}
