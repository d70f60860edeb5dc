//! A BM25 channel of a segment: dictionary, chunked postings, exact document lengths, totals.
//!
//! Three bytes per posting plus 20 per term and 12 per further chunk of a term. What is stored is term
//! frequencies and lengths, never scores: idf and the average length are those of the snapshot.

mod build;
mod builder;
mod dictionary;
mod impacts;
mod merge;
mod read;

pub(crate) use build::{UNIT_DOCUMENTS, UnitPostings};
pub(crate) use builder::merge_units;
pub(crate) use impacts::TermImpacts;
pub(crate) use merge::merge_parts;
pub(crate) use read::{AllTerms, Bm25Part, ChunkPostings, TermPostings};
