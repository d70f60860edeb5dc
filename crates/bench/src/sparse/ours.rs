//! Our side: a collection with one sparse channel whose vectors are handed in.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use ecphory_core::storage::Directory;
use ecphory_core::{Document, Silent};
use ecphory_index::format::SEGMENTS;
use ecphory_index::{
    Batch, ChannelKind, ChannelSchema, Collection, Rows, Schema, Snapshot, SparseSettings,
};
use serde_json::{Value, json};

use super::vectors::Reader;
use crate::searching;
use crate::side::{Side, count, text};

const CHANNEL: &str = "sparse";
/// Documents whose vectors are in memory at a time.
const WINDOW: usize = 4096;

type Query = Vec<(u32, f32)>;

/// What the requests work on: the pool, and after `open` a snapshot and its queries.
pub struct Ours {
    pool: rayon::ThreadPool,
    open: Option<(Snapshot, Vec<Query>)>,
}

impl Ours {
    pub fn new(threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Self { pool, open: None })
    }

    /// From files of vectors to a committed collection.
    fn build(&self, request: &Value) -> Result<Value> {
        let folder = Path::new(text(request, "folder")?);
        let start = Instant::now();
        let mut vectors = Reader::open(Path::new(text(request, "vectors")?))?;
        let storage = Directory::create(folder, &[SEGMENTS])?;
        let channel = ChannelSchema {
            name: CHANNEL.to_owned(),
            fields: vec!["text".to_owned()],
            kind: ChannelKind::Sparse(SparseSettings {
                encoder: "splade".to_owned(),
                fingerprint: String::new(),
                terms: count(request, "terms")? as u32,
                max_tokens: None,
                precision: None,
            }),
        };
        let collection = Collection::create(
            Arc::new(storage),
            Schema { channels: vec![channel], fields: Vec::new() },
        )?;
        let writer = collection.writer()?;
        let numbers = 0..vectors.documents();
        let documents: Vec<Document> = numbers.map(|number| document(number.to_string())).collect();
        writer.stage(&documents, &self.pool, &Silent)?;
        drop(documents);
        writer.commit()?;
        let mut postings = 0;
        loop {
            let block = vectors.read(WINDOW)?;
            if block.counts.is_empty() {
                break;
            }
            postings += block.terms.len();
            let (counts, terms, values) = (&block.counts, &block.terms, &block.weights);
            writer.stage_rows(CHANNEL, Rows { counts, terms, values })?;
        }
        writer.commit()?;
        let seconds = start.elapsed().as_secs_f64();
        drop(writer);
        let sizes = collection.snapshot()?.sizes();
        let channel = sizes.iter().filter(|size| size.component.contains(CHANNEL));
        Ok(json!({
            "seconds": seconds,
            "postings": postings,
            "bytes": channel.map(|size| size.disk).sum::<u64>(),
        }))
    }

    fn open(&mut self, folder: &Path, queries: &Path) -> Result<Value> {
        let snapshot = Collection::open(Arc::new(Directory::open(folder)?))?.snapshot()?;
        let mut reader = Reader::open(queries)?;
        let block = reader.read(reader.documents())?;
        let query = |(terms, weights): (&[u32], &[f32])| -> Query {
            terms.iter().copied().zip(weights.iter().copied()).collect()
        };
        self.open = Some((snapshot, block.iter().map(query).collect()));
        Ok(json!({}))
    }

    fn search(&self, k: usize) -> Result<Value> {
        let (snapshot, queries) = self.open.as_ref().context("nothing is open")?;
        let channel = snapshot.sparse(CHANNEL)?;
        searching::timed(&self.pool, queries, |query| Ok(channel.search(query, k, None)?.hits))
    }

    fn results(&self, k: usize) -> Result<Value> {
        let (snapshot, queries) = self.open.as_ref().context("nothing is open")?;
        let channel = snapshot.sparse(CHANNEL)?;
        searching::listed(snapshot, queries, |query| Ok(channel.search(query, k, None)?.hits))
    }

    /// Puts new documents into a collection that was built, batch by batch, and deletes them again. Each batch is
    /// durable, and found by searches, when it returns.
    fn change(&self, request: &Value) -> Result<Value> {
        let folder = Path::new(text(request, "folder")?);
        let (wanted, size) = (count(request, "count")?, count(request, "batch")?);
        let collection = Collection::open(Arc::new(Directory::open(folder)?))?;
        let writer = collection.writer()?;
        let mut vectors = Reader::open(Path::new(text(request, "vectors")?))?;
        let id = |number: usize| format!("new {number}");
        let start = Instant::now();
        for first in (0..wanted).step_by(size) {
            let block = vectors.read(size.min(wanted - first))?;
            let mut batch = Batch::new();
            for number in first..first + block.counts.len() {
                batch.add(document(id(number)));
            }
            batch.sparse_rows(CHANNEL, block.counts, block.terms, block.weights);
            writer.put(batch, Some(&self.pool))?;
        }
        let inserted = start.elapsed().as_secs_f64();
        let start = Instant::now();
        for first in (0..wanted).step_by(size) {
            let mut batch = Batch::new();
            for number in first..wanted.min(first + size) {
                batch.delete(id(number));
            }
            writer.put(batch, Some(&self.pool))?;
        }
        Ok(json!({ "insert": inserted, "delete": start.elapsed().as_secs_f64() }))
    }
}

/// A document is its vector; a collection wants to see a text, though.
fn document(id: String) -> Document {
    Document::new(id).with("text", ".")
}

impl Side for Ours {
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
        let path = |key| text(request, key).map(Path::new);
        match op {
            "build" => self.build(request),
            "open" => self.open(path("folder")?, path("queries")?),
            "search" => self.search(count(request, "k")?),
            "results" => self.results(count(request, "k")?),
            "change" => self.change(request),
            _ => bail!("there is no operation `{op}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::tests::write;
    use super::*;

    #[test]
    fn vectors_are_built_in_searched_and_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let three: [&[(u32, f32)]; 3] = [&[(0, 1.0), (2, 1.0)], &[(2, 3.0)], &[]];
        write(&path("d"), &[&three[..], &three[..2]].concat());
        write(&path("q"), &[&[(0, 2.0), (2, 1.0)], &[(3, 1.0)]]);
        for threads in [1, 2] {
            let mut side = Ours::new(threads).unwrap();
            let request = json!({
                "vectors": path("d"), "terms": 4, "queries": path("q"),
                "folder": path(&format!("{threads}.ecp")), "count": 3, "batch": 2,
            });
            assert!(side.ask("search", &json!({ "k": 1 })).is_err());
            let built = side.ask("build", &request).unwrap();
            assert_eq!(built["postings"], 6);
            assert!(built["bytes"].as_u64().unwrap() > 0);
            side.ask("open", &request).unwrap();
            let found = side.ask("results", &json!({ "k": 3 })).unwrap();
            assert_eq!(found["results"], json!([[[0, 3.0], [1, 3.0], [3, 3.0]], []]));
            assert_eq!(side.ask("search", &json!({ "k": 3 })).unwrap()["hits"], 3);
            let changed = side.ask("change", &request).unwrap();
            assert!(changed["insert"].as_f64().unwrap() > 0.0);
            side.ask("open", &request).unwrap();
            assert_eq!(side.ask("search", &json!({ "k": 9 })).unwrap()["hits"], 4);
        }
    }
}
