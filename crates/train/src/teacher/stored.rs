//! Scores that were computed before and lie in a file.
//!
//! As TSV a line is `query document score`, split by tabs, with or without a line of names above; as JSONL it is
//! `{"query": …, "document": …, "score": …}`. Either may be gzipped. Scores belong to ids, never to positions in a list:
//! lists that are out of step train silently. Memory: 8 bytes a score.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use super::Teacher;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::lines::{Foreign, Layout, LineError, for_each_line, score};

const OBJECT: &str = "an object with query, document and score";

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow)]
    document: Cow<'a, str>,
    score: f32,
}

/// The scores of pairs.
#[derive(Clone, Debug)]
pub struct StoredScores {
    /// For each query its documents, ascending, with their scores.
    queries: Vec<Vec<(u32, f32)>>,
}

impl StoredScores {
    /// Reads the scores of these queries and documents.
    ///
    /// # Errors
    /// Where a line is malformed, a pair is there twice, or ids are unknown: the file is one of another
    /// collection then, and the error names the first of them.
    pub fn read(path: &Path, queries: &Ids, documents: &Ids) -> Result<Self> {
        let mut stored = vec![Vec::new(); queries.count()];
        let mut foreign = Foreign::default();
        let mut layout = None;
        for_each_line(path, &mut |number, text| {
            let is_first = layout.is_none();
            let line = match *layout.get_or_insert_with(|| Layout::of_line(text)) {
                Layout::Tsv => match columns(text) {
                    // A header's last column is no number.
                    Err(LineError::Score { .. }) if is_first => return Ok(()),
                    line => line?,
                },
                Layout::Jsonl => serde_json::from_str(text)
                    .map_err(|source| LineError::Json { expected: OBJECT, source })?,
            };
            if !line.score.is_finite() {
                return Err(LineError::Score { got: line.score.to_string() });
            }
            let query = foreign.query(queries, &line.query, number);
            let document = foreign.document(documents, &line.document, number);
            if let (Some(query), Some(document)) = (query, document) {
                stored[query as usize].push((document, line.score));
            }
            Ok(())
        })?;
        foreign.check(path)?;
        let made = Self { queries: stored };
        made.sorted(path, queries, documents)
    }

    fn sorted(mut self, path: &Path, queries: &Ids, documents: &Ids) -> Result<Self> {
        for (number, scores) in (0..).zip(&mut self.queries) {
            scores.sort_unstable_by_key(|&(document, _)| document);
            if let Some(pair) = scores.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(Error::DuplicatePair {
                    path: path.to_owned(),
                    query: queries.id(number)?.to_owned(),
                    document: documents.id(pair[0].0)?.to_owned(),
                });
            }
            scores.shrink_to_fit();
        }
        Ok(self)
    }

    /// Returns the scores that a query has, by ascending document; none where it has none or does not exist.
    pub fn of_query(&self, query: u32) -> &[(u32, f32)] {
        self.queries.get(query as usize).map_or(&[], Vec::as_slice)
    }
}

impl Teacher for StoredScores {
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        let stored = self.of_query(query);
        let find = |&document: &u32| {
            let found = stored.binary_search_by_key(&document, |&(document, _)| document);
            found.map(|at| stored[at].1).map_err(|_| Error::NoScore { query, document })
        };
        documents.iter().map(find).collect()
    }
}

fn columns(text: &str) -> Result<Line<'_>, LineError> {
    let columns: Vec<&str> = text.split('\t').collect();
    let [query, document, value] = columns[..] else {
        let expected = "query, document and score, split by tabs";
        return Err(LineError::Columns { expected, got: columns.len() });
    };
    Ok(Line { query: query.into(), document: document.into(), score: score(value)? })
}
