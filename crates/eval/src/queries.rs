//! Queries: an id and a text each.
//!
//! Two layouts: the JSON lines of BEIR (`_id`, `text`; other keys are left alone) and `id<TAB>text`.

use std::io::Write;
use std::path::Path;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::error::{Error, LineError, Result};
use crate::lines::for_each_line;

/// One query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The id by which judgments and runs name it.
    pub id: String,
    /// What was asked.
    pub text: String,
}

/// Queries in the order of their file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queries {
    entries: Vec<Query>,
    by_id: FxHashMap<String, usize>,
}

impl Queries {
    /// Reads JSON lines or `id<TAB>text`, gzipped or not. A first line `id<TAB>text`,
    /// `qid<TAB>query`, `query-id<TAB>text` or the like is taken as a header.
    ///
    /// # Errors
    /// Where the file cannot be read, a line is malformed, an id comes twice, a text is empty, or
    /// there is no query at all.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut queries = Queries::default();
        let mut json = None;
        for_each_line(path, &mut |_, line| {
            let first = json.is_none();
            let query = if *json.get_or_insert(line.trim_start().starts_with('{')) {
                of_json(line)?
            } else if first && is_header(line) {
                return Ok(());
            } else {
                of_tsv(line)?
            };
            queries.push(query)
        })?;
        if queries.entries.is_empty() {
            return Err(Error::Empty { path: path.to_owned(), what: "queries" });
        }
        Ok(queries)
    }

    /// Adds one query.
    ///
    /// # Errors
    /// Where the id was there before, or id or text is empty.
    pub fn push(&mut self, query: Query) -> Result<(), LineError> {
        for (column, value) in [("id", &query.id), ("text", &query.text)] {
            if value.trim().is_empty() {
                return Err(LineError::Value { column, expected: "some text", got: String::new() });
            }
        }
        if self.by_id.insert(query.id.clone(), self.entries.len()).is_some() {
            return Err(LineError::DuplicateQuery { query: query.id });
        }
        self.entries.push(query);
        Ok(())
    }

    /// Writes the queries as JSON lines, as [`Queries::read`] reads them.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        for Query { id, text } in &self.entries {
            let line = serde_json::json!({ "_id": id, "text": text });
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Returns the text of a query.
    pub fn text(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|&at| self.entries[at].text.as_str())
    }

    /// Returns the queries in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Query> {
        self.entries.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns those that satisfy `keep`, in their order.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&Query) -> bool) -> Self {
        let entries: Vec<Query> = self.entries.iter().filter(|q| keep(q)).cloned().collect();
        let by_id = entries.iter().enumerate().map(|(at, q)| (q.id.clone(), at)).collect();
        Self { entries, by_id }
    }
}

impl<'a> IntoIterator for &'a Queries {
    type Item = &'a Query;
    type IntoIter = std::slice::Iter<'a, Query>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_id")]
    id: Id,
    text: String,
}

/// Some sets write ids as numbers; a run names them by their digits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(i64),
}

fn of_json(line: &str) -> Result<Query, LineError> {
    let line: Line = serde_json::from_str(line).map_err(|source| LineError::Json { source })?;
    let id = match line.id {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    };
    Ok(Query { id, text: line.text })
}

fn of_tsv(line: &str) -> Result<Query, LineError> {
    let Some((id, text)) = line.split_once('\t') else {
        return Err(LineError::Columns { expected: "two columns split by a tab", got: 1 });
    };
    Ok(Query { id: id.trim().to_owned(), text: text.trim().to_owned() })
}

fn is_header(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let Some((id, text)) = line.split_once('\t') else { return false };
    ["id", "_id", "qid", "query-id", "query_id"].contains(&id.trim())
        && ["text", "query"].contains(&text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Queries> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("queries");
        fs_err::write(&path, text).unwrap();
        Queries::read(&path)
    }

    fn check_error(text: &str, expect: &str) {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), ecphory_core::ErrorKind::Input);
        assert!(error.to_string().contains(expect), "{error}");
    }

    #[test]
    fn both_layouts() {
        let json = read(
            "{\"_id\": \"a\", \"text\": \"x y\", \"metadata\": {}}\n{\"_id\": 7, \"text\": \"z\"}\n",
        );
        let json = json.unwrap();
        assert_eq!(
            (json.text("a"), json.text("7"), json.text("8")),
            (Some("x y"), Some("z"), None)
        );
        let tsv = read("qid\tquery\n1\twhat is\tthis\n2\tid text\n").unwrap();
        assert_eq!((tsv.text("1"), tsv.len()), (Some("what is\tthis"), 2));
        assert_eq!(tsv.filtered(|q| q.id == "2").text("2"), Some("id text"));
    }

    #[test]
    fn malformed_lines_name_the_line() {
        check_error("{\"_id\": \"a\", \"text\": \"x\"}\n{\"_id\": \"b\"}\n", "line 2: not a query");
        check_error("{\"_id\": \"a\", \"text\": \"  \"}\n", "line 1: text: expected some text");
        check_error("1\ta\n1\tb\n", "line 2: query `1` was there before");
        check_error("1\ta\njust text\n", "line 2: expected two columns");
        check_error("\n", "holds no queries");
    }
}
