//! How long filters, facets and sorting take: `cargo run --release -p ecphory-index --example filters [documents]`.

use std::sync::Arc;
use std::time::Instant;

use ecphory_core::storage::Memory;
use ecphory_core::{Document, Silent};
use ecphory_index::{
    Bm25Settings, ChannelKind, ChannelSchema, Collection, FieldKind, FieldSchema, Schema,
};

/// The median of this many runs is shown; the first, which verifies checksums, apart.
const RUNS: usize = 15;

#[allow(clippy::print_stdout, reason = "this is what the example is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: i64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let channel = ChannelSchema {
        name: "bm25".to_owned(),
        fields: vec!["text".to_owned()],
        kind: ChannelKind::Bm25(Bm25Settings::default()),
    };
    let fields = [("when", FieldKind::Date), ("price", FieldKind::Float)];
    let fields = fields.map(|(name, kind)| FieldSchema { name: name.to_owned(), kind }).to_vec();
    let collection =
        Collection::create(Arc::new(Memory::new()), Schema { channels: vec![channel], fields })?;
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    let writer = collection.writer()?;
    let start = Instant::now();
    let docs: Vec<Document> = (0..count).map(document).collect();
    writer.stage(&docs, &pool, &Silent)?;
    drop(docs);
    writer.commit()?;
    println!("{count} documents in {:?}", start.elapsed());
    let snapshot = collection.snapshot()?;
    let columns: u64 = snapshot
        .sizes()
        .iter()
        .filter(|s| s.component.starts_with("columns/"))
        .map(|s| s.disk)
        .sum();
    println!("columns: {:.1} bytes for each document", columns as f64 / count as f64);
    let show =
        |name: &str, run: &dyn Fn() -> ecphory_index::Result<usize>| -> ecphory_index::Result<()> {
            let mut times = Vec::new();
            let mut result = 0;
            for _ in 0..=RUNS {
                let start = Instant::now();
                result = run()?;
                times.push(start.elapsed());
            }
            let first = times.remove(0);
            times.sort_unstable();
            println!("{:>9.3?} (first {first:>9.3?})  {name}: {result}", times[RUNS / 2]);
            Ok(())
        };
    for text in [
        "year >= 2000",
        "year >= 2000 and year < 2010 and lang = \"de\"",
        "lang in (\"de\", \"fr\")",
        "user starts_with \"user-99\"",
        "when >= \"2015-03\" and when < \"2016\"",
        "price < 10",
        "tags = \"t7\"",
        "not exists(tags)",
        "_id in (\"17\", \"4711\")",
    ] {
        let filter = text.parse()?;
        show(text, &|| snapshot.select(&filter).map(|selection| selection.count()))?;
    }
    let recent = snapshot.select(&"year >= 2000".parse()?)?;
    show("facets of lang", &|| snapshot.facets("lang", None, 10).map(|facets| facets.len()))?;
    show("facets of user since 2000", &|| {
        snapshot.facets("user", Some(&recent), 10).map(|facets| facets.len())
    })?;
    show("the 10 latest", &|| snapshot.sort_by("when", true, None, 10).map(|at| at.len()))?;
    Ok(())
}

fn document(number: i64) -> Document {
    let mixed = number.wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
    let part = |shift: u32, of: i64| (mixed >> shift).rem_euclid(of);
    let document = Document::new(number.to_string())
        .with("text", "word")
        .with("year", 1950 + part(3, 75))
        .with("lang", ["de", "en", "fr", "it", "es"][part(11, 5) as usize])
        .with("user", format!("user-{}", part(5, 100_000)))
        .with(
            "when",
            format!("20{:02}-{:02}-{:02}", part(7, 25), 1 + part(9, 12), 1 + part(13, 28)),
        )
        .with("price", part(2, 1_000_000) as f64 / 100.0);
    match part(17, 3) {
        0 => document,
        n => document.with(
            "tags",
            ecphory_core::Value::List(
                (0..n).map(|i| format!("t{}", part(19 + i as u32, 20)).into()).collect(),
            ),
        ),
    }
}
