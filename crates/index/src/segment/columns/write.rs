//! Writes columns: one layout, whether the values come from documents or from the columns of other segments.

use std::io::{self, Write};

use ecphory_core::checksum::Crc32;
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use super::Coding;
use crate::format::manifest::PartEntry;
use crate::format::part::{PartIdentity, SectionKind};
use crate::format::records::ColumnEntry;
use crate::format::spool::{Spool, SpoolRoom};
use crate::segment::documents::FieldNames;
use crate::segment::publish_part;
use crate::{Error, Result};

/// A column that is about to be written: two walks, each of which can be made again.
pub(super) struct Draft<'a> {
    pub coding: Coding,
    /// Calls back with every key once, in order.
    pub keys: &'a dyn Fn(&mut VisitKey<'_>),
    /// Calls back with every document's ordinals, in order; `None` for one without the field.
    pub lists: &'a dyn Fn(&mut VisitList<'_>),
}

pub(super) type VisitKey<'a> = dyn FnMut(&[u8]) + 'a;
pub(super) type VisitList<'a> = dyn FnMut(Option<&[u32]>) + 'a;

/// The columns of a segment, while they are added.
pub(crate) struct Columns<'s> {
    names: Vec<String>,
    entries: Vec<ColumnEntry>,
    data: Spool<'s>,
    /// The bytes of all columns so far.
    length: u64,
}

impl<'s> Columns<'s> {
    pub(super) fn new(room: SpoolRoom<'s>) -> Self {
        let data = Spool::new(room, "columns");
        Self { names: Vec::new(), entries: Vec::new(), data, length: 0 }
    }

    /// Adds a column, unless no document has the field. Names come in order.
    pub(super) fn add(&mut self, name: &str, draft: &Draft<'_>) -> Result<()> {
        let entry = draft.write(&mut self.data, self.length).map_err(Error::io("write", "tmp"))?;
        if let Some(entry) = entry {
            self.length += entry.length.get();
            self.names.push(name.to_owned());
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Notes that the values of a field are found in the stored documents only.
    pub(super) fn add_stored(&mut self, name: &str) {
        self.names.push(name.to_owned());
        self.entries.push(ColumnEntry::new_zeroed());
    }

    /// Writes the part.
    pub fn write(self, identity: PartIdentity, room: SpoolRoom<'_>) -> Result<PartEntry> {
        let mut names = FieldNames::default();
        self.names.iter().for_each(|name| names.add(name));
        let names = names.encode();
        let data = self.data.finish().map_err(Error::io("read", "tmp"))?;
        let sections = [
            (SectionKind::ColumnNames, vec![&*names]),
            (SectionKind::ColumnTable, vec![self.entries.as_bytes()]),
            (SectionKind::ColumnData, data.pieces()),
        ];
        publish_part(room.storage, identity, None, &sections)
    }
}

/// What has to be known of a column before it is written.
#[derive(Default)]
struct Shape {
    keys: u64,
    key_bytes: u64,
    /// The length that all keys have; 0 where they differ.
    key_width: usize,
    documents: u64,
    ordinals: u64,
    present: u64,
    /// Whether some document has several values, or an empty list.
    lists: bool,
}

impl Draft<'_> {
    fn shape(&self) -> Shape {
        let mut shape = Shape::default();
        (self.keys)(&mut |key| {
            let known = if shape.keys == 0 { key.len() } else { shape.key_width };
            shape.key_width = if known == key.len() && known < 256 { known } else { 0 };
            shape.keys += 1;
            shape.key_bytes += key.len() as u64;
        });
        (self.lists)(&mut |list| {
            shape.documents += 1;
            // A missing field takes an ordinal too, the one behind the last key.
            shape.ordinals += list.map_or(1, |list| list.len() as u64);
            shape.present += u64::from(list.is_some());
            shape.lists |= list.is_some_and(|list| list.len() != 1);
        });
        shape
    }

    /// Writes keys, then ordinals. `None` where no document has the field; the entry of a field without a
    /// column where the format cannot number its values.
    fn write(&self, out: &mut dyn Write, offset: u64) -> io::Result<Option<ColumnEntry>> {
        let shape = self.shape();
        let limit = u64::from(u32::MAX);
        let fits = shape.key_bytes <= limit && shape.keys < limit && shape.ordinals <= limit;
        if shape.present == 0 {
            return Ok(None);
        }
        if !fits {
            return Ok(Some(ColumnEntry::new_zeroed()));
        }
        let ordinal_width = ordinal_width(shape.keys);
        let mut out = Sink::new(out);
        if shape.key_width == 0 {
            let mut end = 0u32;
            out.put(&end.to_le_bytes());
            (self.keys)(&mut |key| {
                end += key.len() as u32;
                out.put(&end.to_le_bytes());
            });
        }
        (self.keys)(&mut |key| out.put(key));
        if shape.lists {
            let mut end = 0u32;
            out.put(&end.to_le_bytes());
            (self.lists)(&mut |list| {
                end += list.map_or(1, |list| list.len() as u32);
                out.put(&end.to_le_bytes());
            });
        }
        let missing = [shape.keys as u32];
        (self.lists)(&mut |list| {
            for ordinal in list.unwrap_or(&missing) {
                out.put(&ordinal.to_le_bytes()[..ordinal_width]);
            }
        });
        let (length, crc) = out.finish()?;
        Ok(Some(ColumnEntry {
            offset: U64::new(offset),
            length: U64::new(length),
            keys: U32::new(shape.keys as u32),
            ordinals: U32::new(shape.ordinals as u32),
            crc: U32::new(crc),
            coding: self.coding as u8,
            key_width: shape.key_width as u8,
            ordinal_width: ordinal_width as u8,
            lists: u8::from(shape.lists),
        }))
    }
}

/// Returns how many bytes the ordinals of a column take; the one behind the last key has to fit as well.
pub(super) fn ordinal_width(keys: u64) -> usize {
    match keys {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    }
}

/// Checksums what goes out, a buffer at a time. The first failure is kept for the end, since walks do not
/// stop.
struct Sink<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
    crc: Crc32,
    length: u64,
    outcome: io::Result<()>,
}

/// Small enough for the cache, large enough that the checksum runs at its speed.
const SINK_BYTES: usize = 64 << 10;

impl<'a> Sink<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        let buffer = Vec::with_capacity(SINK_BYTES);
        Self { out, buffer, crc: Crc32::default(), length: 0, outcome: Ok(()) }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= SINK_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.crc.update(&self.buffer);
        self.length += self.buffer.len() as u64;
        if self.outcome.is_ok() {
            self.outcome = self.out.write_all(&self.buffer);
        }
        self.buffer.clear();
    }

    fn finish(mut self) -> io::Result<(u64, u32)> {
        self.flush();
        self.outcome?;
        Ok((self.length, self.crc.finish()))
    }
}
