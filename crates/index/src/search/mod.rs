//! The search of each kind of channel, and what is counted and sorted by fields.

pub mod bm25;
pub mod dense;
mod facets;
mod intersect;
pub mod sparse;
mod steering;

use ecphory_core::{DocAddress, Scored};

/// What a search of postings returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The best documents, best first.
    pub hits: Vec<Scored<DocAddress>>,
    /// What it took.
    pub work: Work,
}

/// What a search of postings read. The same for the same query on the same segments, on every machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Postings that were added up.
    pub postings: u64,
    /// Postings that were passed over, because their terms could not lift a document among the best by themselves.
    pub skipped: u64,
    /// Documents that were scored exactly and compared with the best.
    pub scored: u64,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.postings += other.postings;
        self.skipped += other.skipped;
        self.scored += other.scored;
    }
}
