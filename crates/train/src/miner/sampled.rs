//! Documents at random: the negatives that every other kind is compared with.

use rustc_hash::FxHashSet;

use super::{Candidate, Searcher};
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// Gives each query documents at random, all with score 0. Costs a few draws a document.
#[derive(Clone, Copy, Debug)]
pub struct RandomDocuments {
    documents: u32,
    seed: u64,
}

impl RandomDocuments {
    /// Draws from the documents 0 to `documents − 1`.
    ///
    /// # Errors
    /// Where there are none.
    pub fn new(documents: u32, seed: u64) -> Result<Self> {
        if documents == 0 {
            return Err(Error::Nothing { what: "documents" });
        }
        Ok(Self { documents, seed })
    }
}

impl Searcher for RandomDocuments {
    fn search(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let ranking = |&query: &u32| {
            let mut random = Random::new(self.seed, Purpose::Document, [query.into(), 0]);
            let mut drawn = if depth < self.documents as usize / 2 {
                let mut drawn = FxHashSet::default();
                while drawn.len() < depth {
                    drawn.insert(random.below(self.documents as usize) as u32);
                }
                drawn.into_iter().collect()
            } else {
                let mut all: Vec<u32> = (0..self.documents).collect();
                random.shuffle_first(&mut all, depth);
                all.truncate(depth);
                all
            };
            // All scores are equal, and equal scores are in the order of their numbers.
            drawn.sort_unstable();
            drawn.into_iter().map(|document| Candidate { document, score: 0.0 }).collect()
        };
        Ok(queries.iter().map(ranking).collect())
    }
}
