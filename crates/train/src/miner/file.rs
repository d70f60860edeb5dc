//! Mined sets as files, so that mining and training can be two runs.
//!
//! As TSV a line is `query positive negative score negative score …`, split by tabs; as JSONL it is
//! `{"query": …, "positive": …, "negatives": [{"document": …, "score": …}, …]}`. The name says which is written (`.jsonl`
//! or anything else), the first line which is read; both may be gzipped when read. Scores come back to the bit.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Candidate, MinedSet};
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::lines::{Foreign, Layout, LineError, for_each_line, score, write_whole};

const OBJECT: &str = "an object with query, positive and negatives of document and score";

#[derive(Deserialize, Serialize)]
struct Line<'a> {
    #[serde(borrow)]
    query: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    positive: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    negatives: Vec<Negative<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Negative<'a> {
    #[serde(borrow)]
    document: std::borrow::Cow<'a, str>,
    score: f32,
}

/// Writes mined sets; an older file of the name is replaced when all is written.
///
/// # Errors
/// Where a number has no id, an id cannot be a column, or the file cannot be written.
pub fn write_mined(path: &Path, sets: &[MinedSet], queries: &Ids, documents: &Ids) -> Result<()> {
    let layout = Layout::of_path(path);
    write_whole(path, |out| {
        for (set, line) in sets.iter().zip(1..) {
            let at = |reason| Error::Line { path: path.to_owned(), line, reason };
            let text = of_set(set, queries, documents)?;
            match layout {
                Layout::Tsv => write_columns(out, &text, &at)?,
                Layout::Jsonl => write_object(out, &text)?,
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Writes mined sets as JSONL to somewhere that is no file.
///
/// # Errors
/// Where a number has no id, or the lines cannot be written.
pub fn print_mined(
    out: &mut dyn Write,
    sets: &[MinedSet],
    queries: &Ids,
    documents: &Ids,
) -> Result<()> {
    for set in sets {
        write_object(out, &of_set(set, queries, documents)?)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn write_object(out: &mut dyn Write, line: &Line<'_>) -> Result<()> {
    Ok(serde_json::to_writer(out, line).map_err(std::io::Error::from)?)
}

fn of_set<'a>(set: &MinedSet, queries: &'a Ids, documents: &'a Ids) -> Result<Line<'a>> {
    let negative = |candidate: &Candidate| {
        let document = documents.id(candidate.document)?.into();
        Ok(Negative { document, score: candidate.score })
    };
    Ok(Line {
        query: queries.id(set.query)?.into(),
        positive: documents.id(set.positive)?.into(),
        negatives: set.negatives.iter().map(negative).collect::<Result<_>>()?,
    })
}

fn write_columns(
    out: &mut dyn Write,
    line: &Line<'_>,
    at: &dyn Fn(LineError) -> Error,
) -> Result<()> {
    let negatives = line.negatives.iter().map(|negative| &negative.document);
    for id in [&line.query, &line.positive].into_iter().chain(negatives) {
        if id.is_empty() || id.contains(['\t', '\n', '\r']) {
            return Err(at(LineError::NotAColumn { id: id.to_string() }));
        }
    }
    write!(out, "{}\t{}", line.query, line.positive)?;
    for Negative { document, score } in &line.negatives {
        write!(out, "\t{document}\t{score}")?;
    }
    Ok(())
}

/// Reads mined sets.
///
/// # Errors
/// Where a line is malformed, a positive is among its negatives, or ids are unknown: names the file and the line.
pub fn read_mined(path: &Path, queries: &Ids, documents: &Ids) -> Result<Vec<MinedSet>> {
    let mut sets = Vec::new();
    let mut foreign = Foreign::default();
    let mut layout = None;
    for_each_line(path, &mut |number, text| {
        let line = match *layout.get_or_insert_with(|| Layout::of_line(text)) {
            Layout::Tsv => columns(text)?,
            Layout::Jsonl => serde_json::from_str(text)
                .map_err(|source| LineError::Json { expected: OBJECT, source })?,
        };
        if line.negatives.iter().any(|negative| negative.document == line.positive) {
            let (query, document) = (line.query.into(), line.positive.into());
            return Err(LineError::PositiveNegative { query, document });
        }
        let query = foreign.query(queries, &line.query, number);
        let positive = foreign.document(documents, &line.positive, number);
        let mut negatives = Vec::with_capacity(line.negatives.len());
        for Negative { document, score } in &line.negatives {
            if !score.is_finite() {
                return Err(LineError::Score { got: score.to_string() });
            }
            let document = foreign.document(documents, document, number);
            negatives.extend(document.map(|document| Candidate { document, score: *score }));
        }
        if let (Some(query), Some(positive)) = (query, positive) {
            sets.push(MinedSet { query, positive, negatives });
        }
        Ok(())
    })?;
    foreign.check(path)?;
    Ok(sets)
}

fn columns(text: &str) -> Result<Line<'_>, LineError> {
    let columns: Vec<&str> = text.split('\t').collect();
    if columns.len() < 2 || !columns.len().is_multiple_of(2) {
        let expected = "query, positive, and negatives each with a score, split by tabs";
        return Err(LineError::Columns { expected, got: columns.len() });
    }
    let mut negatives = Vec::with_capacity(columns.len() / 2 - 1);
    for pair in columns[2..].chunks_exact(2) {
        negatives.push(Negative { document: pair[0].into(), score: score(pair[1])? });
    }
    Ok(Line { query: columns[0].into(), positive: columns[1].into(), negatives })
}
