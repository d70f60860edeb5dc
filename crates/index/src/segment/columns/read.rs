//! Reads columns. A column is verified when it is first used, so that a filter reads what it asks for only.

use std::ops::Range;
use std::sync::OnceLock;

use ecphory_core::DocNo;
use ecphory_core::checksum::crc32;
use ecphory_core::storage::Bytes;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U32;

use super::Coding;
use super::write::ordinal_width;
use crate::format::part::{PartFile, SectionKind};
use crate::format::records::ColumnEntry;
use crate::segment::documents::Fields;
use crate::{Error, Result};

/// A verified columns part. The columns themselves are verified one by one.
#[derive(Debug)]
pub(crate) struct ColumnsPart {
    file: String,
    data_offset: u64,
    documents: u32,
    names: Vec<String>,
    entries: Vec<ColumnEntry>,
    data: Bytes,
    columns: Vec<OnceLock<Column>>,
}

/// How many documents are decoded at a time.
const BLOCK: u32 = 1024;

/// Where the values of a field are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    /// In a column.
    Column(&'a Column),
    /// In the stored documents only.
    Stored,
    /// No document has the field.
    Nothing,
}

/// The values of one field in a segment.
#[derive(Debug)]
pub(crate) struct Column {
    coding: Coding,
    documents: u32,
    keys: u32,
    /// Where keys start, and the last one ends; empty where all have the same length.
    key_starts: Bytes,
    key_width: usize,
    key_bytes: Bytes,
    /// Where documents' ordinals start, and the last one's end; empty where each has exactly one.
    list_starts: Bytes,
    ordinal_width: usize,
    ordinals: Bytes,
}

impl ColumnsPart {
    /// Compares the checksums of names and table and checks that they fit together.
    pub fn verify(file: &PartFile) -> Result<Self> {
        let names = file.checked(SectionKind::ColumnNames)?;
        let names = Fields::names(&names)
            .filter(|names| names.windows(2).all(|pair| pair[0] < pair[1]))
            .ok_or_else(|| file.corrupt(SectionKind::ColumnNames, 0, "the names are no list"))?;
        let entries = file.checked(SectionKind::ColumnTable)?;
        let entries =
            <[ColumnEntry]>::ref_from_bytes(&entries).map_or_else(|_| Vec::new(), <[_]>::to_vec);
        if entries.len() != names.len() {
            return Err(file.corrupt(SectionKind::ColumnTable, 0, "names and table do not fit"));
        }
        Ok(Self {
            file: file.name.clone(),
            data_offset: file.offset(SectionKind::ColumnData),
            documents: file.documents,
            columns: names.iter().map(|_| OnceLock::new()).collect(),
            names,
            entries,
            data: file.unchecked(SectionKind::ColumnData)?,
        })
    }

    /// Returns the names of all fields that have a column, and of those that may be in the stored documents
    /// but have none, sorted.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Checks every column.
    pub fn check_all(&self) -> Result<()> {
        self.names.iter().try_for_each(|name| self.column(name).map(|_| ()))
    }

    /// Finds a field's values.
    pub fn column(&self, name: &str) -> Result<Found<'_>> {
        let Ok(place) = self.names.binary_search_by(|known| known.as_str().cmp(name)) else {
            return Ok(Found::Nothing);
        };
        if let Some(column) = self.columns[place].get() {
            return Ok(Found::Column(column));
        }
        let entry = &self.entries[place];
        if entry.ordinal_width == 0 {
            return Ok(Found::Stored);
        }
        let column = Column::verify(entry, self.documents, &self.data).map_err(|what| {
            let what = format!("{what} (column {name:?})");
            Error::corrupt(&self.file, self.data_offset.saturating_add(entry.offset.get()), what)
        })?;
        Ok(Found::Column(self.columns[place].get_or_init(|| column)))
    }
}

#[cfg(test)]
impl ColumnsPart {
    /// Reads a column without comparing its checksum, so that what is checked behind it is tried too.
    pub fn unchecked_column(&self, name: &str) -> Result<Found<'_>> {
        let Ok(place) = self.names.binary_search_by(|known| known.as_str().cmp(name)) else {
            return Ok(Found::Nothing);
        };
        let mut entry = self.entries[place];
        let start = entry.offset.get() as usize;
        let bytes = self.data.get(start..start + entry.length.get() as usize).unwrap_or(&[]);
        entry.crc.set(crc32(bytes));
        let column = Column::verify(&entry, self.documents, &self.data)
            .map_err(|what| Error::corrupt(&self.file, 0, what))?;
        Ok(Found::Column(self.columns[place].get_or_init(|| column)))
    }
}

impl Column {
    fn verify(
        entry: &ColumnEntry,
        documents: u32,
        data: &Bytes,
    ) -> std::result::Result<Self, &'static str> {
        let start = usize::try_from(entry.offset.get()).unwrap_or(usize::MAX);
        let length = usize::try_from(entry.length.get()).unwrap_or(usize::MAX);
        let all = start.checked_add(length).and_then(|end| data.slice(start..end));
        let all = all.ok_or("the column reaches beyond its section")?;
        if crc32(&all) != entry.crc.get() {
            return Err("the column's checksum does not match");
        }
        let (keys, ordinals) = (entry.keys.get(), entry.ordinals.get() as usize);
        let mut cut = Cut { all: &all, at: 0 };
        let key_width = usize::from(entry.key_width);
        let key_starts = cut.starts(if key_width == 0 { Some(keys) } else { None })?;
        let key_end = if key_width == 0 {
            starts(&key_starts)[keys as usize].get() as usize
        } else {
            keys as usize * key_width
        };
        let key_bytes = cut.take(key_end)?;
        let list_starts = cut.starts(if entry.lists == 1 { Some(documents) } else { None })?;
        let ordinal_width = usize::from(entry.ordinal_width);
        let column = Self {
            coding: Coding::from_number(entry.coding).ok_or("a coding of the future")?,
            documents,
            keys,
            key_starts,
            key_width,
            key_bytes,
            list_starts,
            ordinal_width,
            ordinals: cut.take(ordinals * ordinal_width)?,
        };
        if cut.at != all.len()
            || entry.lists > 1
            || ordinal_width != self::ordinal_width(u64::from(keys))
        {
            return Err("the column has another length than its table says");
        }
        column.check(ordinals).map(|()| column)
    }

    /// Checks that keys are sorted values, and that every document's ordinals lead to keys, in order.
    fn check(&self, ordinals: usize) -> std::result::Result<(), &'static str> {
        let valid = |ordinal| self.coding.decode(self.key(ordinal)).is_some();
        if !(0..self.keys).all(valid) || !(1..self.keys).all(|k| self.key(k - 1) < self.key(k)) {
            return Err("the keys are no sorted values");
        }
        let last = starts(&self.list_starts).last().map_or(self.documents, |last| last.get());
        if last as usize != ordinals || self.highest() > self.keys {
            return Err("the ordinals do not fit the keys");
        }
        let mut sound = true;
        // A single ordinal is in order.
        if self.list_starts.is_empty() {
            return Ok(());
        }
        self.for_each_list(|_, list| {
            let list = list.unwrap_or(&[]);
            sound &= list.is_sorted_by(|a, b| a < b) && list.last() != Some(&self.keys);
        });
        if sound { Ok(()) } else { Err("a document's values are out of order") }
    }

    /// Returns how values became keys.
    pub fn coding(&self) -> Coding {
        self.coding
    }

    /// Returns how many different values there are.
    pub fn keys(&self) -> u32 {
        self.keys
    }

    /// Returns the key of an ordinal.
    pub fn key(&self, ordinal: u32) -> &[u8] {
        let ordinal = ordinal as usize;
        if self.key_width > 0 {
            return &self.key_bytes[ordinal * self.key_width..][..self.key_width];
        }
        let starts = &starts(&self.key_starts)[ordinal..ordinal + 2];
        &self.key_bytes[starts[0].get() as usize..starts[1].get() as usize]
    }

    /// Returns the first ordinal whose key is not `before`; the keys are sorted by that.
    pub(super) fn partition_point(&self, before: impl Fn(&[u8]) -> bool) -> u32 {
        let (mut low, mut high) = (0, self.keys);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.key(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Calls `visit` with every document's ordinals, in order; `None` where it does not have the field.
    pub fn for_each_list(&self, mut visit: impl FnMut(DocNo, Option<&[u32]>)) {
        let starts = self.list_starts();
        let mut block = Vec::with_capacity(BLOCK as usize);
        for first in (0..self.documents).step_by(BLOCK as usize) {
            let end = self.documents.min(first + BLOCK);
            let places = self.places(first).start..self.places(end - 1).end;
            block.clear();
            self.decode(places.clone(), &mut block);
            for doc in first..end {
                let at = if starts.is_empty() {
                    doc as usize..doc as usize + 1
                } else {
                    starts[doc as usize].get() as usize..starts[doc as usize + 1].get() as usize
                };
                let list = &block[at.start - places.start..at.end - places.start];
                visit(DocNo(doc), (list != [self.keys]).then_some(list));
            }
        }
    }

    /// Appends the ordinals at these places.
    fn decode(&self, places: Range<usize>, out: &mut Vec<u32>) {
        match self.ordinals() {
            Ordinals::Bytes(all) => out.extend(all[places].iter().map(|&o| u32::from(o))),
            Ordinals::Pairs(all) => {
                out.extend(all[places].iter().map(|&o| u32::from(u16::from_le_bytes(o))));
            }
            Ordinals::Quads(all) => out.extend(all[places].iter().map(|&o| u32::from_le_bytes(o))),
        }
    }

    /// Returns where a document's ordinals stand.
    fn places(&self, doc: u32) -> Range<usize> {
        let doc = doc as usize;
        match starts(&self.list_starts).get(doc..doc + 2) {
            Some(pair) => pair[0].get() as usize..pair[1].get() as usize,
            None => doc..doc + 1,
        }
    }

    /// Returns the highest ordinal; without an early exit it is found at the speed of the memory.
    fn highest(&self) -> u32 {
        let highest = match self.ordinals() {
            Ordinals::Bytes(all) => all.iter().max().map(|&ordinal| u32::from(ordinal)),
            Ordinals::Pairs(all) => all.iter().map(|&o| u16::from_le_bytes(o)).max().map(u32::from),
            Ordinals::Quads(all) => all.iter().map(|&o| u32::from_le_bytes(o)).max(),
        };
        highest.unwrap_or(0)
    }

    #[inline]
    pub(super) fn ordinals(&self) -> Ordinals<'_> {
        match self.ordinal_width {
            1 => Ordinals::Bytes(&self.ordinals),
            2 => Ordinals::Pairs(self.ordinals.as_chunks().0),
            _ => Ordinals::Quads(self.ordinals.as_chunks().0),
        }
    }

    /// Returns where documents' ordinals start; empty where each has exactly one.
    pub(super) fn list_starts(&self) -> &[U32] {
        starts(&self.list_starts)
    }

    /// Returns how many documents the segment has.
    pub fn documents(&self) -> u32 {
        self.documents
    }
}

/// All ordinals of a column, by their width.
pub(super) enum Ordinals<'a> {
    Bytes(&'a [u8]),
    Pairs(&'a [[u8; 2]]),
    Quads(&'a [[u8; 4]]),
}

/// Cuts a column's bytes into its pieces.
struct Cut<'a> {
    all: &'a Bytes,
    at: usize,
}

impl Cut<'_> {
    fn take(&mut self, length: usize) -> std::result::Result<Bytes, &'static str> {
        let end = self.at.checked_add(length);
        let piece = end.and_then(|end| self.all.slice(self.at..end));
        let piece = piece.ok_or("the column is cut short")?;
        self.at += length;
        Ok(piece)
    }

    /// Takes the starts of a number of pieces and their end, or nothing where there are no such pieces.
    fn starts(&mut self, pieces: Option<u32>) -> std::result::Result<Bytes, &'static str> {
        let Some(pieces) = pieces else { return self.take(0) };
        let bytes = self.take(4 * (pieces as usize + 1))?;
        let all = starts(&bytes);
        let sound = all[0].get() == 0 && all.windows(2).all(|pair| pair[0].get() <= pair[1].get());
        if sound { Ok(bytes) } else { Err("the starts of pieces are out of order") }
    }
}

fn starts(bytes: &Bytes) -> &[U32] {
    <[U32]>::ref_from_bytes(bytes).unwrap_or(&[])
}
