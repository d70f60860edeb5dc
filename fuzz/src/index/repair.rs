//! Gives changed files the checksums, lengths and numbers that the readers look at first.

use ecphory_core::checksum::{Crc32, crc32};
use ecphory_index::format::VERSION;
use ecphory_index::format::log::{HEADER_BYTES, LogHeader, RecordHeader};
use ecphory_index::format::manifest::PartEntry;
use ecphory_index::format::part::{Footer, Header, SectionEntry, SectionKind};
use ecphory_index::format::records::{ColumnEntry, StoredBlock};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, IntoBytes};

/// The sections of a part: the number of each one's kind, and its bytes.
pub type Sections = Vec<(u32, Vec<u8>)>;

const HEADER: usize = size_of::<Header>();
const FOOTER: usize = size_of::<Footer>();
const ENTRY: usize = size_of::<SectionEntry>();
const ALIGNMENT: usize = 64;

/// Returns a manifest's file for its JSON.
pub fn manifest(text: &[u8]) -> Vec<u8> {
    let mut file = text.to_vec();
    file.extend_from_slice(format!("crc32 {:08x}\n", crc32(text)).as_bytes());
    file
}

/// Returns a log file with the records of `data`, whose first 64 bytes stand for the header.
pub fn log(name: &str, data: &[u8]) -> Vec<u8> {
    let mut file = data.to_vec();
    file.resize(file.len().max(HEADER_BYTES as usize), 0);
    let number = name.trim_start_matches("wal/").trim_end_matches(".wal").parse();
    let (head, records) = file.split_at_mut(HEADER_BYTES as usize);
    let header = LogHeader::mut_from_bytes(head).expect("the length is that of a header");
    header.magic = *b"ECPHYWAL";
    header.version = U32::new(VERSION);
    header.number = U64::new(number.expect("log files are called by numbers"));
    header.crc = U32::new(crc32(&header.as_bytes()[..60]));
    let mut rest = records;
    while let Ok((header, after)) = RecordHeader::mut_from_prefix(std::mem::take(&mut rest)) {
        let padded = (header.length.get() as usize).next_multiple_of(8);
        let Some((payload, after)) = after.split_at_mut_checked(padded) else { break };
        header.marker = U32::from_bytes([0xff, 0xfe, b'E', b'R']);
        let mut crc = Crc32::default();
        crc.update(header.marker.as_bytes());
        crc.update(header.length.as_bytes());
        crc.update(header.kind.as_bytes());
        crc.update(header.durable.as_bytes());
        crc.update(payload);
        header.crc = U32::new(crc.finish());
        rest = after;
    }
    file
}

/// Returns a part file that the manifest's entry names, and changes the entry's length and checksum to the
/// file's. The section table is taken to stand right before the footer.
pub fn part(mut file: Vec<u8>, segment: u32, entry: &mut PartEntry) -> Vec<u8> {
    file.resize(file.len().max(HEADER + FOOTER), 0);
    let sections = Header::ref_from_prefix(&file).map_or(0, |(header, _)| header.sections.get());
    let sections = (sections as usize % 65).min((file.len() - HEADER - FOOTER) / ENTRY);
    let table_start = file.len() - FOOTER - sections * ENTRY;
    let length = file.len() as u64;
    let header = Header {
        magic: *b"ECPHPART",
        version: U32::new(VERSION),
        kind: U32::new(entry.kind.number()),
        part: U64::new(entry.part),
        segment: U32::new(segment),
        first: U32::new(entry.first),
        documents: U32::new(entry.documents),
        sections: U32::new(sections as u32),
        reserved: [0; 20],
        crc: U32::new(0),
    };
    file[..HEADER].copy_from_slice(header.as_bytes());
    let crc = crc32(&file[..60]);
    file[60..HEADER].copy_from_slice(&crc.to_le_bytes());
    blocks(&mut file, table_start);
    columns(&mut file, table_start);
    for place in 0..sections {
        let at = table_start + place * ENTRY;
        if let Some(bytes) = bounds(&file[at..at + ENTRY], file.len()) {
            let crc = crc32(&file[bytes]);
            file[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
        }
    }
    let mut table_crc = Crc32::default();
    table_crc.update(&file[..HEADER]);
    table_crc.update(&file[table_start..length as usize - FOOTER]);
    let mut footer = Footer {
        table_offset: U64::new(table_start as u64),
        file_length: U64::new(length),
        table_crc: U32::new(table_crc.finish()),
        crc: U32::new(0),
        magic: *b"ECPHTAIL",
    };
    footer.crc = U32::new(crc32(&footer.as_bytes()[..20]));
    let end = file.len() - FOOTER;
    file[end..].copy_from_slice(footer.as_bytes());
    (entry.bytes, entry.crc32) = (length, footer.table_crc.get());
    file
}

/// Returns a part file of these sections; [`part`] has to complete it.
pub fn assemble(sections: &Sections) -> Vec<u8> {
    let mut file = vec![0; HEADER];
    let mut table = Vec::new();
    for (kind, bytes) in sections {
        let mut entry = SectionEntry::read_from_bytes(&[0; ENTRY]).expect("that many bytes");
        entry.kind = U32::new(*kind);
        (entry.offset, entry.length) = (U64::new(file.len() as u64), U64::new(bytes.len() as u64));
        table.push(entry);
        file.extend_from_slice(bytes);
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
    }
    file.extend_from_slice(table.as_bytes());
    file.resize(file.len() + FOOTER, 0);
    // Where the header says how many sections there are.
    file[36..40].copy_from_slice(&(sections.len() as u32).to_le_bytes());
    file
}

/// Returns the sections of a sound part.
pub fn take_apart(file: &[u8]) -> Sections {
    let (header, _) = Header::ref_from_prefix(file).expect("a part has a header");
    let table_start = file.len() - FOOTER - header.sections.get() as usize * ENTRY;
    let table = file[table_start..file.len() - FOOTER].chunks_exact(ENTRY);
    let section = |entry: &[u8]| {
        let bytes = bounds(entry, file.len()).expect("the part is sound");
        (u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]), file[bytes].to_vec())
    };
    table.map(section).collect()
}

/// Repairs the checksums of the blocks of stored documents.
fn blocks(file: &mut [u8], table_start: usize) {
    let (Some(table), Some(stored)) = (
        find(file, table_start, SectionKind::StoredBlocks),
        find(file, table_start, SectionKind::Stored),
    ) else {
        return;
    };
    for at in table.step_by(size_of::<StoredBlock>()) {
        let Ok((mut block, _)) = StoredBlock::read_from_prefix(&file[at..]) else { return };
        let length = u64::from(block.length.get());
        if let Some(bytes) = inside(&stored, block.offset.get(), length) {
            block.crc = U32::new(crc32(&file[bytes]));
            file[at..at + size_of::<StoredBlock>()].copy_from_slice(block.as_bytes());
        }
    }
}

/// Repairs the checksums of columns.
fn columns(file: &mut [u8], table_start: usize) {
    let (Some(table), Some(data)) = (
        find(file, table_start, SectionKind::ColumnTable),
        find(file, table_start, SectionKind::ColumnData),
    ) else {
        return;
    };
    for at in table.step_by(size_of::<ColumnEntry>()) {
        let Ok((mut column, _)) = ColumnEntry::read_from_prefix(&file[at..]) else { return };
        // A record of zeros is a field without a column; a checksum would make it one.
        if column.ordinal_width == 0 {
            continue;
        }
        if let Some(bytes) = inside(&data, column.offset.get(), column.length.get()) {
            column.crc = U32::new(crc32(&file[bytes]));
            file[at..at + size_of::<ColumnEntry>()].copy_from_slice(column.as_bytes());
        }
    }
}

/// Finds the bytes of a section.
fn find(file: &[u8], table_start: usize, kind: SectionKind) -> Option<std::ops::Range<usize>> {
    let table = file[table_start..file.len() - FOOTER].chunks_exact(ENTRY);
    let kind = (kind as u32).to_le_bytes();
    table.into_iter().find(|entry| entry[..4] == kind).and_then(|entry| bounds(entry, file.len()))
}

fn bounds(entry: &[u8], length: usize) -> Option<std::ops::Range<usize>> {
    let (entry, _) = SectionEntry::ref_from_prefix(entry).ok()?;
    inside(&(0..length), entry.offset.get(), entry.length.get())
}

/// Returns `length` bytes from `offset` on in a range, where it has them.
fn inside(
    all: &std::ops::Range<usize>,
    offset: u64,
    length: u64,
) -> Option<std::ops::Range<usize>> {
    let start = u64::try_from(all.start).ok()?.checked_add(offset)?;
    let end = start.checked_add(length).filter(|&end| end <= all.end as u64)?;
    Some(start as usize..end as usize)
}
