//! The built-in collection of `quickstart`: the READMEs and documentation comments of the crates
//! this program is built from, with judged queries.
//!
//! The sources lie in cargo's local registry after any build, so nothing is fetched. Which crates
//! take part stands in `data/cratedocs-crates.txt`, their versions in the workspace's `Cargo.lock`;
//! both are compiled in, so two machines with the same program read the same documents.
//!
//! Queries and judgments name documents by `crate/path`, `crate/path#section` or
//! `crate/path#Type::method`, without the version. Only ids, queries and grades ship with the
//! program, no text of the crates.
//!
//! Not for documentation as rustdoc sees it: items written by macros, re-exports and `doc`
//! attributes are left out, since the sources are scanned line by line and not parsed.

mod item;
mod judged;
mod lockfile;
mod markdown;
mod registry;
mod rustdoc;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ecphory::{Document, Progress};

pub use judged::{qrels, queries};
use registry::{Crate, SourceFile};

/// The names of the crates that take part, one a line.
const CRATES: &str = include_str!("../../data/cratedocs-crates.txt");

/// The versions they have.
const LOCK: &str = include_str!("../../../../Cargo.lock");

/// The package whose dependencies are meant.
const ROOT: &str = env!("CARGO_PKG_NAME");

/// Shorter texts say hardly more than the name of the item.
const WORDS_MIN: usize = 16;

/// Longer READMEs and module texts are split at their headings.
const WORDS_UNSPLIT_MAX: usize = 250;

/// Reads the collection from the registry under `cargo_home`, in an order that depends on nothing
/// but the sources; `None` where no registry is there or it holds none of the crates.
///
/// Crates, files and lines that cannot be read are left out. The work is too short to be cancelled.
pub fn corpus(cargo_home: &Path, progress: &dyn Progress) -> anyhow::Result<Option<Vec<Document>>> {
    let Some(crates) = registry::locate(cargo_home, &lockfile::selected(LOCK, ROOT, CRATES))?
    else {
        return Ok(None);
    };
    let mut documents = Vec::new();
    progress.begin("reading crate documentation", crates.len() as u64);
    for source in &crates {
        let mut collected = CrateDocuments::new(&source.name);
        collect(source, &mut collected);
        documents.append(&mut collected.documents);
        progress.advance(1);
    }
    progress.end();
    Ok((!documents.is_empty()).then_some(documents))
}

/// Reads one crate: first its README, then the files in the order of their paths.
fn collect(source: &Crate, collected: &mut CrateDocuments) {
    if let Some(text) = source.readme() {
        collected.add_text("README.md", &source.name, &text);
    }
    for file in source.files() {
        let Some(text) = file.read() else { continue };
        for block in rustdoc::blocks(&text) {
            let title = title(&source.name, &file, &block.path);
            if block.is_module {
                collected.add_text(&with_anchor(&file.path, &block.path), &title, &block.markdown);
            } else {
                let id = with_anchor(&file.path, &block.path);
                collected.add(&id, &title, &markdown::plain(&block.markdown));
            }
        }
    }
}

/// Names an item as a Rust path: `memchr::memmem::Finder::find`.
fn title(name: &str, file: &SourceFile, item: &str) -> String {
    let mut title = name.to_owned();
    for part in file.module().into_iter().chain(item.split("::")).filter(|part| !part.is_empty()) {
        title.push_str("::");
        title.push_str(part);
    }
    title
}

fn with_anchor(path: &str, anchor: &str) -> String {
    if anchor.is_empty() { path.to_owned() } else { format!("{path}#{anchor}") }
}

/// The documents of one crate so far; keeps ids unique and repeated texts out.
struct CrateDocuments {
    name: String,
    documents: Vec<Document>,
    ids: HashMap<String, usize>,
    texts: HashSet<String>,
}

impl CrateDocuments {
    fn new(name: &str) -> Self {
        let (documents, ids, texts) = Default::default();
        Self { name: name.to_owned(), documents, ids, texts }
    }

    /// Adds a README or module text, in sections where it is long.
    fn add_text(&mut self, id: &str, title: &str, text: &str) {
        let text = markdown::without_boilerplate(text);
        let whole = markdown::plain(&text);
        if whole.words <= WORDS_UNSPLIT_MAX {
            self.add(id, title, &whole);
            return;
        }
        let separator = if id.contains('#') { '/' } else { '#' };
        for section in markdown::sections(&text) {
            let plain = markdown::plain(section.body);
            if section.heading.is_empty() {
                self.add(id, title, &plain);
            } else {
                let slug = markdown::slug(&section.heading);
                let title = format!("{title}: {}", section.heading);
                self.add(&format!("{id}{separator}{slug}"), &title, &plain);
            }
        }
    }

    /// Adds a document unless its text is short or a repetition. A second document of one id gets
    /// the suffix `-2`, a third `-3`.
    fn add(&mut self, id: &str, title: &str, plain: &markdown::Plain) {
        if plain.words < WORDS_MIN || !self.texts.insert(plain.text.clone()) {
            return;
        }
        let id = format!("{}/{id}", self.name);
        let count = self.ids.entry(id.clone()).or_default();
        *count += 1;
        let id = if *count == 1 { id } else { format!("{id}-{count}") };
        self.documents.push(
            Document::new(id)
                .with("title", title)
                .with("text", plain.text.as_str())
                .with("crate", self.name.as_str()),
        );
    }
}
