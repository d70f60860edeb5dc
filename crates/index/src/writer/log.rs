//! The log as the writer appends to it. A file is begun by the first batch of a writer, and by every seal.

use std::sync::Arc;

use ecphory_core::storage::{AppendFile, Storage};
use zerocopy::IntoBytes;

use crate::format::LOGS;
use crate::format::log::{HEADER_BYTES, encode_header, encode_record, log_file};
use crate::wal::Position;
use crate::{Error, Result};

/// The end of the log.
pub(super) struct Log {
    /// Where the next record goes, once a file is begun.
    position: Position,
    /// What a new file says that it follows: the end of the last file with batches, or the one that the
    /// manifest names.
    follows: Position,
    /// The largest number that any log file has had.
    largest: u64,
    file: Option<Arc<dyn AppendFile>>,
    /// Up to which offset the file is synced.
    durable: u64,
    /// Bytes in files that are not sealed yet, this one left out.
    earlier: u64,
}

/// What has to be synced for a batch to be durable.
#[derive(Clone)]
pub(super) struct Ticket {
    number: u64,
    end: u64,
    file: Arc<dyn AppendFile>,
}

impl Log {
    /// Goes on after what was found, where the manifest names the log file `first`. The largest number of
    /// all files is known.
    ///
    /// What was found may not be durable, even if it is synced now: an earlier sync may have failed. So a
    /// log with batches is followed by a file that depends on nothing, and sealed before anything is put.
    pub fn after(found: Position, first: Option<u64>, largest: Option<u64>) -> Self {
        let largest = largest.unwrap_or(0).max(found.file);
        let empty = first.map(Position::start).unwrap_or_default();
        let (follows, earlier) =
            if found.batches > 0 { (Position::default(), found.offset) } else { (empty, 0) };
        let position = Position::default();
        Self { position, follows, largest, file: None, durable: 0, earlier }
    }

    /// Returns the bytes of the log that are not sealed.
    pub fn bytes(&self) -> u64 {
        self.earlier + if self.file.is_some() { self.position.offset } else { 0 }
    }

    /// Returns whether any file that is not sealed holds more than its header.
    pub fn has_batches(&self) -> bool {
        self.earlier > HEADER_BYTES || (self.file.is_some() && self.position.offset > HEADER_BYTES)
    }

    /// Appends a batch and returns what to sync.
    pub fn append(&mut self, storage: &dyn Storage, payload: &[u8]) -> Result<Ticket> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => self.begin(storage)?,
        };
        let record = encode_record(self.durable, payload)?;
        file.append(&record).map_err(Error::io("append to", &log_file(self.position.file)))?;
        self.position.offset += record.len() as u64;
        Ok(Ticket { number: self.position.file, end: self.position.offset, file })
    }

    /// Returns whether the file of a ticket is synced beyond it.
    pub fn is_durable(&self, ticket: &Ticket) -> bool {
        // A later file is begun only when the one before is synced.
        self.position.file > ticket.number || self.durable >= ticket.end
    }

    /// Returns what to sync for everything that was appended; `None` where all of it is.
    pub fn unsynced(&self) -> Option<Ticket> {
        let file = self.file.clone().filter(|_| self.durable < self.position.offset)?;
        Some(Ticket { number: self.position.file, end: self.position.offset, file })
    }

    /// Notes that a ticket was synced.
    pub fn note(&mut self, ticket: &Ticket) {
        if ticket.number == self.position.file {
            self.durable = self.durable.max(ticket.end);
        }
    }

    /// Syncs everything that was appended.
    pub fn sync(&mut self) -> Result<()> {
        let Some(ticket) = self.unsynced() else { return Ok(()) };
        ticket.sync()?;
        self.note(&ticket);
        Ok(())
    }

    /// Begins a new file, after which those before can be sealed. Returns its number.
    pub fn rotate(&mut self, storage: &dyn Storage) -> Result<u64> {
        self.sync()?;
        self.begin(storage)?;
        Ok(self.position.file)
    }

    /// Forgets the files before the present one, which the manifest names now: they are sealed.
    pub fn sealed(&mut self) {
        self.earlier = 0;
        self.follows = Position::start(self.position.file);
    }

    fn begin(&mut self, storage: &dyn Storage) -> Result<Arc<dyn AppendFile>> {
        let number = self.largest + 1;
        let name = log_file(number);
        // A file whose beginning failed keeps its number.
        self.largest = number;
        if self.file.is_some() && self.position.offset > HEADER_BYTES {
            self.follows = self.position;
        }
        let header = encode_header(number, self.follows.file, self.follows.offset);
        let begin = || {
            let file = storage.append(&name)?;
            file.append(header.as_bytes())?;
            file.sync()?;
            storage.sync_folder(LOGS)?;
            Ok(file)
        };
        let file = begin().map_err(Error::io("begin", &name))?;
        if self.file.is_some() {
            self.earlier += self.position.offset;
        }
        self.position = Position::start(number);
        self.durable = HEADER_BYTES;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }
}

impl Ticket {
    /// Syncs the file. May run while others append.
    pub fn sync(&self) -> Result<()> {
        self.file.sync().map_err(Error::io("sync", &log_file(self.number)))
    }
}
