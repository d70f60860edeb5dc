//! The second half of building a BM25 part: terms come in the order of their bytes, each with its postings
//! in the order of documents, and become the sections of the part.
//!
//! Two sources feed it: the units of new documents ([`merge_units`]) and the parts of segments that are
//! merged ([`super::merge_parts`]). The sections grow in spools, so memory has a limit.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io;

use ecphory_kernels::postings::CHUNK;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U16, U32, U64};

use super::UnitPostings;
use crate::format::manifest::PartEntry;
use crate::format::part::{PartIdentity, Section, SectionKind};
use crate::format::records::{Block, Bm25Totals, Heavy, Term};
use crate::format::spool::{Spool, SpoolRoom, Spooled};
use crate::segment::publish_part;
use crate::{Error, Result};

/// The sections of a BM25 part while terms are added.
pub(crate) struct Bm25Builder<'s> {
    dictionary: fst::MapBuilder<Spool<'s>>,
    terms: Spool<'s>,
    blocks: Spool<'s>,
    docs: Spool<'s>,
    tfs: Spool<'s>,
    heavy: Spool<'s>,
    term_count: u64,
    block_count: u32,
    posting_count: u64,
    heavy_count: u32,
    /// The term being added: its first block, its documents so far, the chunk of its last block.
    first_block: u32,
    documents: u32,
    chunk: Option<u16>,
}

/// The lengths of a part's documents, and what they sum to.
#[derive(Debug, Default)]
pub(crate) struct Lengths {
    each: Vec<U32>,
    documents: u64,
    length: u64,
}

impl Lengths {
    pub fn push(&mut self, length: u32) {
        self.each.push(U32::new(length));
        self.documents += u64::from(length > 0);
        self.length += u64::from(length);
    }
}

/// The sections of a BM25 part, ready to be written.
pub(crate) struct Bm25Sections<'s> {
    totals: Bm25Totals,
    lengths: Lengths,
    dictionary: Spooled<'s>,
    terms: Spooled<'s>,
    blocks: Spooled<'s>,
    docs: Spooled<'s>,
    tfs: Spooled<'s>,
    heavy: Spooled<'s>,
}

/// Merges the units of a new segment, which are in order.
pub(crate) fn merge_units<'s>(
    units: &[UnitPostings],
    room: SpoolRoom<'s>,
) -> Result<Bm25Sections<'s>> {
    let postings: u64 = units.iter().map(|unit| unit.docs.len() as u64).sum();
    check_postings(postings)?;
    let mut out = Bm25Builder::new(room)?;
    let mut lengths = Lengths::default();
    for &length in units.iter().flat_map(|unit| &unit.lengths) {
        lengths.push(length);
    }
    let units_with_terms = units.iter().enumerate().filter(|(_, unit)| unit.terms() > 0);
    // The smallest term first, and of equal terms the one of the earlier unit.
    let mut heads: BinaryHeap<Reverse<(&str, usize, usize)>> =
        units_with_terms.map(|(i, unit)| Reverse((unit.term(0), i, 0))).collect();
    while let Some(Reverse((term, _, _))) = heads.peek() {
        let term = *term;
        while let Some(mut head) = heads.peek_mut()
            && head.0.0 == term
        {
            let (_, i, rank) = head.0;
            let unit = &units[i];
            for posting in unit.postings(rank) {
                out.posting(unit.first + u32::from(unit.docs[posting]), unit.frequency(posting));
            }
            if rank + 1 < unit.terms() {
                *head = Reverse((unit.term(rank + 1), i, rank + 1));
            } else {
                PeekMut::pop(head);
            }
        }
        out.end_term(term.as_bytes())?;
    }
    out.finish(lengths)
}

/// Refuses more postings than a part can number.
pub(super) fn check_postings(postings: u64) -> Result<()> {
    let limit = u64::from(u32::MAX);
    if postings > limit {
        return Err(Error::TooMany { what: "postings in one segment", got: postings, limit });
    }
    Ok(())
}

impl<'s> Bm25Builder<'s> {
    pub fn new(room: SpoolRoom<'s>) -> Result<Self> {
        let spool = |section| Spool::new(room, section);
        let dictionary = fst::MapBuilder::new(spool("dictionary")).map_err(no_dictionary)?;
        Ok(Self {
            dictionary,
            terms: spool("terms"),
            blocks: spool("blocks"),
            docs: spool("docs"),
            tfs: spool("tfs"),
            heavy: spool("heavy"),
            term_count: 0,
            block_count: 0,
            posting_count: 0,
            heavy_count: 0,
            first_block: 0,
            documents: 0,
            chunk: None,
        })
    }

    /// Adds a posting to the term that [`Bm25Builder::end_term`] will name; documents come in order.
    #[inline]
    pub fn posting(&mut self, doc: u32, tf: u32) {
        let chunk = (doc / CHUNK as u32) as u16;
        if self.chunk != Some(chunk) {
            self.push_block(chunk);
        }
        self.documents += 1;
        if let Ok(tf) = u8::try_from(tf) {
            self.docs.push(&(doc as u16).to_le_bytes());
            self.tfs.push(&[tf]);
            self.posting_count += 1;
        } else {
            self.heavy.push(Heavy { doc: U32::new(doc), tf: U32::new(tf) }.as_bytes());
            self.heavy_count += 1;
        }
    }

    /// Ends a term; one without postings leaves no trace.
    pub fn end_term(&mut self, term: &[u8]) -> Result<()> {
        if self.documents == 0 {
            return Ok(());
        }
        self.dictionary.insert(term, self.term_count).map_err(no_dictionary)?;
        self.push_term();
        self.term_count += 1;
        (self.first_block, self.documents, self.chunk) = (self.block_count, 0, None);
        let spools = [&mut self.terms, &mut self.blocks, &mut self.docs, &mut self.tfs];
        for spool in spools.into_iter().chain([&mut self.heavy]) {
            spool.settle().map_err(Error::io("write", "tmp"))?;
        }
        Ok(())
    }

    fn push_term(&mut self) {
        let (first_block, documents) = (U32::new(self.first_block), U32::new(self.documents));
        self.terms.push(Term { first_block, documents }.as_bytes());
    }

    fn push_block(&mut self, chunk: u16) {
        let block = Block {
            first_posting: U32::new(self.posting_count as u32),
            first_heavy: U32::new(self.heavy_count),
            chunk: U16::new(chunk),
            reserved: U16::new(0),
        };
        self.blocks.push(block.as_bytes());
        self.block_count += 1;
        self.chunk = Some(chunk);
    }

    /// Appends the records at which the last term and the last block end, and ends the sections.
    pub fn finish(mut self, lengths: Lengths) -> Result<Bm25Sections<'s>> {
        let totals = Bm25Totals {
            documents: U64::new(lengths.documents),
            length: U64::new(lengths.length),
            terms: U64::new(self.term_count),
            postings: U64::new(self.posting_count + u64::from(self.heavy_count)),
        };
        self.push_term();
        self.push_block(0);
        let dictionary = self.dictionary.into_inner().map_err(no_dictionary)?;
        let done = |spool: Spool<'s>| spool.finish().map_err(Error::io("read", "tmp"));
        Ok(Bm25Sections {
            totals,
            lengths,
            dictionary: done(dictionary)?,
            terms: done(self.terms)?,
            blocks: done(self.blocks)?,
            docs: done(self.docs)?,
            tfs: done(self.tfs)?,
            heavy: done(self.heavy)?,
        })
    }
}

/// Terms come sorted and once, so all that the dictionary can complain of is a spool that does not spill.
fn no_dictionary(error: fst::Error) -> Error {
    let source = match error {
        fst::Error::Io(source) => source,
        fst::Error::Fst(wrong) => io::Error::other(wrong),
    };
    Error::Io { action: "write", file: "tmp".to_owned(), source }
}

impl Bm25Sections<'_> {
    /// Writes the part.
    pub fn write(
        &self,
        identity: PartIdentity,
        channel: &str,
        room: SpoolRoom<'_>,
    ) -> Result<PartEntry> {
        let sections: [Section<'_>; 8] = [
            (SectionKind::Bm25Totals, vec![self.totals.as_bytes()]),
            (SectionKind::Dictionary, self.dictionary.pieces()),
            (SectionKind::Terms, self.terms.pieces()),
            (SectionKind::Blocks, self.blocks.pieces()),
            (SectionKind::PostingDocs, self.docs.pieces()),
            (SectionKind::PostingTfs, self.tfs.pieces()),
            (SectionKind::HeavyPostings, self.heavy.pieces()),
            (SectionKind::Lengths, vec![self.lengths.each.as_bytes()]),
        ];
        publish_part(room.storage, identity, Some(channel), &sections)
    }
}
