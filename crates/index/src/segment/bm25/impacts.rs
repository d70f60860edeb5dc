//! Impacts of BM25 postings: derived when a term is first searched for, and kept in memory.
//!
//! What a segment stores is frequencies and lengths. The share of a term's weight that a document gets depends on the average
//! length, which changes with every write. So impacts are those at the average length of their own segment, and what the
//! snapshot's average makes of them at most is a factor: norms shrink at most as the average grows.
//! They take a byte for each posting of the terms that were searched for.

use std::sync::Arc;

use ecphory_core::DocNo;
use ecphory_kernels::Level;
use ecphory_kernels::postings::{CHUNK, Saturation, impacts};

use super::read::{Bm25Part, ChunkPostings, TermPostings};
use crate::schema::Bm25Settings;
use crate::segment::impacts::ImpactPostings;

/// The impacts of a term's postings in one segment, chunk by chunk.
#[derive(Debug)]
pub(crate) struct TermImpacts(Box<[ChunkImpacts]>);

/// The impacts of a term's postings in one chunk.
#[derive(Debug)]
struct ChunkImpacts {
    /// The documents, where some of the postings are heavy, which stand elsewhere in the part.
    docs: Option<Box<[[u8; 2]]>>,
    impacts: Box<[u8]>,
    largest: u8,
}

impl Bm25Settings {
    /// Returns how shares grow where documents have this length on average.
    pub(crate) fn saturation(&self, average_length: f64) -> Saturation {
        let (k1, b) = (f64::from(self.k1), f64::from(self.b));
        Saturation { base: (k1 * (1.0 - b)) as f32, slope: (k1 * b / average_length) as f32 }
    }
}

impl Bm25Part {
    /// Returns what an impact of 1 stands for at most, as a share of a term's weight, in a snapshot of this average length.
    pub fn impact_unit(&self, average_length: f64) -> f32 {
        /// More than the roundings of shares and of this lose.
        const SLACK: f64 = 2e-6;
        let growth = (average_length / self.average_length()).max(1.0);
        (growth * (1.0 + SLACK) / f64::from(u8::MAX)) as f32
    }

    /// Returns the average length of documents with terms; 1 where there are none.
    fn average_length(&self) -> f64 {
        if self.documents_with_terms == 0 {
            return 1.0;
        }
        self.length as f64 / self.documents_with_terms as f64
    }
}

impl TermPostings<'_> {
    /// Returns the impacts, of which there are as many chunks as of the postings.
    pub fn impacts(&self, settings: &Bm25Settings) -> Arc<TermImpacts> {
        self.part.kept_impacts(self.ordinal, || {
            let saturation = settings.saturation(self.part.average_length());
            let chunks = self.chunks().map(|(first, postings)| {
                let lengths = self.part.chunk_lengths(first as usize / CHUNK);
                ChunkImpacts::new(saturation, &postings, first, lengths)
            });
            TermImpacts(chunks.collect())
        })
    }
}

impl TermImpacts {
    /// Returns the impacts that belong to the postings of the chunk at this position.
    pub fn chunk<'i>(
        &'i self,
        (position, postings): (usize, ChunkPostings<'i>),
        unit: f32,
    ) -> ImpactPostings<'i> {
        let ChunkImpacts { docs, impacts, largest } = &self.0[position];
        let docs = docs.as_deref().unwrap_or(postings.docs);
        ImpactPostings { docs, impacts, largest: *largest, unit }
    }
}

impl ChunkImpacts {
    fn new(
        saturation: Saturation,
        postings: &ChunkPostings<'_>,
        first: u32,
        lengths: &[[u8; 4]],
    ) -> Self {
        let mut own = vec![0; postings.docs.len()];
        impacts(Level::detect(), saturation, (postings.docs, postings.tfs), lengths, &mut own);
        let mut docs = None;
        if !postings.heavy.is_empty() {
            let light = postings.docs.iter().zip(own).map(|(&doc, impact)| (doc, impact));
            let heavy = postings.heavy.iter().map(|heavy| {
                let doc = DocNo(heavy.doc.get() - first);
                let length = u32::from_le_bytes(lengths[doc.index()]);
                ((doc.0 as u16).to_le_bytes(), saturation.impact(heavy.tf.get(), length))
            });
            let mut all: Vec<([u8; 2], u8)> = light.chain(heavy).collect();
            all.sort_unstable_by_key(|posting| u16::from_le_bytes(posting.0));
            let (all_docs, all_impacts): (Vec<[u8; 2]>, Vec<u8>) = all.into_iter().unzip();
            docs = Some(all_docs.into_boxed_slice());
            own = all_impacts;
        }
        let largest = own.iter().copied().max().unwrap_or(0);
        Self { docs, impacts: own.into_boxed_slice(), largest }
    }
}
