//! What several searchers find, together: negatives of words and of meaning in one list.

use rustc_hash::FxHashMap;

use super::{Candidate, Searcher};
use crate::error::{Error, Result};

/// Ranks each document by its best place in any searcher's ranking. Its score is one over that place, counted from 1.
pub struct Union<'a> {
    searchers: Vec<&'a dyn Searcher>,
}

impl<'a> Union<'a> {
    /// Asks all of these.
    ///
    /// # Errors
    /// Where there are none.
    pub fn new(searchers: Vec<&'a dyn Searcher>) -> Result<Self> {
        if searchers.is_empty() {
            return Err(Error::Nothing { what: "searchers" });
        }
        Ok(Self { searchers })
    }
}

impl Searcher for Union<'_> {
    fn search(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let mut places = vec![FxHashMap::<u32, usize>::default(); queries.len()];
        for searcher in &self.searchers {
            let rankings = searcher.search(queries, depth)?;
            let (expected, got) = (queries.len(), rankings.len());
            if expected != got {
                return Err(Error::Shape { what: "rankings of the searcher", expected, got });
            }
            for (best, ranking) in places.iter_mut().zip(rankings) {
                for (candidate, place) in ranking.into_iter().zip(1..) {
                    let best = best.entry(candidate.document).or_insert(place);
                    *best = place.min(*best);
                }
            }
        }
        let ranked = |best: FxHashMap<u32, usize>| {
            let mut all: Vec<(usize, u32)> =
                best.into_iter().map(|(document, place)| (place, document)).collect();
            all.sort_unstable();
            all.truncate(depth);
            let candidate =
                |(place, document)| Candidate { document, score: (1.0 / place as f64) as f32 };
            all.into_iter().map(candidate).collect()
        };
        Ok(places.into_iter().map(ranked).collect())
    }
}
