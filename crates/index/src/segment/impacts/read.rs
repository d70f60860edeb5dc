//! Reads an impact index.

use ecphory_core::storage::Bytes;
use ecphory_kernels::postings::CHUNK;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U32;

use crate::Result;
use crate::format::part::{PartFile, SectionKind};
use crate::format::records::ImpactList;

/// A verified impact index. Documents count from the part's first one.
pub(crate) struct ImpactIndex {
    chunks: Bytes,
    lists: Bytes,
    docs: Bytes,
    impacts: Bytes,
}

/// The lists of one chunk.
#[derive(Clone, Copy)]
pub(crate) struct ChunkImpacts<'a> {
    index: &'a ImpactIndex,
    /// The chunk's lists and the one after, which ends the last.
    lists: &'a [ImpactList],
}

/// A term's postings in one chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImpactPostings<'a> {
    /// Documents in the chunk, little-endian, increasing.
    pub docs: &'a [[u8; 2]],
    /// Their impacts, at least 1.
    pub impacts: &'a [u8],
    /// The largest of them, or more.
    pub largest: u8,
    /// What an impact of 1 stands for.
    pub unit: f32,
}

impl ImpactIndex {
    /// Compares the checksums of the sections and checks that no list leads outside of its chunk.
    pub fn verify(file: &PartFile, postings: usize) -> Result<Self> {
        let index = Self {
            chunks: file.checked(SectionKind::ImpactChunks)?,
            lists: file.checked(SectionKind::ImpactLists)?,
            docs: file.checked(SectionKind::ImpactDocs)?,
            impacts: file.checked(SectionKind::Impacts)?,
        };
        let (chunks, lists) = (index.chunk_starts(), index.lists());
        let sound = chunks.len() == (file.documents as usize).div_ceil(CHUNK) + 1
            && chunks[0].get() == 0
            && chunks.windows(2).all(|pair| pair[0].get() <= pair[1].get())
            && chunks.last().is_some_and(|end| end.get() as usize + 1 == lists.len())
            && index.impacts.len() == postings
            && index.docs.len() == 2 * postings
            && lists.first().is_some_and(|first| first.first_posting.get() == 0)
            && lists.last().is_some_and(|end| end.first_posting.get() as usize == postings);
        if !sound {
            let what = "chunks, lists and postings do not fit";
            return Err(file.corrupt(SectionKind::ImpactChunks, 0, what));
        }
        for chunk in 0..chunks.len() - 1 {
            let room = (file.documents as usize - chunk * CHUNK).min(CHUNK);
            let own = index.chunk(chunk).lists;
            for (pair, position) in own.windows(2).zip(chunks[chunk].get() as usize..) {
                let last = position + 1 == chunks[chunk + 1].get() as usize;
                let in_order = last || pair[0].term.get() < pair[1].term.get();
                if !in_order || !index.is_sound(&pair[0], &pair[1], room) {
                    let offset = position * size_of::<ImpactList>();
                    return Err(file.corrupt(SectionKind::ImpactLists, offset, "a list is wrong"));
                }
            }
        }
        Ok(index)
    }

    /// Returns whether a list's postings lead to the `room` documents of its chunk, in order.
    fn is_sound(&self, list: &ImpactList, next: &ImpactList, room: usize) -> bool {
        let postings = list.first_posting.get() as usize..next.first_posting.get() as usize;
        let docs = self.docs.as_chunks::<2>().0.get(postings.clone());
        let (Some(docs), Some(impacts)) = (docs, self.impacts.get(postings)) else { return false };
        let doc_of = |bytes: &[u8; 2]| usize::from(u16::from_le_bytes(*bytes));
        // Without an early exit the order is checked at the speed of the memory.
        let later = docs.get(1..).unwrap_or(&[]);
        docs.iter().zip(later).fold(true, |sound, (a, b)| sound & (doc_of(a) < doc_of(b)))
            && docs.last().is_some_and(|last| doc_of(last) < room)
            && !impacts.contains(&0)
            && list.unit.get() > 0.0
            && list.unit.get().is_finite()
    }

    /// Returns how many chunks there are.
    pub fn chunks(&self) -> usize {
        self.chunk_starts().len() - 1
    }

    /// Returns the lists of a chunk.
    pub fn chunk(&self, chunk: usize) -> ChunkImpacts<'_> {
        let starts = self.chunk_starts();
        let own = starts[chunk].get() as usize..starts[chunk + 1].get() as usize + 1;
        ChunkImpacts { index: self, lists: &self.lists()[own] }
    }

    fn chunk_starts(&self) -> &[U32] {
        <[U32]>::ref_from_bytes(&self.chunks).unwrap_or(&[])
    }

    fn lists(&self) -> &[ImpactList] {
        <[ImpactList]>::ref_from_bytes(&self.lists).unwrap_or(&[])
    }
}

impl<'a> ChunkImpacts<'a> {
    /// Looks a term up among the lists that were not passed yet, and passes those before it: terms are looked up in
    /// increasing order.
    pub fn advance(&mut self, term: u32) -> Option<ImpactPostings<'a>> {
        let own = &self.lists[..self.lists.len() - 1];
        self.lists = &self.lists[own.partition_point(|list| list.term.get() < term)..];
        let [list, next, ..] = self.lists else { return None };
        (list.term.get() == term).then(|| self.between(list, next))
    }

    /// Yields all terms with their postings.
    pub fn iter(self) -> impl Iterator<Item = (u32, ImpactPostings<'a>)> {
        self.lists
            .windows(2)
            .map(move |pair| (pair[0].term.get(), self.between(&pair[0], &pair[1])))
    }

    /// Returns what lies between two lists, which were checked when the part was verified.
    fn between(&self, list: &ImpactList, next: &ImpactList) -> ImpactPostings<'a> {
        let postings = list.first_posting.get() as usize..next.first_posting.get() as usize;
        ImpactPostings {
            docs: &self.index.docs.as_chunks::<2>().0[postings.clone()],
            impacts: &self.index.impacts[postings],
            // The unit was chosen so that the largest weight has it.
            largest: u8::MAX,
            unit: list.unit.get(),
        }
    }
}

impl std::fmt::Debug for ImpactIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lists = self.lists().len() - 1;
        write!(f, "ImpactIndex({lists} lists, {} postings)", self.impacts.len())
    }
}
