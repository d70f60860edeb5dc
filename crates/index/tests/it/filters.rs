//! Filters against a naive evaluation over documents in memory, alone and inside a search.

use std::cmp::Ordering;

use ecphory_core::storage::Memory;
use ecphory_core::{DocAddress, Document, Scored, Value};
use ecphory_index::Filter;
use ecphory_index::filter::{Comparison, Literal};
use proptest::prelude::*;

use crate::support::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["", "a", "ab", "b", "B"]).prop_map(Value::from),
        (-2i64..3).prop_map(Value::Integer),
        prop::sample::select(vec![-1.5, 0.0, 1.0, 2.0, 2.5]).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
    ];
    let list = proptest::collection::vec(leaf.clone(), 0..3).prop_map(Value::List);
    prop_oneof![4 => leaf, 1 => list]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        prop::sample::select(vec!["", "a", "ab", "0", "1"])
            .prop_map(|t| Literal::Text(t.to_owned())),
        (-2i64..3).prop_map(Literal::Integer),
        prop::sample::select(vec![-1.5, 1.0, 2.25]).prop_map(Literal::Float),
        any::<bool>().prop_map(Literal::Bool),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    use Comparison as C;
    let field = prop::sample::select(vec!["x", "y", "z", "_id"]).prop_map(str::to_owned);
    let comparisons =
        vec![C::Equal, C::NotEqual, C::Less, C::LessOrEqual, C::Greater, C::GreaterOrEqual];
    let leaf = prop_oneof![
        (field.clone(), prop::sample::select(comparisons), literal()).prop_map(
            |(field, comparison, literal)| Filter::Compare { field, comparison, literal }
        ),
        (field.clone(), proptest::collection::vec(literal(), 1..3))
            .prop_map(|(field, literals)| Filter::In { field, literals }),
        (field.clone(), prop::sample::select(vec!["", "a", "1"]))
            .prop_map(|(field, prefix)| Filter::StartsWith { field, prefix: prefix.to_owned() }),
        field.prop_map(|field| Filter::Exists { field }),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..3).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

/// The values of a field, lists spread out; `None` where it is missing.
fn values(document: &Document, field: &str) -> Option<Vec<Value>> {
    if field == "_id" {
        return Some(vec![Value::from(document.id.as_str())]);
    }
    document.get(field).map(|value| match value {
        Value::List(items) => items.clone(),
        single => vec![single.clone()],
    })
}

fn order(value: &Value, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::Text(a), Literal::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Literal::Bool(b)) => Some(a.cmp(b)),
        (Value::Integer(a), Literal::Integer(b)) => Some(a.cmp(b)),
        // The numbers of this test are small: doubles are exact.
        (Value::Integer(a), Literal::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Literal::Integer(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Float(a), Literal::Float(b)) => a.partial_cmp(b),
        _ => None,
    }
}

fn naive(filter: &Filter, document: &Document) -> bool {
    let any = |field: &str, holds: &dyn Fn(&Value) -> bool| {
        values(document, field).is_some_and(|values| values.iter().any(holds))
    };
    match filter {
        Filter::Compare { field, comparison, literal } => {
            let compares = |wanted: &[Ordering]| {
                any(field, &|value| order(value, literal).is_some_and(|o| wanted.contains(&o)))
            };
            match comparison {
                Comparison::Equal => compares(&[Ordering::Equal]),
                Comparison::NotEqual => !compares(&[Ordering::Equal]),
                Comparison::Less => compares(&[Ordering::Less]),
                Comparison::LessOrEqual => compares(&[Ordering::Less, Ordering::Equal]),
                Comparison::Greater => compares(&[Ordering::Greater]),
                Comparison::GreaterOrEqual => compares(&[Ordering::Greater, Ordering::Equal]),
            }
        }
        Filter::In { field, literals } => {
            any(field, &|v| literals.iter().any(|l| order(v, l) == Some(Ordering::Equal)))
        }
        Filter::StartsWith { field, prefix } => {
            any(field, &|v| matches!(v, Value::Text(text) if text.starts_with(prefix)))
        }
        Filter::Exists { field } => values(document, field).is_some(),
        Filter::And(all) => all.iter().all(|filter| naive(filter, document)),
        Filter::Or(all) => all.iter().any(|filter| naive(filter, document)),
        Filter::Not(inner) => !naive(inner, document),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn equals_the_naive_evaluation(
        fields in proptest::collection::vec(
            proptest::collection::btree_map(prop::sample::select(vec!["x", "y"]), value(), 0..3), 1..20),
        cut in 0usize..20,
        filter in filter(),
        k in 1usize..8,
    ) {
        let docs: Vec<Document> = fields.iter().enumerate().map(|(i, fields)| {
            let document = doc(i, if i % 3 == 0 { "word word" } else { "word other" });
            fields.iter().fold(document, |d, (name, value)| d.with(name, value.clone()))
        }).collect();
        let (first, second) = docs.split_at(cut.min(docs.len()));
        let snapshot = add(&create(&Memory::new(), schema()), &[first.to_vec(), second.to_vec()]);
        let selection = snapshot.select(&filter).unwrap();
        let expected: Vec<DocAddress> =
            snapshot.addresses().zip(&docs).filter(|(_, d)| naive(&filter, d)).map(|(at, _)| at).collect();
        prop_assert_eq!(set_of(selection.iter()), set_of(expected.iter().copied()));
        prop_assert_eq!(selection.count(), expected.len());

        // A filtered search returns the best of the selected documents, as many as there are.
        let bm25 = snapshot.bm25("bm25").unwrap();
        let terms = bm25.analyze("word");
        let all = bm25.search(&terms, docs.len(), None).unwrap();
        let best: Vec<Scored<DocAddress>> =
            all.into_iter().filter(|hit| expected.contains(&hit.item)).take(k).collect();
        let hits = bm25.search(&terms, k, Some(&selection)).unwrap();
        prop_assert_eq!(hits.len(), k.min(expected.len()));
        prop_assert_eq!(hits, best);
    }
}
