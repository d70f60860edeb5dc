//! Lines of a file that may be gzipped, with progress by the bytes read from disk.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ecphory_core::Progress;
use flate2::bufread::MultiGzDecoder;
use fs_err as fs;

use super::{BadDocument, Place, Reading};
use crate::Error;

/// How many lines pass between two looks at whether to stop.
const LINES_PER_CHECK: u64 = 1024;

const BUFFER_BYTES: usize = 1 << 17;

/// Opens a file, through gzip where its first two bytes say so.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>, Error> {
    unzipped(path, fs::File::open(path)?)
}

fn unzipped<'a>(path: &Path, file: impl Read + 'a) -> Result<Box<dyn BufRead + 'a>, Error> {
    let mut buffered = BufReader::with_capacity(BUFFER_BYTES, file);
    let start = buffered.fill_buf().map_err(|source| failed(path, 1, source))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(buffered))));
    }
    Ok(Box::new(buffered))
}

pub(super) fn failed(path: &Path, line: u64, source: io::Error) -> Error {
    Error::Read { path: path.to_owned(), line, source }
}

/// Calls `take` with each line that is not blank, its number, and without its end.
///
/// A byte order mark before the first line is left out. A line that is no UTF-8 is refused here.
pub(super) fn for_each(
    path: &Path,
    bytes: u64,
    reading: &mut Reading<'_>,
    take: &mut dyn FnMut(&mut Reading<'_>, &Place, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let progress = reading.progress;
    progress.begin("reading documents", bytes);
    let read = (|| {
        let mut lines = unzipped(path, Counted { file: fs::File::open(path)?, progress })?;
        let mut buffer = Vec::new();
        for number in 1.. {
            buffer.clear();
            let length =
                lines.read_until(b'\n', &mut buffer).map_err(|e| failed(path, number, e))?;
            if length == 0 {
                break;
            }
            if number % LINES_PER_CHECK == 0 {
                reading.check_cancelled()?;
            }
            let place = Place { path: path.to_owned(), line: Some(number) };
            match std::str::from_utf8(without_end(&buffer, number == 1)) {
                Ok(line) if line.trim().is_empty() => {}
                Ok(line) => take(reading, &place, line)?,
                Err(error) => {
                    let problem = BadDocument::Utf8 { byte: error.valid_up_to() + 1 };
                    reading.refuse(&place, problem)?;
                }
            }
        }
        Ok(())
    })();
    progress.end();
    read
}

fn without_end(line: &[u8], first: bool) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line }
}

/// A file that reports the bytes read from it.
struct Counted<'a> {
    file: fs::File,
    progress: &'a dyn Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}
