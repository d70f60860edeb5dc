//! Builds an impact index of rows, chunk by chunk: two walks over a chunk's rows, one that counts the postings of each term and
//! finds its largest weight, one that puts them into their places.

use ecphory_kernels::postings::CHUNK;
use zerocopy::byteorder::little_endian::{F32, U32};
use zerocopy::{FromBytes, IntoBytes};

use super::quantise::{impact, unit};
use crate::format::part::{Section, SectionKind};
use crate::format::records::ImpactList;
use crate::format::spool::{Spool, SpoolRoom, Spooled};
use crate::segment::rows::RowRun;
use crate::{Error, Result};

/// The sections of an impact index, ready to be written.
pub(crate) struct ImpactSections<'s> {
    chunks: Vec<U32>,
    lists: Spooled<'s>,
    docs: Spooled<'s>,
    impacts: Spooled<'s>,
}

/// Builds the impact index of the rows of a sparse channel, whose vocabulary has so many terms.
pub(crate) fn build_impacts<'s>(
    run: &RowRun<'_>,
    terms: u32,
    room: SpoolRoom<'s>,
) -> Result<ImpactSections<'s>> {
    let mut builder = ImpactBuilder::new(terms, room);
    let numbers = run.terms.iter().flat_map(|piece| <[U32]>::ref_from_bytes(piece).unwrap_or(&[]));
    let weights = run.values.iter().flat_map(|piece| <[F32]>::ref_from_bytes(piece).unwrap_or(&[]));
    let mut rows = numbers.zip(weights);
    for counts in run.counts.chunks(CHUNK) {
        let of_each = counts.iter().zip(0u16..=u16::MAX);
        let docs = of_each.flat_map(|(&count, doc)| std::iter::repeat_n(doc, count as usize));
        let postings = docs.zip(rows.clone());
        let postings = postings.map(|(doc, (term, weight))| (doc, term.get(), weight.get()));
        builder.chunk(postings)?;
        let count: usize = counts.iter().map(|&count| count as usize).sum();
        rows.by_ref().take(count).for_each(drop);
    }
    builder.finish()
}

/// The sections of an impact index while chunks are added.
struct ImpactBuilder<'s> {
    chunks: Vec<U32>,
    lists: Spool<'s>,
    docs: Spool<'s>,
    impacts: Spool<'s>,
    list_count: u32,
    posting_count: u32,
    /// By term: how many postings the chunk has; all 0 between chunks.
    counts: Vec<u32>,
    /// By term: the largest weight of the chunk; all 0 between chunks.
    largest: Vec<f32>,
}

impl<'s> ImpactBuilder<'s> {
    fn new(terms: u32, room: SpoolRoom<'s>) -> Self {
        let spool = |section| Spool::new(room, section);
        Self {
            chunks: Vec::new(),
            lists: spool("lists"),
            docs: spool("docs"),
            impacts: spool("impacts"),
            list_count: 0,
            posting_count: 0,
            counts: vec![0; terms as usize],
            largest: vec![0.0; terms as usize],
        }
    }

    /// Adds the next chunk: the document in the chunk, the term and the weight of each posting, in the order
    /// of documents.
    fn chunk(&mut self, postings: impl Iterator<Item = (u16, u32, f32)> + Clone) -> Result<()> {
        self.chunks.push(U32::new(self.list_count));
        let mut found: Vec<u32> = Vec::new();
        for (_, term, weight) in postings.clone() {
            let (count, largest) =
                (&mut self.counts[term as usize], &mut self.largest[term as usize]);
            if *count == 0 {
                found.push(term);
            }
            *count += 1;
            *largest = largest.max(weight);
        }
        found.sort_unstable();
        // From here on the places of the next postings and the units stand where counts and largest weights did.
        let mut count = 0;
        for &term in &found {
            let term_unit = unit(self.largest[term as usize]);
            let list = ImpactList {
                term: U32::new(term),
                first_posting: U32::new(self.posting_count + count),
                unit: F32::new(term_unit),
            };
            self.lists.push(list.as_bytes());
            let own = std::mem::replace(&mut self.counts[term as usize], count);
            self.largest[term as usize] = term_unit;
            count += own;
        }
        let mut docs = vec![[0; 2]; count as usize];
        let mut impacts = vec![0; count as usize];
        for (doc, term, weight) in postings {
            let place = &mut self.counts[term as usize];
            docs[*place as usize] = doc.to_le_bytes();
            impacts[*place as usize] = impact(weight, self.largest[term as usize]);
            *place += 1;
        }
        for &term in &found {
            self.counts[term as usize] = 0;
            self.largest[term as usize] = 0.0;
        }
        self.docs.push(docs.as_flattened());
        self.impacts.push(&impacts);
        self.list_count += found.len() as u32;
        self.posting_count += count;
        for spool in [&mut self.lists, &mut self.docs, &mut self.impacts] {
            spool.settle().map_err(Error::io("write", "tmp"))?;
        }
        Ok(())
    }

    /// Appends the records at which the last chunk and the last list end, and ends the sections.
    fn finish(mut self) -> Result<ImpactSections<'s>> {
        self.chunks.push(U32::new(self.list_count));
        let end = ImpactList {
            term: U32::new(0),
            first_posting: U32::new(self.posting_count),
            unit: F32::new(0.0),
        };
        self.lists.push(end.as_bytes());
        let done = |spool: Spool<'s>| spool.finish().map_err(Error::io("read", "tmp"));
        Ok(ImpactSections {
            chunks: self.chunks,
            lists: done(self.lists)?,
            docs: done(self.docs)?,
            impacts: done(self.impacts)?,
        })
    }
}

impl ImpactSections<'_> {
    /// Returns the sections as a part has them.
    pub fn sections(&self) -> [Section<'_>; 4] {
        [
            (SectionKind::ImpactChunks, vec![self.chunks.as_bytes()]),
            (SectionKind::ImpactLists, self.lists.pieces()),
            (SectionKind::ImpactDocs, self.docs.pieces()),
            (SectionKind::Impacts, self.impacts.pieces()),
        ]
    }
}
