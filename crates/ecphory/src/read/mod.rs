//! Documents from files: JSONL and TSV (gzipped or not), or a folder of text, Markdown and HTML.
//!
//! The layout of JSONL is BEIR's: `_id`, `title`, `text`; every other key becomes a field. What is
//! malformed is an error that names file and line, or, with [`ReadOptions::skip_bad`], is left out and
//! listed.
//!
//! [`documents`] hands over one document after the other, so a corpus may be larger than memory. It keeps
//! 29 to 57 bytes for each document of a JSONL or TSV file (a hash of its id and its line, so that an id that
//! comes twice is named with both lines), about 200 for each file of a folder (its path, as the order is that of the
//! paths), and what it lists as left out. [`corpus`] collects everything in memory.

mod folder;
mod html;
mod jsonl;
mod lines;
mod markdown;
mod problem;
mod seen;
mod tsv;

use std::fmt;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use ecphory_core::{Document, Progress};
use fs_err as fs;

pub use problem::BadDocument;

use crate::Error;
use crate::channel::default_fields;
use seen::SeenIds;

/// The longest line: more than any document that can be stored takes as JSON. What is longer is malformed,
/// and is passed over without being held.
pub const LINE_BYTES_MAX: usize = 1 << 29;

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Leave out and list what is malformed, instead of failing at the first.
    pub skip_bad: bool,
}

/// How to read texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// The fields whose texts are joined.
    pub fields: Vec<String>,
    /// Leave out and list what is malformed or has no text in the fields, instead of failing at the first.
    pub skip_bad: bool,
}

impl Default for TextOptions {
    /// Title and text, as channels read them; what is malformed is an error.
    fn default() -> Self {
        Self { fields: default_fields(), skip_bad: false }
    }
}

/// A whole corpus.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Corpus {
    /// The documents in the order in which they stand.
    pub documents: Vec<Document>,
    /// What was left out because it is malformed; empty without [`ReadOptions::skip_bad`].
    pub skipped: Vec<Skipped>,
    /// How many files of a folder were passed over: hidden ones, and those of unknown extensions.
    pub ignored: u64,
}

/// What was read, without the documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many documents were handed over.
    pub documents: u64,
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

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1, where a file has several documents.
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// What takes the documents, one by one, each with its place. An error ends the reading.
pub type Sink<'a> = dyn FnMut(Document, &Place) -> Result<(), Error> + 'a;

/// What takes ids and texts, one by one, each with its place. An error ends the reading.
pub type TextSink<'a> = dyn FnMut(String, String, &Place) -> Result<(), Error> + 'a;

/// Reads texts and hands them over in the order in which they stand: of each document its id, and the fields
/// asked for, joined.
///
/// Unlike [`documents`] it does not look whether an id comes twice, and so takes the same memory however many
/// there are.
///
/// # Errors
/// As [`documents`]; and where a document has no text in the fields, unless such are skipped.
pub fn texts(
    path: impl AsRef<Path>,
    options: &TextOptions,
    progress: &dyn Progress,
    sink: &mut TextSink<'_>,
) -> Result<Summary, Error> {
    let mut sink = |document: Document, place: &Place| {
        let text = document.joined_text(&options.fields);
        sink(document.id, text, place)
    };
    let reading = ReadOptions { skip_bad: options.skip_bad };
    let mut reading = Reading::new(path.as_ref(), reading, progress, &mut sink);
    reading.demand = Demand::TextIn(&options.fields);
    read(path.as_ref(), reading)
}

/// Reads documents and hands them over in the order in which they stand.
///
/// The format follows the extension (`.jsonl`, `.ndjson`, `.json`, `.tsv`, any with `.gz`; `.txt`, `.md`,
/// `.html` for a single document); a directory is read as a folder.
///
/// # Errors
/// Where the path does not exist or cannot be read, the format is unknown, a document is malformed (unless
/// they are skipped), no document is left, the work is cancelled, or the sink says so. Documents before
/// the malformed one have been handed over then.
pub fn documents(
    path: impl AsRef<Path>,
    options: &ReadOptions,
    progress: &dyn Progress,
    sink: &mut Sink<'_>,
) -> Result<Summary, Error> {
    read(path.as_ref(), Reading::new(path.as_ref(), *options, progress, sink))
}

fn read(path: &Path, mut reading: Reading<'_>) -> Result<Summary, Error> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        folder::read(path, &mut reading)?;
    } else {
        match Format::of(path)? {
            Format::Jsonl => jsonl::read(path, metadata.len(), &mut reading)?,
            Format::Tsv => tsv::read(path, metadata.len(), &mut reading)?,
            Format::Page => folder::read_file(path, &mut reading)?,
        }
    }
    let summary = reading.summary;
    if summary.documents == 0 {
        let skipped = summary.skipped.len();
        return Err(Error::EmptyCorpus { path: path.to_owned(), skipped });
    }
    Ok(summary)
}

/// Reads a corpus into memory.
///
/// # Errors
/// As [`documents`].
pub fn corpus(
    path: impl AsRef<Path>,
    options: &ReadOptions,
    progress: &dyn Progress,
) -> Result<Corpus, Error> {
    let mut all = Vec::new();
    let summary = documents(path, options, progress, &mut |document, _| {
        all.push(document);
        Ok(())
    })?;
    Ok(Corpus { documents: all, skipped: summary.skipped, ignored: summary.ignored })
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
    sink: &'a mut Sink<'a>,
    summary: Summary,
    seen: SeenIds,
    line_bytes_max: usize,
    demand: Demand<'a>,
}

/// What a document has to have.
#[derive(Clone, Copy)]
enum Demand<'a> {
    /// Something to index, and an id of its own.
    Document,
    /// Text in these fields.
    TextIn(&'a [String]),
}

impl<'a> Reading<'a> {
    fn new(
        root: &Path,
        options: ReadOptions,
        progress: &'a dyn Progress,
        sink: &'a mut Sink<'a>,
    ) -> Self {
        Self {
            root: root.to_owned(),
            options,
            progress,
            sink,
            summary: Summary::default(),
            seen: SeenIds::default(),
            line_bytes_max: LINE_BYTES_MAX,
            demand: Demand::Document,
        }
    }

    /// Takes a document, or what is wrong with it.
    fn take(&mut self, place: &Place, read: Result<Document, BadDocument>) -> Result<(), Error> {
        match read.and_then(|document| self.admit(place, document)) {
            Ok(document) => {
                self.summary.documents += 1;
                (self.sink)(document, place)
            }
            Err(problem) => self.refuse(place, problem),
        }
    }

    fn admit(&mut self, place: &Place, document: Document) -> Result<Document, BadDocument> {
        if document.id.is_empty() {
            return Err(BadDocument::EmptyId);
        }
        if let Demand::TextIn(fields) = self.demand {
            if document.joined_text(fields).is_empty() {
                let fields = fields.join(", ");
                return Err(BadDocument::NoTextIn { id: document.id, fields });
            }
            return Ok(document);
        }
        if !has_text(&document) {
            return Err(BadDocument::NoText { id: document.id });
        }
        // The files of a folder have different paths, and so different ids.
        if let Some(line) = place.line
            && let Some(first_line) = self.seen.insert(&document.id, line)
        {
            return Err(BadDocument::Duplicate { id: document.id, first_line });
        }
        Ok(document)
    }

    fn refuse(&mut self, place: &Place, problem: BadDocument) -> Result<(), Error> {
        if !self.options.skip_bad {
            return Err(Error::Document { path: place.path.clone(), line: place.line, problem });
        }
        let skipped = Skipped { place: place.to_string(), reason: problem.to_string() };
        self.summary.skipped.push(skipped);
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
