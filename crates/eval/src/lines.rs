//! Text files line by line, gzipped or not, with the line number in every error.
//!
//! Gzip is recognised by its first two bytes, so a wrong file name does no harm. Blank lines are
//! left out. Not for documents: those are read by the façade.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, LineError, Result};

/// No line of a run, of judgments or of queries is longer; what is, is not a text file.
const LINE_BYTES_MAX: u64 = 1 << 24;

/// Calls `each` with every line that says something. What it returns becomes an error with the place.
pub(crate) fn for_each_line(
    path: &Path,
    each: &mut dyn FnMut(u64, &str) -> Result<(), LineError>,
) -> Result<()> {
    let mut file = BufReader::with_capacity(1 << 16, fs_err::File::open(path)?);
    let gzipped = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    if gzipped {
        let decoder = MultiGzDecoder::new(file);
        read_lines(path, true, BufReader::with_capacity(1 << 16, decoder), each)
    } else {
        read_lines(path, false, file, each)
    }
}

fn read_lines(
    path: &Path,
    gzipped: bool,
    mut reader: impl BufRead,
    each: &mut dyn FnMut(u64, &str) -> Result<(), LineError>,
) -> Result<()> {
    let mut bytes = Vec::new();
    for line in 1.. {
        let at = |reason| Error::Line { path: path.to_owned(), line, reason };
        bytes.clear();
        match reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes) {
            Ok(0) => break,
            Ok(read) if read as u64 > LINE_BYTES_MAX => {
                return Err(at(LineError::TooLong { limit: LINE_BYTES_MAX }));
            }
            Ok(_) => {}
            Err(source) if gzipped => return Err(at(LineError::Compressed { source })),
            Err(source) => return Err(source.into()),
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|error| at(LineError::Utf8 { offset: error.valid_up_to() }))?;
        let text = text.trim_end_matches(['\n', '\r']);
        let text = if line == 1 { text.trim_start_matches('\u{feff}') } else { text };
        if text.trim_start().is_empty() {
            continue;
        }
        each(line, text).map_err(at)?;
    }
    Ok(())
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
