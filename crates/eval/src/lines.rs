//! Text files line by line, gzipped or not, with the line number in every error.
//!
//! Gzip is recognised by its first two bytes, so a wrong file name does no harm. Blank lines are
//! left out. Not for documents: those are read by the façade.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{LineError, Result};

/// No line of a run, of judgments or of queries is longer; what is, is not a text file.
const LINE_BYTES_MAX: u64 = 1 << 24;

/// What is wrong with a line before anybody looks at what it says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawLineError {
    /// Not UTF-8.
    #[error("invalid UTF-8 at byte {offset} of the line")]
    Utf8 {
        /// How many bytes of the line are good.
        offset: usize,
    },
    /// The compressed stream is damaged.
    #[error("the compressed data is damaged after this line: {source}")]
    Compressed {
        /// The decoder's error.
        source: io::Error,
    },
    /// The line is longer than any line should be.
    #[error("longer than {limit} bytes; is this a text file?")]
    TooLong {
        /// The limit.
        limit: u64,
    },
}

/// Why a file was not read to its end.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The operating system refused.
    Io(io::Error),
    /// Something is wrong with a line.
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        reason: E,
    },
}

/// Calls `each` with every line that says something, and its number. Memory: the longest line.
///
/// # Errors
/// Where the file cannot be read, a line is no text, or `each` says that something is wrong.
pub fn read_lines<E: From<RawLineError>>(
    path: &Path,
    each: &mut dyn FnMut(u64, &str) -> Result<(), E>,
) -> Result<(), Stopped<E>> {
    let file = fs_err::File::open(path).map_err(Stopped::Io)?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let gzipped = file.fill_buf().map_err(Stopped::Io)?.starts_with(&[0x1f, 0x8b]);
    let mut reader: Box<dyn BufRead> = if gzipped {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    };
    let mut bytes = Vec::new();
    for line in 1.. {
        let at = |reason| Stopped::Line { path: path.to_owned(), line, reason };
        let raw = |error: RawLineError| at(error.into());
        bytes.clear();
        match reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(read) if read as u64 > LINE_BYTES_MAX => {
                return Err(raw(RawLineError::TooLong { limit: LINE_BYTES_MAX }));
            }
            Ok(_) => {}
            Err(source) if gzipped => return Err(raw(RawLineError::Compressed { source })),
            Err(source) => return Err(Stopped::Io(source)),
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| raw(RawLineError::Utf8 { offset: error.valid_up_to() }))?;
        let text = text.trim_end_matches(['\n', '\r']);
        let text = if line == 1 { text.trim_start_matches('\u{feff}') } else { text };
        if !text.trim_start().is_empty() {
            each(line, text).map_err(at)?;
        }
    }
    Ok(())
}

/// Reads lines of this crate's files.
pub(crate) fn for_each_line(
    path: &Path,
    each: &mut dyn FnMut(u64, &str) -> Result<(), LineError>,
) -> Result<()> {
    Ok(read_lines(path, each)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

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
    fn blank_lines_and_line_ends() {
        let lines = collect(b"\xef\xbb\xbfa\r\n\n  \n\nb").unwrap();
        assert_eq!(lines, [(1, "a".to_owned()), (5, "b".to_owned())]);
    }

    #[test]
    fn gzip_is_recognised_by_content() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"x\ny\n").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(collect(&packed).unwrap().len(), 2);
        let error = collect(&packed[..packed.len() - 5]).unwrap_err();
        assert!(error.to_string().contains("compressed data is damaged"), "{error}");
        assert_eq!(error.kind(), ecphory_core::ErrorKind::Input);
    }

    #[test]
    fn invalid_utf8_names_the_line() {
        let error = collect(b"good\nab\xffcd\n").unwrap_err();
        assert!(error.to_string().ends_with("line 2: invalid UTF-8 at byte 2 of the line"));
    }
}
