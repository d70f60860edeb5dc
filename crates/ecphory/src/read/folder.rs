//! A folder of text, Markdown and HTML files: one document each, its id the path below the folder.
//!
//! Folders are walked to the bottom, hidden ones left out, links to folders not followed; the order is
//! that of the paths. A single file of these kinds is read the same way, with its name as the id.

use std::path::{Path, PathBuf};

use ecphory_core::{Document, Value};
use fs_err as fs;

use super::{BadDocument, Place, Reading, html, markdown};
use crate::Error;

/// What a page is written in.
#[derive(Clone, Copy)]
pub(super) enum PageKind {
    Text,
    Markdown,
    Html,
}

/// A page as plain text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) text: String,
}

/// Returns what a file's extension says it is written in.
pub(super) fn page_kind(path: &Path) -> Option<PageKind> {
    match path.extension()?.to_string_lossy().to_lowercase().as_str() {
        "txt" | "text" => Some(PageKind::Text),
        "md" | "markdown" => Some(PageKind::Markdown),
        "html" | "htm" | "xhtml" => Some(PageKind::Html),
        _ => None,
    }
}

pub(super) fn read(root: &Path, reading: &mut Reading<'_>) -> Result<(), Error> {
    let files = walk(root, reading)?;
    read_all(&files, reading)
}

pub(super) fn read_file(path: &Path, reading: &mut Reading<'_>) -> Result<(), Error> {
    let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = fs::metadata(path)?.len();
    let kind = page_kind(path).expect("the caller looked at the extension");
    read_all(&[File { id, path: path.to_owned(), kind, bytes }], reading)
}

struct File {
    id: String,
    path: PathBuf,
    kind: PageKind,
    bytes: u64,
}

/// Lists the files to read, sorted by id.
fn walk(root: &Path, reading: &mut Reading<'_>) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        reading.check_cancelled()?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if hidden {
                    reading.summary.ignored += 1;
                } else {
                    folders.push(path);
                }
                continue;
            }
            let page = page_kind(&path).filter(|_| !hidden);
            match (page, fs::metadata(&path)) {
                (Some(page), Ok(metadata)) if metadata.is_file() => files.push(File {
                    id: relative(&reading.root, &path),
                    path,
                    kind: page,
                    bytes: metadata.len(),
                }),
                // A link to nowhere with a known extension stands for a document that is not there.
                (Some(_), Err(error)) => return Err(error.into()),
                _ => reading.summary.ignored += 1,
            }
        }
    }
    files.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(files)
}

fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn read_all(files: &[File], reading: &mut Reading<'_>) -> Result<(), Error> {
    let progress = reading.progress;
    progress.begin("reading documents", files.iter().map(|file| file.bytes).sum());
    let read = (|| {
        for file in files {
            reading.check_cancelled()?;
            let place = Place { path: file.path.clone(), line: None };
            let document = parse(file, fs::read(&file.path)?);
            reading.take(&place, document)?;
            progress.advance(file.bytes);
        }
        Ok(())
    })();
    progress.end();
    read
}

fn parse(file: &File, bytes: Vec<u8>) -> Result<Document, BadDocument> {
    let content = String::from_utf8(bytes)
        .map_err(|error| BadDocument::Utf8 { byte: error.utf8_error().valid_up_to() + 1 })?;
    let content = content.strip_prefix('\u{feff}').unwrap_or(&content);
    let page = match file.kind {
        PageKind::Text => Page { title: String::new(), text: content.trim().to_owned() },
        PageKind::Markdown => markdown::plain(content),
        PageKind::Html => html::plain(content),
    };
    let mut document = Document::new(file.id.clone());
    for (name, text) in [("title", page.title), ("text", page.text)] {
        if !text.is_empty() {
            document.fields.push((name.to_owned(), Value::Text(text)));
        }
    }
    Ok(document)
}
