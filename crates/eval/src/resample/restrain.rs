//! `ReSTrain`: one set of test queries, two sets of training queries.
//!
//! The sets are equally large, and for every number of relevant documents they have equally many queries with so many: a
//! difference of two models that were trained on them is one of resemblance, not of size. As the test queries are the
//! same, whatever was not trained scores the same in both regimes, and its gap is exactly 0.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// What `ReSTrain` draws from.
#[derive(Clone, Copy, Debug)]
pub struct Restrain<'a> {
    /// For each test query the training queries most similar to it, the most similar first: the more, the larger the
    /// sets.
    pub neighbours: &'a [Vec<usize>],
    /// For each training query how many relevant documents it has.
    pub relevant: &'a [usize],
    /// The seed of the draw from the training queries that are no neighbours.
    pub seed: u64,
}

/// Two sets of training queries, each in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regimes {
    /// Neighbours of test queries.
    pub interpolation: Vec<usize>,
    /// As many that are neighbours of none.
    pub extrapolation: Vec<usize>,
    /// Neighbours that had no counterpart with as many relevant documents and so are in neither set.
    pub unmatched: usize,
}

impl Restrain<'_> {
    /// Draws both sets. Where there are not enough counterparts, the neighbours that stand higher in the rankings
    /// stay, and of equally high ones those of the test queries that come first.
    ///
    /// # Errors
    /// Where a neighbour is no training query, or no neighbour has a counterpart.
    pub fn draw(&self) -> Result<Regimes> {
        let by_rank = self.neighbours_by_rank()?;
        let mut is_neighbour = vec![false; self.relevant.len()];
        for &neighbour in &by_rank {
            is_neighbour[neighbour] = true;
        }
        let mut others: Vec<usize> =
            (0..self.relevant.len()).filter(|&query| !is_neighbour[query]).collect();
        others.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        let mut counterparts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for other in others {
            counterparts.entry(self.relevant[other]).or_default().push(other);
        }
        let (mut interpolation, mut extrapolation) = (Vec::new(), Vec::new());
        for &neighbour in &by_rank {
            let equals = counterparts.get_mut(&self.relevant[neighbour]);
            if let Some(counterpart) = equals.and_then(Vec::pop) {
                interpolation.push(neighbour);
                extrapolation.push(counterpart);
            }
        }
        if interpolation.is_empty() {
            let (test, needed) = ("ReSTrain, beside the neighbours of test queries,", 1);
            return Err(Error::TooFewQueries { test, needed, got: 0 });
        }
        let unmatched = by_rank.len() - interpolation.len();
        interpolation.sort_unstable();
        extrapolation.sort_unstable();
        Ok(Regimes { interpolation, extrapolation, unmatched })
    }

    /// Lists every neighbour once: the first of all rankings, then the second of all, and so on.
    fn neighbours_by_rank(&self) -> Result<Vec<usize>> {
        let depth = self.neighbours.iter().map(Vec::len).max().unwrap_or(0);
        let mut seen = vec![false; self.relevant.len()];
        let mut found = Vec::new();
        for rank in 0..depth {
            for ranking in self.neighbours {
                let Some(&neighbour) = ranking.get(rank) else { continue };
                let Some(seen) = seen.get_mut(neighbour) else {
                    let (setting, expected) = ("neighbours", "places of training queries");
                    return Err(Error::Setting { setting, expected, got: neighbour.to_string() });
                };
                if !std::mem::replace(seen, true) {
                    found.push(neighbour);
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(queries: &[usize], relevant: &[usize]) -> Vec<usize> {
        let mut counts: Vec<usize> = queries.iter().map(|&query| relevant[query]).collect();
        counts.sort_unstable();
        counts
    }

    proptest! {
        /// Invariant 11: equal sizes and equal numbers of relevant documents; no neighbour in the other set.
        #[test]
        fn both_sets_are_equal_but_for_resemblance(
            relevant in proptest::collection::vec(1usize..4, 12..60),
            neighbours in proptest::collection::vec(proptest::collection::vec(0usize..12, 0..4), 1..9),
            seed in 0u64..5,
        ) {
            let input = Restrain { neighbours: &neighbours, relevant: &relevant, seed };
            let Ok(regimes) = input.draw() else { return Ok(()) };
            let Regimes { interpolation, extrapolation, unmatched } = &regimes;
            prop_assert_eq!(interpolation.len(), extrapolation.len());
            prop_assert_eq!(counts(interpolation, &relevant), counts(extrapolation, &relevant));
            let mut near: Vec<usize> = neighbours.concat();
            near.sort_unstable();
            near.dedup();
            prop_assert_eq!(near.len(), interpolation.len() + unmatched);
            prop_assert!(interpolation.iter().all(|query| near.contains(query)));
            prop_assert!(extrapolation.iter().all(|query| !near.contains(query)));
            prop_assert!(interpolation.is_sorted_by(|a, b| a < b));
            prop_assert!(extrapolation.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(input.draw().unwrap(), regimes);
        }
    }

    #[test]
    fn higher_ranks_stay_where_counterparts_are_few() {
        let neighbours = [vec![0, 1], vec![2, 3]];
        let relevant = [1, 1, 1, 2, 1, 1, 2, 1];
        let input = Restrain { neighbours: &neighbours, relevant: &relevant, seed: 1 };
        let regimes = input.draw().unwrap();
        assert_eq!((regimes.interpolation, regimes.unmatched), (vec![0, 1, 2, 3], 0));
        // One counterpart fewer: of those with one document, the second neighbour has none.
        let input = Restrain { relevant: &relevant[..7], ..input };
        let regimes = input.draw().unwrap();
        assert_eq!((regimes.interpolation, regimes.unmatched), (vec![0, 2, 3], 1));
        assert_eq!(regimes.extrapolation, [4, 5, 6]);
    }

    #[test]
    fn the_seed_decides_and_nonsense_is_refused() {
        let relevant = [1; 40];
        let neighbours = [vec![0, 1, 2]];
        let with = |seed| Restrain { neighbours: &neighbours, relevant: &relevant, seed }.draw();
        assert_ne!(with(1).unwrap().extrapolation, with(2).unwrap().extrapolation);
        let error = |neighbours: &[Vec<usize>], relevant: &[usize]| {
            Restrain { neighbours, relevant, seed: 1 }.draw().unwrap_err().to_string()
        };
        assert_eq!(
            error(&[vec![3]], &[1; 3]),
            "neighbours: expected places of training queries, got 3"
        );
        assert!(error(&[vec![0, 1]], &[1; 2]).contains("needs at least 1 queries, got 0"));
        assert!(error(&[vec![0]], &[1, 2]).contains("needs at least 1 queries, got 0"));
    }
}
