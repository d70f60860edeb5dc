//! Merging the documents parts of neighbouring segments.
//!
//! A segment all of whose documents live is copied block by block as it is compressed. From one with dead
//! documents, with tiny blocks or with other field names the living records are packed into new blocks.

use std::borrow::Cow;

use super::DocumentsPart;
use super::record::{FieldNames, Fields, renumber};
use super::write::{BLOCK_BYTES, BlockPacker, Ids, moved, write_documents};
use crate::format::manifest::PartEntry;
use crate::format::part::PartIdentity;
use crate::format::records::StoredBlock;
use crate::format::spool::{Spool, SpoolRoom, Spooled};
use crate::segment::survivors::Survivors;
use crate::{Error, Result};

/// Merges parts, which are in order, each with what survives of its documents, and writes the result.
pub(crate) fn merge_documents(
    parts: &[(&DocumentsPart, &Survivors)],
    identity: PartIdentity,
    room: SpoolRoom<'_>,
) -> Result<PartEntry> {
    let mut names = FieldNames::default();
    for name in parts.iter().flat_map(|(part, _)| part.names()) {
        names.add(name);
    }
    let ids = merge_ids(parts)?;
    let mut stored = Stored::new(room);
    for (part, survivors) in parts {
        let names_fit = names.names().iter().zip(part.names()).all(|(new, old)| new == old);
        if survivors.all() && names_fit && has_full_blocks(part)? {
            stored.copy(part, survivors.first)?;
        } else {
            stored.repack(part, survivors, names_fit, &names)?;
        }
    }
    stored.close_run()?;
    let pieces = stored.runs.iter().flat_map(Run::pieces).collect();
    write_documents(room.storage, identity, ids, &names, &stored.blocks, pieces)
}

fn merge_ids(parts: &[(&DocumentsPart, &Survivors)]) -> Result<Ids> {
    let mut ids = Ids::default();
    for (part, survivors) in parts {
        let mut hashes = vec![0; part.id_hashes().len()];
        for entry in part.id_hashes() {
            hashes[entry.doc.get() as usize] = entry.hash.get();
        }
        for old in survivors.iter() {
            ids.push_hashed(part.id(ecphory_core::DocNo(old))?, hashes[old as usize])?;
        }
    }
    Ok(ids)
}

/// Whether a part's blocks are worth keeping: half full on average.
fn has_full_blocks(part: &DocumentsPart) -> Result<bool> {
    let (blocks, _) = part.all_blocks()?;
    let raw: u64 = blocks.iter().map(|block| u64::from(block.raw_length.get())).sum();
    Ok(raw >= (blocks.len() * BLOCK_BYTES / 2) as u64)
}

/// Bytes of stored blocks: those of one segment, or new ones.
enum Run<'a, 's> {
    Copied(&'a [u8]),
    Packed(Spooled<'s>),
}

impl Run<'_, '_> {
    fn pieces(&self) -> Vec<&[u8]> {
        match self {
            Run::Copied(bytes) => vec![bytes],
            Run::Packed(spooled) => spooled.pieces(),
        }
    }
}

/// The stored blocks of the merged segment so far.
struct Stored<'a, 's> {
    room: SpoolRoom<'s>,
    blocks: Vec<StoredBlock>,
    runs: Vec<Run<'a, 's>>,
    /// The bytes of all blocks so far.
    length: u64,
    open: Option<(BlockPacker, Spool<'s>)>,
}

impl<'a, 's> Stored<'a, 's> {
    fn new(room: SpoolRoom<'s>) -> Self {
        Self { room, blocks: Vec::new(), runs: Vec::new(), length: 0, open: None }
    }

    /// Takes over all blocks of a part, whose first document gets the number `first`.
    fn copy(&mut self, part: &'a DocumentsPart, first: u32) -> Result<()> {
        self.close_run()?;
        let (blocks, bytes) = part.all_blocks()?;
        self.blocks.extend(blocks.iter().map(|&block| moved(block, self.length, first)));
        self.runs.push(Run::Copied(bytes));
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Packs the living records of a part, together with those of the part before where that was packed too.
    fn repack(
        &mut self,
        part: &DocumentsPart,
        survivors: &Survivors,
        names_fit: bool,
        names: &FieldNames<'_>,
    ) -> Result<()> {
        if self.open.is_none() {
            let section = format!("stored-{}", self.runs.len());
            let spool = Spool::new(self.room, &section);
            self.open = Some((BlockPacker::new(survivors.first), spool));
        }
        part.for_each_record(&mut |old, record| {
            if survivors.new_number(old).is_none() {
                return Ok(());
            }
            let record = if names_fit {
                Cow::Borrowed(record.bytes())
            } else {
                renumbered(part, old, record, names)?
            };
            let packer = self.open.as_mut().map(|(packer, _)| packer);
            let closed = packer.and_then(|p| p.push(&mut |raw| raw.extend_from_slice(&record)));
            self.take(closed)
        })
    }

    fn take(&mut self, closed: Option<(StoredBlock, Vec<u8>)>) -> Result<()> {
        if let (Some((block, bytes)), Some((_, spool))) = (closed, &mut self.open) {
            self.blocks.push(moved(block, self.length, 0));
            self.length += bytes.len() as u64;
            spool.push(&bytes);
            spool.settle().map_err(Error::io("write", "tmp"))?;
        }
        Ok(())
    }

    /// Ends the packed blocks that are open.
    fn close_run(&mut self) -> Result<()> {
        let closed = self.open.as_mut().and_then(|(packer, _)| packer.close());
        self.take(closed)?;
        if let Some((_, spool)) = self.open.take() {
            let spooled = spool.finish().map_err(Error::io("read", "tmp"))?;
            self.runs.push(Run::Packed(spooled));
        }
        Ok(())
    }
}

fn renumbered<'r>(
    part: &DocumentsPart,
    doc: u32,
    record: Fields<'_>,
    names: &FieldNames<'_>,
) -> Result<Cow<'r, [u8]>> {
    let mut out = Vec::with_capacity(record.bytes().len());
    let fields = record.decode().ok_or_else(|| part.bad_record(doc))?;
    renumber(&fields, part.names(), names, &mut out).ok_or_else(|| part.bad_record(doc))?;
    Ok(Cow::Owned(out))
}
