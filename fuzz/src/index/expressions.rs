//! Filters and dates as text: what is wrong has a place in the text, what is right prints as itself and
//! selects the same documents with columns and without.

use std::sync::Arc;

use ecphory_core::Document;
use ecphory_core::storage::Memory;
use ecphory_index::filter::{Comparison, Literal};
use ecphory_index::format::manifest::PartKind;
use ecphory_index::{Batch, Collection, Error, Filter, Snapshot};

use super::repair;
use super::sample::{Base, schema};

/// A filter.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let filter: Filter = match text.parse() {
        Ok(filter) => filter,
        Err(error) => return assert_placed(&error),
    };
    let printed = filter.to_string();
    let again: Filter = printed.parse().unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again, filter, "{printed}");
    assert_selects(&filter);
}

/// A date: in a document and in a filter.
pub fn date(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let collection = Collection::create(Arc::new(Memory::new()), schema()).expect("it is new");
    let writer = collection.writer().expect("nobody else writes");
    let mut batch = Batch::new();
    batch.add(Document::new("x").with("text", "x").with("day", text));
    let taken = writer.put(batch, None);
    let snapshot = writer.snapshot();
    let selected = |comparison, text: &str| {
        snapshot.select(&compare(comparison, text)).map(|selected| selected.count())
    };
    let equal = selected(Comparison::Equal, text);
    if let Err(error) = taken {
        assert!(matches!(error, Error::Document { .. }), "{error}");
        assert_placed(&equal.expect_err("a text that no document may have is no date"));
        return;
    }
    assert_eq!(equal.expect("what a document may have is a date"), 1);
    for (comparison, count) in [
        (Comparison::NotEqual, 0),
        (Comparison::Less, 0),
        (Comparison::LessOrEqual, 1),
        (Comparison::Greater, 0),
        (Comparison::GreaterOrEqual, 1),
    ] {
        assert_eq!(selected(comparison, text).expect("it is a date"), count, "{comparison:?}");
        assert_selects(&compare(comparison, text));
    }
    let facets = snapshot.facets("day", None, 2).expect("the collection is sound");
    let [(ecphory_core::Value::Text(printed), 1)] = facets.as_slice() else {
        panic!("one document has one date: {facets:?}");
    };
    assert_eq!(selected(Comparison::Equal, printed).expect("it is printed as a date"), 1);
}

fn compare(comparison: Comparison, text: &str) -> Filter {
    Filter::Compare { field: "day".to_owned(), comparison, literal: Literal::Text(text.to_owned()) }
}

/// Checks that an error is about a place in a text, and can be printed.
fn assert_placed(error: &Error) {
    let Error::Filter { text, offset, .. } = error else { panic!("{error:?}") };
    assert!(text.is_char_boundary(*offset), "byte {offset} of {text:?}");
    assert!(!error.to_string().is_empty());
}

/// Checks that a filter selects the same documents by columns as from the stored documents, and that what it
/// does not select is selected by its opposite.
fn assert_selects(filter: &Filter) {
    thread_local!(static SNAPSHOTS: [Snapshot; 2] = Base::with(|base| [snapshot(base, true), snapshot(base, false)]));
    let select = |snapshot: &Snapshot, filter: &Filter| match snapshot.select(filter) {
        Ok(selected) => Some(selected.iter().collect::<Vec<_>>()),
        Err(Error::UnknownField { .. }) => None,
        Err(error) => {
            assert_placed(&error);
            None
        }
    };
    SNAPSHOTS.with(|[with, without]| {
        let selected = select(with, filter);
        assert_eq!(selected, select(without, filter), "with columns and without");
        let opposite = select(with, &Filter::Not(Box::new(filter.clone())));
        let counts = selected.zip(opposite).map(|(a, b)| (a.len() + b.len()) as u64);
        assert!(counts.is_none_or(|sum| sum == with.documents()));
    });
}

fn snapshot(base: &Base, columns: bool) -> Snapshot {
    let storage = base.copy();
    if !columns {
        let mut manifest = base.manifest().clone();
        for segment in &mut manifest.segments {
            segment.parts.retain(|part| part.kind != PartKind::Columns);
        }
        let text = serde_json::to_vec(&manifest).expect("a manifest has string keys only");
        storage.overwrite(&base.manifest_file(), repair::manifest(&text));
    }
    let snapshot = Collection::open(Arc::new(storage)).and_then(|collection| collection.snapshot());
    snapshot.expect("the collection is sound")
}
