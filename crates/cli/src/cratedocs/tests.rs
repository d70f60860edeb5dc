//! Checks the collection on a made-up registry, and the judged queries against the real one.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Counts what was reported.
#[derive(Default)]
struct Counter {
    announced: AtomicU64,
    done: AtomicU64,
}

impl Progress for Counter {
    fn begin(&self, _task: &str, total: u64) {
        self.announced.fetch_add(total, Ordering::Relaxed);
    }
    fn advance(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }
    fn end(&self) {}
}

/// The real collection; `None`, with the reason on stderr, where this machine has none.
fn local_corpus() -> Option<Vec<Document>> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .unwrap_or_default();
    let documents = corpus(&home, &Counter::default()).unwrap();
    if documents.is_none() {
        let reason = format!("no sources of crates under {}", home.display());
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{reason}");
        eprintln!("skipped: {reason}");
    }
    documents
}

#[test]
fn each_judged_document_is_in_the_collection() {
    let Some(documents) = local_corpus() else { return };
    assert!((3_000..=10_000).contains(&documents.len()), "{} documents", documents.len());
    let ids: HashSet<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(ids.len(), documents.len(), "ids are unique");
    for (query, judged) in &qrels().unwrap().queries {
        let missing: Vec<_> = judged.keys().filter(|id| !ids.contains(id.as_str())).collect();
        assert!(missing.is_empty(), "{query}: not in the collection: {missing:?}");
    }
}

#[test]
fn each_crate_is_locked() {
    let named: Vec<&str> = CRATES.lines().collect();
    let locked = lockfile::selected(LOCK, ROOT, CRATES);
    let found: Vec<&str> = locked.iter().map(|locked| locked.name.as_str()).collect();
    assert_eq!(found, named, "crates in the list that Cargo.lock no longer names");
    assert!(named.is_sorted());
}

/// Writes `files` as the sources of a crate under a cargo home.
fn write_crate(home: &Path, folder: &str, files: &[(&str, &[u8])]) {
    for (path, content) in files {
        let path = home.join("registry/src/mirror-1").join(folder).join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
}

const LONG: &str = "These are more than sixteen words of plain text so that the document is \
                    long enough to be kept in the collection";

#[test]
fn reads_readmes_modules_and_items() {
    let home = tempfile::tempdir().unwrap();
    assert!(corpus(home.path(), &Counter::default()).unwrap().is_none(), "no registry");
    let locked = lockfile::selected(LOCK, ROOT, "memchr").remove(0);
    let module = format!("//! Module. {LONG}.\n\n/// Too short.\npub fn a() {{}}\n");
    let items = format!(
        "pub struct Finder;\nimpl Finder {{\n    /// `Finds` it. {LONG}.\n    \
         pub fn find(&self) {{}}\n}}\n\
         /// Repeats. {LONG}.\npub fn one() {{}}\n/// Repeats. {LONG}.\npub fn two() {{}}\n"
    );
    let filler = format!("{LONG}.\n").repeat(20);
    let readme = format!(
        "# memchr\n{LONG}\n## Use\nUse: {filler}## License\n{filler}## Use\nAgain: {filler}"
    );
    let folder = format!("memchr-{}", locked.versions[0]);
    write_crate(
        home.path(),
        &folder,
        &[
            ("Readme.md", readme.as_bytes()),
            ("src/lib.rs", module.as_bytes()),
            ("src/memmem/mod.rs", items.as_bytes()),
            ("src/broken.rs", b"//! \xff\xfe not text"),
            ("src/tests/mod.rs", module.as_bytes()),
        ],
    );
    let progress = Counter::default();
    let documents = corpus(home.path(), &progress).unwrap().unwrap();
    let ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "memchr/README.md",
            "memchr/README.md#use",
            "memchr/README.md#use-2",
            "memchr/src/lib.rs",
            "memchr/src/memmem/mod.rs#Finder::find",
            "memchr/src/memmem/mod.rs#one",
        ]
    );
    assert_eq!(documents[4].text("title"), Some("memchr::memmem::Finder::find"));
    assert_eq!(documents[4].text("text"), Some(format!("Finds it. {LONG}.").as_str()));
    assert_eq!(documents[4].text("crate"), Some("memchr"));
    let (announced, done) = (progress.announced.into_inner(), progress.done.into_inner());
    assert_eq!((announced, done), (1, 1));
}
