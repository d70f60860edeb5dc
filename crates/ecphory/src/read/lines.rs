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
        let mut place = Place { path: path.to_owned(), line: None };
        for number in 1.. {
            place.line = Some(number);
            let length = next_line(&mut *lines, reading.line_bytes_max, &mut buffer)
                .map_err(|source| failed(path, number, source))?;
            if length == 0 {
                break;
            }
            if number % LINES_PER_CHECK == 0 {
                reading.check_cancelled()?;
            }
            if length > buffer.len() as u64 {
                let limit = reading.line_bytes_max;
                reading.refuse(&place, BadDocument::LongLine { bytes: length, limit })?;
                continue;
            }
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

/// Reads a line with its end into the buffer, and returns its length; 0 at the end of the file.
///
/// Of a line that is longer than the limit, the rest is passed over: then the buffer is shorter than it.
fn next_line(lines: &mut dyn BufRead, limit: usize, buffer: &mut Vec<u8>) -> io::Result<u64> {
    buffer.clear();
    // One long line is no reason to keep as much for all the others.
    buffer.shrink_to(BUFFER_BYTES);
    let length = (&mut *lines).take(limit as u64).read_until(b'\n', buffer)?;
    if length < limit || buffer.last() == Some(&b'\n') {
        return Ok(length as u64);
    }
    Ok(length as u64 + lines.skip_until(b'\n')? as u64)
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
