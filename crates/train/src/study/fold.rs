//! Folds of queries, and how much work a study may do.

use crate::random::{Purpose, Random};

/// The share of a fold's training queries on which its learning rate is chosen: one in so many.
const INNER: usize = 5;

/// Queries to train on and queries to judge by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The queries that are trained on, in ascending order.
    pub train: Vec<u32>,
    /// The queries that are judged, in ascending order.
    pub test: Vec<u32>,
}

/// How often arms are run.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Into how many folds queries are dealt, at least 2.
    pub folds: usize,
    /// How many of them are run, the first ones.
    pub folds_run: usize,
    /// The seeds; the first also chooses rates.
    pub seeds: Vec<u64>,
    /// The learning rates to choose from, the same for all arms; where there is none, each recipe's own.
    pub rates: Vec<f32>,
}

impl Budget {
    /// Five folds and three seeds.
    pub fn full() -> Self {
        Self { folds: 5, folds_run: 5, seeds: vec![1, 2, 3], rates: Vec::new() }
    }

    /// One fold and one seed: enough to see a mechanism, and not a metric.
    pub fn small() -> Self {
        Self { folds_run: 1, seeds: vec![1], ..Self::full() }
    }

    /// Deals queries to folds, always in the same way.
    pub(crate) fn folds(&self, queries: usize) -> Vec<Fold> {
        let mut order: Vec<u32> = (0..queries as u32).collect();
        Random::new(0, Purpose::Fold, [queries as u64, self.folds as u64]).shuffle(&mut order);
        let fold = |number: usize| {
            let part = |is_test: bool| {
                let places = (0..queries).filter(|at| (at % self.folds == number) == is_test);
                let mut part: Vec<u32> = places.map(|at| order[at]).collect();
                part.sort_unstable();
                part
            };
            Fold { train: part(false), test: part(true) }
        };
        (0..self.folds.min(self.folds_run)).map(fold).filter(|fold| !fold.test.is_empty()).collect()
    }
}

impl Fold {
    /// Splits the training queries into such and others to choose by.
    pub(crate) fn inner(&self) -> Self {
        let mut order = self.train.clone();
        Random::new(1, Purpose::Fold, [order.len() as u64, 0]).shuffle(&mut order);
        let count = order.len().div_ceil(INNER);
        let (test, train) = order.split_at(count);
        let sorted = |part: &[u32]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part
        };
        Self { train: sorted(train), test: sorted(test) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_is_tested_once_and_never_trained_on_then() {
        let folds = Budget::full().folds(23);
        let mut tested: Vec<u32> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..23).collect::<Vec<u32>>());
        for fold in &folds {
            for part in [fold.clone(), fold.inner()] {
                assert!(part.train.iter().all(|query| !part.test.contains(query)));
            }
            let inner = fold.inner();
            let mut both = [inner.train, inner.test].concat();
            both.sort_unstable();
            assert_eq!(both, fold.train);
        }
        assert_eq!(Budget::small().folds(23), folds[..1]);
    }
}
