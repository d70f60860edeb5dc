//! Writing: how many documents are acknowledged a second, by durability, size of batch and threads.
//!
//! Batches of documents with new ids are put into a new collection for some seconds, while segments are sealed
//! and merged beside it. What a sync costs is up to the disk, so one thread is compared with a plain file
//! to which the same texts are appended, with a sync for each batch; four threads that share their syncs with
//! one; and writing without syncs with writing with them.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use ecphory_index::{Batch, Durability, WriterOptions};

use super::live::{self, Live};
use super::{Setting, comparison};
use crate::compare::{Better, Comparison};

const BATCHES: [usize; 4] = [1, 10, 100, 1000];
const THREADS: usize = 4;

/// Measures and prints.
pub fn run(setting: &Setting) -> Result<()> {
    let time = Duration::from_millis(if setting.quick { 300 } else { 3000 });
    for batch in BATCHES {
        let row = |peer: &str, what: &str| {
            let metric = format!("write: documents per second, batches of {batch}, {what}");
            let quality = "BM25 and a column; sealing and merging included".to_owned();
            comparison(peer, metric, quality, Better::Higher)
        };
        let mut rows = [
            row("a plain file, appended to and synced", "durability always, 1 thread"),
            row("the same on 1 thread", &format!("durability always, {THREADS} threads")),
            row("the same with durability always", "durability os, 1 thread"),
        ];
        for _ in 0..setting.runs {
            let folder = setting.scratch.path("written");
            let ours = |threads, durability| -> Result<f64> {
                let rate = put(&folder, &setting.texts, (batch, threads), durability, time)?;
                fs_err::remove_dir_all(&folder)?;
                Ok(rate)
            };
            let always = ours(1, Durability::Synced)?;
            let plain = append(&setting.scratch.path("plain"), &setting.texts, batch, time)?;
            let shared = ours(THREADS, Durability::Synced)?;
            let os = ours(1, Durability::Logged)?;
            let measured = [(always, plain), (shared, always), (os, always)];
            for (row, measured) in rows.iter_mut().zip(measured) {
                row.rounds.push(measured);
            }
        }
        rows.iter().for_each(Comparison::print);
    }
    Ok(())
}

/// Puts batches for a while and returns the rate of documents acknowledged.
fn put(
    folder: &Path,
    texts: &[String],
    (batch, threads): (usize, usize),
    durability: Durability,
    time: Duration,
) -> Result<f64> {
    let collection = live::create(folder)?;
    let options = WriterOptions { durability, ..WriterOptions::default() };
    let writer = collection.writer_with(options)?;
    let next = AtomicUsize::new(0);
    Live::run(&writer, |live| {
        let start = Instant::now();
        let write = |live: Live<'_>| -> Result<usize> {
            let mut written = 0;
            while start.elapsed() < time {
                let first = next.fetch_add(batch, Ordering::Relaxed);
                let mut made = Batch::new();
                for id in first..first + batch {
                    made.add(live::document(id, &texts[id % texts.len()]));
                }
                live.put(made)?;
                written += batch;
            }
            Ok(written)
        };
        let written = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|_| {
                    let live = live.clone();
                    scope.spawn(|| write(live))
                })
                .collect();
            let written: Vec<Result<usize>> =
                threads.into_iter().map(|it| it.join().expect("writers do not panic")).collect();
            written.into_iter().sum::<Result<usize>>()
        })?;
        Ok(written as f64 / start.elapsed().as_secs_f64())
    })
}

/// Appends the texts of batches to a file, each with a sync, and returns the rate of texts.
fn append(path: &Path, texts: &[String], batch: usize, time: Duration) -> Result<f64> {
    let mut file = fs_err::File::create(path)?;
    let mut written = 0;
    let start = Instant::now();
    while start.elapsed() < time {
        let mut bytes = Vec::new();
        for id in written..written + batch {
            bytes.extend_from_slice(texts[id % texts.len()].as_bytes());
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        written += batch;
    }
    let rate = written as f64 / start.elapsed().as_secs_f64();
    fs_err::remove_file(path)?;
    Ok(rate)
}
