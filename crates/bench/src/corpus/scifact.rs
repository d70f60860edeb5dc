//! SciFact in BEIR's layout, found through `ECPHORY_DATA`: the texts to encode, and the judgments by which
//! two lexical sides are seen to be equally good.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// The collection; texts are title and abstract joined by a space.
pub struct SciFact {
    pub ids: Vec<String>,
    pub texts: Vec<String>,
    pub query_ids: Vec<String>,
    pub queries: Vec<String>,
    pub qrels: PathBuf,
}

#[derive(Deserialize)]
pub(super) struct Record {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    pub(super) text: String,
}

/// Reads the collection; `None` where no directory of `ECPHORY_DATA` has it.
pub fn read() -> Result<Option<SciFact>> {
    let Some(folder) = super::dataset("scifact") else { return Ok(None) };
    let mut found = SciFact {
        ids: Vec::new(),
        texts: Vec::new(),
        query_ids: Vec::new(),
        queries: Vec::new(),
        qrels: folder.join("qrels").join("test.tsv"),
    };
    for record in records(&folder, "corpus.jsonl")? {
        found.ids.push(record.id);
        found.texts.push(format!("{} {}", record.title, record.text).trim().to_owned());
    }
    let judged = judged(&found.qrels)?;
    for record in records(&folder, "queries.jsonl")? {
        if judged.contains(&record.id) {
            found.query_ids.push(record.id);
            found.queries.push(record.text);
        }
    }
    Ok(Some(found))
}

/// The records of a file of JSON lines, plain or gzipped.
pub(super) fn records(folder: &Path, name: &str) -> Result<Vec<Record>> {
    let plain = folder.join(name);
    let packed = folder.join(format!("{name}.gz"));
    let reader: Box<dyn Read> = if plain.exists() {
        Box::new(fs_err::File::open(plain)?)
    } else {
        Box::new(flate2::read::MultiGzDecoder::new(fs_err::File::open(packed)?))
    };
    let mut records = Vec::new();
    for line in BufReader::new(reader).lines() {
        records.push(serde_json::from_str(&line?).with_context(|| format!("a line of {name}"))?);
    }
    Ok(records)
}

/// The queries that have judgments.
fn judged(qrels: &Path) -> Result<BTreeSet<String>> {
    let text = fs_err::read_to_string(qrels)?;
    let queries = text.lines().skip(1).filter_map(|line| line.split('\t').next());
    Ok(queries.map(str::to_owned).collect())
}
