//! Reads the documents part.

use ecphory_core::checksum::crc32;
use ecphory_core::storage::Bytes;
use ecphory_core::{DocNo, Document};
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U32;

use super::MAX_DOCUMENT_BYTES;
use super::record::{FieldValue, Fields};
use crate::format::part::{PartFile, SectionKind};
use crate::format::records::{IdHash, StoredBlock, id_hash};
use crate::{Error, Result};

/// The largest block: one document of the largest size begun in an almost full block.
const MAX_BLOCK_BYTES: usize = MAX_DOCUMENT_BYTES + (1 << 20);
/// How many bytes one byte of LZ4 stands for at most.
const MAX_RATIO: usize = 255;

/// What [`DocumentsPart::for_each`] calls with a document and its fields, each with its name's number.
type Visit<'a> = dyn FnMut(DocNo, &[(u32, FieldValue<'_>)]) -> Result<()> + 'a;

/// A verified documents part. The stored blocks are verified one by one when they are read.
#[derive(Debug)]
pub(crate) struct DocumentsPart {
    name: String,
    names: Vec<String>,
    starts: Bytes,
    ids: Bytes,
    hashes: Bytes,
    blocks: Bytes,
    stored: Bytes,
    documents: u32,
    stored_offset: u64,
}

impl DocumentsPart {
    /// Compares the checksums of all sections but the stored blocks and checks that they fit together.
    pub fn verify(file: &PartFile) -> Result<Self> {
        let names = file.checked(SectionKind::FieldNames)?;
        let names = Fields::names(&names)
            .ok_or_else(|| file.corrupt(SectionKind::FieldNames, 0, "the names are cut short"))?;
        let part = Self {
            name: file.name.clone(),
            names,
            starts: file.checked(SectionKind::IdStarts)?,
            ids: file.checked(SectionKind::Ids)?,
            hashes: file.checked(SectionKind::IdHashes)?,
            blocks: file.checked(SectionKind::StoredBlocks)?,
            stored: file.unchecked(SectionKind::Stored)?,
            documents: file.documents,
            stored_offset: 0,
        };
        part.check(file)
    }

    fn check(self, file: &PartFile) -> Result<Self> {
        let count = self.documents as usize;
        let starts = self.starts();
        let mut ends = starts.windows(2).map(|pair| pair[0].get() <= pair[1].get());
        let sound = starts.len() == count + 1
            && starts[count].get() as usize == self.ids.len()
            && ends.all(|sorted| sorted);
        if !sound || std::str::from_utf8(&self.ids).is_err() {
            return Err(file.corrupt(SectionKind::IdStarts, 0, "the starts do not fit the ids"));
        }
        let hashes = self.hashes();
        let order = |hash: &IdHash| (hash.hash.get(), hash.doc.get());
        let sound = hashes.len() == count
            && hashes.iter().all(|hash| hash.doc.get() < self.documents)
            && hashes.is_sorted_by(|a, b| order(a) < order(b));
        if !sound {
            return Err(file.corrupt(SectionKind::IdHashes, 0, "the hashes do not fit the ids"));
        }
        let blocks = self.blocks();
        let mut order = blocks.windows(2).map(|pair| pair[0].first.get() < pair[1].first.get());
        let sound = blocks.first().is_none_or(|block| block.first.get() == 0)
            && blocks.iter().all(|block| block.first.get() < self.documents)
            && blocks.is_empty() == (count == 0)
            && order.all(|sorted| sorted);
        if !sound {
            return Err(file.corrupt(SectionKind::StoredBlocks, 0, "the blocks are out of order"));
        }
        Ok(Self { stored_offset: file.offset(SectionKind::Stored), ..self })
    }

    /// Returns a document's id.
    pub fn id(&self, doc: DocNo) -> Result<&str> {
        let starts = self.starts();
        let (start, end) =
            (starts[doc.index()].get() as usize, starts[doc.index() + 1].get() as usize);
        std::str::from_utf8(&self.ids[start..end])
            .map_err(|_| Error::corrupt(&self.name, 0, format!("the id of document {doc} is cut")))
    }

    /// Checks what only a reading of everything can: the blocks, and that each id is found by its hash.
    pub fn check_all(&self) -> Result<()> {
        self.for_each(&mut |_, _| Ok(()))?;
        for entry in self.hashes() {
            let doc = DocNo(entry.doc.get());
            if id_hash(self.id(doc)?) != entry.hash.get() {
                let what = format!("the id of document {doc} has another hash");
                return Err(Error::corrupt(&self.name, 0, what));
            }
        }
        Ok(())
    }

    /// Looks the document up that has this id and for which `alive` holds.
    pub fn find(&self, id: &str, alive: &dyn Fn(DocNo) -> bool) -> Result<Option<DocNo>> {
        let hash = id_hash(id);
        let hashes = self.hashes();
        let start = hashes.partition_point(|entry| entry.hash.get() < hash);
        for entry in hashes[start..].iter().take_while(|entry| entry.hash.get() == hash) {
            let doc = DocNo(entry.doc.get());
            if alive(doc) && self.id(doc)? == id {
                return Ok(Some(doc));
            }
        }
        Ok(None)
    }

    /// Reads a whole document.
    pub fn document(&self, doc: DocNo) -> Result<Document> {
        let position = self.blocks().partition_point(|block| block.first.get() <= doc.0) - 1;
        let first = self.blocks()[position].first.get();
        let raw = self.block(position)?;
        let mut rest = &*raw;
        for _ in first..doc.0 {
            Fields::next_record(&mut rest).ok_or_else(|| self.bad_block(position))?;
        }
        let record = Fields::next_record(&mut rest).and_then(Fields::decode);
        let record = record.ok_or_else(|| self.bad_block(position))?;
        let mut fields = Vec::with_capacity(record.len());
        for (name, value) in record {
            let name = self.names.get(name as usize).ok_or_else(|| self.bad_block(position))?;
            fields.push((name.clone(), value.to_value()));
        }
        Ok(Document { id: self.id(doc)?.to_owned(), fields })
    }

    /// Calls `visit` with every document's record, undecoded, in order.
    pub(super) fn for_each_record(
        &self,
        visit: &mut dyn FnMut(u32, Fields<'_>) -> Result<()>,
    ) -> Result<()> {
        let blocks = self.blocks();
        for position in 0..blocks.len() {
            let first = blocks[position].first.get();
            let end = blocks.get(position + 1).map_or(self.documents, |next| next.first.get());
            let raw = self.block(position)?;
            let mut rest = &*raw;
            for doc in first..end {
                let record = Fields::next_record(&mut rest);
                visit(doc, record.ok_or_else(|| self.bad_block(position))?)?;
            }
        }
        Ok(())
    }

    /// Returns all stored blocks and the bytes they point into, after comparing every block's checksum.
    pub(super) fn all_blocks(&self) -> Result<(&[StoredBlock], &[u8])> {
        for position in 0..self.blocks().len() {
            self.stored_block(position)?;
        }
        Ok((self.blocks(), &self.stored))
    }

    /// Yields each document's hash, in the order of the hashes.
    pub(super) fn id_hashes(&self) -> &[IdHash] {
        self.hashes()
    }

    /// Calls `visit` with every document's fields, in order. Names are numbers, see [`Self::name_number`].
    pub fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        self.for_each_record(&mut |doc, record| {
            let known = |fields: &Vec<(u32, FieldValue<'_>)>| {
                fields.iter().all(|(name, _)| (*name as usize) < self.names.len())
            };
            let fields = record.decode().filter(known).ok_or_else(|| self.bad_record(doc))?;
            visit(DocNo(doc), &fields)
        })
    }

    /// Returns the number of a field's name, or `None` where no document of the segment has it.
    pub fn name_number(&self, name: &str) -> Option<u32> {
        self.names.iter().zip(0..).find(|(known, _)| *known == name).map(|(_, number)| number)
    }

    /// Returns the names of all fields.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn block(&self, position: usize) -> Result<Vec<u8>> {
        let stored = self.stored_block(position)?;
        let raw_length = self.blocks()[position].raw_length.get() as usize;
        let raw = lz4_flex::block::decompress(stored, raw_length);
        raw.map_err(|_| self.bad_block(position))
    }

    /// Returns a block as it is stored, after comparing its checksum.
    fn stored_block(&self, position: usize) -> Result<&[u8]> {
        let block = self.blocks()[position];
        let (start, length) = (block.offset.get() as usize, block.length.get() as usize);
        let stored = start.checked_add(length).and_then(|end| self.stored.get(start..end));
        let stored = stored.ok_or_else(|| self.bad_block(position))?;
        let raw_length = block.raw_length.get() as usize;
        let possible = raw_length <= MAX_BLOCK_BYTES && raw_length / MAX_RATIO <= length;
        if crc32(stored) != block.crc.get() || !possible {
            return Err(self.bad_block(position));
        }
        Ok(stored)
    }

    pub(super) fn bad_record(&self, doc: u32) -> Error {
        self.bad_block(self.blocks().partition_point(|block| block.first.get() <= doc) - 1)
    }

    fn bad_block(&self, position: usize) -> Error {
        let offset = self.stored_offset.saturating_add(self.blocks()[position].offset.get());
        Error::corrupt(&self.name, offset, format!("block {position} of the stored documents"))
    }

    fn starts(&self) -> &[U32] {
        <[U32]>::ref_from_bytes(&self.starts).unwrap_or(&[])
    }

    fn hashes(&self) -> &[IdHash] {
        <[IdHash]>::ref_from_bytes(&self.hashes).unwrap_or(&[])
    }

    fn blocks(&self) -> &[StoredBlock] {
        <[StoredBlock]>::ref_from_bytes(&self.blocks).unwrap_or(&[])
    }
}
