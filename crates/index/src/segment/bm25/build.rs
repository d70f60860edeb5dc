//! The first half of building a BM25 part: the postings of a few thousand consecutive documents.
//!
//! Terms are interned, postings are collected in document order and then counted into term order, so a
//! unit costs three bytes per posting plus its distinct terms, whatever the number of threads.

use ecphory_core::Document;
use rustc_hash::FxHashMap;

use ecphory_text::Analyzer;

/// The postings of one unit of documents, terms sorted by their bytes.
#[derive(Debug, Default)]
pub(crate) struct UnitPostings {
    /// The first document's number in the segment.
    pub first: u32,
    /// The length in terms of each document.
    pub lengths: Vec<u32>,
    terms: String,
    /// Where each term ends in `terms`.
    term_ends: Vec<usize>,
    /// Where each term's postings end.
    posting_ends: Vec<usize>,
    /// Documents, counted from the unit's first.
    pub docs: Vec<u16>,
    /// Term frequencies; 0 stands for one in `heavy`.
    pub tfs: Vec<u8>,
    /// Position of the posting and term frequency, where it does not fit a byte; sorted.
    pub heavy: Vec<(usize, u32)>,
}

/// How many documents a unit has. Fixed, so that a part's bytes do not depend on the threads; a power of
/// two, so that no unit crosses a chunk.
pub(crate) const UNIT_DOCUMENTS: usize = 4096;

/// Postings in the order of documents: term, document in the unit, term frequency.
type Posting = (u32, u16, u32);

impl UnitPostings {
    /// Analyses the documents of a unit.
    pub fn build(
        documents: &[Document],
        first: u32,
        fields: &[String],
        analyzer: &Analyzer,
    ) -> Self {
        assert!(documents.len() <= UNIT_DOCUMENTS, "a document of a unit has a 16-bit number");
        let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
        let mut frequencies: Vec<u32> = Vec::new();
        let mut seen: Vec<u32> = Vec::new();
        let mut postings: Vec<Posting> = Vec::new();
        let mut lengths = Vec::with_capacity(documents.len());
        for (document, doc) in documents.iter().zip(0u16..) {
            let mut length = 0u32;
            analyzer.for_each_term(&document.joined_text(fields), &mut |term| {
                let known = numbers.get(term).copied();
                let number = known.unwrap_or_else(|| {
                    let number = frequencies.len() as u32;
                    numbers.insert(term.to_owned(), number);
                    frequencies.push(0);
                    number
                });
                let frequency = &mut frequencies[number as usize];
                if *frequency == 0 {
                    seen.push(number);
                }
                *frequency += 1;
                length += 1;
            });
            for number in seen.drain(..) {
                let frequency = std::mem::take(&mut frequencies[number as usize]);
                postings.push((number, doc, frequency));
            }
            lengths.push(length);
        }
        let mut unit = Self { first, lengths, ..Self::default() };
        let ranks = unit.sort_terms(numbers);
        unit.sort_postings(&postings, &ranks);
        unit
    }

    /// Stores the terms in order and returns the place of each by its number.
    #[allow(clippy::iter_over_hash_type, reason = "the order is lost in the sort that follows")]
    fn sort_terms(&mut self, numbers: FxHashMap<String, u32>) -> Vec<u32> {
        let mut terms: Vec<(String, u32)> = numbers.into_iter().collect();
        terms.sort_unstable();
        let mut ranks = vec![0; terms.len()];
        for ((term, number), rank) in terms.iter().zip(0..) {
            self.terms.push_str(term);
            self.term_ends.push(self.terms.len());
            ranks[*number as usize] = rank;
        }
        ranks
    }

    /// Brings the postings into the order of terms by counting; documents stay in order.
    fn sort_postings(&mut self, postings: &[Posting], ranks: &[u32]) {
        let mut next = vec![0usize; ranks.len()];
        for (number, _, _) in postings {
            next[ranks[*number as usize] as usize] += 1;
        }
        let mut start = 0;
        for next in &mut next {
            (*next, start) = (start, start + *next);
        }
        self.docs = vec![0; postings.len()];
        self.tfs = vec![0; postings.len()];
        for &(number, doc, frequency) in postings {
            let place = &mut next[ranks[number as usize] as usize];
            self.docs[*place] = doc;
            match u8::try_from(frequency) {
                Ok(small) => self.tfs[*place] = small,
                Err(_) => self.heavy.push((*place, frequency)),
            }
            *place += 1;
        }
        self.heavy.sort_unstable();
        // Each place has moved to where the next term begins.
        self.posting_ends = next;
    }

    /// Returns how many distinct terms the unit has.
    pub fn terms(&self) -> usize {
        self.term_ends.len()
    }

    /// Returns a term by its rank.
    pub fn term(&self, rank: usize) -> &str {
        let start = if rank == 0 { 0 } else { self.term_ends[rank - 1] };
        &self.terms[start..self.term_ends[rank]]
    }

    /// Returns where a term's postings are.
    pub fn postings(&self, rank: usize) -> std::ops::Range<usize> {
        let start = if rank == 0 { 0 } else { self.posting_ends[rank - 1] };
        start..self.posting_ends[rank]
    }

    /// Returns the term frequency of a posting.
    pub fn frequency(&self, posting: usize) -> u32 {
        match self.tfs[posting] {
            0 => {
                let place = self.heavy.binary_search_by_key(&posting, |heavy| heavy.0);
                self.heavy[place.expect("a frequency of 0 stands for a heavy posting")].1
            }
            small => u32::from(small),
        }
    }
}
