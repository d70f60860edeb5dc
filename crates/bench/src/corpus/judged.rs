//! Queries with an answer each, and all documents, out of the data sets that `ECPHORY_DATA` names: one large collection
//! of several.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ecphory_eval::{Dataset, DatasetEntry};

use super::scifact::records;

/// From which data sets, in this order; a name with `/` at its end is all in that folder.
const SETS: [&str; 8] = [
    "scifact",
    "cosqa",
    "hotpotqa-500",
    "musique-200",
    "climate-fever-sent",
    "clapnq-dev",
    "jsquad",
    "xquad-r/",
];

/// Texts are all different: `queries[i]` is answered by `documents[answers[i]]`.
#[derive(Default)]
pub struct Judged {
    pub queries: Vec<String>,
    pub answers: Vec<usize>,
    pub documents: Vec<String>,
}

/// Reads data sets until there are `count` queries; a data set that is begun is in with all of its documents.
pub fn read(count: usize) -> Result<Judged> {
    let directories: Vec<PathBuf> = std::env::var_os("ECPHORY_DATA")
        .map(|list| std::env::split_paths(&list).collect())
        .unwrap_or_default();
    let entries = Dataset::list(&directories)?;
    let mut collected = Collected::default();
    for wanted in SETS {
        for entry in &entries {
            let is_wanted = if wanted.ends_with('/') {
                entry.name.starts_with(wanted)
            } else {
                entry.name == wanted
            };
            if is_wanted && collected.judged.queries.len() < count {
                collected.add(entry, count)?;
            }
        }
    }
    let found = collected.judged.queries.len();
    ensure!(found == count, "the data sets of ECPHORY_DATA have {found} queries, wanted {count}");
    Ok(collected.judged)
}

#[derive(Default)]
struct Collected {
    judged: Judged,
    /// The number of each text.
    documents: HashMap<String, usize>,
    queries: HashSet<String>,
}

impl Collected {
    fn add(&mut self, entry: &DatasetEntry, count: usize) -> Result<()> {
        let mut numbers = HashMap::new();
        for record in records(&entry.path, "corpus.jsonl")? {
            let text = format!("{} {}", record.title, record.text);
            let text = super::one_line(&text);
            if text.is_empty() {
                continue;
            }
            let next = self.judged.documents.len();
            let number = *self.documents.entry(text.clone()).or_insert(next);
            if number == next {
                self.judged.documents.push(text);
            }
            numbers.insert(record.id, number);
        }
        for split in &entry.splits {
            self.add_split(&entry.path, split, &numbers, count)?;
        }
        Ok(())
    }

    fn add_split(
        &mut self,
        path: &Path,
        split: &str,
        numbers: &HashMap<String, usize>,
        count: usize,
    ) -> Result<()> {
        let set = Dataset::open(path, Some(split)).context("a data set")?;
        for query in &set.queries {
            let judged = set.qrels.queries[&query.id].iter();
            let answer =
                judged.filter(|(_, grade)| **grade > 0).find_map(|(id, _)| numbers.get(id));
            let text = super::one_line(&query.text);
            let (Some(&answer), false) = (answer, text.is_empty()) else { continue };
            if self.judged.queries.len() < count && self.queries.insert(text.clone()) {
                self.judged.queries.push(text);
                self.judged.answers.push(answer);
            }
        }
        Ok(())
    }
}
