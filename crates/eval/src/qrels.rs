//! Judgments: which document answers which query, and how well.
//!
//! Two layouts: the TSV of BEIR (`query-id`, `corpus-id`, `score`, with that header line) and the four
//! columns of TREC (query, iteration, document, judgment). 0 means judged and not relevant; a negative
//! judgment means pooled but not judged, as in `trec_eval`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, LineError, Result};
use crate::lines::for_each_line;

/// The judgments of a test collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Qrels {
    /// For each query, the judgment of each document.
    pub queries: BTreeMap<String, BTreeMap<String, i32>>,
}

impl Qrels {
    /// Reads judgments in the layout of BEIR or of TREC, gzipped or not.
    ///
    /// A pair that is judged twice alike is kept once.
    ///
    /// # Errors
    /// Where the file cannot be read, a line is malformed, a pair is judged twice with different
    /// values, or there is no judgment at all.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut qrels = Qrels::default();
        let mut layout = None;
        for_each_line(path, &mut |_, line| {
            let layout = if let Some(known) = layout {
                known
            } else {
                let (found, header) = Layout::of_first_line(line)?;
                layout = Some(found);
                if header {
                    return Ok(());
                }
                found
            };
            let (query, document, judgment) = layout.split(line)?;
            qrels.insert(query, document, judgment)
        })?;
        if qrels.queries.is_empty() {
            return Err(Error::Empty { path: path.to_owned(), what: "judgments" });
        }
        Ok(qrels)
    }

    /// Adds one judgment.
    ///
    /// # Errors
    /// Where the pair was judged differently before.
    pub fn insert(&mut self, query: &str, document: &str, judgment: i32) -> Result<(), LineError> {
        // Most lines follow a line of the same query: look it up before a key is allocated.
        if !self.queries.contains_key(query) {
            self.queries.insert(query.to_owned(), BTreeMap::new());
        }
        let judged = self.queries.get_mut(query).expect("the query was inserted above");
        match judged.insert(document.to_owned(), judgment) {
            Some(before) if before != judgment => Err(LineError::Conflict {
                query: query.to_owned(),
                document: document.to_owned(),
                before,
                now: judgment,
            }),
            _ => Ok(()),
        }
    }

    /// Writes the judgments in the layout of BEIR, in the order of the ids.
    ///
    /// # Errors
    /// Where an id cannot be a column, or they cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "query-id\tcorpus-id\tscore")?;
        let is_column =
            |id: &str| !id.is_empty() && id.trim() == id && !id.contains(['\t', '\n', '\r']);
        for (query, judged) in &self.queries {
            for (document, judgment) in judged {
                if let Some(id) = [query, document].into_iter().find(|id| !is_column(id)) {
                    return Err(Error::Judgment {
                        id: id.clone(),
                        reason: Box::new(LineError::NotAColumn),
                    });
                }
                writeln!(out, "{query}\t{document}\t{judgment}")?;
            }
        }
        Ok(())
    }

    /// Returns the judgments of the queries with these ids.
    #[must_use]
    pub fn of_queries<'a>(&self, queries: impl IntoIterator<Item = &'a str>) -> Self {
        let found = |id: &str| self.queries.get_key_value(id);
        let found = queries.into_iter().filter_map(found);
        Self { queries: found.map(|(id, judged)| (id.clone(), judged.clone())).collect() }
    }

    /// Returns the judgment of a pair; `None` where it is not in the pool.
    pub fn judgment(&self, query: &str, document: &str) -> Option<i32> {
        self.queries.get(query)?.get(document).copied()
    }

    /// Returns the queries with at least one judgment of `rel` or more, in the order of their ids.
    pub fn judged_queries(&self, rel: i32) -> impl Iterator<Item = &str> {
        let relevant = move |judged: &BTreeMap<String, i32>| judged.values().any(|&j| j >= rel);
        self.queries.iter().filter(move |(_, judged)| relevant(judged)).map(|(id, _)| id.as_str())
    }
}

#[derive(Clone, Copy)]
enum Layout {
    Beir,
    Trec,
}

impl Layout {
    /// Tells the layout from the first line, and whether that line is a header.
    fn of_first_line(line: &str) -> Result<(Self, bool), LineError> {
        if line.split('\t').count() == 3 {
            let last = line.rsplit('\t').next().unwrap_or_default();
            return Ok((Layout::Beir, last.trim().parse::<i32>().is_err()));
        }
        match line.split_whitespace().count() {
            4 => Ok((Layout::Trec, false)),
            got => Err(LineError::Columns {
                expected: "three columns split by tabs (query-id, corpus-id, score) or four (query, iteration, document, judgment)",
                got,
            }),
        }
    }

    fn split(self, line: &str) -> Result<(&str, &str, i32), LineError> {
        let mut columns = [""; 5];
        let mut count = 0;
        let mut put = |column| {
            columns[count.min(4)] = column;
            count += 1;
        };
        let (wanted, expected) = match self {
            Layout::Beir => {
                line.split('\t').for_each(&mut put);
                (3, "three columns split by tabs")
            }
            Layout::Trec => {
                line.split_whitespace().for_each(&mut put);
                (4, "four columns")
            }
        };
        if count != wanted {
            return Err(LineError::Columns { expected, got: count });
        }
        let (query, document, text) = match self {
            Layout::Beir => (columns[0].trim(), columns[1].trim(), columns[2].trim()),
            Layout::Trec => (columns[0], columns[2], columns[3]),
        };
        for (column, id) in [("query", query), ("document", document)] {
            if id.is_empty() {
                return Err(LineError::Value { column, expected: "an id", got: String::new() });
            }
        }
        let judgment = text.parse().map_err(|_| LineError::Value {
            column: "judgment",
            expected: "an integer",
            got: text.to_owned(),
        })?;
        Ok((query, document, judgment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Qrels> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("qrels.tsv");
        fs_err::write(&path, text).unwrap();
        Qrels::read(&path)
    }

    fn check_error(text: &str, expect: &str) {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), ecphory_core::ErrorKind::Input);
        assert!(error.to_string().ends_with(expect), "{error}");
    }

    #[test]
    fn both_layouts_give_the_same() {
        let beir = read("query-id\tcorpus-id\tscore\n1\td a\t2\n1\tb\t0\n").unwrap();
        assert_eq!(beir.judgment("1", "d a"), Some(2));
        assert_eq!(beir.judgment("1", "c"), None);
        let trec = read("1 0 b 0\n2\t0\tx   -1\n").unwrap();
        assert_eq!(trec.judgment("2", "x"), Some(-1));
        assert_eq!(trec.judged_queries(0).collect::<Vec<_>>(), ["1"]);
        assert_eq!(trec.judged_queries(1).count(), 0);
        assert_eq!(read("q\td\t1\n").unwrap().judgment("q", "d"), Some(1));
    }

    #[test]
    fn repeats_are_kept_once_and_conflicts_refused() {
        assert_eq!(read("1 0 b 1\n1 0 b 1\n").unwrap().queries["1"].len(), 1);
        check_error("1 0 b 1\n1 0 b 0\n", "judged 1 before, 0 here");
    }

    #[test]
    fn malformed_lines_name_the_line() {
        check_error("1 0 b 1\n1 0 b\n", "line 2: expected four columns, got 3 columns");
        check_error("q\tc\ts\nq\tb\tgood\n", "line 2: judgment: expected an integer, got `good`");
        check_error("q\tc\ts\nq\t\t1\n", "line 2: document: expected an id, got ``");
        check_error("one two\n", "got 2 columns");
        check_error("query-id\tcorpus-id\tscore\n", "holds no judgments");
    }
}
