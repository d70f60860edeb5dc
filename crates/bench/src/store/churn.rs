//! Churn: all of a collection is rewritten again and again, and its size compared with that of a fresh build.
//!
//! Each cycle puts every document again, in another order and with another text, in batches of 1,000, while
//! segments are sealed and merged beside it. Nothing is compacted on demand: what is measured first is what
//! a user gets who does nothing about it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use ecphory_core::Document;
use ecphory_core::storage::FullSpeed;
use ecphory_index::{Batch, Collection};

use super::live::{self, Live};
use super::{Setting, comparison};
use crate::compare::Better;
use crate::corpus::{self, SplitMix};
use crate::sizes::folder_bytes;

const DOCUMENTS: usize = 100_000;
const CYCLES: usize = 10;
const BATCH: usize = 1000;
const QUERIES: usize = 200;
const SEED: u64 = 11;
const FRESH: &str = "a fresh build of the same documents";

/// Measures and prints.
pub fn run(setting: &Setting) -> Result<()> {
    let texts = &setting.texts[..setting.texts.len().min(DOCUMENTS)];
    let cycles = if setting.quick { 3 } else { CYCLES };
    eprintln!("rewriting {} documents {cycles} times", texts.len());
    let folder = setting.scratch.path("churned");
    let start = Instant::now();
    let (collection, last, largest) = rewrite(&folder, texts, cycles)?;
    let written = (texts.len() * (cycles + 1)) as f64;
    eprintln!("{:.0} documents written a second", written / start.elapsed().as_secs_f64());
    let bytes = bytes(&folder)?;
    let fresh_folder = setting.scratch.path("fresh");
    let fresh = live::build(&fresh_folder, &last)?;
    let fresh_bytes = self::bytes(&fresh_folder)?;

    let queries = corpus::phrases(texts, QUERIES, SEED)?;
    let differing = differing(&collection, &fresh, &queries)?;
    let snapshot = collection.snapshot()?;
    let (segments, dead) = (snapshot.segments(), snapshot.dead());
    let documents = texts.len();
    let quality = format!(
        "{documents} documents; top 10 of {QUERIES} queries: {differing} differ in ids, order or scores; {segments} segments, {dead} dead documents"
    );
    let writer = collection.writer()?;
    writer.compact(&FullSpeed)?;
    drop(writer);
    let compact = self::bytes(&folder)?;
    let rows = [
        (format!("churn: bytes on disk after {cycles} rewrites, at rest"), bytes),
        (format!("churn: bytes on disk after {cycles} rewrites, the largest on the way"), largest),
        (format!("churn: bytes on disk after {cycles} rewrites, compacted"), compact),
    ];
    for (metric, bytes) in rows {
        let mut row = comparison(FRESH, metric, quality.clone(), Better::Lower);
        row.rounds.push((bytes as f64, fresh_bytes as f64));
        row.print();
    }
    Ok(())
}

/// Writes all documents once and then rewrites them; returns the collection at rest and closed, its documents
/// in their order, and the most bytes that it had on the way.
fn rewrite(
    folder: &Path,
    texts: &[String],
    cycles: usize,
) -> Result<(Collection, Vec<Document>, u64)> {
    let collection = live::create(folder)?;
    let writer = collection.writer()?;
    let (done, largest) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut last = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let sampler = scope.spawn(|| -> Result<()> {
            while !done.load(Ordering::Relaxed) {
                largest.fetch_max(bytes(folder)?, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        });
        let outcome = Live::run(&writer, |live| {
            for cycle in 0..=cycles {
                last = documents(texts, cycle);
                put_all(&live, &last)?;
                let snapshot = live.writer.snapshot();
                eprintln!(
                    "cycle {cycle}: {} MB, {} segments, {} dead",
                    bytes(folder)? / 1_000_000,
                    snapshot.segments(),
                    snapshot.dead()
                );
            }
            Ok(())
        });
        done.store(true, Ordering::Relaxed);
        sampler.join().expect("sampling does not panic")?;
        outcome
    })?;
    writer.close()?;
    Ok((collection, last, largest.into_inner()))
}

/// The documents of a cycle in the order in which they are written: each with the text of another one.
fn documents(texts: &[String], cycle: usize) -> Vec<Document> {
    // A prime larger than any number of documents here, so that every document has its turn.
    const STEP: usize = 7_368_787;
    let first = SplitMix(cycle as u64).below(texts.len());
    let ids = (0..texts.len()).map(|turn| (first + turn * STEP) % texts.len());
    ids.map(|id| live::document(id, &texts[(id + cycle) % texts.len()])).collect()
}

fn put_all(live: &Live<'_>, documents: &[Document]) -> Result<()> {
    for documents in documents.chunks(BATCH) {
        let mut batch = Batch::new();
        for document in documents {
            batch.upsert(document.clone());
        }
        live.put(batch)?;
    }
    Ok(())
}

fn bytes(folder: &Path) -> Result<u64> {
    folder_bytes(folder, |_| true)
}

/// How many queries have another top 10 here than there.
fn differing(here: &Collection, there: &Collection, queries: &[String]) -> Result<usize> {
    let mut differing = 0;
    for query in queries {
        differing += usize::from(top(here, query)? != top(there, query)?);
    }
    Ok(differing)
}

/// Ids with the bits of their scores.
fn top(collection: &Collection, query: &str) -> Result<Vec<(String, u32)>> {
    let snapshot = collection.snapshot()?;
    let channel = snapshot.bm25(live::CHANNEL)?;
    let hits = channel.search(&channel.analyze(query), 10, None)?.hits;
    hits.iter().map(|hit| Ok((snapshot.id(hit.item)?.to_owned(), hit.score.to_bits()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_cycle_has_every_document_once_with_another_text() {
        let texts: Vec<String> = (0..1000).map(|i| format!("text {i}")).collect();
        let (one, two) = (documents(&texts, 1), documents(&texts, 2));
        let ids = |all: &[Document]| -> BTreeSet<String> {
            all.iter().map(|document| document.id.clone()).collect()
        };
        assert_eq!((ids(&one).len(), ids(&one)), (1000, ids(&two)));
        let of = |all: &[Document], id: &str| {
            all.iter().find(|document| document.id == id).and_then(|it| it.get("text").cloned())
        };
        assert_ne!(of(&one, "7"), of(&two, "7"));
        assert_ne!(one[0].id, two[0].id);
    }

    #[test]
    fn rewriting_a_little_equals_a_fresh_build() {
        let texts: Vec<String> =
            (0..3000).map(|i| format!("word{} word{} common", i % 7, i % 50)).collect();
        let folder = tempfile::tempdir().unwrap();
        let (collection, last, largest) = rewrite(&folder.path().join("a"), &texts, 2).unwrap();
        let fresh = live::build(&folder.path().join("b"), &last).unwrap();
        assert!(largest >= bytes(&folder.path().join("a")).unwrap() / 2);
        let queries = ["word1 word3".to_owned(), "common".to_owned()];
        assert_eq!(differing(&collection, &fresh, &queries).unwrap(), 0);
        let other = live::build(&folder.path().join("c"), &documents(&texts, 0)).unwrap();
        assert_eq!(differing(&collection, &other, &queries).unwrap(), 2);
    }
}
