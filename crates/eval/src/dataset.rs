//! Test collections on disk: a folder with documents, queries and judgments in the layout of BEIR.
//!
//! `NAME/corpus.jsonl`, `NAME/queries.jsonl` (or `.tsv`) and `NAME/qrels/SPLIT.tsv`, each of them possibly with
//! `.gz` behind it. Names are those of `ir_datasets` where it has one: `beir/scifact/test` finds
//! `scifact`. The documents are not read here.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::qrels::Qrels;
use crate::queries::Queries;

/// Splits that are taken in this order where none is named.
const DEFAULT_SPLITS: [&str; 2] = ["test", "dev"];

/// A test collection, opened for one split.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The name: that of the folder, or the one by which it was found.
    pub name: String,
    /// The split.
    pub split: String,
    /// The file of documents.
    pub corpus: PathBuf,
    /// The queries that the judgments name.
    pub queries: Queries,
    /// The judgments.
    pub qrels: Qrels,
}

/// A test collection that was seen but not opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatasetEntry {
    /// The name by which [`Dataset::find`] finds it.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Its splits.
    pub splits: Vec<String>,
}

impl Dataset {
    /// Opens a folder. Without a split: `test`, else `dev`, else the only one there is.
    ///
    /// # Errors
    /// Where the folder lacks a file or the split, a file is malformed, or a judged query has no
    /// text.
    pub fn open(dir: impl AsRef<Path>, split: Option<&str>) -> Result<Self> {
        let dir = dir.as_ref();
        let missing = |file| Error::NotADataset { path: dir.to_owned(), file };
        let corpus = Self::corpus_of(dir)?;
        let queries = existing(dir, &["queries.jsonl", "queries.tsv"]);
        let queries = queries.ok_or_else(|| missing("queries.jsonl"))?;
        let splits = splits_of(dir)?;
        let split = chosen(&splits, split).ok_or_else(|| Error::SplitNotFound {
            path: dir.to_owned(),
            split: split.unwrap_or("test").to_owned(),
            available: splits.clone(),
        })?;
        let file = existing(&dir.join("qrels"), &[&format!("{split}.tsv")]);
        let qrels = Qrels::read(file.ok_or_else(|| missing("qrels/SPLIT.tsv"))?)?;
        let all = Queries::read(&queries)?;
        if let Some(query) = qrels.queries.keys().find(|query| all.text(query).is_none()) {
            return Err(Error::QueryWithoutText { path: queries, query: query.clone() });
        }
        let judged = all.filtered(|query| qrels.queries.contains_key(&query.id));
        let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, split: split.to_owned(), corpus, queries: judged, qrels })
    }

    /// Finds a collection by name in the first of some folders that has it: `NAME` or `NAME/SPLIT`, with or
    /// without `beir/` in front.
    ///
    /// # Errors
    /// Where no folder has it; the error lists what there is. Otherwise as [`Dataset::open`].
    pub fn find(name: &str, dirs: &[PathBuf]) -> Result<Self> {
        let name = name.trim_matches('/');
        for plain in [Some(name), name.strip_prefix("beir/")].into_iter().flatten() {
            for (folder, split) in readings(plain) {
                let found = dirs.iter().map(|dir| dir.join(folder)).find(|dir| is_dataset(dir));
                if let Some(dir) = found {
                    let mut dataset = Self::open(dir, split)?;
                    folder.clone_into(&mut dataset.name);
                    return Ok(dataset);
                }
            }
        }
        let available = Self::list(dirs)?.into_iter().map(|entry| entry.name).collect();
        Err(Error::DatasetNotFound { name: name.to_owned(), available })
    }

    /// Finds the documents of a folder, which needs nothing else.
    ///
    /// # Errors
    /// Where it has none.
    pub fn corpus_of(dir: impl AsRef<Path>) -> Result<PathBuf> {
        let dir = dir.as_ref();
        let missing = || Error::NotADataset { path: dir.to_owned(), file: "corpus.jsonl" };
        existing(dir, &["corpus.jsonl"]).ok_or_else(missing)
    }

    /// Finds the documents of a collection by name in the first of some folders that has it, with or without `beir/` in front; judgments are
    /// not needed.
    ///
    /// # Errors
    /// Where no folder has them; the error lists what collections there are.
    pub fn find_corpus(name: &str, dirs: &[PathBuf]) -> Result<PathBuf> {
        let name = name.trim_matches('/');
        for plain in [Some(name), name.strip_prefix("beir/")].into_iter().flatten() {
            // The whole name: documents have no splits.
            for (folder, _) in readings(plain).into_iter().take(1) {
                let corpora = dirs.iter().map(|dir| Self::corpus_of(dir.join(folder)));
                if let Some(corpus) = corpora.flatten().next() {
                    return Ok(corpus);
                }
            }
        }
        let available = Self::list(dirs)?.into_iter().map(|entry| entry.name).collect();
        Err(Error::DatasetNotFound { name: name.to_owned(), available })
    }

    /// Lists the collections in some folders, and in the folders in these, by name. Folders that do
    /// not exist hold none.
    ///
    /// # Errors
    /// Where a folder cannot be read.
    pub fn list(dirs: &[PathBuf]) -> Result<Vec<DatasetEntry>> {
        let mut entries: Vec<DatasetEntry> = Vec::new();
        for dir in dirs.iter().filter(|dir| dir.is_dir()) {
            for (name, path) in folders_in(dir)? {
                if is_dataset(&path) {
                    entries.push(DatasetEntry { splits: splits_of(&path)?, name, path });
                    continue;
                }
                for (inner, path) in folders_in(&path)? {
                    if is_dataset(&path) {
                        let name = format!("{name}/{inner}");
                        entries.push(DatasetEntry { splits: splits_of(&path)?, name, path });
                    }
                }
            }
        }
        // The first folder that has a name wins, as when it is looked up.
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        entries.dedup_by(|later, first| later.name == first.name);
        Ok(entries)
    }
}

/// The whole name may be a folder (`xquad-r/de`), or its last part a split.
fn readings(name: &str) -> Vec<(&str, Option<&str>)> {
    let mut readings = vec![(name, None)];
    if let Some((folder, split)) = name.rsplit_once('/') {
        readings.push((folder, Some(split)));
    }
    // A name never leads out of the folders searched.
    readings.retain(|(folder, _)| {
        folder.split('/').all(|part| !matches!(part, "" | "." | "..")) && !folder.contains('\\')
    });
    readings
}

fn is_dataset(dir: &Path) -> bool {
    dir.join("qrels").is_dir() && existing(dir, &["corpus.jsonl"]).is_some()
}

fn chosen<'a>(splits: &'a [String], asked: Option<&str>) -> Option<&'a str> {
    let find = |name: &str| splits.iter().find(|split| *split == name);
    let found = match asked {
        Some(asked) => find(asked),
        None => DEFAULT_SPLITS.iter().find_map(|name| find(name)).or(match splits {
            [only] => Some(only),
            _ => None,
        }),
    };
    found.map(String::as_str)
}

fn splits_of(dir: &Path) -> Result<Vec<String>> {
    let qrels = dir.join("qrels");
    if !qrels.is_dir() {
        return Err(Error::NotADataset { path: dir.to_owned(), file: "qrels/SPLIT.tsv" });
    }
    let mut splits = Vec::new();
    for entry in fs_err::read_dir(qrels)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        splits.extend(plain.strip_suffix(".tsv").map(str::to_owned));
    }
    splits.sort();
    splits.dedup();
    Ok(splits)
}

fn folders_in(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        if entry.path().is_dir() {
            folders.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

/// Returns the first of some files that exists, plain or gzipped.
fn existing(dir: &Path, names: &[&str]) -> Option<PathBuf> {
    let spelled = names.iter().flat_map(|name| [dir.join(name), dir.join(format!("{name}.gz"))]);
    spelled.into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(root: &Path, name: &str, splits: &[&str]) {
        let dir = root.join(name);
        fs_err::create_dir_all(dir.join("qrels")).unwrap();
        fs_err::write(dir.join("corpus.jsonl"), "").unwrap();
        fs_err::write(dir.join("queries.tsv"), "1\tone\n2\ttwo\n").unwrap();
        for split in splits {
            let file = dir.join("qrels").join(format!("{split}.tsv"));
            fs_err::write(file, "query-id\tcorpus-id\tscore\n1\ta\t1\n").unwrap();
        }
    }

    fn root() -> (tempfile::TempDir, Vec<PathBuf>) {
        let root = tempfile::tempdir().unwrap();
        make(root.path(), "scifact", &["train", "test"]);
        make(root.path(), "many/de", &["all"]);
        make(root.path(), "odd", &["a", "b"]);
        let dirs = vec![root.path().join("nowhere"), root.path().to_owned()];
        (root, dirs)
    }

    fn check(name: &str, expect: (&str, &str)) {
        let (_root, dirs) = root();
        let dataset = Dataset::find(name, &dirs).unwrap();
        assert_eq!((dataset.name.as_str(), dataset.split.as_str()), expect);
        assert_eq!(dataset.queries.len(), 1);
        assert!(dataset.corpus.is_file());
    }

    #[test]
    fn names_and_splits() {
        check("scifact", ("scifact", "test"));
        check("scifact/train", ("scifact", "train"));
        check("beir/scifact", ("scifact", "test"));
        check("beir/scifact/test", ("scifact", "test"));
        check("many/de", ("many/de", "all"));
        check("many/de/all", ("many/de", "all"));
        check("odd/b", ("odd", "b"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let (root, dirs) = root();
        let error = |name: &str| Dataset::find(name, &dirs).unwrap_err();
        assert_eq!(error("nfcorpus").kind(), ecphory_core::ErrorKind::NotFound);
        let text = error("nfcorpus").to_string();
        assert_eq!(text, "no data set `nfcorpus`; there are many/de, odd, scifact");
        assert!(error("odd").to_string().contains("has no split `test`; it has a, b"));
        assert!(error("scifact/dev").to_string().contains("it has test, train"));
        assert!(error("../etc").to_string().contains("no data set"));
        assert!(
            Dataset::open(root.path(), None).unwrap_err().to_string().contains("no corpus.jsonl")
        );
        fs_err::write(root.path().join("odd/queries.tsv"), "2\ttwo\n").unwrap();
        assert!(error("odd/a").to_string().contains("query `1`, which has no text"));
    }

    #[test]
    fn documents_are_found_without_judgments() {
        let (root, dirs) = root();
        fs_err::create_dir_all(root.path().join("bare")).unwrap();
        fs_err::write(root.path().join("bare/corpus.jsonl.gz"), "").unwrap();
        for (name, file) in [
            ("bare", "bare/corpus.jsonl.gz"),
            ("beir/scifact", "scifact/corpus.jsonl"),
            ("many/de", "many/de/corpus.jsonl"),
        ] {
            assert_eq!(Dataset::find_corpus(name, &dirs).unwrap(), root.path().join(file));
        }
        for name in ["nfcorpus", "../bare", "many"] {
            let error = Dataset::find_corpus(name, &dirs).unwrap_err();
            assert_eq!(error.kind(), ecphory_core::ErrorKind::NotFound, "{name}");
        }
        assert!(Dataset::corpus_of(root.path()).is_err());
    }

    #[test]
    fn the_list() {
        let (_root, dirs) = root();
        let list = Dataset::list(&dirs).unwrap();
        let names: Vec<&str> = list.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["many/de", "odd", "scifact"]);
        assert_eq!(list[2].splits, ["test", "train"]);
    }
}
