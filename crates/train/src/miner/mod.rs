//! Miners: which documents become the negatives of a query, and which pairs are worth training on.
//!
//! A [`Searcher`] gives rankings; it may be anything from vectors in memory ([`ExactSearcher`]) to a pipeline over a
//! collection, which whoever calls brings along. [`Mining`] asks it for blocks of queries, takes a range of
//! ranks, filters, and draws some of what is left. Only what was drawn is kept: memory does not grow
//! with the depth.
//!
//! Loops that mine again (with the model of the last round) call it again with another searcher.

mod audit;
mod dense;
mod file;
mod filter;
mod pool;
mod round_trip;
mod sampled;
#[cfg(test)]
mod tests;
mod union;

pub use audit::{MarginAudit, NearMiss};
pub use dense::ExactSearcher;
pub use file::{print_mined, read_mined, write_mined};
pub use filter::{DuplicateText, Filter, Pair, SelfExclusion, TeacherMargin, text_key};
pub use pool::{Pool, simulate_pool};
pub use round_trip::{RoundTrip, round_trip};
pub use sampled::RandomDocuments;
pub use union::Union;

use std::ops::Range;

use ecphory_core::Progress;
use rustc_hash::FxHashSet;

use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// Queries that are searched at once. Their rankings are what mining holds: 400 KiB at a depth of 100.
const QUERY_BLOCK: usize = 512;

/// A document of a ranking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The document's number.
    pub document: u32,
    /// The searcher's score.
    pub score: f32,
}

/// Answers which documents are the best for some queries.
pub trait Searcher: Sync {
    /// Returns for each query its `depth` best documents (or all, where there are fewer), best first; of equal
    /// scores the smaller number first. Scores are finite.
    ///
    /// # Errors
    /// Where a query is unknown, or the search failed; a foreign error goes into [`Error::Search`].
    fn search(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>>;
}

/// Queries with their relevant documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Positives {
    queries: Vec<u32>,
    documents: Vec<Vec<u32>>,
}

impl Positives {
    /// Takes the queries in their order.
    ///
    /// # Errors
    /// Where a query is there twice, or has no document or one of them twice.
    pub fn new(all: impl IntoIterator<Item = (u32, Vec<u32>)>) -> Result<Self> {
        let mut seen = FxHashSet::default();
        let mut made = Self { queries: Vec::new(), documents: Vec::new() };
        for (query, documents) in all {
            if !seen.insert(query) {
                return Err(Error::Twice { what: "query", number: query });
            }
            if documents.is_empty() {
                return Err(Error::NoPositives { query });
            }
            let mut sorted = documents.clone();
            sorted.sort_unstable();
            if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(Error::Twice { what: "positive document", number: pair[0] });
            }
            made.queries.push(query);
            made.documents.push(documents);
        }
        Ok(made)
    }

    /// Returns the queries.
    pub fn queries(&self) -> &[u32] {
        &self.queries
    }

    /// Returns each query with its documents.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.queries.iter().copied().zip(self.documents.iter().map(Vec::as_slice))
    }
}

/// How negatives are mined.
#[derive(Clone)]
pub struct Mining<'a> {
    /// Gives the rankings.
    pub searcher: &'a dyn Searcher,
    /// Take candidates away, one after the other. The positives of the query are always taken away first.
    pub filters: &'a [&'a dyn Filter],
    /// Which ranks of the searcher are candidates, counted from 0: `10..100` skips the first ten.
    pub ranks: Range<usize>,
    /// How many negatives are drawn for each pair, where there are so many.
    pub keep: usize,
    /// The seed of the draw.
    pub seed: u64,
}

/// A positive pair with its negatives.
#[derive(Clone, Debug, PartialEq)]
pub struct MinedSet {
    /// The query.
    pub query: u32,
    /// The relevant document.
    pub positive: u32,
    /// What was mined, in the order of the ranking.
    pub negatives: Vec<Candidate>,
}

/// What mining found and took away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MiningReport {
    /// Candidates in the range of ranks, counted once for each pair.
    pub candidates: u64,
    /// How many of them each filter took away, the positives first.
    pub removed: Vec<(&'static str, u64)>,
    /// Pairs that got fewer negatives than were asked for.
    pub short: u64,
}

impl Mining<'_> {
    /// Mines negatives for every positive pair, in the order of the pairs.
    ///
    /// # Errors
    /// Where the ranks are empty or no negatives are asked for, the search or a filter fails, or the work was cancelled.
    pub fn run(
        &self,
        positives: &Positives,
        progress: &dyn Progress,
    ) -> Result<(Vec<MinedSet>, MiningReport)> {
        let (setting, expected) = ("ranks to mine from", "a range that is not empty");
        if self.ranks.is_empty() {
            return Err(Error::Setting { setting, expected, got: format!("{:?}", self.ranks) });
        }
        let (setting, expected) = ("negatives to keep", "at least 1");
        if self.keep == 0 {
            return Err(Error::Setting { setting, expected, got: "0".to_owned() });
        }
        let names = self.filters.iter().map(|filter| filter.name());
        let removed = std::iter::once("positive").chain(names).map(|name| (name, 0)).collect();
        let mut report = MiningReport { removed, ..MiningReport::default() };
        let mut sets = Vec::new();
        let mut each = |query, documents: &[u32], ranking: &[Candidate]| {
            let first = self.ranks.start.min(ranking.len());
            for &positive in documents {
                let pair = Pair { query, positive, positives: documents };
                let negatives = self.negatives(&pair, &ranking[first..], &mut report)?;
                sets.push(MinedSet { query, positive, negatives });
            }
            Ok(())
        };
        let rankings = Rankings { task: "mine", searcher: self.searcher, depth: self.ranks.end };
        rankings.for_each(positives, progress, &mut each)?;
        Ok((sets, report))
    }

    fn negatives(
        &self,
        pair: &Pair<'_>,
        ranking: &[Candidate],
        report: &mut MiningReport,
    ) -> Result<Vec<Candidate>> {
        let mut left = ranking.to_vec();
        report.candidates += left.len() as u64;
        left.retain(|candidate| !pair.positives.contains(&candidate.document));
        report.removed[0].1 += (ranking.len() - left.len()) as u64;
        for (filter, (_, removed)) in self.filters.iter().zip(&mut report.removed[1..]) {
            let before = left.len();
            filter.apply(pair, &mut left)?;
            *removed += (before - left.len()) as u64;
        }
        report.short += u64::from(left.len() < self.keep);
        let mut places: Vec<usize> = (0..left.len()).collect();
        let indices = [pair.query.into(), pair.positive.into()];
        Random::new(self.seed, Purpose::Mining, indices).shuffle_first(&mut places, self.keep);
        places.truncate(self.keep);
        places.sort_unstable();
        Ok(places.into_iter().map(|place| left[place]).collect())
    }
}

/// The rankings of many queries, block by block.
struct Rankings<'a> {
    task: &'static str,
    searcher: &'a dyn Searcher,
    depth: usize,
}

/// Is called with a query, its positives and its ranking.
type Each<'a> = dyn FnMut(u32, &[u32], &[Candidate]) -> Result<()> + 'a;

impl Rankings<'_> {
    fn for_each(
        &self,
        positives: &Positives,
        progress: &dyn Progress,
        each: &mut Each<'_>,
    ) -> Result<()> {
        progress.begin(self.task, positives.queries.len() as u64);
        let result = self.blocks(positives, progress, each);
        progress.end();
        result
    }

    fn blocks(
        &self,
        positives: &Positives,
        progress: &dyn Progress,
        each: &mut Each<'_>,
    ) -> Result<()> {
        let documents = positives.documents.chunks(QUERY_BLOCK);
        for (queries, documents) in positives.queries.chunks(QUERY_BLOCK).zip(documents) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let rankings = self.searcher.search(queries, self.depth)?;
            let (expected, got) = (queries.len(), rankings.len());
            if expected != got {
                return Err(Error::Shape { what: "rankings of the searcher", expected, got });
            }
            for ((&query, documents), ranking) in queries.iter().zip(documents).zip(&rankings) {
                self.check(query, ranking)?;
                each(query, documents, ranking)?;
            }
            progress.advance(queries.len() as u64);
        }
        Ok(())
    }

    /// A searcher that was handed in may give anything.
    fn check(&self, query: u32, ranking: &[Candidate]) -> Result<()> {
        if ranking.len() > self.depth {
            let (expected, got) = (self.depth, ranking.len());
            return Err(Error::Shape { what: "length of a ranking", expected, got });
        }
        let row = query as usize;
        match ranking.iter().position(|candidate| !candidate.score.is_finite()) {
            None => Ok(()),
            Some(column) => {
                let value = ranking[column].score;
                Err(Error::NotFinite { what: "ranking of query", row, column, value })
            }
        }
    }
}
