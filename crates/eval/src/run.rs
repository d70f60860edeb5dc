//! Runs: what a system returned for each query, in the six columns of TREC
//! (query, `Q0`, document, rank, score, tag).
//!
//! The rank column is not read: the order is by score, as in `trec_eval`. Columns are separated by white
//! space; in a run with ids that hold spaces by tabs, and a line with five tabs is read that way.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, LineError, Result};
use crate::lines::for_each_line;

/// The ranked documents of one system for a set of queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// The system's name, from the last column of the last line.
    pub tag: String,
    /// For each query, document ids with their scores. [`Run::read`] and [`Run::insert`] leave them
    /// in rank order.
    pub queries: BTreeMap<String, Vec<(String, f64)>>,
}

/// Orders two entries the way `trec_eval` does: the higher score first, and of equal scores the
/// greater document id (by bytes) first.
///
/// NaN, which no run that was read holds, ties with −∞, so that the order stays total.
pub fn rank_order(left: &(String, f64), right: &(String, f64)) -> Ordering {
    // Adding zero turns −0 into 0, which `total_cmp` would keep apart.
    let key = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score + 0.0 };
    key(right.1).total_cmp(&key(left.1)).then_with(|| right.0.cmp(&left.0))
}

impl Run {
    /// Makes an empty run.
    pub fn new(tag: impl Into<String>) -> Self {
        Self { tag: tag.into(), queries: BTreeMap::new() }
    }

    /// Reads a run, gzipped or not. Columns after the sixth are left out, as `trec_eval` does.
    ///
    /// # Errors
    /// Where the file cannot be read, a line has fewer columns, a score is no number, a document
    /// comes twice for a query, or there is no line at all.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut run = Run::default();
        // The line of each entry, so that a repeated document can be reported with its place.
        let mut lines: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for_each_line(path, &mut |number, line| {
            let (query, document, score, tag) = split(line)?;
            if run.tag != tag {
                tag.clone_into(&mut run.tag);
            }
            if !run.queries.contains_key(query) {
                run.queries.insert(query.to_owned(), Vec::new());
                lines.insert(query.to_owned(), Vec::new());
            }
            let known = "the query was inserted above";
            run.queries.get_mut(query).expect(known).push((document.to_owned(), score));
            lines.get_mut(query).expect(known).push(number);
            Ok(())
        })?;
        if run.queries.is_empty() {
            return Err(Error::Empty { path: path.to_owned(), what: "lines of a run" });
        }
        for (query, hits) in &mut run.queries {
            if let Some((before, again)) = repeated(hits) {
                let line = lines[query][before.max(again)];
                let (query, document) = (query.clone(), hits[again].0.clone());
                let reason = LineError::Duplicate { query, document };
                return Err(Error::Line { path: path.to_owned(), line, reason });
            }
            hits.sort_unstable_by(rank_order);
        }
        Ok(run)
    }

    /// Puts the hits of a query, and sorts them into rank order. Hits of the same query that were
    /// there before are replaced.
    ///
    /// # Errors
    /// Where a score is NaN or a document comes twice.
    pub fn insert(&mut self, query: impl Into<String>, mut hits: Vec<(String, f64)>) -> Result<()> {
        let query = query.into();
        let refuse = |document: &str, reason| Error::Run {
            tag: self.tag.clone(),
            query: query.clone(),
            document: document.to_owned(),
            reason: Box::new(reason),
        };
        if let Some((document, _)) = hits.iter().find(|(_, score)| score.is_nan()) {
            return Err(refuse(document, LineError::Nan));
        }
        if let Some((_, again)) = repeated(&hits) {
            let document = hits[again].0.clone();
            let reason = LineError::Duplicate { query: query.clone(), document: document.clone() };
            return Err(refuse(&document, reason));
        }
        hits.sort_unstable_by(rank_order);
        self.queries.insert(query, hits);
        Ok(())
    }

    /// Writes the run in six columns, in rank order, ranks counted from 1. Scores are written so
    /// that reading them gives the same numbers. Columns are separated by a space, or by a tab where an id
    /// holds white space: this crate reads such a run, other tools may not.
    ///
    /// # Errors
    /// Where an id or the tag is empty or holds a tab or a line end, a score is NaN, or the writer fails.
    pub fn write(&self, mut writer: impl Write) -> Result<()> {
        let separator = if self.has_spaces() { '\t' } else { ' ' };
        for (query, hits) in &self.queries {
            let mut ranked: Vec<&(String, f64)> = hits.iter().collect();
            ranked.sort_by(|left, right| rank_order(left, right));
            for (rank, (document, score)) in (1..).zip(ranked) {
                let refuse = |reason| Error::Run {
                    tag: self.tag.clone(),
                    query: query.clone(),
                    document: document.clone(),
                    reason: Box::new(reason),
                };
                if [query, document, &self.tag].into_iter().any(|column| !is_column(column)) {
                    return Err(refuse(LineError::NotAColumn));
                }
                if score.is_nan() {
                    return Err(refuse(LineError::Nan));
                }
                let (tag, s) = (&self.tag, separator);
                writeln!(writer, "{query}{s}Q0{s}{document}{s}{rank}{s}{score}{s}{tag}")?;
            }
        }
        writer.flush()?;
        Ok(())
    }

    /// Whether a column holds white space, so that only tabs can separate columns.
    fn has_spaces(&self) -> bool {
        let spaced = |text: &str| text.contains(char::is_whitespace);
        let hit_spaced = |hits: &Vec<(String, f64)>| hits.iter().any(|(id, _)| spaced(id));
        spaced(&self.tag)
            || self.queries.iter().any(|(query, hits)| spaced(query) || hit_spaced(hits))
    }
}

/// Returns the positions of two entries with the same document.
fn repeated(hits: &[(String, f64)]) -> Option<(usize, usize)> {
    let mut order: Vec<usize> = (0..hits.len()).collect();
    order.sort_unstable_by(|&a, &b| hits[a].0.cmp(&hits[b].0).then(a.cmp(&b)));
    let pair = order.windows(2).find(|pair| hits[pair[0]].0 == hits[pair[1]].0)?;
    Some((pair[0], pair[1]))
}

fn is_column(id: &str) -> bool {
    // A column of blanks, or with blanks at an end, would not be read as it was written.
    !id.is_empty() && id.trim() == id && !id.contains(['\t', '\n', '\r'])
}

fn split(line: &str) -> Result<(&str, &str, f64, &str), LineError> {
    let mut columns = [""; 6];
    let mut count = 0;
    let mut take = |column| {
        if let Some(slot) = columns.get_mut(count) {
            *slot = column;
            count += 1;
        }
    };
    if line.matches('\t').count() >= 5 {
        line.split('\t').map(str::trim).for_each(&mut take);
    } else {
        line.split_whitespace().for_each(&mut take);
    }
    if count < 6 {
        let expected = "six columns (query, Q0, document, rank, score, tag)";
        return Err(LineError::Columns { expected, got: count });
    }
    let [query, _, document, _, score, tag] = columns;
    match score.parse::<f64>() {
        Ok(value) if !value.is_nan() => Ok((query, document, value, tag)),
        _ => Err(LineError::Value { column: "score", expected: "a number", got: score.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Run> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.trec");
        fs_err::write(&path, text).unwrap();
        Run::read(&path)
    }

    fn check_error(text: &str, expect: &str) {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), ecphory_core::ErrorKind::Input);
        assert!(error.to_string().contains(expect), "{error}");
    }

    #[test]
    fn order_is_by_score_then_by_greater_id() {
        let run = read("1 Q0 a 1 2.0 t\n1 Q0 c 2 2 t\n1 Q0 b 9 3e0 last more junk\n").unwrap();
        let ids: Vec<&str> = run.queries["1"].iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!((ids, run.tag.as_str()), (vec!["b", "c", "a"], "last"));
    }

    #[test]
    fn malformed_lines_name_the_line() {
        check_error("1 Q0 a 1 2.0 t\n1 Q0 a 1 2.0\n", "line 2: expected six columns");
        check_error("1 Q0 a 1 nan t\n", "line 1: score: expected a number, got `nan`");
        check_error("1 Q0 a 1 x t\n", "line 1: score");
        check_error(
            "1 Q0 a 1 2 t\n2 Q0 a 1 2 t\n1 Q0 a 3 1 t\n",
            "line 3: query `1` and document `a`",
        );
        check_error("", "holds no lines of a run");
    }

    #[test]
    fn entries_that_cannot_be_written_are_refused() {
        let mut run = Run::new("t");
        assert!(run.insert("1", vec![("a".into(), f64::NAN)]).is_err());
        assert!(run.insert("1", vec![("a".into(), 1.0), ("a".into(), 2.0)]).is_err());
        run.insert("1", vec![("a\tb".into(), 1.0)]).unwrap();
        assert!(run.write(Vec::new()).unwrap_err().to_string().contains("tab"));
    }

    #[test]
    fn ids_with_spaces_are_kept_apart_by_tabs() {
        let mut run = Run::new("rrf(a, b)");
        run.insert("query 1", vec![("Ada Lovelace".into(), 2.0), ("Bob".into(), 1.0)]).unwrap();
        let mut text = Vec::new();
        run.write(&mut text).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.starts_with("query 1\tQ0\tAda Lovelace\t1\t2\trrf(a, b)\n"), "{text}");
        assert_eq!(read(text).unwrap(), run);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(
            scores in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 1..20),
        ) {
            let mut run = Run::new("tag");
            let hits = scores.iter().enumerate().map(|(i, &s)| (format!("d{i}"), s)).collect();
            run.insert("q", hits).unwrap();
            let mut text = Vec::new();
            run.write(&mut text).unwrap();
            prop_assert_eq!(read(std::str::from_utf8(&text).unwrap()).unwrap(), run);
        }
    }
}
