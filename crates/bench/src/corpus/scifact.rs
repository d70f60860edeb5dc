//! SciFact in BEIR's layout, found through `ECPHORY_DATA`: the texts to encode, and the judgments by which
//! two lexical sides are seen to be equally good and pairs to train on are found.

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ecphory_text::subword::Tokenizer;
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
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
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

/// Reads the collection where nothing can be done without.
pub fn wanted() -> Result<SciFact> {
    read()?.context("no scifact: let ECPHORY_DATA name the directory that holds it")
}

impl SciFact {
    /// The first `count` texts that have a beginning of exactly `tokens` tokens behind a prompt, for the tokenizer
    /// of a model's directory, cut to it.
    pub fn cut(
        &self,
        model: &Path,
        prompt: &str,
        tokens: usize,
        count: usize,
    ) -> Result<Vec<String>> {
        let tokenizer = Tokenizer::open(&model.join("tokenizer.json"))?;
        let mut cut = Vec::with_capacity(count);
        for text in &self.texts {
            if cut.len() == count {
                break;
            }
            let words: Vec<&str> = text.split_whitespace().collect();
            // A word has one token or more, so no beginning with as many words as tokens is long enough to
            // look at; English science has about 1.5 tokens a word.
            for length in tokens / 4..words.len().min(tokens) {
                let beginning = words[..length].join(" ");
                let found = tokenizer.encode(&format!("{prompt}{beginning}"), tokens + 1)?.len();
                if found == tokens {
                    cut.push(beginning);
                }
                if found >= tokens {
                    break;
                }
            }
        }
        ensure!(cut.len() == count, "only {} of {count} texts of {tokens} tokens", cut.len());
        Ok(cut)
    }

    /// The claims and a text that is judged to be relevant to each. No claim and no text comes twice.
    pub fn pairs(&self) -> Result<Vec<(&str, &str)>> {
        let by_id = |ids: &[String]| -> HashMap<String, usize> {
            ids.iter().cloned().enumerate().map(|(place, id)| (id, place)).collect()
        };
        let (queries, texts) = (by_id(&self.query_ids), by_id(&self.ids));
        let (mut paired_queries, mut paired_texts) = (BTreeSet::new(), BTreeSet::new());
        let mut pairs = Vec::new();
        for line in fs_err::read_to_string(&self.qrels)?.lines().skip(1) {
            let mut values = line.split('\t');
            let (query, text, grade) = (values.next(), values.next(), values.next());
            let query = query.and_then(|id| queries.get(id));
            let text = text.and_then(|id| texts.get(id));
            let (Some(&query), Some(&text), Some("1")) = (query, text, grade) else { continue };
            if !paired_queries.contains(&query) && paired_texts.insert(text) {
                paired_queries.insert(query);
                pairs.push((self.queries[query].as_str(), self.texts[text].as_str()));
            }
        }
        Ok(pairs)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_claim_and_no_text_is_paired_twice() {
        let folder = tempfile::tempdir().unwrap();
        let qrels = folder.path().join("test.tsv");
        let judged = "query-id\tcorpus-id\tscore\nq0\td0\t1\nq0\td1\t1\nq1\td0\t1\nq1\td2\t0\nq2\td9\t1\nq2\td2\t1\n";
        fs_err::write(&qrels, judged).unwrap();
        let named = |letter: &str| (0..3).map(|i| format!("{letter}{i}")).collect::<Vec<_>>();
        let scifact = SciFact {
            ids: named("d"),
            texts: named("text "),
            query_ids: named("q"),
            queries: named("claim "),
            qrels,
        };
        let pairs = scifact.pairs().unwrap();
        assert_eq!(pairs, [("claim 0", "text 0"), ("claim 2", "text 2")]);
    }
}
