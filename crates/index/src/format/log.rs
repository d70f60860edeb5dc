//! The files of the write-ahead log: a header, then records, each of them one atomic batch.
//!
//! A record says up to where its file was known to be synced when it was written. That tells a torn tail
//! from damage: bytes that cannot be read are a torn tail unless a sound record further on says that they
//! had been synced. `docs/format.md` draws the bytes.

use ecphory_core::Document;
use ecphory_core::checksum::Crc32;
use rustc_hash::FxHashSet;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{LOGS, MAX_NUMBER, VERSION};
use crate::segment::documents::{FieldNames, Fields, encode as encode_fields};
use crate::segment::rows::OwnedRows;
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"ECPHYWAL";
/// No UTF-8 text holds these bytes, so that no stored text looks like a record.
const MARKER: u32 = u32::from_le_bytes([0xff, 0xfe, b'E', b'R']);
/// Records begin on multiples of this.
const ALIGNMENT: usize = 8;

/// The first 64 bytes of a log file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct LogHeader {
    /// `ECPHYWAL`.
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: U32,
    /// Zero.
    pub reserved: U32,
    /// The number in the file's name.
    pub number: U64,
    /// The number of the log file before; 0 for the first of all, and for one that begins after a recovery.
    pub previous: U64,
    /// Where the sound records of the file before end.
    pub previous_end: U64,
    /// Zero.
    pub reserved_too: [u8; 20],
    /// The CRC-32 of the 60 bytes before.
    pub crc: U32,
}

/// What stands before each record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RecordHeader {
    /// `ff fe 45 52`.
    pub marker: U32,
    /// The length of the payload, without the zeros that fill it up to a multiple of 8.
    pub length: U32,
    /// 1, a batch.
    pub kind: U32,
    /// The CRC-32 of the other fields in order, the payload and the zeros after it.
    pub crc: U32,
    /// Up to which offset the file was synced when the record was written.
    pub durable: U64,
}

/// The length of a log file's header.
pub const HEADER_BYTES: u64 = size_of::<LogHeader>() as u64;

/// The kind of a record that holds a batch, which is the only one there is.
const BATCH: u32 = 1;

/// Returns a log file's name.
pub fn log_file(number: u64) -> String {
    format!("{LOGS}/{number:08}.wal")
}

/// Returns a log file's number from its name without the folder.
pub fn log_number(file: &str) -> Option<u64> {
    let number = file.strip_suffix(".wal")?.parse().ok().filter(|&number| number <= MAX_NUMBER)?;
    (log_file(number) == format!("{LOGS}/{file}")).then_some(number)
}

/// Returns the header of a new log file.
pub(crate) fn encode_header(number: u64, previous: u64, previous_end: u64) -> LogHeader {
    let mut header = LogHeader {
        magic: MAGIC,
        version: U32::new(VERSION),
        reserved: U32::new(0),
        number: U64::new(number),
        previous: U64::new(previous),
        previous_end: U64::new(previous_end),
        reserved_too: [0; 20],
        crc: U32::new(0),
    };
    header.crc = U32::new(ecphory_core::checksum::crc32(&header.as_bytes()[..60]));
    header
}

/// Reads a file's header; `None` where it is cut short or damaged.
///
/// # Errors
/// [`Error::Version`] for a file of the future.
pub(crate) fn decode_header(number: u64, bytes: &[u8]) -> Result<Option<LogHeader>> {
    let Ok((header, _)) = LogHeader::read_from_prefix(bytes) else { return Ok(None) };
    let sound = header.magic == MAGIC
        && header.crc.get() == ecphory_core::checksum::crc32(&bytes[..60])
        && header.number.get() == number;
    if !sound {
        return Ok(None);
    }
    if !(2..=VERSION).contains(&header.version.get()) {
        let (found, known) = (header.version.get(), VERSION);
        return Err(Error::Version { file: log_file(number), found, known });
    }
    Ok(Some(header))
}

/// Returns a whole record of a batch.
///
/// # Errors
/// [`Error::TooMany`] for a payload beyond 4 GiB.
pub(crate) fn encode_record(durable: u64, payload: &[u8]) -> Result<Vec<u8>> {
    let Ok(length) = u32::try_from(payload.len()) else {
        let (got, limit) = (payload.len() as u64, u64::from(u32::MAX));
        return Err(Error::TooMany { what: "bytes in one batch", got, limit });
    };
    let mut header = RecordHeader {
        marker: U32::new(MARKER),
        length: U32::new(length),
        kind: U32::new(BATCH),
        crc: U32::new(0),
        durable: U64::new(durable),
    };
    let padded = payload.len().next_multiple_of(ALIGNMENT);
    let mut record = Vec::with_capacity(size_of::<RecordHeader>() + padded);
    record.extend_from_slice(header.as_bytes());
    record.extend_from_slice(payload);
    record.resize(size_of::<RecordHeader>() + padded, 0);
    header.crc = U32::new(record_crc(&header, &record[size_of::<RecordHeader>()..]));
    record[..size_of::<RecordHeader>()].copy_from_slice(header.as_bytes());
    Ok(record)
}

fn record_crc(header: &RecordHeader, padded: &[u8]) -> u32 {
    let mut crc = Crc32::default();
    crc.update(header.marker.as_bytes());
    crc.update(header.length.as_bytes());
    crc.update(header.kind.as_bytes());
    crc.update(header.durable.as_bytes());
    crc.update(padded);
    crc.finish()
}

/// A sound record inside the bytes of a file.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    kind: u32,
    durable: u64,
    payload: &'a [u8],
    /// The record's length with header and zeros.
    length: usize,
}

/// Reads the record at the beginning of `bytes`; `None` where there is no sound one.
fn record_at(bytes: &[u8]) -> Option<Record<'_>> {
    let (header, rest) = RecordHeader::read_from_prefix(bytes).ok()?;
    let length = header.length.get() as usize;
    let padded = rest.get(..length.checked_next_multiple_of(ALIGNMENT)?)?;
    let sound = header.marker.get() == MARKER && header.crc.get() == record_crc(&header, padded);
    sound.then(|| Record {
        kind: header.kind.get(),
        durable: header.durable.get(),
        payload: &padded[..length],
        length: size_of::<RecordHeader>() + padded.len(),
    })
}

/// The records of a log file from some offset on.
#[derive(Debug, Default)]
pub(crate) struct Scanned<'a> {
    /// The payloads of the batches, each with its offset in the file.
    pub batches: Vec<(u64, &'a [u8])>,
    /// Where the sound records end.
    pub end: u64,
}

/// Reads the records of a file, whose bytes from `start` on are `bytes`.
///
/// # Errors
/// [`Error::Corrupt`] where something cannot be read that a later record says was synced.
pub(crate) fn scan<'b>(file: &str, start: u64, bytes: &'b [u8]) -> Result<Scanned<'b>> {
    let mut scanned = Scanned { batches: Vec::new(), end: start };
    let mut at = 0;
    while let Some(record) = record_at(&bytes[at..]) {
        let offset = start + at as u64;
        if record.kind != BATCH {
            return Err(Error::corrupt(file, offset, format!("a record of kind {}", record.kind)));
        }
        let payload_at = offset + size_of::<RecordHeader>() as u64;
        scanned.batches.push((payload_at, record.payload));
        at += record.length;
        scanned.end = start + at as u64;
    }
    check_torn(file, scanned.end, &bytes[at..])?;
    Ok(scanned)
}

/// Checks that nothing was synced of what follows the last sound record, which ends at `end`.
pub(crate) fn check_torn(file: &str, end: u64, rest: &[u8]) -> Result<()> {
    let marker = MARKER.to_le_bytes();
    for at in (0..rest.len()).step_by(ALIGNMENT) {
        if !rest[at..].starts_with(&marker) {
            continue;
        }
        if record_at(&rest[at..]).is_some_and(|record| record.durable > end) {
            let what = "a record is damaged that was synced, as a later one says";
            return Err(Error::corrupt(file, end, what));
        }
    }
    Ok(())
}

/// A batch as it is logged: what dies, then what is put, with rows where the writer had them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LoggedBatch {
    pub deletes: Vec<String>,
    pub documents: Vec<Document>,
    pub rows: Vec<LoggedRows>,
}

/// The rows of a batch's documents in one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LoggedRows {
    pub channel: String,
    pub rows: OwnedRows,
}

impl LoggedBatch {
    /// Returns the payload of a record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_u32(&mut out, self.deletes.len());
        for id in &self.deletes {
            put_bytes(&mut out, id.as_bytes());
        }
        let mut names = FieldNames::default();
        for (name, _) in self.documents.iter().flat_map(|document| &document.fields) {
            names.add(name);
        }
        put_bytes(&mut out, &names.encode());
        put_u32(&mut out, self.documents.len());
        let mut record = Vec::new();
        for document in &self.documents {
            put_bytes(&mut out, document.id.as_bytes());
            record.clear();
            encode_fields(document, &names, &mut record);
            put_bytes(&mut out, &record);
        }
        put_u32(&mut out, self.rows.len());
        for LoggedRows { channel, rows } in &self.rows {
            put_bytes(&mut out, channel.as_bytes());
            rows.counts.iter().for_each(|&count| out.extend_from_slice(&count.to_le_bytes()));
            put_u32(&mut out, rows.values.len());
            rows.values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
        // A batch without terms ends before them.
        if self.rows.iter().any(|logged| !logged.rows.terms.is_empty()) {
            for LoggedRows { rows, .. } in &self.rows {
                put_u32(&mut out, rows.terms.len());
                rows.terms.iter().for_each(|&term| out.extend_from_slice(&term.to_le_bytes()));
            }
        }
        out
    }

    /// Reads a payload; `None` where it is cut short or wrong.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let mut batch = LoggedBatch::default();
        for _ in 0..reader.u32()? {
            batch.deletes.push(reader.text()?.to_owned());
        }
        let names = Fields::names(reader.bytes()?)?;
        for _ in 0..reader.u32()? {
            let mut document = Document::new(reader.text()?);
            let fields = Fields::new(reader.bytes()?).decode()?;
            let different = fields.iter().map(|(name, _)| name).collect::<FxHashSet<_>>();
            if different.len() < fields.len() {
                return None;
            }
            for (name, value) in fields {
                document.fields.push((names.get(name as usize)?.clone(), value.to_value()));
            }
            batch.documents.push(document);
        }
        for _ in 0..reader.u32()? {
            let channel = reader.text()?.to_owned();
            let counts = reader.words(batch.documents.len())?;
            let length = reader.u32()? as usize;
            let values = reader.words(length)?;
            let counts = counts.iter().map(|word| word.get()).collect();
            let values = values.iter().map(|word| f32::from_bits(word.get())).collect();
            batch.rows.push(LoggedRows {
                channel,
                rows: OwnedRows { counts, terms: Vec::new(), values },
            });
        }
        if !reader.0.is_empty() {
            for logged in &mut batch.rows {
                let length = reader.u32()? as usize;
                logged.rows.terms = reader.words(length)?.iter().map(|word| word.get()).collect();
            }
        }
        reader.0.is_empty().then_some(batch)
    }
}

fn put_u32(out: &mut Vec<u8>, number: usize) {
    // A payload beyond 4 GiB is refused as a whole.
    out.extend_from_slice(&(number as u32).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(out, bytes.len());
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn words(&mut self, count: usize) -> Option<&'a [U32]> {
        <[U32]>::ref_from_bytes(self.take(count.checked_mul(4)?)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecphory_core::Value;

    fn batch(id: &str) -> LoggedBatch {
        LoggedBatch {
            deletes: vec!["old".to_owned(), String::new()],
            documents: vec![
                Document::new(id).with("text", "radium").with("year", 1898),
                Document::new("é").with("tags", Value::List(vec!["a".into(), 1.into()])),
            ],
            rows: vec![LoggedRows {
                channel: "dense".to_owned(),
                rows: OwnedRows {
                    counts: vec![2, 0],
                    terms: Vec::new(),
                    values: vec![0.5, -1.0, 2.0, 0.25],
                },
            }],
        }
    }

    fn with_terms(id: &str) -> LoggedBatch {
        let mut batch = batch(id);
        let (counts, terms, values) = (vec![1, 2], vec![7, 0, 30_000], vec![0.5, 1.5, 0.25]);
        let rows = OwnedRows { counts, terms, values };
        batch.rows.push(LoggedRows { channel: "sparse".to_owned(), rows });
        batch
    }

    fn file(records: &[(u64, LoggedBatch)]) -> Vec<u8> {
        let record = |(durable, batch): &(u64, LoggedBatch)| {
            encode_record(*durable, &batch.encode()).unwrap()
        };
        records.iter().flat_map(record).collect()
    }

    #[test]
    fn a_batch_comes_back_and_a_cut_one_is_noticed() {
        let payload = batch("x").encode();
        assert_eq!(LoggedBatch::decode(&payload), Some(batch("x")));
        for length in 0..payload.len() {
            assert_eq!(LoggedBatch::decode(&payload[..length]), None, "cut to {length}");
        }
        assert_eq!(LoggedBatch::decode(&[&*payload, &[0]].concat()), None);
        let payload = with_terms("x").encode();
        assert_eq!(LoggedBatch::decode(&payload), Some(with_terms("x")));
        // Cut where the terms begin it is a batch without them, which fits no sparse channel.
        let terms_at = payload.len() - 2 * 4 - 3 * 4;
        for length in (0..payload.len()).filter(|&length| length != terms_at) {
            assert_eq!(LoggedBatch::decode(&payload[..length]), None, "cut to {length}");
        }
        assert_eq!(LoggedBatch::decode(&[&*payload, &[0]].concat()), None);
    }

    #[test]
    fn a_torn_tail_ends_the_log_and_damage_before_a_sync_is_corrupt() {
        let start = HEADER_BYTES;
        let first = file(&[(start, batch("a"))]);
        let end = start + first.len() as u64;
        // The second record was written when the first was synced, the third before the second was.
        let synced = file(&[(start, batch("a")), (end, batch("b"))]);
        let unsynced = file(&[(start, batch("a")), (start, batch("b"))]);
        for cut in 0..first.len() {
            let scanned = scan("log", start, &first[..cut]).unwrap();
            assert_eq!((scanned.end, scanned.batches.len()), (start, 0));
        }
        for place in 0..first.len() {
            let mut damaged = synced.clone();
            damaged[place] ^= 0x40;
            let error = scan("log", start, &damaged).unwrap_err();
            assert_eq!(error.kind(), ecphory_core::ErrorKind::Corrupt, "byte {place}");
            let mut damaged = unsynced.clone();
            damaged[place] ^= 0x40;
            assert_eq!(scan("log", start, &damaged).unwrap().batches.len(), 0, "byte {place}");
        }
        assert_eq!(scan("log", start, &synced).unwrap().batches.len(), 2);
    }
}
