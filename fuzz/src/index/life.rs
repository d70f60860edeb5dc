//! Everything that a user can do with a collection, whatever its files hold.

use std::sync::Arc;

use ecphory_core::storage::{FullSpeed, Memory};
use ecphory_core::{DocAddress, Document, ErrorKind, Silent};
use ecphory_index::{
    Batch, Bm25Settings, ChannelKind, ChannelSchema, Collection, Error, FieldKind, FieldSchema,
    Filter, Result, Rows, Snapshot, Writer,
};

use super::sample::FIELDS;

/// How many hits are asked for.
const K: usize = 5;

/// Reads, checks, writes, merges and copies a collection. Every error has to call it corrupt, or to be of a
/// version that is not known; where a check finds nothing wrong there must not be any.
pub fn live(storage: &Memory) {
    let open = || Collection::open(Arc::new(storage.clone()));
    let before = open().and_then(|collection| collection.check(&Silent));
    let sound = judge("checking", false, before).is_some_and(|found| {
        for error in &found {
            assert_corrupt("checking", error);
        }
        found.is_empty()
    });
    let read = open().and_then(|collection| read(&collection.snapshot()?));
    judge("reading", sound, read);
    let target = Memory::new();
    let copied = open().and_then(|collection| collection.snapshot()?.backup(&target, &Silent));
    if judge("backing up", sound, copied).is_some() && sound {
        assert_sound("a backup", &target);
    }
    judge("writing", sound, open().and_then(|collection| write(&collection)));
    if sound {
        assert_sound("what was written", storage);
    }
}

/// Returns the outcome, where there is one, after looking at the error, where there is one.
fn judge<T>(what: &str, sound: bool, outcome: Result<T>) -> Option<T> {
    outcome
        .inspect_err(|error| {
            assert!(!sound, "{what} a collection in which a check found nothing: {error}");
            assert_corrupt(what, error);
        })
        .ok()
}

fn assert_corrupt(what: &str, error: &Error) {
    let expected = error.kind() == ErrorKind::Corrupt || matches!(error, Error::Version { .. });
    assert!(expected, "{what}: {:?}: {error}", error.kind());
}

fn assert_sound(what: &str, storage: &Memory) {
    let check = Collection::open(Arc::new(storage.clone())).and_then(|c| c.check(&Silent));
    let found = check.unwrap_or_else(|error| vec![error]);
    assert!(found.is_empty(), "{what} of a sound collection is not sound: {}", found[0]);
}

/// Takes an answer to a question that this schema may not allow.
fn ask<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Err(Error::UnknownField { .. } | Error::Filter { .. }) => Ok(None),
        outcome => outcome.map(Some),
    }
}

fn read(snapshot: &Snapshot) -> Result<()> {
    let _ = (snapshot.documents(), snapshot.dead(), snapshot.tail_documents(), snapshot.sizes());
    snapshot.dump()?;
    for at in snapshot.addresses() {
        let document = snapshot.document(at)?;
        assert_eq!(document.id, snapshot.id(at)?);
        snapshot.find(&document.id)?;
    }
    let names = FIELDS.iter().map(|(name, _)| *name).chain(["title", "text", "tags", "_id", "x"]);
    for field in names {
        for descending in [false, true] {
            ask(snapshot.sort_by(field, descending, None, K))?;
        }
        ask(snapshot.facets(field, None, K))?;
        ask(snapshot.select(&Filter::Exists { field: field.to_owned() }))?;
    }
    let filters = [
        "year > 1870 or living = true",
        "tags in (\"physics\", \"x\") and not exists(day)",
        "_id = \"hahn\" or _id starts_with \"c\" or text starts_with \"f\"",
        "day < \"1900\" or weight <= 70.5",
        "geo_within(place, 52, 21, 100km)",
        "kind != \"chemist\"",
    ];
    let mut some = None;
    for filter in filters {
        let filter: Filter = filter.parse().expect("the filters are right");
        if let Some(selected) = ask(snapshot.select(&filter))? {
            ask(snapshot.facets("tags", Some(&selected), K))?;
            some = Some(selected);
        }
    }
    search(snapshot, some.as_ref())?;
    search(snapshot, None)
}

fn search(snapshot: &Snapshot, selection: Option<&ecphory_index::Selection>) -> Result<()> {
    for channel in &snapshot.schema().channels {
        match &channel.kind {
            ChannelKind::Bm25(_) => {
                let bm25 = snapshot.bm25(&channel.name)?;
                for query in ["radium fission of of uranium 0 z", "nothing"] {
                    let terms = bm25.analyze(query);
                    let hits = bm25.search(&terms, K, selection)?.hits;
                    let at: Vec<DocAddress> = hits.iter().map(|hit| hit.item).collect();
                    bm25.score(&terms, &at)?;
                    for at in at {
                        bm25.explain(&terms, at)?;
                    }
                }
            }
            ChannelKind::Dense(settings) => {
                let mut query = vec![0.5; settings.dimensions as usize];
                query[0] = -1.0;
                let dense = snapshot.dense(&channel.name)?;
                let hits = dense.search(&query, K, selection)?;
                let at: Vec<DocAddress> = hits.iter().map(|hit| hit.item).collect();
                dense.score(&query, &at)?;
                for at in at {
                    dense.best_row(&query, at)?;
                }
                snapshot.coverage(&channel.name)?;
            }
            ChannelKind::Sparse(settings) => {
                let query: Vec<(u32, f32)> =
                    (0..settings.terms.min(40)).map(|term| (term, 0.5)).collect();
                let sparse = snapshot.sparse(&channel.name)?;
                let hits = sparse.search(&query, K, selection)?.hits;
                let at: Vec<DocAddress> = hits.iter().map(|hit| hit.item).collect();
                sparse.score(&query, &at)?;
                for at in at {
                    sparse.explain(&query, at)?;
                }
                snapshot.coverage(&channel.name)?;
            }
        }
    }
    Ok(())
}

fn write(collection: &Collection) -> Result<()> {
    let writer = collection.writer()?;
    let schema = writer.snapshot().schema().clone();
    let covered = schema.channels[0].fields[0].clone();
    let mut batch = Batch::new();
    batch.upsert(Document::new("hahn").with(&covered, "radium and fission")).delete("meitner");
    batch.upsert(Document::new("new").with(&covered, "radium"));
    put(&writer, batch)?;
    let filter: Filter = "_id = \"long\"".parse().expect("the filter is right");
    writer.delete_where(&filter)?;
    writer.seal()?;
    for _ in 0..K {
        writer.maintain(&FullSpeed)?;
    }
    for channel in &schema.channels {
        while let ChannelKind::Dense(_) | ChannelKind::Sparse(_) = channel.kind
            && let Some(gap) = writer.uncovered(&channel.name)?
        {
            let counts = vec![0; gap.count as usize];
            writer.stage_rows(&channel.name, Rows { counts: &counts, ..Rows::default() })?;
        }
    }
    writer.commit()?;
    evolve(&writer, &covered)?;
    writer.compact(&FullSpeed)?;
    read(&collection.snapshot()?)?;
    let mut batch = Batch::new();
    batch.delete("new");
    put(&writer, batch)?;
    writer.purge(&FullSpeed)?;
    writer.close()?;
    collection.snapshot()?.dump().map(|_| ())
}

/// Puts a batch that a changed schema may not allow.
fn put(writer: &Writer, batch: Batch) -> Result<()> {
    match writer.put(batch, None) {
        Err(Error::Document { .. }) => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}

/// Adds a field and a channel, unless they are there or the documents do not allow it.
fn evolve(writer: &Writer, covered: &str) -> Result<()> {
    let field = FieldSchema { name: "tags".to_owned(), kind: FieldKind::Keyword };
    let channel = ChannelSchema {
        name: "more".to_owned(),
        fields: vec![covered.to_owned()],
        kind: ChannelKind::Bm25(Bm25Settings {
            analyzer: "raw".to_owned(),
            ..Bm25Settings::default()
        }),
    };
    for outcome in [writer.add_field(field, &Silent), writer.add_channel(channel, &Silent)] {
        match outcome {
            Err(Error::Document { .. } | Error::Field { .. } | Error::Schema { .. }) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}
