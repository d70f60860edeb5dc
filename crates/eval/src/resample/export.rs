//! Splits as a folder in the layout of BEIR, whole or not at all.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::qrels::Qrels;
use crate::queries::Queries;

/// Writes a folder that [`Dataset::open`] opens: a copy of the documents, the queries, and a file of judgments for each
/// split. Further files, such as a note of how it was made, come by their names.
///
/// # Errors
/// Where the folder exists, an id cannot be written as a column, or a file cannot be written.
pub fn write_dataset(
    dir: &Path,
    corpus: &Path,
    queries: &Queries,
    splits: &[(String, Qrels)],
    further: &[(&str, String)],
) -> Result<()> {
    if dir.exists() {
        return Err(Error::OutputExists { path: dir.to_owned() });
    }
    let mut partial = dir.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    if partial.exists() {
        fs_err::remove_dir_all(&partial)?;
    }
    let written = write_parts(&partial, corpus, queries, splits, further)
        .and_then(|()| Ok(fs_err::rename(&partial, dir)?));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs_err::remove_dir_all(&partial);
    }
    written
}

fn write_parts(
    dir: &Path,
    corpus: &Path,
    queries: &Queries,
    splits: &[(String, Qrels)],
    further: &[(&str, String)],
) -> Result<()> {
    fs_err::create_dir_all(dir.join("qrels"))?;
    let gzipped = corpus.extension().is_some_and(|extension| extension == "gz");
    let name = if gzipped { "corpus.jsonl.gz" } else { "corpus.jsonl" };
    fs_err::copy(corpus, dir.join(name))?;
    write_file(&dir.join("queries.jsonl"), |out| queries.write(out))?;
    for (split, qrels) in splits {
        write_file(&dir.join("qrels").join(format!("{split}.tsv")), |out| qrels.write(out))?;
    }
    for (name, text) in further {
        write_file(&dir.join(name), |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    for (split, _) in splits {
        Dataset::open(dir, Some(split))?;
    }
    Ok(())
}

fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut file = BufWriter::new(fs_err::File::create(path)?);
    write(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queries::Query;

    #[test]
    fn what_is_written_is_read_back() {
        let root = tempfile::tempdir().unwrap();
        let corpus = root.path().join("documents.jsonl");
        fs_err::write(&corpus, "{\"_id\": \"d\", \"text\": \"x\"}\n").unwrap();
        let mut queries = Queries::default();
        for id in ["a\"", "b"] {
            queries.push(Query { id: id.into(), text: format!("text of \\ {id}") }).unwrap();
        }
        let qrels = |query: &str| {
            let mut qrels = Qrels::default();
            qrels.insert(query, "d", 2).unwrap();
            qrels.insert(query, "e", 0).unwrap();
            qrels
        };
        let splits = [("one".to_owned(), qrels("a\"")), ("two".to_owned(), qrels("b"))];
        let dir = root.path().join("out");
        write_dataset(&dir, &corpus, &queries, &splits, &[("note.txt", "so".into())]).unwrap();
        for (split, qrels) in &splits {
            let read = Dataset::open(&dir, Some(split)).unwrap();
            assert_eq!(&read.qrels, qrels);
            assert!(read.queries.iter().all(|q| queries.text(&q.id) == Some(&q.text)));
            assert_eq!(fs_err::read(&read.corpus).unwrap(), fs_err::read(&corpus).unwrap());
        }
        assert_eq!(fs_err::read_to_string(dir.join("note.txt")).unwrap(), "so");
        let again = write_dataset(&dir, &corpus, &queries, &splits, &[]).unwrap_err();
        assert_eq!(again.kind(), ecphory_core::ErrorKind::Conflict);
        let odd = [("one".to_owned(), qrels("tab\there"))];
        let other = root.path().join("other");
        assert!(write_dataset(&other, &corpus, &queries, &odd, &[]).is_err());
        let unknown = [("one".to_owned(), qrels("c"))];
        assert!(write_dataset(&other, &corpus, &queries, &unknown, &[]).is_err());
        assert_eq!(fs_err::read_dir(root.path()).unwrap().count(), 2);
    }
}
