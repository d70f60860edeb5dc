//! Parquet files of one schema: `id`, a string, and `embedding`, a list of as many floats as the encoder has
//! dimensions. Uncompressed (vectors hardly compress), plain encoding, pages of about a mebibyte.
//!
//! The layout is that of <https://parquet.apache.org/docs/file-format/>; the footer also has the schema in Arrow's
//! form, by which readers know that the lists have a fixed size. Written here, as the crates that can write any
//! Parquet file take three minutes of processor time to build. Memory: one group of rows, and about a hundred bytes
//! for each group before.

use std::io::{self, Write};

use super::thrift::{Thrift, put_varint};

/// The Arrow schema as an encapsulated message, made by `tests/golden/make_vector_files.py`.
const ARROW_SCHEMA: &[u8] = include_bytes!("arrow_schema.bin");

/// Where the size of the lists stands in it, as 32 bits.
const LIST_SIZE_AT: usize = 116;

/// A group of rows is complete when its values or its ids take as much.
const GROUP_BYTES: usize = 16 << 20;

const PAGE_BYTES: usize = 1 << 20;

const MAGIC: &[u8] = b"PAR1";

// The numbers of the format's enumerations.
const FLOAT: i32 = 4;
const BYTE_ARRAY: i32 = 6;
const REQUIRED: i32 = 0;
const REPEATED: i32 = 2;
const UTF8: i32 = 0;
const LIST: i32 = 3;
const PLAIN: i32 = 0;
const RLE: i32 = 3;

/// Writes a Parquet file row by row.
pub(super) struct ParquetWriter<W: Write> {
    out: W,
    at: u64,
    dimensions: usize,
    /// The group that is being collected: ids in plain encoding with where each begins, and values.
    ids: Vec<u8>,
    starts: Vec<usize>,
    values: Vec<u8>,
    groups: Vec<Thrift>,
    rows: u64,
    group_bytes: usize,
}

impl<W: Write> ParquetWriter<W> {
    pub fn new(out: W, dimensions: usize) -> io::Result<Self> {
        Self::with_groups(out, dimensions, GROUP_BYTES)
    }

    fn with_groups(mut out: W, dimensions: usize, group_bytes: usize) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        let (ids, starts, values, groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let at = MAGIC.len() as u64;
        Ok(Self { out, at, dimensions, ids, starts, values, groups, rows: 0, group_bytes })
    }

    /// Takes a row, its values as little-endian floats.
    pub fn push(&mut self, id: &str, values: &[u8]) -> io::Result<()> {
        assert_eq!(values.len(), 4 * self.dimensions);
        self.starts.push(self.ids.len());
        self.ids.extend_from_slice(&length(id.len())?.to_le_bytes());
        self.ids.extend_from_slice(id.as_bytes());
        self.values.extend_from_slice(values);
        if self.ids.len().max(self.values.len()) >= self.group_bytes {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes the last group and the footer.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.starts.is_empty() {
            self.write_group()?;
        }
        let mut footer = Vec::new();
        let groups = std::mem::take(&mut self.groups);
        let schema_text = base64(&arrow_schema(self.dimensions));
        let pair = vec![(1, Thrift::text("ARROW:schema")), (2, Thrift::text(&schema_text))];
        Thrift::Struct(vec![
            (1, Thrift::I32(2)),
            (2, schema()),
            (3, Thrift::I64(self.rows as i64)),
            (4, Thrift::List(groups)),
            (5, Thrift::List(vec![Thrift::Struct(pair)])),
            (6, Thrift::text("ecphory")),
        ])
        .put(&mut footer);
        self.out.write_all(&footer)?;
        self.out.write_all(&length(footer.len())?.to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        Ok(self.out)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let rows = self.starts.len();
        let start = self.at;
        let ids = self.write_ids()?;
        let embeddings = self.write_embeddings()?;
        self.groups.push(Thrift::Struct(vec![
            (1, Thrift::List(vec![ids, embeddings])),
            (2, Thrift::I64((self.at - start) as i64)),
            (3, Thrift::I64(rows as i64)),
        ]));
        self.rows += rows as u64;
        self.ids.clear();
        self.starts.clear();
        self.values.clear();
        Ok(())
    }

    fn write_ids(&mut self) -> io::Result<Thrift> {
        let start = self.at;
        let ids = std::mem::take(&mut self.ids);
        let starts = std::mem::take(&mut self.starts);
        let mut first = 0;
        while first < starts.len() {
            let more = starts[first..].iter().take_while(|&&at| at - starts[first] < PAGE_BYTES);
            let next = first + more.count();
            let end = starts.get(next).copied().unwrap_or(ids.len());
            self.write_page(next - first, &ids[starts[first]..end])?;
            first = next;
        }
        let chunk = self.chunk(BYTE_ARRAY, &["id"], starts.len(), start);
        (self.ids, self.starts) = (ids, starts);
        Ok(chunk)
    }

    fn write_embeddings(&mut self) -> io::Result<Thrift> {
        let start = self.at;
        let values = std::mem::take(&mut self.values);
        let row_bytes = 4 * self.dimensions;
        let page_rows = (PAGE_BYTES / row_bytes).max(1);
        for page in values.chunks(page_rows * row_bytes) {
            let rows = page.len() / row_bytes;
            let mut content = levels(rows, self.dimensions)?;
            content.extend_from_slice(page);
            self.write_page(rows * self.dimensions, &content)?;
        }
        let path = ["embedding", "list", "element"];
        let chunk = self.chunk(FLOAT, &path, values.len() / 4, start);
        self.values = values;
        Ok(chunk)
    }

    fn write_page(&mut self, values: usize, content: &[u8]) -> io::Result<()> {
        let size = length(content.len())? as i32;
        let mut header = Vec::new();
        Thrift::Struct(vec![
            (1, Thrift::I32(0)),
            (2, Thrift::I32(size)),
            (3, Thrift::I32(size)),
            (
                5,
                Thrift::Struct(vec![
                    (1, Thrift::I32(length(values)? as i32)),
                    (2, Thrift::I32(PLAIN)),
                    (3, Thrift::I32(RLE)),
                    (4, Thrift::I32(RLE)),
                ]),
            ),
        ])
        .put(&mut header);
        self.out.write_all(&header)?;
        self.out.write_all(content)?;
        self.at += (header.len() + content.len()) as u64;
        Ok(())
    }

    /// Describes a column of the group, whose pages begin at `start` and end here.
    fn chunk(&self, kind: i32, path: &[&str], values: usize, start: u64) -> Thrift {
        let size = Thrift::I64((self.at - start) as i64);
        let same_size = Thrift::I64((self.at - start) as i64);
        let metadata = Thrift::Struct(vec![
            (1, Thrift::I32(kind)),
            (2, Thrift::List(vec![Thrift::I32(PLAIN), Thrift::I32(RLE)])),
            (3, Thrift::List(path.iter().map(|name| Thrift::text(name)).collect())),
            (4, Thrift::I32(0)),
            (5, Thrift::I64(values as i64)),
            (6, size),
            (7, same_size),
            (9, Thrift::I64(start as i64)),
        ]);
        Thrift::Struct(vec![(2, Thrift::I64(start as i64)), (3, metadata)])
    }
}

/// Sizes in the format have 31 bits.
fn length(size: usize) -> io::Result<u32> {
    let fits = i32::try_from(size).map(|size| size as u32);
    fits.map_err(|_| io::Error::new(io::ErrorKind::FileTooLarge, "an id is too long for Parquet"))
}

/// Returns the levels of rows: a repetition of 0 begins a list, and every value is there.
fn levels(rows: usize, dimensions: usize) -> io::Result<Vec<u8>> {
    let mut repetitions = Vec::new();
    let run = |count: usize, level: u8, out: &mut Vec<u8>| {
        if count > 0 {
            put_varint((count as u64) << 1, out);
            out.push(level);
        }
    };
    for _ in 0..rows {
        run(1, 0, &mut repetitions);
        run(dimensions - 1, 1, &mut repetitions);
    }
    let mut definitions = Vec::new();
    run(rows * dimensions, 1, &mut definitions);
    let mut out = Vec::new();
    for levels in [repetitions, definitions] {
        out.extend_from_slice(&length(levels.len())?.to_le_bytes());
        out.extend_from_slice(&levels);
    }
    Ok(out)
}

fn schema() -> Thrift {
    let union = |field| Thrift::Struct(vec![(field, Thrift::Struct(Vec::new()))]);
    let root = vec![(4, Thrift::text("schema")), (5, Thrift::I32(2))];
    let id = vec![
        (1, Thrift::I32(BYTE_ARRAY)),
        (3, Thrift::I32(REQUIRED)),
        (4, Thrift::text("id")),
        (6, Thrift::I32(UTF8)),
        (10, union(1)),
    ];
    let embedding = vec![
        (3, Thrift::I32(REQUIRED)),
        (4, Thrift::text("embedding")),
        (5, Thrift::I32(1)),
        (6, Thrift::I32(LIST)),
        (10, union(3)),
    ];
    let list = vec![(3, Thrift::I32(REPEATED)), (4, Thrift::text("list")), (5, Thrift::I32(1))];
    let element =
        vec![(1, Thrift::I32(FLOAT)), (3, Thrift::I32(REQUIRED)), (4, Thrift::text("element"))];
    Thrift::List([root, id, embedding, list, element].map(Thrift::Struct).into())
}

fn arrow_schema(dimensions: usize) -> Vec<u8> {
    let mut message = ARROW_SCHEMA.to_vec();
    message[LIST_SIZE_AT..][..4].copy_from_slice(&(dimensions as u32).to_le_bytes());
    message
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits = part.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - part.len()));
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= part.len() { DIGITS[value as usize] as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `tests/golden/make_vector_files.py` has read with pyarrow: three groups, of which the second has an
    /// id that is not ASCII.
    #[test]
    fn a_file_is_the_one_that_pyarrow_has_read() {
        let mut writer = ParquetWriter::with_groups(Vec::new(), 3, 24).unwrap();
        for (row, id) in ["a", "b", "ünï\n", "", "e"].iter().enumerate() {
            let values = [row as f32, -0.5, 1e-3].map(f32::to_le_bytes).concat();
            writer.push(id, &values).unwrap();
        }
        let golden = include_bytes!("../../tests/golden/vectors.parquet");
        let file = writer.finish().unwrap();
        assert!(file == golden, "the file differs from the golden one: {file:02x?}");
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn what_is_too_long_is_an_error() {
        assert!(length(i32::MAX as usize).is_ok());
        assert_eq!(length(1 << 31).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
