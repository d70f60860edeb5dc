//! Files of mined negatives and of teachers' scores: read line by line, gzipped or not, and written whole or not at all.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ecphory_eval::lines::{RawLineError, read_lines};

use crate::error::{Error, Result};
use crate::ids::Ids;

/// So many unknown ids are named in an error.
const FOREIGN_SHOWN: usize = 3;

/// What is wrong with one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The line is no text.
    #[error(transparent)]
    Raw(#[from] RawLineError),
    /// The number of columns is wrong.
    #[error("expected {expected}, got {got} columns")]
    Columns {
        /// The columns there should be.
        expected: &'static str,
        /// How many there are.
        got: usize,
    },
    /// A score does not parse, or is NaN or infinite.
    #[error("the score `{got}` is not a finite number")]
    Score {
        /// What is there.
        got: String,
    },
    /// The line is not the JSON object it should be.
    #[error("expected {expected}: {source}")]
    Json {
        /// The object there should be.
        expected: &'static str,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// An id cannot be a column.
    #[error("the id `{id}` is empty or holds a tab or a line end: write JSONL instead")]
    NotAColumn {
        /// The id.
        id: String,
    },
    /// A document is positive and negative for one query.
    #[error("document `{document}` is the positive of query `{query}` and among its negatives")]
    PositiveNegative {
        /// The query.
        query: String,
        /// The document.
        document: String,
    },
}

/// What a line of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Columns split by tabs.
    Tsv,
    /// A JSON object.
    Jsonl,
}

impl Layout {
    /// Tells the layout from the first line.
    pub(crate) fn of_line(line: &str) -> Self {
        if line.trim_start().starts_with('{') { Layout::Jsonl } else { Layout::Tsv }
    }

    /// Tells the layout from the file's name: JSON for `.jsonl` and `.json`, columns for everything else.
    pub(crate) fn of_path(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let json = |name: &str| ["jsonl", "json"].iter().any(|e| name.eq_ignore_ascii_case(e));
        if extension.is_some_and(json) { Layout::Jsonl } else { Layout::Tsv }
    }
}

/// Calls `each` with every line that says something. What it returns becomes an error with the place.
pub(crate) fn for_each_line(
    path: &Path,
    each: &mut dyn FnMut(u64, &str) -> Result<(), LineError>,
) -> Result<()> {
    Ok(read_lines(path, each)?)
}

/// Parses a finite score.
pub(crate) fn score(text: &str) -> Result<f32, LineError> {
    let parsed = text.trim().parse::<f32>().ok().filter(|score| score.is_finite());
    parsed.ok_or_else(|| LineError::Score { got: text.to_owned() })
}

/// Writes a file under a neighbouring name and gives it its own when it is complete and on disk.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = BufWriter::with_capacity(1 << 16, fs_err::File::create(&partial)?);
    let written = write(&mut file).and_then(|()| {
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(fs_err::rename(&partial, path)?)
    });
    if written.is_err() {
        // What is left of it is of no use; the first error is the one to tell.
        let _ = fs_err::remove_file(&partial);
    }
    written
}

/// Collects ids that a file names and the collection does not have, so that the error can show the extent.
#[derive(Debug, Default)]
pub(crate) struct Foreign {
    queries: Unknown,
    documents: Unknown,
}

#[derive(Debug, Default)]
struct Unknown {
    first: Vec<String>,
    line: u64,
    count: u64,
}

impl Foreign {
    /// Looks up a query of a line.
    pub(crate) fn query(&mut self, ids: &Ids, id: &str, line: u64) -> Option<u32> {
        ids.number(id).or_else(|| self.queries.note(id, line))
    }

    /// Looks up a document of a line.
    pub(crate) fn document(&mut self, ids: &Ids, id: &str, line: u64) -> Option<u32> {
        ids.number(id).or_else(|| self.documents.note(id, line))
    }

    /// Fails where anything was unknown.
    pub(crate) fn check(self, path: &Path) -> Result<()> {
        for (what, unknown) in [("queries", self.queries), ("documents", self.documents)] {
            let Unknown { first, line, count } = unknown;
            if count > 0 {
                return Err(Error::ForeignIds { path: path.to_owned(), what, first, line, count });
            }
        }
        Ok(())
    }
}

impl Unknown {
    fn note(&mut self, id: &str, line: u64) -> Option<u32> {
        if self.count == 0 {
            self.line = line;
        }
        self.count += 1;
        if self.first.len() < FOREIGN_SHOWN && self.first.iter().all(|before| before != id) {
            self.first.push(id.to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(bytes: &[u8]) -> Result<Vec<(u64, String)>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs_err::write(&path, bytes).unwrap();
        let mut lines = Vec::new();
        for_each_line(&path, &mut |line, text| {
            lines.push((line, text.to_owned()));
            Ok(())
        })?;
        Ok(lines)
    }

    #[test]
    fn lines_come_with_their_numbers() {
        let lines = collect(b"\xef\xbb\xbfa\r\n\n  \n\nb").unwrap();
        assert_eq!(lines, [(1, "a".to_owned()), (5, "b".to_owned())]);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"x\ny\n").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(collect(&packed).unwrap().len(), 2);
        let error = collect(&packed[..packed.len() - 5]).unwrap_err().to_string();
        assert!(error.contains("compressed data is damaged"), "{error}");
        let error = collect(b"good\nab\xffcd\n").unwrap_err();
        assert!(error.to_string().ends_with("line 2: invalid UTF-8 at byte 2 of the line"));
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.tsv");
        write_whole(&path, |out| Ok(out.write_all(b"first")?)).unwrap();
        let failed = write_whole(&path, |out| {
            out.write_all(b"second")?;
            Err(Error::Interrupted)
        });
        assert!(matches!(failed, Err(Error::Interrupted)));
        assert_eq!(fs_err::read(&path).unwrap(), b"first");
        assert_eq!(fs_err::read_dir(dir.path()).unwrap().count(), 1);
    }
}
