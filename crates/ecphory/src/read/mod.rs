//! Documents from files: JSONL and TSV (gzipped or not), or a folder of text, Markdown and HTML.
//!
//! The layout of JSONL is BEIR's: `_id`, `title`, `text`; every other key becomes a field. What is
//! malformed is an error that names file and line, or, with [`ReadOptions::skip_bad`], is left out and
//! listed. Everything is read into memory; for corpora larger than that, read and add in parts.

mod folder;
mod html;
mod jsonl;
mod lines;
mod markdown;
mod problem;
mod tsv;

use std::io::BufRead;
use std::path::{Path, PathBuf};

use ecphory_core::{Document, Progress};
use fs_err as fs;
use rustc_hash::FxHashMap;

pub use problem::BadDocument;

use crate::Error;

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Leave out and list what is malformed, instead of failing at the first.
    pub skip_bad: bool,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Corpus {
    /// The documents in the order in which they stand.
    pub documents: Vec<Document>,
    /// What was left out because it is malformed; empty without [`ReadOptions::skip_bad`].
    pub skipped: Vec<Skipped>,
    /// How many files of a folder were passed over: hidden ones, and those of unknown extensions.
    pub ignored: u64,
}

/// Something malformed that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file, with the line where it has several documents.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// Reads a corpus.
///
/// The format follows the extension (`.jsonl`, `.ndjson`, `.json`, `.tsv`, any with `.gz`; `.txt`, `.md`,
/// `.html` for a single document); a directory is read as a folder.
///
/// # Errors
/// Where the path does not exist or cannot be read, the format is unknown, a document is malformed (unless
/// they are skipped), no document is left, or the work is cancelled.
pub fn corpus(
    path: impl AsRef<Path>,
    options: &ReadOptions,
    progress: &dyn Progress,
) -> Result<Corpus, Error> {
    let path = path.as_ref();
    let metadata = fs::metadata(path)?;
    let mut reading = Reading::new(path, *options, progress);
    if metadata.is_dir() {
        folder::read(path, &mut reading)?;
    } else {
        match Format::of(path)? {
            Format::Jsonl => jsonl::read(path, metadata.len(), &mut reading)?,
            Format::Tsv => tsv::read(path, metadata.len(), &mut reading)?,
            Format::Page => folder::read_file(path, &mut reading)?,
        }
    }
    if reading.corpus.documents.is_empty() {
        let skipped = reading.corpus.skipped.len();
        return Err(Error::EmptyCorpus { path: path.to_owned(), skipped });
    }
    Ok(reading.corpus)
}

/// The formats of one file.
enum Format {
    Jsonl,
    Tsv,
    Page,
}

impl Format {
    fn of(path: &Path) -> Result<Self, Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "jsonl" | "ndjson" | "json" => Ok(Format::Jsonl),
            "tsv" => Ok(Format::Tsv),
            _ if folder::page_kind(path).is_some() => Ok(Format::Page),
            _ => Format::sniff(path),
        }
    }

    /// Decides by the first byte that is not white space: an object begins a JSON line.
    fn sniff(path: &Path) -> Result<Self, Error> {
        let mut lines = lines::open(path)?;
        let start = lines.fill_buf().map_err(|source| lines::failed(path, 1, source))?;
        match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Ok(Format::Jsonl),
            _ => Err(Error::UnknownFormat { path: path.to_owned() }),
        }
    }
}

/// The state of reading that all formats share.
struct Reading<'a> {
    root: PathBuf,
    options: ReadOptions,
    progress: &'a dyn Progress,
    corpus: Corpus,
    /// Where each id was seen first: a line of the file.
    seen: FxHashMap<String, u64>,
}

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: PathBuf,
    line: Option<u64>,
}

impl<'a> Reading<'a> {
    fn new(root: &Path, options: ReadOptions, progress: &'a dyn Progress) -> Self {
        Self {
            root: root.to_owned(),
            options,
            progress,
            corpus: Corpus::default(),
            seen: FxHashMap::default(),
        }
    }

    /// Takes a document, or what is wrong with it.
    fn take(&mut self, place: &Place, read: Result<Document, BadDocument>) -> Result<(), Error> {
        match read.and_then(|document| self.admit(place, document)) {
            Ok(document) => {
                self.corpus.documents.push(document);
                Ok(())
            }
            Err(problem) => self.refuse(place, problem),
        }
    }

    fn admit(&mut self, place: &Place, document: Document) -> Result<Document, BadDocument> {
        if document.id.is_empty() {
            return Err(BadDocument::EmptyId);
        }
        if !has_text(&document) {
            return Err(BadDocument::NoText { id: document.id });
        }
        if let Some(line) = place.line {
            if let Some(&first_line) = self.seen.get(&document.id) {
                return Err(BadDocument::Duplicate { id: document.id, first_line });
            }
            self.seen.insert(document.id.clone(), line);
        }
        Ok(document)
    }

    fn refuse(&mut self, place: &Place, problem: BadDocument) -> Result<(), Error> {
        if !self.options.skip_bad {
            return Err(Error::Document { path: place.path.clone(), line: place.line, problem });
        }
        let mut shown = place.path.display().to_string();
        if let Some(line) = place.line {
            shown = format!("{shown}:{line}");
        }
        self.corpus.skipped.push(Skipped { place: shown, reason: problem.to_string() });
        Ok(())
    }

    fn check_cancelled(&self) -> Result<(), Error> {
        if self.progress.cancelled() {
            return Err(Error::Interrupted { doing: "reading documents" });
        }
        Ok(())
    }
}

/// Whether there is text to index: in `title` or `text`, or, where a corpus has neither of these, anywhere.
fn has_text(document: &Document) -> bool {
    let usual = ["title", "text"].map(str::to_owned);
    if usual.iter().any(|name| document.get(name).is_some()) {
        return !document.joined_text(&usual).is_empty();
    }
    let all: Vec<String> = document.fields.iter().map(|(name, _)| name.clone()).collect();
    !document.joined_text(&all).is_empty()
}

#[cfg(test)]
mod tests;
