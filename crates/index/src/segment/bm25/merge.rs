//! The second half of building a BM25 part: the units' terms are merged in order, their postings copied.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use ecphory_core::storage::Storage;
use ecphory_kernels::postings::CHUNK;
use zerocopy::IntoBytes;
use zerocopy::byteorder::little_endian::{U16, U32, U64};

use super::UnitPostings;
use crate::format::manifest::PartEntry;
use crate::format::part::{PartIdentity, SectionKind};
use crate::format::records::{Block, Bm25Totals, Heavy, Term};
use crate::segment::publish_part;
use crate::{Error, Result};

/// The sections of a BM25 part, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Bm25Sections {
    dictionary: Vec<u8>,
    terms: Vec<Term>,
    blocks: Vec<Block>,
    docs: Vec<U16>,
    tfs: Vec<u8>,
    heavy: Vec<Heavy>,
    lengths: Vec<U32>,
    documents: u64,
    length: u64,
}

/// Merges the units of a segment, which are in order.
pub(crate) fn merge_units(units: &[UnitPostings]) -> Result<Bm25Sections> {
    let limit = u64::from(u32::MAX);
    let postings: u64 = units.iter().map(|unit| unit.docs.len() as u64).sum();
    if postings > limit {
        return Err(Error::TooMany { what: "postings in one batch", got: postings, limit });
    }
    let mut out = Bm25Sections::default();
    out.docs.reserve_exact(postings as usize);
    out.tfs.reserve_exact(postings as usize);
    for &length in units.iter().flat_map(|unit| &unit.lengths) {
        out.lengths.push(U32::new(length));
        out.documents += u64::from(length > 0);
        out.length += u64::from(length);
    }

    let mut dictionary = fst::MapBuilder::memory();
    let units_with_terms = units.iter().enumerate().filter(|(_, unit)| unit.terms() > 0);
    // The smallest term first, and of equal terms the one of the earlier unit.
    let mut heads: BinaryHeap<Reverse<(&str, usize, usize)>> =
        units_with_terms.map(|(i, unit)| Reverse((unit.term(0), i, 0))).collect();
    while let Some(Reverse((term, _, _))) = heads.peek() {
        let term = *term;
        dictionary.insert(term, out.terms.len() as u64).expect("terms come sorted and once");
        out.terms
            .push(Term { first_block: U32::new(out.blocks.len() as u32), documents: U32::new(0) });
        let mut documents = 0;
        while let Some(mut head) = heads.peek_mut()
            && head.0.0 == term
        {
            let (_, i, rank) = head.0;
            documents += out.copy(&units[i], rank);
            if rank + 1 < units[i].terms() {
                *head = Reverse((units[i].term(rank + 1), i, rank + 1));
            } else {
                PeekMut::pop(head);
            }
        }
        out.terms.last_mut().expect("pushed above").documents = U32::new(documents);
    }
    out.dictionary = dictionary.into_inner().expect("memory does not fail");
    out.end_lists();
    Ok(out)
}

impl Bm25Sections {
    /// Appends a term's postings of one unit and returns how many there are.
    fn copy(&mut self, unit: &UnitPostings, rank: usize) -> u32 {
        let chunk = unit.first / CHUNK as u32;
        let same_term = self
            .terms
            .last()
            .is_some_and(|term| (term.first_block.get() as usize) < self.blocks.len());
        let same_chunk =
            self.blocks.last().is_some_and(|block| u32::from(block.chunk.get()) == chunk);
        if !(same_term && same_chunk) {
            self.push_block(chunk as u16);
        }
        let postings = unit.postings(rank);
        let base = (unit.first % CHUNK as u32) as u16;
        for posting in postings.clone() {
            let doc = base + unit.docs[posting];
            match u8::try_from(unit.frequency(posting)) {
                Ok(tf) => {
                    self.docs.push(U16::new(doc));
                    self.tfs.push(tf);
                }
                Err(_) => self.heavy.push(Heavy {
                    doc: U32::new(unit.first + u32::from(unit.docs[posting])),
                    tf: U32::new(unit.frequency(posting)),
                }),
            }
        }
        postings.len() as u32
    }

    fn push_block(&mut self, chunk: u16) {
        self.blocks.push(Block {
            first_posting: U32::new(self.docs.len() as u32),
            first_heavy: U32::new(self.heavy.len() as u32),
            chunk: U16::new(chunk),
            reserved: U16::new(0),
        });
    }

    /// Appends the records at which the last term and the last block end.
    fn end_lists(&mut self) {
        let end = U32::new(self.blocks.len() as u32);
        self.terms.push(Term { first_block: end, documents: U32::new(0) });
        self.push_block(0);
    }

    /// Writes the part.
    pub fn write(
        &self,
        storage: &dyn Storage,
        identity: PartIdentity,
        channel: &str,
    ) -> Result<PartEntry> {
        let totals = Bm25Totals {
            documents: U64::new(self.documents),
            length: U64::new(self.length),
            terms: U64::new(self.terms.len() as u64 - 1),
            postings: U64::new((self.docs.len() + self.heavy.len()) as u64),
        };
        let sections = [
            (SectionKind::Bm25Totals, vec![totals.as_bytes()]),
            (SectionKind::Dictionary, vec![&*self.dictionary]),
            (SectionKind::Terms, vec![self.terms.as_bytes()]),
            (SectionKind::Blocks, vec![self.blocks.as_bytes()]),
            (SectionKind::PostingDocs, vec![self.docs.as_bytes()]),
            (SectionKind::PostingTfs, vec![&*self.tfs]),
            (SectionKind::HeavyPostings, vec![self.heavy.as_bytes()]),
            (SectionKind::Lengths, vec![self.lengths.as_bytes()]),
        ];
        publish_part(storage, identity, Some(channel), &sections)
    }
}
