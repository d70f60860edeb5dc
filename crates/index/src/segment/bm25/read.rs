//! Reads a BM25 part.

use std::sync::{Arc, PoisonError, RwLock};

use ecphory_core::DocNo;
use ecphory_core::storage::Bytes;
use ecphory_kernels::postings::CHUNK;
use rustc_hash::FxHashMap;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U16;

use super::TermImpacts;
use super::dictionary::{Dictionary, Terms};
use crate::format::part::{PartFile, SectionKind};
use crate::format::records::{Block, Bm25Totals, Heavy, Term};
use crate::segment::tombstones::Tombstones;
use crate::{Error, Result};

/// A verified BM25 part.
pub(crate) struct Bm25Part {
    /// Documents with at least one term.
    pub documents_with_terms: u64,
    /// The sum of all lengths.
    pub length: u64,
    file: String,
    documents: u32,
    dictionary: Dictionary,
    terms: Bytes,
    blocks: Bytes,
    docs: Bytes,
    tfs: Bytes,
    heavy: Bytes,
    lengths: Bytes,
    /// By ordinal, the impacts of the terms that were searched for.
    impacts: RwLock<FxHashMap<u32, Arc<TermImpacts>>>,
}

/// The terms of a part in order.
pub(crate) struct AllTerms<'a> {
    terms: Terms<'a>,
    part: &'a Bm25Part,
}

/// A term's postings in one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermPostings<'a> {
    /// How many documents of the segment have the term.
    pub documents: u32,
    pub(super) ordinal: u32,
    pub(super) part: &'a Bm25Part,
    /// The term's blocks and the one after, which ends the last.
    blocks: &'a [Block],
}

/// A term's postings in one chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkPostings<'a> {
    /// Documents in the chunk, little-endian.
    pub docs: &'a [[u8; 2]],
    /// Their term frequencies.
    pub tfs: &'a [u8],
    /// Further postings, with large frequencies, by document in the segment.
    pub heavy: &'a [Heavy],
}

impl Bm25Part {
    /// Compares the checksums of all sections and checks that no list leads outside.
    pub fn verify(file: &PartFile) -> Result<Self> {
        let totals: Bm25Totals = file.record(SectionKind::Bm25Totals)?;
        let dictionary = file.checked(SectionKind::Dictionary)?;
        let dictionary = Dictionary::new(dictionary, totals.terms.get())
            .ok_or_else(|| file.corrupt(SectionKind::Dictionary, 0, "this is no dictionary"))?;
        let part = Self {
            documents_with_terms: totals.documents.get(),
            length: totals.length.get(),
            file: file.name.clone(),
            documents: file.documents,
            dictionary,
            terms: file.checked(SectionKind::Terms)?,
            blocks: file.checked(SectionKind::Blocks)?,
            docs: file.checked(SectionKind::PostingDocs)?,
            tfs: file.checked(SectionKind::PostingTfs)?,
            heavy: file.checked(SectionKind::HeavyPostings)?,
            lengths: file.checked(SectionKind::Lengths)?,
            impacts: RwLock::default(),
        };
        let postings = part.tfs.len() + part.heavy().len();
        let sound = part.terms().len() as u64 == totals.terms.get().saturating_add(1)
            && postings as u64 == totals.postings.get()
            && u32::try_from(postings).is_ok()
            && part.docs.len() == 2 * part.tfs.len()
            && part.lengths.len() == 4 * file.documents as usize;
        if !sound {
            return Err(file.corrupt(
                SectionKind::Bm25Totals,
                0,
                "the sections do not fit the totals",
            ));
        }
        part.check_lists(file)?;
        Ok(part)
    }

    /// Checks that terms lead to blocks, blocks to postings, postings to documents, all in order, and that the
    /// numbers of documents and terms are those that the postings and lengths add up to.
    fn check_lists(&self, file: &PartFile) -> Result<()> {
        let (terms, blocks) = (self.terms(), self.blocks());
        let ends = blocks.last().map(|end| (end.first_posting.get(), end.first_heavy.get()));
        let sound = terms
            .windows(2)
            .all(|pair| pair[0].first_block.get() <= pair[1].first_block.get())
            && terms.last().is_some_and(|end| end.first_block.get() as usize + 1 == blocks.len())
            && ends == Some((self.tfs.len() as u32, self.heavy().len() as u32));
        if !sound {
            return Err(file.corrupt(SectionKind::Terms, 0, "terms and blocks do not fit"));
        }
        for (position, pair) in blocks.windows(2).enumerate() {
            if !self.is_sound(&pair[0], &pair[1]) {
                let offset = position * size_of::<Block>();
                return Err(file.corrupt(SectionKind::Blocks, offset, "the block leads outside"));
            }
        }
        for (position, pair) in terms.windows(2).enumerate() {
            let own = pair[0].first_block.get() as usize..pair[1].first_block.get() as usize;
            let (first, end) = (&blocks[own.start], &blocks[own.end]);
            let postings = (end.first_posting.get() - first.first_posting.get())
                + (end.first_heavy.get() - first.first_heavy.get());
            let in_order = blocks[own].is_sorted_by(|a, b| a.chunk.get() < b.chunk.get());
            if !in_order || postings != pair[0].documents.get() {
                let offset = position * size_of::<Term>();
                return Err(file.corrupt(SectionKind::Terms, offset, "the blocks do not fit"));
            }
        }
        self.check_lengths(file)
    }

    /// Returns whether a block's postings lead to documents of its chunk, in order.
    fn is_sound(&self, block: &Block, next: &Block) -> bool {
        let postings = block.first_posting.get() as usize..next.first_posting.get() as usize;
        let heavy = block.first_heavy.get() as usize..next.first_heavy.get() as usize;
        let first = u32::from(block.chunk.get()) * CHUNK as u32;
        let room = self.documents.saturating_sub(first).min(CHUNK as u32);
        let docs = self.docs.as_chunks::<2>().0.get(postings.clone());
        let Some((docs, heavy)) = docs.zip(self.heavy().get(heavy)) else { return false };
        let doc_of = |bytes: &[u8; 2]| u32::from(u16::from_le_bytes(*bytes));
        // Without an early exit the order is checked at the speed of the memory.
        let later = docs.get(1..).unwrap_or(&[]);
        docs.iter().zip(later).fold(true, |sound, (a, b)| sound & (doc_of(a) < doc_of(b)))
            && docs.last().is_none_or(|last| doc_of(last) < room)
            && !self.tfs[postings].contains(&0)
            && heavy.is_sorted_by(|a, b| a.doc.get() < b.doc.get())
            && heavy.iter().all(|heavy| {
                let doc = heavy.doc.get().wrapping_sub(first);
                let is_light = || docs.binary_search_by_key(&doc, doc_of).is_ok();
                heavy.tf.get() > u32::from(u8::MAX) && doc < room && !is_light()
            })
    }

    /// Checks the lengths of documents against the totals.
    fn check_lengths(&self, file: &PartFile) -> Result<()> {
        let lengths =
            self.lengths.as_chunks::<4>().0.iter().map(|&bytes| u32::from_le_bytes(bytes));
        let (mut sum, mut filled, mut all) = (0, 0, 0);
        for length in lengths {
            sum += u64::from(length);
            filled += u64::from(length > 0);
            all |= length;
        }
        // The kernels read lengths as signed numbers.
        if all.cast_signed() < 0 || (filled, sum) != (self.documents_with_terms, self.length) {
            let what = "the lengths add up to other totals";
            return Err(file.corrupt(SectionKind::Bm25Totals, 0, what));
        }
        Ok(())
    }

    /// Checks what only a reading of everything can: that the terms have the right ranks, and that the
    /// frequencies add up to the lengths.
    pub fn check_all(&self, file: &PartFile) -> Result<()> {
        let mut lengths = vec![0u32; self.documents as usize];
        let mut terms = self.all_terms();
        while let Some((term, ordinal)) = terms.next()? {
            let list = std::str::from_utf8(term).ok().and_then(|term| self.postings(term));
            let list = list.zip(self.postings_at(ordinal as usize));
            // Where both are the same, the term is found by looking it up.
            let Some((_, list)) = list.filter(|(a, b)| std::ptr::eq(a.blocks, b.blocks)) else {
                return Err(self.bad_dictionary());
            };
            for (first, postings) in list.chunks() {
                let docs = postings.docs.iter().map(|&doc| u16::from_le_bytes(doc));
                for (doc, &tf) in docs.zip(postings.tfs) {
                    let length = &mut lengths[first as usize + usize::from(doc)];
                    *length = length.saturating_add(u32::from(tf));
                }
                for heavy in postings.heavy {
                    let length = &mut lengths[heavy.doc.get() as usize];
                    *length = length.saturating_add(heavy.tf.get());
                }
            }
        }
        let stored = (0..self.documents).map(|doc| self.document_length(DocNo(doc)));
        if !stored.eq(lengths.iter().copied()) {
            let what = "the postings add up to other lengths";
            return Err(file.corrupt(SectionKind::Lengths, 0, what));
        }
        Ok(())
    }

    /// Returns how many chunks the segment has.
    pub fn chunks(&self) -> usize {
        (self.documents as usize).div_ceil(CHUNK)
    }

    /// Returns the lengths of a chunk's documents, little-endian.
    pub fn chunk_lengths(&self, chunk: usize) -> &[[u8; 4]] {
        let all = self.lengths.as_chunks::<4>().0;
        &all[chunk * CHUNK..all.len().min((chunk + 1) * CHUNK)]
    }

    /// Returns a document's length in terms.
    pub fn document_length(&self, doc: DocNo) -> u32 {
        u32::from_le_bytes(self.lengths.as_chunks::<4>().0[doc.index()])
    }

    /// Looks a term up.
    pub fn postings(&self, term: &str) -> Option<TermPostings<'_>> {
        self.postings_at(usize::try_from(self.dictionary.rank(term)?).ok()?)
    }

    /// Returns the postings of all terms that begin so.
    pub fn postings_beginning_with(
        &self,
        prefix: &str,
    ) -> impl Iterator<Item = TermPostings<'_>> + '_ {
        self.dictionary
            .beginning_with(prefix)
            .filter_map(|ordinal| self.postings_at(usize::try_from(ordinal).ok()?))
    }

    /// Returns the postings of a term by its ordinal.
    pub fn postings_at(&self, ordinal: usize) -> Option<TermPostings<'_>> {
        let [term, next, ..] = self.terms().get(ordinal..)? else { return None };
        let blocks = term.first_block.get() as usize..next.first_block.get() as usize + 1;
        let blocks = self.blocks().get(blocks)?;
        let documents = term.documents.get();
        Some(TermPostings { documents, ordinal: ordinal as u32, part: self, blocks })
    }

    /// Returns the impacts of a term that are kept, or else those that are made now.
    pub(super) fn kept_impacts(
        &self,
        ordinal: u32,
        make: impl FnOnce() -> TermImpacts,
    ) -> Arc<TermImpacts> {
        let kept = self.impacts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(&ordinal) {
            return known.clone();
        }
        drop(kept);
        // Two threads may make the same at the same time: neither waits for the other.
        let made = Arc::new(make());
        let mut kept = self.impacts.write().unwrap_or_else(PoisonError::into_inner);
        kept.entry(ordinal).or_insert(made).clone()
    }

    /// Returns how many postings there are.
    pub fn posting_count(&self) -> u64 {
        (self.tfs.len() + self.heavy().len()) as u64
    }

    /// Returns all terms, in order.
    pub fn all_terms(&self) -> AllTerms<'_> {
        AllTerms { terms: self.dictionary.terms(), part: self }
    }

    fn bad_dictionary(&self) -> Error {
        Error::corrupt(
            &self.file,
            0,
            "the terms are not those of the dictionary (section dictionary)",
        )
    }

    fn terms(&self) -> &[Term] {
        <[Term]>::ref_from_bytes(&self.terms).unwrap_or(&[])
    }

    fn blocks(&self) -> &[Block] {
        <[Block]>::ref_from_bytes(&self.blocks).unwrap_or(&[])
    }

    fn heavy(&self) -> &[Heavy] {
        <[Heavy]>::ref_from_bytes(&self.heavy).unwrap_or(&[])
    }
}

impl std::fmt::Debug for Bm25Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bm25Part({} documents, {} terms)", self.documents, self.terms().len() - 1)
    }
}

impl AllTerms<'_> {
    /// Returns the next term with its ordinal.
    pub fn next(&mut self) -> Result<Option<(&[u8], u64)>> {
        self.terms.next().map_err(|()| self.part.bad_dictionary())
    }
}

impl<'a> TermPostings<'a> {
    /// Returns the postings in one chunk, where there are any, and how many chunks come before. Few terms have
    /// more than a handful of chunks.
    pub fn chunk(&self, chunk: usize) -> Option<(usize, ChunkPostings<'a>)> {
        let blocks = &self.blocks[..self.blocks.len() - 1];
        let position = blocks.partition_point(|block| usize::from(block.chunk.get()) < chunk);
        let [block, next] = self.blocks.get(position..position + 2)? else { return None };
        if usize::from(block.chunk.get()) != chunk {
            return None;
        }
        Some((position, self.between(block, next)))
    }

    /// Yields the postings chunk by chunk, each with the first document of its chunk.
    pub fn chunks(&self) -> impl Iterator<Item = (u32, ChunkPostings<'a>)> + '_ {
        self.blocks.windows(2).map(|pair| {
            let first = u32::from(pair[0].chunk.get()) * CHUNK as u32;
            (first, self.between(&pair[0], &pair[1]))
        })
    }

    /// Yields the documents of the segment that have the term.
    pub fn docs(&self) -> impl Iterator<Item = DocNo> + '_ {
        self.chunks().flat_map(|(first, postings)| {
            let light =
                postings.docs.iter().map(move |&doc| first + u32::from(u16::from_le_bytes(doc)));
            light.chain(postings.heavy.iter().map(|heavy| heavy.doc.get())).map(DocNo)
        })
    }

    /// Counts the postings of dead documents: by walking the postings, or the dead where they are fewer.
    pub fn dead(&self, dead: &Tombstones) -> u32 {
        /// A binary search costs as much as walking about this many postings.
        const SEARCH: u32 = 32;
        if dead.count() == 0 {
            return 0;
        }
        if dead.count() < self.documents / SEARCH {
            return dead.iter().filter(|&doc| self.frequency(DocNo(doc)) > 0).count() as u32;
        }
        let mut count = 0;
        for (first, postings) in self.chunks() {
            let Some(words) = dead.chunk(first as usize / CHUNK) else { continue };
            for &doc in postings.docs {
                let doc = usize::from(u16::from_le_bytes(doc));
                count += (words[doc / 64] >> (doc % 64) & 1) as u32;
            }
            let heavy = postings.heavy.iter().filter(|heavy| dead.contains(heavy.doc.get()));
            count += heavy.count() as u32;
        }
        count
    }

    /// Returns what lies between two blocks, which were checked when the part was verified.
    fn between(&self, block: &Block, next: &Block) -> ChunkPostings<'a> {
        let postings = block.first_posting.get() as usize..next.first_posting.get() as usize;
        let heavy = block.first_heavy.get() as usize..next.first_heavy.get() as usize;
        ChunkPostings {
            docs: &self.part.docs.as_chunks::<2>().0[postings.clone()],
            tfs: &self.part.tfs[postings],
            heavy: &self.part.heavy()[heavy],
        }
    }

    /// Returns the term's frequency in one document, 0 where it is absent.
    pub fn frequency(&self, doc: DocNo) -> u32 {
        let Some((_, postings)) = self.chunk(doc.index() / CHUNK) else { return 0 };
        let local = (doc.index() % CHUNK) as u16;
        let docs = <[U16]>::ref_from_bytes(postings.docs.as_flattened()).unwrap_or(&[]);
        if let Ok(place) = docs.binary_search_by_key(&local, |doc| doc.get()) {
            return u32::from(postings.tfs[place]);
        }
        let heavy = postings.heavy.binary_search_by_key(&doc.0, |heavy| heavy.doc.get());
        heavy.map_or(0, |place| postings.heavy[place].tf.get())
    }
}
