//! What a collection must hold: a plain list of documents, in the order of their last write.

use std::collections::{BTreeMap, HashMap};

use ecphory_core::storage::Memory;
use ecphory_core::{DocAddress, Document, Scored, Silent};
use ecphory_index::{Batch, Filter, Result, Rows, Schema, Snapshot, Written};

use crate::support::{self, create, pool, sparse_channel};

/// One channel of each kind.
pub fn schema() -> Schema {
    let mut schema = support::schema();
    schema.channels.push(sparse_channel("sparse", TERMS));
    schema
}

/// How many terms there are: one for each dimension and sign of a row.
const TERMS: u32 = 6;

/// The terms that a document with these rows has in the sparse channel, with their weights.
pub fn terms_of(rows: &[[f32; 3]]) -> BTreeMap<u32, f32> {
    let mut terms = BTreeMap::new();
    for row in rows {
        for (term, value) in (0..).step_by(2).zip(row).filter(|(_, value)| **value != 0.0) {
            terms.insert(term + u32::from(*value < 0.0), value.abs());
        }
    }
    terms
}

/// A document, and its rows in the dense channel where it has any; [`terms_of`] says what the sparse one has then.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub document: Document,
    pub rows: Option<Vec<[f32; 3]>>,
}

/// One batch: deletions, then documents.
#[derive(Clone, Debug, Default)]
pub struct Put {
    pub deletes: Vec<String>,
    pub entries: Vec<Entry>,
}

impl Put {
    /// The batch as the writer takes it. A document that is there is replaced, any other one added.
    pub fn batch(&self, before: &State) -> Batch {
        let mut batch = Batch::new();
        for id in &self.deletes {
            batch.delete(id);
        }
        let replaced = |id: &String| before.has(id) && !self.deletes.contains(id);
        for entry in &self.entries {
            let document = entry.document.clone();
            if replaced(&document.id) {
                batch.upsert(document)
            } else {
                batch.add(document)
            };
        }
        if let Some((counts, values)) = rows_of(&self.entries) {
            batch.rows("dense", counts, values);
            let (counts, terms, weights) = weights_of(&self.entries);
            batch.sparse_rows("sparse", counts, terms, weights);
        }
        batch
    }
}

/// The rows of documents that all have some; `None` where one was never encoded.
fn rows_of(entries: &[Entry]) -> Option<(Vec<u32>, Vec<f32>)> {
    let (mut counts, mut values) = (Vec::new(), Vec::new());
    for entry in entries {
        let rows = entry.rows.as_ref()?;
        counts.push(rows.len() as u32);
        values.extend(rows.iter().flatten());
    }
    Some((counts, values))
}

/// The weighted terms of documents that all have some rows.
fn weights_of(entries: &[Entry]) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
    let (mut counts, mut terms, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for rows in entries.iter().filter_map(|entry| entry.rows.as_ref()) {
        let found = terms_of(rows);
        counts.push(found.len() as u32);
        terms.extend(found.keys());
        weights.extend(found.values());
    }
    (counts, terms, weights)
}

/// The documents of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub entries: Vec<Entry>,
}

impl State {
    pub fn has(&self, id: &str) -> bool {
        self.entries.iter().any(|entry| entry.document.id == id)
    }

    /// Applies a batch, and returns what it did.
    pub fn put(&mut self, put: &Put) -> Written {
        let mut written = Written { put: put.entries.len() as u64, ..Written::default() };
        for id in &put.deletes {
            match self.delete(|document| document.id == *id) {
                0 => written.missing += 1,
                _ => written.deleted += 1,
            }
        }
        for entry in &put.entries {
            written.replaced += self.delete(|document| document.id == entry.document.id);
            self.entries.push(entry.clone());
        }
        written
    }

    /// Deletes documents, and returns how many there were.
    pub fn delete(&mut self, doomed: impl Fn(&Document) -> bool) -> u64 {
        let before = self.entries.len();
        self.entries.retain(|entry| !doomed(&entry.document));
        (before - self.entries.len()) as u64
    }

    /// A text that no other state has.
    fn key(&self) -> String {
        format!("{self:?}")
    }

    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.entries.iter().map(|entry| &entry.document)
    }
}

/// All documents of a snapshot, in order.
pub fn documents(snapshot: &Snapshot) -> Result<Vec<Document>> {
    snapshot.addresses().map(|at| snapshot.document(at)).collect()
}

const WORDS: [&str; 4] = ["fission radium", "uranium neutron polonium", "radium", "absent"];
const VECTORS: [[f32; 3]; 2] = [[1.0, 0.0, 0.5], [-0.5, 0.25, 1.0]];
const FILTERS: [&str; 3] = ["year >= 1930", "tag = \"b\" and not year = 1921", "_id < \"d2\""];

/// Everything that searches say about a snapshot, scores to the bit. Documents are called by their ids,
/// so that collections whose segments differ compare equal.
pub fn searches(snapshot: &Snapshot) -> Result<String> {
    let mut lines = vec![format!("{} documents", snapshot.documents())];
    let mut selections = vec![None];
    for filter in FILTERS {
        let parsed: Filter = filter.parse().expect("a filter");
        let selection = snapshot.select(&parsed)?;
        let ids: Result<Vec<&str>> = selection.iter().map(|at| snapshot.id(at)).collect();
        lines.push(format!("{filter}: {:?}", ids?));
        selections.push(Some(selection));
    }
    let (bm25, dense) = (snapshot.bm25("bm25")?, snapshot.dense("dense")?);
    let sparse = snapshot.sparse("sparse")?;
    for selection in selections.iter().map(Option::as_ref) {
        // With a filter one search of each kind does, and its limit leaves some documents out.
        let (limit, count) = if selection.is_some() { (3, 1) } else { (100, usize::MAX) };
        for words in WORDS.iter().take(count) {
            let found = bm25.search(&bm25.analyze(words), limit, selection)?.hits;
            lines.push(format!("{words}: {:?}", named(snapshot, &found)?));
        }
        for vector in VECTORS.iter().take(count) {
            let found = dense.search(vector, limit, selection)?;
            lines.push(format!("{vector:?}: {:?}", named(snapshot, &found)?));
            let terms: Vec<(u32, f32)> = terms_of(&[*vector]).into_iter().collect();
            let found = sparse.search(&terms, limit, selection)?.hits;
            lines.push(format!("{terms:?}: {:?}", named(snapshot, &found)?));
        }
    }
    for id in (0..IDS).map(id) {
        let found = snapshot.find(&id)?.map(|at| snapshot.id(at)).transpose()?;
        lines.push(format!("{id}: {found:?}"));
    }
    Ok(lines.join("\n"))
}

fn named(snapshot: &Snapshot, hits: &[Scored<DocAddress>]) -> Result<Vec<(String, u32)>> {
    hits.iter().map(|hit| Ok((snapshot.id(hit.item)?.to_owned(), hit.score.to_bits()))).collect()
}

/// How many different ids there are: few, so that they are deleted and come back.
pub const IDS: usize = 24;

pub fn id(number: usize) -> String {
    format!("d{number}")
}

/// What searches must say: asked of a collection that is built anew of the model's documents, in one piece.
pub struct Expected {
    known: HashMap<String, String>,
    pool: rayon::ThreadPool,
}

impl Default for Expected {
    fn default() -> Self {
        Self { known: HashMap::new(), pool: pool(1) }
    }
}

impl Expected {
    pub fn searches(&mut self, state: &State) -> &str {
        let Self { known, pool } = self;
        known.entry(state.key()).or_insert_with(|| searches(&fresh(state, pool)).unwrap())
    }
}

fn fresh(state: &State, pool: &rayon::ThreadPool) -> Snapshot {
    let collection = create(&Memory::new(), schema());
    let writer = collection.writer().unwrap();
    let documents: Vec<Document> = state.documents().cloned().collect();
    writer.stage(&documents, pool, &Silent).unwrap();
    let rows =
        |entry: &Entry| Entry { rows: entry.rows.clone().or(Some(Vec::new())), ..entry.clone() };
    let entries: Vec<Entry> = state.entries.iter().map(rows).collect();
    let (counts, values) = rows_of(&entries).expect("all have rows now");
    writer
        .stage_rows("dense", Rows { counts: &counts, values: &values, ..Rows::default() })
        .unwrap();
    let (counts, terms, values) = weights_of(&entries);
    let rows = Rows { counts: &counts, terms: &terms, values: &values };
    writer.stage_rows("sparse", rows).unwrap();
    writer.commit().unwrap();
    collection.snapshot().unwrap()
}
