//! Measures building and searching a BM25 collection: one document per line of a text file.
//!
//! `cargo run --release -p ecphory-index --example throughput -- FILE DIRECTORY [THREADS]`
#![allow(clippy::print_stdout, reason = "an example tells what it measured")]

use std::sync::Arc;
use std::time::Instant;

use ecphory_core::storage::Directory;
use ecphory_core::{Document, Silent};
use ecphory_index::{Bm25Settings, ChannelKind, ChannelSchema, Collection, Schema};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, directory, rest @ ..] = &*arguments else {
        return Err("usage: throughput FILE DIRECTORY [THREADS]".into());
    };
    let threads = rest.first().map_or(Ok(2), |text| text.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut documents = Vec::new();
    let content = Directory::map_file(file.as_ref())?;
    for (line, number) in std::str::from_utf8(&content)?.lines().zip(0..) {
        documents.push(Document::new(format!("d{number}")).with("text", line));
    }
    let channel = ChannelSchema {
        name: "bm25".to_owned(),
        fields: vec!["text".to_owned()],
        kind: ChannelKind::Bm25(Bm25Settings::default()),
    };
    let storage = Arc::new(Directory::create(directory, &["seg"])?);
    let collection = Collection::create(
        storage.clone(),
        Schema { channels: vec![channel], fields: Vec::new() },
    )?;

    let start = Instant::now();
    let writer = collection.writer()?;
    writer.stage(&documents, &pool, &Silent)?;
    writer.commit()?;
    let seconds = start.elapsed().as_secs_f64();
    let rate = documents.len() as f64 / seconds;
    println!("built {} documents in {seconds:.2} s: {rate:.0} per second", documents.len());
    drop(writer);

    let start = Instant::now();
    let snapshot = Collection::open(storage)?.snapshot()?;
    let bm25 = snapshot.bm25("bm25")?;
    println!("opened and verified in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    for size in snapshot.sizes() {
        println!("  {:40} {:>12}", size.component, size.disk);
    }
    search(&documents, &bm25)
}

/// Asks for the words in the middle of every hundredth document.
fn search(documents: &[Document], bm25: &ecphory_index::Bm25<'_>) -> Result<(), Failure> {
    for words in [2, 5, 12] {
        let queries: Vec<String> = documents
            .iter()
            .step_by(100)
            .filter_map(|document| document.text("text"))
            .map(|text| {
                let all: Vec<&str> = text.split(' ').collect();
                all.iter().skip(all.len() / 3).take(words).copied().collect::<Vec<_>>().join(" ")
            })
            .collect();
        let start = Instant::now();
        let mut found = 0;
        for query in &queries {
            found += bm25.search(&bm25.analyze(query), 10, None)?.hits.len();
        }
        let rate = queries.len() as f64 / start.elapsed().as_secs_f64();
        println!("{words} words, top 10: {rate:.0} queries per second ({found} hits)");
    }
    Ok(())
}
