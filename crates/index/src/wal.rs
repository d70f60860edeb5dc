//! Reading the write-ahead log: its files in order, from the first that the manifest names.
//!
//! Every file says which one with batches came before it and where that one's sound records end, so a
//! missing or shortened file is noticed. A file without batches counts for nothing. Reading changes nothing: a torn tail stays where it is and is passed over.

use std::io;

use ecphory_core::storage::Storage;

use crate::format::LOGS;
use crate::format::log::{
    HEADER_BYTES, LogHeader, LoggedBatch, check_torn, decode_header, log_file, log_number, scan,
};
use crate::{Error, Result};

/// A place in the log: everything before it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The file's number; 0 before the first.
    pub file: u64,
    /// The offset in it.
    pub offset: u64,
    /// How many batches were read.
    pub batches: u64,
}

impl Position {
    /// The place behind a file's header.
    pub fn start(file: u64) -> Self {
        Self { file, offset: HEADER_BYTES, batches: 0 }
    }
}

/// Lists the numbers of the log files, in order.
pub(crate) fn numbers(storage: &dyn Storage) -> Result<Vec<u64>> {
    let files = storage.list(LOGS).map_err(Error::io("list", LOGS))?;
    let mut numbers: Vec<u64> = files.iter().filter_map(|file| log_number(file)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Returns the bytes of the log files from the one that the manifest names on.
pub(crate) fn bytes(storage: &dyn Storage, first: Option<u64>) -> Result<u64> {
    let mut sum = 0;
    for number in numbers(storage)?.into_iter().filter(|&number| Some(number) >= first) {
        sum += storage.length(&log_file(number)).unwrap_or(0);
    }
    Ok(sum)
}

/// Reads the batches after a position, hands each to `take`, and returns the position after the last.
///
/// `first` is the file that the manifest names.
///
/// # Errors
/// [`Error::Corrupt`] where a file is missing or damaged, [`Error::Io`], and what `take` says.
pub(crate) fn read(
    storage: &dyn Storage,
    first: Option<u64>,
    from: Position,
    take: &mut dyn FnMut(LoggedBatch) -> Result<()>,
) -> Result<Position> {
    let mut position = from;
    let all = numbers(storage)?;
    let later = |number: &u64| first.is_none_or(|first| *number >= first);
    let mut waiting: Vec<u64> =
        all.into_iter().filter(|number| later(number) && *number > position.file).collect();
    if position.file == 0
        && let Some(first) = first
    {
        if waiting.first() != Some(&first) {
            return Err(Error::corrupt(&log_file(first), 0, "the file is missing"));
        }
        waiting.remove(0);
        position = Position { file: first, ..Position::default() };
    }
    if position.file > 0 {
        read_file(storage, &mut position, take)?;
    }
    for number in waiting {
        let Some(header) = read_header(storage, number)? else { continue };
        let mut after = Position { batches: position.batches, ..Position::start(number) };
        let mut batches = Vec::new();
        read_file(storage, &mut after, &mut |batch| {
            batches.push(batch);
            Ok(())
        })?;
        if batches.is_empty() {
            // Nothing follows it.
            continue;
        }
        let previous = header.previous.get();
        if previous != position.file || header.previous_end.get() != position.offset {
            let what = format!(
                "it follows byte {} of log file {previous}, but what can be read ends at byte {} of {}",
                header.previous_end.get(),
                position.offset,
                position.file,
            );
            return Err(Error::corrupt(&log_file(number), 0, what));
        }
        position = after;
        batches.into_iter().try_for_each(&mut *take)?;
    }
    Ok(position)
}

/// Reads the rest of one file and moves the position to where its sound records end.
fn read_file(
    storage: &dyn Storage,
    position: &mut Position,
    take: &mut dyn FnMut(LoggedBatch) -> Result<()>,
) -> Result<()> {
    let file = log_file(position.file);
    let offset = if position.offset > 0 {
        position.offset
    } else if read_header(storage, position.file)?.is_some() {
        HEADER_BYTES
    } else {
        // The manifest names only files whose header was synced.
        return Err(Error::corrupt(&file, 0, "the header is damaged"));
    };
    let bytes = read_bytes(storage, &file, offset)?;
    let scanned = scan(&file, offset, &bytes)?;
    position.offset = scanned.end;
    for (at, payload) in scanned.batches {
        position.batches += 1;
        let batch = LoggedBatch::decode(payload);
        take(batch.ok_or_else(|| Error::corrupt(&file, at, "the batch cannot be read"))?)?;
    }
    Ok(())
}

/// Reads a file's header; `None` where its writing was interrupted.
fn read_header(storage: &dyn Storage, number: u64) -> Result<Option<LogHeader>> {
    let file = log_file(number);
    let bytes = read_bytes(storage, &file, 0)?;
    let header = decode_header(number, &bytes)?;
    if header.is_none() {
        check_torn(&file, 0, &bytes)?;
    }
    Ok(header)
}

fn read_bytes(storage: &dyn Storage, file: &str, from: u64) -> Result<Vec<u8>> {
    storage.read(file, from).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::corrupt(file, 0, "the file is missing"),
        _ => Error::io("read", file)(error),
    })
}
