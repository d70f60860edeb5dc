//! Filters against a naive evaluation over documents in memory, alone and inside a search: from columns,
//! and from the stored documents where there are none.

use std::cmp::Ordering;

use ecphory_core::storage::Memory;
use ecphory_core::{DocAddress, Document, ErrorKind, Scored, Value};
use ecphory_index::filter::{Comparison, Literal};
use ecphory_index::{FieldKind, Filter, Schema};
use proptest::prelude::*;

use crate::support::*;

fn typed_schema() -> Schema {
    use FieldKind as K;
    let fields = [("n", K::Float), ("when", K::Date), ("place", K::Geo), ("k", K::Keyword)];
    Schema { fields: declared(&fields), ..schema() }
}

const DATES: [&str; 6] =
    ["2019", "2020", "2020-05", "2020-05-17", "2020-05-17T10:00:00Z", "2020-05-17T10:00:01Z"];
/// Berlin, Potsdam, Paris, Sydney.
const PLACES: [(f64, f64); 4] = [(52.52, 13.4), (52.4, 13.07), (48.86, 2.35), (-33.87, 151.21)];

fn text() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["", "a", "ab", "b", "B"]).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2i64..3).prop_map(Value::Integer),
        prop::sample::select(vec![-1.5, 0.0, 1.0, 2.0, 2.5]).prop_map(Value::Float),
    ]
}

fn or_list(leaf: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Value> {
    let list = proptest::collection::vec(leaf.clone(), 0..3).prop_map(Value::List);
    prop_oneof![4 => leaf, 1 => list]
}

/// A field and its value: any in `x` and `y`, what is declared in the others.
fn field() -> impl Strategy<Value = (&'static str, Value)> {
    let any_leaf = prop_oneof![text(), number(), any::<bool>().prop_map(Value::Bool)].boxed();
    let date = prop::sample::select(DATES.to_vec()).prop_map(Value::from);
    let place = prop::sample::select(PLACES.to_vec()).prop_flat_map(|(a, b)| {
        prop_oneof![
            Just(Value::List(vec![a.into(), b.into()])),
            Just(Value::from(format!("{a},{b}")))
        ]
    });
    prop_oneof![
        2 => (prop::sample::select(vec!["x", "y"]), or_list(any_leaf)),
        1 => (Just("n"), or_list(number().boxed())),
        1 => (Just("when"), or_list(date.boxed())),
        1 => (Just("place"), or_list(place.boxed())),
        1 => (Just("k"), or_list(text().boxed())),
    ]
}

fn number_literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        (-2i64..3).prop_map(Literal::Integer),
        prop::sample::select(vec![-1.5, 1.0, 2.25]).prop_map(Literal::Float),
    ]
}

fn text_literal(texts: &[&'static str]) -> impl Strategy<Value = Literal> + use<> {
    prop::sample::select(texts.to_vec()).prop_map(|t| Literal::Text(t.to_owned()))
}

/// A field and literals that fit it.
fn operands() -> impl Strategy<Value = (String, Vec<Literal>)> {
    let texts = ["", "a", "ab", "0", "1"];
    let any_literal =
        prop_oneof![text_literal(&texts), number_literal(), any::<bool>().prop_map(Literal::Bool)];
    let some = |literal: BoxedStrategy<Literal>| proptest::collection::vec(literal, 1..3);
    let (text, date) = (text_literal(&texts).boxed(), text_literal(&DATES).boxed());
    prop_oneof![
        2 => (prop::sample::select(vec!["x", "y"]), some(any_literal.boxed())),
        1 => (Just("_id"), some(text.clone())),
        1 => (Just("k"), some(text)),
        1 => (Just("n"), some(number_literal().boxed())),
        1 => (Just("when"), some(date)),
    ]
    .prop_map(|(field, literals)| (field.to_owned(), literals))
}

fn filter() -> impl Strategy<Value = Filter> {
    use Comparison as C;
    let comparisons =
        vec![C::Equal, C::NotEqual, C::Less, C::LessOrEqual, C::Greater, C::GreaterOrEqual];
    let texts = prop::sample::select(vec!["x", "y", "_id", "k"]).prop_map(str::to_owned);
    let all = vec!["x", "y", "_id", "k", "n", "when", "place"];
    let all = prop::sample::select(all).prop_map(str::to_owned);
    let distances = vec![0.0, 1000.0, 40_000.0, 1_000_000.0, 15_000_000.0, 17_000_000.0];
    let leaf = prop_oneof![
        4 => (operands(), prop::sample::select(comparisons)).prop_map(|((field, mut literals), comparison)| {
            Filter::Compare { field, comparison, literal: literals.remove(0) }
        }),
        2 => operands().prop_map(|(field, literals)| Filter::In { field, literals }),
        1 => (texts, prop::sample::select(vec!["", "a", "1"]))
            .prop_map(|(field, prefix)| Filter::StartsWith { field, prefix: prefix.to_owned() }),
        1 => all.prop_map(|field| Filter::Exists { field }),
        1 => (prop::sample::select(PLACES.to_vec()), prop::sample::select(distances)).prop_map(
            |((latitude, longitude), metres)| {
                Filter::GeoWithin { field: "place".to_owned(), latitude, longitude, metres }
            }),
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

/// A date that is cut off, up to its first instant: then texts compare as dates do.
fn whole_date(text: &str) -> String {
    format!("{text}{}", &"2000-01-01T00:00:00Z"[text.len()..])
}

fn date_order(value: &Value, literal: &Literal, comparison: Comparison) -> Option<Ordering> {
    let (Value::Text(value), Literal::Text(literal)) = (value, literal) else { return None };
    let value = whole_date(value);
    let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if equality && value.starts_with(literal.as_str()) {
        return Some(Ordering::Equal);
    }
    // Where it does not begin with the literal it may still be its first instant, but is no equal of it.
    Some(value.cmp(&whole_date(literal)))
}

fn holds(field: &str, value: &Value, literal: &Literal, comparison: Comparison) -> bool {
    let order = match field {
        "when" => date_order(value, literal, comparison),
        _ => order(value, literal),
    };
    order.is_some_and(|order| match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

/// The distance by the length of the chord.
fn metres(a: (f64, f64), b: (f64, f64)) -> f64 {
    let cartesian = |(latitude, longitude): (f64, f64)| {
        let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
        [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
    };
    let pairs = cartesian(a).into_iter().zip(cartesian(b));
    let chord = pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    2.0 * 6_371_008.8 * (chord / 2.0).asin()
}

fn points(value: &Value) -> Vec<(f64, f64)> {
    match value {
        Value::Text(text) => {
            let (a, b) = text.split_once(',').unwrap();
            vec![(a.parse().unwrap(), b.parse().unwrap())]
        }
        Value::List(items) => match items[..] {
            [Value::Float(a), Value::Float(b)] => vec![(a, b)],
            _ => items.iter().flat_map(points).collect(),
        },
        other => panic!("{other} is no place"),
    }
}

fn naive(filter: &Filter, document: &Document) -> bool {
    let any = |field: &str, holds: &dyn Fn(&Value) -> bool| {
        values(document, field).is_some_and(|values| values.iter().any(holds))
    };
    match filter {
        Filter::Compare { field, comparison: Comparison::NotEqual, literal } => {
            !any(field, &|value| holds(field, value, literal, Comparison::Equal))
        }
        Filter::Compare { field, comparison, literal } => {
            any(field, &|value| holds(field, value, literal, *comparison))
        }
        Filter::In { field, literals } => any(field, &|value| {
            literals.iter().any(|literal| holds(field, value, literal, Comparison::Equal))
        }),
        Filter::StartsWith { field, prefix } => {
            any(field, &|v| matches!(v, Value::Text(text) if text.starts_with(prefix)))
        }
        Filter::Exists { field } => values(document, field).is_some(),
        Filter::GeoWithin { field, latitude, longitude, metres: limit } => {
            let points = document.get(field).map_or_else(Vec::new, points);
            points.into_iter().any(|point| metres(point, (*latitude, *longitude)) <= *limit)
        }
        Filter::Matches { .. } => panic!("words are compared in words.rs"),
        Filter::And(all) => all.iter().all(|filter| naive(filter, document)),
        Filter::Or(all) => all.iter().any(|filter| naive(filter, document)),
        Filter::Not(inner) => !naive(inner, document),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn equals_the_naive_evaluation(
        fields in proptest::collection::vec(proptest::collection::vec(field(), 0..5), 1..20),
        cut in 0usize..20,
        long in any::<bool>(),
        filter in filter(),
        k in 1usize..8,
    ) {
        let mut docs: Vec<Document> = fields.into_iter().enumerate().map(|(i, fields)| {
            let document = doc(i, if i % 3 == 0 { "word word" } else { "word other" });
            fields.into_iter().fold(document, |d, (name, value)| d.with(name, value))
        }).collect();
        // So that some document has every field; a long text leaves the field without a column there.
        docs.push(doc("last", "word").with("x", if long { "a".repeat(300) } else { String::new() }).with("y", 1));
        let (first, second) = docs.split_at(cut.min(docs.len()));
        let storage = Memory::new();
        let snapshot = add(&create(&storage, typed_schema()), &[first.to_vec(), second.to_vec()]);
        let selection = snapshot.select(&filter).unwrap();
        let expected: Vec<DocAddress> =
            snapshot.addresses().zip(&docs).filter(|(_, d)| naive(&filter, d)).map(|(at, _)| at).collect();
        prop_assert_eq!(set_of(selection.iter()), set_of(expected.iter().copied()));
        prop_assert_eq!(selection.count(), expected.len());

        // The same from the stored documents alone, as in collections of version 1.
        let bare = open(&without_columns(&storage)).unwrap().snapshot().unwrap();
        prop_assert_eq!(bare.select(&filter).unwrap(), selection.clone());

        // A filtered search returns the best of the selected documents, as many as there are.
        let bm25 = snapshot.bm25("bm25").unwrap();
        let terms = bm25.analyze("word");
        let all = bm25.search(&terms, docs.len(), None).unwrap().hits;
        let best: Vec<Scored<DocAddress>> =
            all.into_iter().filter(|hit| expected.contains(&hit.item)).take(k).collect();
        let hits = bm25.search(&terms, k, Some(&selection)).unwrap().hits;
        prop_assert_eq!(hits.len(), k.min(expected.len()));
        prop_assert_eq!(hits, best);
    }
}

#[test]
fn a_field_that_nothing_has_is_an_error_with_the_nearest_name() {
    let select = |snapshot: &ecphory_index::Snapshot, filter: &str| {
        snapshot.select(&filter.parse().unwrap()).map(|selection| selection.count())
    };
    let collection = create(&Memory::new(), typed_schema());
    // Where there are no documents yet, any field may come.
    assert_eq!(select(&collection.snapshot().unwrap(), "year = 1").unwrap(), 0);
    let snapshot = add(&collection, &[vec![doc(1, "x").with("year", 1)], vec![doc(2, "y")]]);
    assert_eq!(select(&snapshot, "year = 1").unwrap(), 1);
    assert_eq!(select(&snapshot, "when = \"2020\"").unwrap(), 0, "a declared field may be empty");
    assert_eq!(select(&snapshot, "exists(title)").unwrap(), 0, "a channel's field may be empty");
    let error = select(&snapshot, "exists(_id) and not yaer = 1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(
        error.to_string(),
        "there is no field `yaer`: it is not declared, and no document has it; did you mean `year`?"
    );
    let error = select(&snapshot, "whn = 1").unwrap_err();
    assert!(error.to_string().ends_with("did you mean `when`?"), "{error}");
}

#[test]
fn a_date_that_is_cut_off_is_its_first_instant_but_equals_all_of_it() {
    let days =
        ["2019-12-31", "2020", "2020-01-01T00:00:00.001Z", "2020-12-31T23:59:59+00:00", "2021"];
    let docs = days.iter().map(|day| doc(day, "x").with("when", *day)).collect();
    let snapshot = add(&create(&Memory::new(), typed_schema()), &[docs]);
    let select = |filter: &str| {
        let selection = snapshot.select(&filter.parse().unwrap()).unwrap();
        selection.iter().map(|at| at.doc.index()).collect::<Vec<_>>()
    };
    assert_eq!(select("when = \"2020\""), [1, 2, 3]);
    assert_eq!(select("when != \"2020\""), [0, 4]);
    assert_eq!(select("when < \"2020\""), [0]);
    assert_eq!(select("when <= \"2020\""), [0, 1]);
    assert_eq!(select("when > \"2020\""), [2, 3, 4]);
    assert_eq!(select("when >= \"2020\" and when < \"2021\""), [1, 2, 3]);
    assert_eq!(select("when in (\"2019-12\", \"2020-01-01T01:00:00+01:00\")"), [0, 1]);
}
