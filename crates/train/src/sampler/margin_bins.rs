//! Pairs of all difficulties alike: the balanced margins of Hofstätter et al. 2021, TAS-Balanced.
//!
//! For each query the span between the least and the greatest margin of its own pairs is cut into ten bins of
//! equal *width* (not of equal content: most pairs are easy, and bins of equal content would stay so). A draw takes a bin
//! that is not empty, each with the same probability, then a pair of it.

use rustc_hash::FxHashMap;

use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// Into how many bins a query's margins are cut.
pub const BINS: usize = 10;

/// A positive and a negative of a query, and by how much a teacher prefers the positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarginPair {
    /// The positive document.
    pub positive: u32,
    /// The negative document.
    pub negative: u32,
    /// The teacher's score of the positive minus that of the negative.
    pub margin: f32,
}

/// The pairs of each query, by bins.
#[derive(Clone, Debug)]
pub struct MarginBins {
    seed: u64,
    queries: Vec<u32>,
    dropped: Vec<u32>,
    /// For each query its bins that are not empty.
    bins: FxHashMap<u32, Vec<Vec<MarginPair>>>,
}

impl MarginBins {
    /// Sorts the pairs of queries into bins; a query with fewer than two pairs is dropped.
    ///
    /// # Errors
    /// Where a query is there twice, a margin is NaN or infinite, or no query is left.
    pub fn new(
        queries: impl IntoIterator<Item = (u32, Vec<MarginPair>)>,
        seed: u64,
    ) -> Result<Self> {
        let mut made =
            Self { seed, queries: Vec::new(), dropped: Vec::new(), bins: FxHashMap::default() };
        for (query, pairs) in queries {
            let odd = pairs.iter().position(|pair| !pair.margin.is_finite());
            if let Some(column) = odd {
                let value = pairs[column].margin;
                return Err(Error::NotFinite {
                    what: "margins of query",
                    row: query as usize,
                    column,
                    value,
                });
            }
            if pairs.len() < 2 {
                made.dropped.push(query);
                continue;
            }
            if made.bins.insert(query, binned(pairs)).is_some() {
                return Err(Error::Twice { what: "query", number: query });
            }
            made.queries.push(query);
        }
        if made.queries.is_empty() {
            return Err(Error::Nothing { what: "queries with two pairs" });
        }
        Ok(made)
    }

    /// Returns the queries that pairs can be drawn for, in the order in which they were given.
    pub fn queries(&self) -> &[u32] {
        &self.queries
    }

    /// Returns the queries that were dropped.
    pub fn dropped(&self) -> &[u32] {
        &self.dropped
    }

    /// Draws the pair of a query for a step.
    ///
    /// # Errors
    /// Where the query is not among [`MarginBins::queries`].
    pub fn pair(&self, query: u32, step: u64) -> Result<MarginPair> {
        let Some(bins) = self.bins.get(&query) else {
            let (number, count) = (query.into(), self.queries.len());
            return Err(Error::Outside { what: "query with pairs", number, count });
        };
        let mut random = Random::new(self.seed, Purpose::Margin, [step, query.into()]);
        let bin = &bins[random.below(bins.len())];
        Ok(bin[random.below(bin.len())])
    }
}

/// Cuts pairs into bins of equal width and leaves out the empty ones.
fn binned(pairs: Vec<MarginPair>) -> Vec<Vec<MarginPair>> {
    let margins = || pairs.iter().map(|pair| f64::from(pair.margin));
    let least = margins().fold(f64::INFINITY, f64::min);
    let range = margins().fold(f64::NEG_INFINITY, f64::max) - least;
    let mut bins = vec![Vec::new(); BINS];
    for pair in pairs {
        let above = f64::from(pair.margin) - least;
        // The greatest margin belongs to the last bin; margins that are all the same, to the first.
        let bin = if range > 0.0 { (above * BINS as f64 / range) as usize } else { 0 };
        bins[bin.min(BINS - 1)].push(pair);
    }
    bins.retain(|bin| !bin.is_empty());
    bins
}
