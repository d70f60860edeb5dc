//! Reads a BM25 part.

use ecphory_core::DocNo;
use ecphory_core::storage::Bytes;
use ecphory_kernels::postings::CHUNK;
use zerocopy::FromBytes;
use zerocopy::byteorder::little_endian::U16;

use crate::Result;
use crate::format::part::{PartFile, SectionKind};
use crate::format::records::{Block, Bm25Totals, Heavy, Term};
use crate::segment::tombstones::Tombstones;

/// A verified BM25 part.
pub(crate) struct Bm25Part {
    /// Documents with at least one term.
    pub documents_with_terms: u64,
    /// The sum of all lengths.
    pub length: u64,
    documents: u32,
    dictionary: fst::Map<Bytes>,
    terms: Bytes,
    blocks: Bytes,
    docs: Bytes,
    tfs: Bytes,
    heavy: Bytes,
    lengths: Bytes,
}

/// A term's postings in one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TermPostings<'a> {
    /// How many documents of the segment have the term.
    pub documents: u32,
    part: &'a Bm25Part,
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
        let dictionary = fst::Map::new(file.checked(SectionKind::Dictionary)?)
            .map_err(|_| file.corrupt(SectionKind::Dictionary, 0, "this is no dictionary"))?;
        let part = Self {
            documents_with_terms: totals.documents.get(),
            length: totals.length.get(),
            documents: file.documents,
            dictionary,
            terms: file.checked(SectionKind::Terms)?,
            blocks: file.checked(SectionKind::Blocks)?,
            docs: file.checked(SectionKind::PostingDocs)?,
            tfs: file.checked(SectionKind::PostingTfs)?,
            heavy: file.checked(SectionKind::HeavyPostings)?,
            lengths: file.checked(SectionKind::Lengths)?,
        };
        let postings = part.tfs.len() + part.heavy().len();
        let sound = part.dictionary.len() as u64 == totals.terms.get()
            && part.terms().len() as u64 == totals.terms.get() + 1
            && postings as u64 == totals.postings.get()
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

    /// Checks that terms lead to blocks, blocks to postings, postings to documents, all in order.
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
        let all_docs = self.docs.as_chunks::<2>().0;
        for (position, pair) in blocks.windows(2).enumerate() {
            let postings =
                pair[0].first_posting.get() as usize..pair[1].first_posting.get() as usize;
            let heavy = pair[0].first_heavy.get() as usize..pair[1].first_heavy.get() as usize;
            let first = u32::from(pair[0].chunk.get()) * CHUNK as u32;
            let room = self.documents.saturating_sub(first);
            let docs = all_docs.get(postings);
            let heavy = self.heavy().get(heavy);
            let sound = docs.zip(heavy).is_some_and(|(docs, heavy)| {
                // Without an early exit the maximum is taken at the speed of the memory.
                let highest = docs.iter().map(|&doc| u16::from_le_bytes(doc)).max();
                highest.is_none_or(|doc| u32::from(doc) < room)
                    && heavy
                        .iter()
                        .all(|heavy| (heavy.doc.get().wrapping_sub(first)) < room.min(CHUNK as u32))
            });
            if !sound {
                let offset = position * size_of::<Block>();
                return Err(file.corrupt(SectionKind::Blocks, offset, "the block leads outside"));
            }
        }
        Ok(())
    }

    /// Checks what only a reading of everything can: that terms and documents are in order, and that the
    /// postings add up to the frequencies and lengths that searches rely on.
    pub fn check_all(&self, file: &PartFile) -> Result<()> {
        let mut lengths = vec![0u32; self.documents as usize];
        let mut stream = self.stream();
        let mut next = 0;
        while let Some((_, ordinal)) = fst::Streamer::next(&mut stream) {
            let list = self.postings_at(next as usize).filter(|_| ordinal == next);
            let wrong = |what| Err(file.corrupt(SectionKind::Dictionary, 0, what));
            let Some(list) = list else { return wrong("the terms have other ordinals") };
            let mut documents = 0;
            for (first, postings) in list.chunks() {
                let docs = postings.docs.iter().map(|&doc| u16::from_le_bytes(doc));
                let heavy = postings.heavy.iter().map(|heavy| heavy.doc.get());
                if !docs.clone().is_sorted_by(|a, b| a < b) || !heavy.is_sorted_by(|a, b| a < b) {
                    return wrong("the documents of a term are out of order");
                }
                for (doc, &tf) in docs.zip(postings.tfs) {
                    lengths[first as usize + usize::from(doc)] += u32::from(tf);
                }
                for heavy in postings.heavy {
                    lengths[heavy.doc.get() as usize] += heavy.tf.get();
                }
                documents += (postings.docs.len() + postings.heavy.len()) as u32;
            }
            if documents != list.documents {
                return wrong("a term has another number of documents than it says");
            }
            next += 1;
        }
        let stored = (0..self.documents).map(|doc| self.document_length(DocNo(doc)));
        if !stored.eq(lengths.iter().copied()) {
            return Err(file.corrupt(
                SectionKind::Lengths,
                0,
                "the postings add up to other lengths",
            ));
        }
        let sum: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
        let filled = lengths.iter().filter(|&&length| length > 0).count() as u64;
        if (filled, sum) != (self.documents_with_terms, self.length) {
            return Err(file.corrupt(
                SectionKind::Bm25Totals,
                0,
                "the lengths add up to other totals",
            ));
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
        self.postings_at(self.dictionary.get(term)? as usize)
    }

    /// Returns the postings of a term by its ordinal.
    pub fn postings_at(&self, ordinal: usize) -> Option<TermPostings<'_>> {
        let [term, next] = self.terms().get(ordinal..ordinal + 2)? else { return None };
        let blocks = term.first_block.get() as usize..next.first_block.get() as usize + 1;
        let blocks = self.blocks().get(blocks)?;
        Some(TermPostings { documents: term.documents.get(), part: self, blocks })
    }

    /// Returns how many postings there are.
    pub fn posting_count(&self) -> u64 {
        (self.tfs.len() + self.heavy().len()) as u64
    }

    /// Yields the terms in order with their ordinals.
    pub fn stream(&self) -> fst::map::Stream<'_> {
        self.dictionary.stream()
    }

    /// Calls `visit` with every term in order.
    pub fn for_each_term(&self, visit: &mut dyn FnMut(&str)) {
        use fst::Streamer;
        let mut stream = self.dictionary.stream();
        while let Some((term, _)) = stream.next() {
            visit(&String::from_utf8_lossy(term));
        }
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
        write!(f, "Bm25Part({} documents, {} terms)", self.documents, self.dictionary.len())
    }
}

impl<'a> TermPostings<'a> {
    /// Returns the postings in one chunk, where there are any. Few terms have more than a handful of chunks.
    pub fn chunk(&self, chunk: usize) -> Option<ChunkPostings<'a>> {
        let blocks = &self.blocks[..self.blocks.len() - 1];
        let position = blocks.partition_point(|block| usize::from(block.chunk.get()) < chunk);
        let [block, next] = self.blocks.get(position..position + 2)? else { return None };
        if usize::from(block.chunk.get()) != chunk {
            return None;
        }
        Some(self.between(block, next))
    }

    /// Yields the postings chunk by chunk, each with the first document of its chunk.
    pub fn chunks(&self) -> impl Iterator<Item = (u32, ChunkPostings<'a>)> + '_ {
        self.blocks.windows(2).map(|pair| {
            let first = u32::from(pair[0].chunk.get()) * CHUNK as u32;
            (first, self.between(&pair[0], &pair[1]))
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
        let Some(postings) = self.chunk(doc.index() / CHUNK) else { return 0 };
        let local = (doc.index() % CHUNK) as u16;
        let docs = <[U16]>::ref_from_bytes(postings.docs.as_flattened()).unwrap_or(&[]);
        if let Ok(place) = docs.binary_search_by_key(&local, |doc| doc.get()) {
            return u32::from(postings.tfs[place]);
        }
        let heavy = postings.heavy.binary_search_by_key(&doc.0, |heavy| heavy.doc.get());
        heavy.map_or(0, |place| postings.heavy[place].tf.get())
    }
}
