//! An impact index: which documents have a term, and how much of it, as a byte.
//!
//! Documents are cut into chunks of 65,536. A chunk has a list for each of its terms, and a list has a document number of 16 bits
//! and an impact of 8 for each posting, three bytes, read as they are. An impact is the weight in units of a 255th of
//! the largest weight of its list, rounded up: `impact · unit` is never below the weight and less than a unit above it, so that
//! sums of impacts are bounds of scores. Chunks stand one after the other and depend on nothing outside,
//! so that they are built and searched one at a time.
//!
//! Terms are numbers. Not for exact scores: those are computed from what the impacts were made of.

mod build;
mod quantise;
mod read;

pub(crate) use build::build_impacts;
pub(crate) use read::{ImpactIndex, ImpactPostings};
