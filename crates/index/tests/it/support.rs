//! Small collections, and searches that are slow and obviously right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ecphory_core::storage::Memory;
use ecphory_core::{DocAddress, Document, Scored, Silent};
use ecphory_index::{
    Batch, Bm25Settings, ChannelKind, ChannelSchema, Collection, DenseSettings, FieldKind,
    FieldSchema, QueryTerm, Rows, Schema, Snapshot, SparseSettings, Writer,
};

pub fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

pub fn bm25_channel(settings: Bm25Settings) -> ChannelSchema {
    ChannelSchema {
        name: "bm25".to_owned(),
        fields: vec!["title".to_owned(), "text".to_owned()],
        kind: ChannelKind::Bm25(settings),
    }
}

pub fn raw(k1: f32, b: f32) -> Bm25Settings {
    Bm25Settings { k1, b, analyzer: "raw".to_owned() }
}

pub fn dense_channel(name: &str, dimensions: u32) -> ChannelSchema {
    ChannelSchema {
        name: name.to_owned(),
        fields: vec!["title".to_owned(), "text".to_owned()],
        kind: ChannelKind::Dense(DenseSettings {
            encoder: "minilm".to_owned(),
            fingerprint: "abc".to_owned(),
            dimensions,
            max_tokens: Some(128),
            passages: None,
            precision: None,
        }),
    }
}

pub fn sparse_channel(name: &str, terms: u32) -> ChannelSchema {
    ChannelSchema {
        name: name.to_owned(),
        fields: vec!["title".to_owned(), "text".to_owned()],
        kind: ChannelKind::Sparse(SparseSettings {
            encoder: "splade".to_owned(),
            fingerprint: "def".to_owned(),
            terms,
            max_tokens: None,
            precision: None,
        }),
    }
}

pub fn schema() -> Schema {
    let channels = vec![bm25_channel(raw(0.9, 0.4)), dense_channel("dense", 3)];
    Schema { channels, fields: Vec::new() }
}

pub fn declared(fields: &[(&str, FieldKind)]) -> Vec<FieldSchema> {
    let field = |&(name, kind): &(&str, FieldKind)| FieldSchema { name: name.to_owned(), kind };
    fields.iter().map(field).collect()
}

pub fn create(storage: &Memory, schema: Schema) -> Collection {
    Collection::create(Arc::new(storage.clone()), schema).unwrap()
}

pub fn open(storage: &Memory) -> ecphory_index::Result<Collection> {
    Collection::open(Arc::new(storage.clone()))
}

#[allow(clippy::needless_pass_by_value, reason = "numbers and texts serve as ids")]
pub fn doc(id: impl ToString, text: &str) -> Document {
    Document::new(id.to_string()).with("text", text)
}

pub fn stage(writer: &Writer, docs: &[Document]) -> ecphory_index::Result<()> {
    writer.stage(docs, &pool(1), &Silent)
}

/// Writes each batch as one segment.
pub fn add(collection: &Collection, batches: &[Vec<Document>]) -> Snapshot {
    let writer = collection.writer().unwrap();
    for batch in batches {
        stage(&writer, batch).unwrap();
    }
    writer.commit().unwrap();
    collection.snapshot().unwrap()
}

/// A copy of a storage's files.
pub fn copy(storage: &Memory) -> Memory {
    use ecphory_core::storage::Storage;
    let copy = Memory::new();
    for name in storage.names() {
        copy.overwrite(&name, storage.open(&name).unwrap().to_vec());
    }
    copy
}

/// A copy of a collection whose segments have no columns, as in version 1.
pub fn without_columns(storage: &Memory) -> Memory {
    use ecphory_core::storage::Storage;
    let copy = copy(storage);
    let generation = open(storage).unwrap().snapshot().unwrap().generation();
    let file = format!("MANIFEST-{generation:06}");
    let text = String::from_utf8(storage.open(&file).unwrap().to_vec()).unwrap();
    let body = &text[..text.rfind("crc32 ").unwrap()];
    let mut manifest: serde_json::Value = serde_json::from_str(body).unwrap();
    for segment in manifest["segments"].as_array_mut().unwrap() {
        segment["parts"].as_array_mut().unwrap().retain(|part| part["kind"] != "columns");
    }
    let body = serde_json::to_string(&manifest).unwrap() + "\n";
    let line = format!("crc32 {:08x}\n", ecphory_core::checksum::crc32(body.as_bytes()));
    copy.overwrite(&file, [body, line].concat().into_bytes());
    copy
}

/// Five documents with all types of fields, three of them with vectors, one with two rows.
pub fn five(storage: &Memory) -> Collection {
    use ecphory_core::Value;
    let collection = create(storage, schema());
    let first = vec![
        Document::new("curie")
            .with("title", "Marie Curie")
            .with("text", "radium and polonium, radium again")
            .with("year", 1867)
            .with("tags", Value::List(vec!["physics".into(), "chemistry".into()])),
        Document::new("hahn")
            .with("text", "Otto Hahn: fission")
            .with("year", 1879)
            .with("alive", false),
        Document::new("!").with("text", "..."),
    ];
    let second = vec![
        doc("meitner", "Lise Meitner: fission of uranium").with("score", 0.5),
        doc("long", &"radium ".repeat(300)),
    ];
    let writer = collection.writer().unwrap();
    stage(&writer, &first).unwrap();
    writer.commit().unwrap();
    stage(&writer, &second).unwrap();
    let values = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.6, 0.8];
    writer
        .stage_rows("dense", Rows { counts: &[2, 0, 1], values: &values, ..Rows::default() })
        .unwrap();
    writer.commit().unwrap();
    collection
}

/// A collection with three segments on disk, dead documents, and two batches in the log.
pub fn lived_in(storage: &Memory) -> Collection {
    let collection = five(storage);
    let writer = collection.writer().unwrap();
    let mut batch = Batch::new();
    batch.upsert(doc("hahn", "fission again").with("year", 1938)).delete("!");
    batch.rows("dense", vec![1], vec![0.0, 0.6, 0.8]);
    writer.put(batch, None).unwrap();
    writer.seal().unwrap();
    let mut batch = Batch::new();
    batch.add(doc("noether", "rings and radium").with("year", 1882)).delete("curie");
    writer.put(batch, None).unwrap();
    // The last batch changes nothing that a test looks at.
    let mut batch = Batch::new();
    batch.upsert(doc("noether", "rings and radium").with("year", 1882));
    writer.put(batch, None).unwrap();
    collection
}

/// What a user can see of a collection, as text.
pub fn observe(storage: &Memory) -> ecphory_index::Result<String> {
    use std::fmt::Write;
    let collection = open(storage)?;
    let snapshot = collection.snapshot()?;
    let mut out = format!("{:?} {}\n", snapshot.schema(), snapshot.generation());
    out += &snapshot.dump()?;
    let bm25 = snapshot.bm25("bm25")?;
    for query in ["radium fission", "uranium", "nothing", "radium radium marie"] {
        let terms = bm25.analyze(query);
        let hits = bm25.search(&terms, 10, None)?.hits;
        let at: Vec<DocAddress> = hits.iter().map(|hit| hit.item).collect();
        writeln!(out, "{query}: {hits:?} {:?}", bm25.score(&terms, &at)?).unwrap();
    }
    writeln!(out, "{:?}", snapshot.dense("dense")?.search(&[0.5, 0.5, -1.0], 10, None)?).unwrap();
    for at in snapshot.addresses().collect::<Vec<_>>() {
        let document = snapshot.document(at)?;
        writeln!(out, "{:?} {document:?}", snapshot.find(&document.id)?).unwrap();
    }
    for filter in ["year > 1870", "tags = \"physics\" or _id = \"long\"", "not exists(year)"] {
        let filter: ecphory_index::Filter = filter.parse().unwrap();
        writeln!(out, "{:?}", snapshot.select(&filter)?.iter().collect::<Vec<_>>()).unwrap();
    }
    for field in ["year", "tags", "score"] {
        writeln!(out, "{:?}", snapshot.facets(field, None, 10)?).unwrap();
        writeln!(out, "{:?}", snapshot.sort_by(field, true, None, 10)?).unwrap();
    }
    writeln!(out, "{:?} {:?}", snapshot.coverage("dense")?, snapshot.sizes()).unwrap();
    Ok(out)
}

/// The naive BM25: every document's terms in a map, Lucene's formula in the engine's order of additions.
pub struct NaiveBm25 {
    docs: Vec<(DocAddress, BTreeMap<String, u32>)>,
    k1: f32,
    b: f32,
}

impl NaiveBm25 {
    pub fn new(snapshot: &Snapshot, k1: f32, b: f32) -> Self {
        let fields = ["title".to_owned(), "text".to_owned()];
        let docs = snapshot
            .addresses()
            .map(|at| {
                let mut terms = BTreeMap::new();
                let text = snapshot.document(at).unwrap().joined_text(&fields);
                for word in text.split_whitespace() {
                    *terms.entry(word.to_owned()).or_insert(0) += 1;
                }
                (at, terms)
            })
            .collect();
        Self { docs, k1, b }
    }

    /// Leaves out a word that the analyser leaves out.
    pub fn forget(&mut self, word: &str) {
        for (_, terms) in &mut self.docs {
            terms.remove(word);
        }
    }

    /// All documents with any of the terms, best first; the score in the engine's arithmetic and in `f64`.
    pub fn search(&self, query: &[QueryTerm]) -> Vec<(Scored<DocAddress>, f64)> {
        let mut counts: BTreeMap<&str, f32> = BTreeMap::new();
        for term in query {
            *counts.entry(&term.term).or_insert(0.0) += term.weight;
        }
        let lengths = self.docs.iter().map(|(_, terms)| terms.values().sum::<u32>());
        let filled = lengths.clone().filter(|&length| length > 0).count() as f64;
        let average = f64::from(lengths.sum::<u32>()) / filled;
        let (k1, b) = (f64::from(self.k1), f64::from(self.b));
        let (base, slope) = ((k1 * (1.0 - b)) as f32, (k1 * b / average) as f32);
        let having = |term: &str| self.docs.iter().filter(|doc| doc.1.contains_key(term)).count();
        let dfs: BTreeMap<&str, f64> =
            counts.keys().map(|&term| (term, having(term) as f64)).collect();
        let mut hits = Vec::new();
        for (at, terms) in &self.docs {
            let length = terms.values().sum::<u32>();
            let (mut score, mut exact, mut matched) = (0.0f32, 0.0f64, false);
            for (term, &count) in &counts {
                let Some(&tf) = terms.get(*term) else { continue };
                matched = true;
                let df = dfs[term];
                let idf = (1.0 + (filled - df + 0.5) / (df + 0.5)).ln();
                let weight = ((filled - df + 0.5) / (df + 0.5)).ln_1p() as f32 * count;
                score += weight * (tf as f32 / (tf as f32 + (base + slope * length as f32)));
                let norm = k1 * (1.0 - b + b * f64::from(length) / average);
                exact += idf * f64::from(count) * f64::from(tf) / (f64::from(tf) + norm);
            }
            if matched {
                hits.push((Scored { score, item: *at }, exact));
            }
        }
        hits.sort_by(|a, b| a.0.best_first(&b.0));
        hits
    }
}

pub fn query(terms: &[&str]) -> Vec<QueryTerm> {
    terms.iter().map(|term| QueryTerm { term: (*term).to_owned(), weight: 1.0 }).collect()
}

pub fn ids(snapshot: &Snapshot, hits: &[Scored<DocAddress>]) -> Vec<String> {
    hits.iter().map(|hit| snapshot.id(hit.item).unwrap().to_owned()).collect()
}

pub fn set_of(hits: impl IntoIterator<Item = DocAddress>) -> BTreeSet<DocAddress> {
    hits.into_iter().collect()
}
