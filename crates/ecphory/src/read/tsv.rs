//! Tab-separated documents: `id<TAB>text` or `id<TAB>title<TAB>text`, or columns that a header names.
//!
//! There is a header where the first cell of the file is `id`, `_id` or `docid`; its other cells are the
//! names of the fields. Cells are taken as they are: there is no quoting.

use std::path::Path;

use ecphory_core::{Document, Value};

use super::{BadDocument, Reading, lines};
use crate::Error;

pub(super) fn read(path: &Path, bytes: u64, reading: &mut Reading<'_>) -> Result<(), Error> {
    let mut first = true;
    let mut header: Option<Vec<String>> = None;
    lines::for_each(path, bytes, reading, &mut |reading, place, line| {
        let cells: Vec<&str> = line.split('\t').collect();
        if std::mem::take(&mut first) && is_header(&cells) {
            let names = parse_header(&cells).map_err(|problem| Error::Document {
                path: path.to_owned(),
                line: place.line,
                problem,
            })?;
            header = Some(names);
            return Ok(());
        }
        let document = parse(&cells, header.as_deref());
        reading.take(place, document)
    })
}

fn is_header(cells: &[&str]) -> bool {
    ["id", "_id", "docid"].contains(&cells[0].trim().to_lowercase().as_str())
}

fn parse_header(cells: &[&str]) -> Result<Vec<String>, BadDocument> {
    let names: Vec<String> = cells[1..].iter().map(|name| name.trim().to_owned()).collect();
    if names.is_empty() || names.iter().any(String::is_empty) {
        let expected = "a header with a name for each column".to_owned();
        return Err(BadDocument::Columns { expected, found: cells.len() });
    }
    match names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        Some((_, name)) => Err(BadDocument::KeyTwice(name.clone())),
        None => Ok(names),
    }
}

fn parse(cells: &[&str], header: Option<&[String]>) -> Result<Document, BadDocument> {
    let found = cells.len();
    let names: Vec<&str> = match (header, found) {
        (Some(header), _) if header.len() + 1 == found => {
            header.iter().map(String::as_str).collect()
        }
        (Some(header), _) => {
            let expected = format!("{} columns, as the header has", header.len() + 1);
            return Err(BadDocument::Columns { expected, found });
        }
        (None, 2) => vec!["text"],
        (None, 3) => vec!["title", "text"],
        (None, _) => {
            let expected = "two or three columns (id, text or id, title, text)".to_owned();
            return Err(BadDocument::Columns { expected, found });
        }
    };
    let mut document = Document::new(cells[0].trim());
    for (name, cell) in names.into_iter().zip(&cells[1..]) {
        if !cell.is_empty() {
            document.fields.push((name.to_owned(), Value::Text((*cell).to_owned())));
        }
    }
    Ok(document)
}
