//! Our side: a collection with one BM25 channel, through the index crate.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use ecphory_core::storage::Directory;
use ecphory_core::{Document, Silent};
use ecphory_index::format::SEGMENTS;
use ecphory_index::{
    Bm25Settings, ChannelKind, ChannelSchema, Collection, QueryTerm, Schema, Snapshot,
};
use serde_json::{Value, json};

use super::{B, K1};
use crate::corpus;
use crate::searching;
use crate::side::{Side, count, text};
use crate::sizes::folder_bytes;

const CHANNEL: &str = "bm25";

/// What the requests work on: the pool, and after `open` a snapshot and its analysed queries.
pub struct Ours {
    pool: rayon::ThreadPool,
    open: Option<(Snapshot, Vec<Vec<QueryTerm>>)>,
}

impl Ours {
    pub fn new(threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Self { pool, open: None })
    }

    /// From a file of texts to a committed collection; texts are kept in it.
    fn index(&self, input: &Path, folder: &Path) -> Result<Value> {
        let start = Instant::now();
        let texts = corpus::read(input)?;
        let documents: Vec<Document> = texts
            .into_iter()
            .enumerate()
            .map(|(line, text)| Document::new(line.to_string()).with("text", text))
            .collect();
        let storage = Directory::create(folder, &[SEGMENTS])?;
        let settings = Bm25Settings { k1: K1, b: B, analyzer: "english".to_owned() };
        let channel = ChannelSchema {
            name: CHANNEL.to_owned(),
            fields: vec!["text".to_owned()],
            kind: ChannelKind::Bm25(settings),
        };
        let collection = Collection::create(
            Arc::new(storage),
            Schema { channels: vec![channel], fields: Vec::new() },
        )?;
        let writer = collection.writer()?;
        writer.stage(&documents, &self.pool, &Silent)?;
        writer.commit()?;
        let seconds = start.elapsed().as_secs_f64();
        drop(writer);
        let sizes = collection.snapshot()?.sizes();
        let channel = sizes.iter().filter(|size| size.component.contains(CHANNEL));
        Ok(json!({
            "seconds": seconds,
            "documents": documents.len(),
            "bytes": folder_bytes(folder, |_| true)?,
            "index_bytes": channel.map(|size| size.disk).sum::<u64>(),
        }))
    }

    fn open(&mut self, folder: &Path, queries: &Path) -> Result<Value> {
        let snapshot = Collection::open(Arc::new(Directory::open(folder)?))?.snapshot()?;
        let channel = snapshot.bm25(CHANNEL)?;
        let queries = corpus::read(queries)?;
        let queries = queries.iter().map(|query| channel.analyze(query)).collect();
        drop(channel);
        self.open = Some((snapshot, queries));
        Ok(json!({}))
    }

    fn search(&self, k: usize) -> Result<Value> {
        let (snapshot, queries) = self.open.as_ref().context("nothing is open")?;
        let channel = snapshot.bm25(CHANNEL)?;
        searching::timed(&self.pool, queries, |query| Ok(channel.search(query, k, None)?.hits))
    }

    fn results(&self, k: usize) -> Result<Value> {
        let (snapshot, queries) = self.open.as_ref().context("nothing is open")?;
        let channel = snapshot.bm25(CHANNEL)?;
        searching::listed(snapshot, queries, |query| Ok(channel.search(query, k, None)?.hits))
    }
}

impl Side for Ours {
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
        match op {
            "index" => {
                self.index(Path::new(text(request, "texts")?), Path::new(text(request, "folder")?))
            }
            "open" => {
                self.open(Path::new(text(request, "folder")?), Path::new(text(request, "queries")?))
            }
            "search" => self.search(count(request, "k")?),
            "results" => self.results(count(request, "k")?),
            _ => bail!("there is no operation `{op}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_corpus_is_indexed_opened_and_searched() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        corpus::write(
            &path("texts"),
            ["the kernel loads modules", "nothing here", "kernel kernel"],
        )
        .unwrap();
        corpus::write(&path("queries"), ["kernels", "absent"]).unwrap();
        let mut side = Ours::new(1).unwrap();
        assert!(side.ask("search", &json!({ "k": 1 })).is_err());
        let request =
            json!({ "texts": path("texts"), "folder": path("c.ecp"), "queries": path("queries") });
        let indexed = side.ask("index", &request).unwrap();
        assert_eq!(indexed["documents"], 3);
        assert!(indexed["index_bytes"].as_u64().unwrap() > 0);
        assert!(indexed["bytes"].as_u64() > indexed["index_bytes"].as_u64());
        side.ask("open", &request).unwrap();
        let found = side.ask("results", &json!({ "k": 10 })).unwrap();
        let lines: Vec<u64> = found["results"][0]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| hit[0].as_u64().unwrap())
            .collect();
        assert_eq!(lines, [2, 0]);
        assert_eq!(found["results"][1], json!([]));
        assert_eq!(side.ask("search", &json!({ "k": 1 })).unwrap()["hits"], 1);
    }
}
