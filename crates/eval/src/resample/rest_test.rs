//! `ReSTTest`: all queries in groups, each of them held out once.
//!
//! A fold trains on the other groups. Test queries of these measure interpolation, those of the group held out
//! extrapolation. Different queries are tested in each regime, so that a difference may be one of how hard they are:
//! read it beside that of something that was not trained, such as BM25.

use crate::error::{Error, Result};

/// The group of every query.
#[derive(Clone, Copy, Debug)]
pub struct RestTest<'a> {
    /// The group of each training query.
    pub train: &'a [u32],
    /// The group of each test query.
    pub test: &'a [u32],
}

/// One group held out; all lists are in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// The group.
    pub held_out: u32,
    /// Training queries of the other groups.
    pub train: Vec<usize>,
    /// Test queries of the other groups.
    pub interpolation: Vec<usize>,
    /// Test queries of the group.
    pub extrapolation: Vec<usize>,
}

impl RestTest<'_> {
    /// Makes a fold for every group that has test queries, in the order of their numbers.
    ///
    /// # Errors
    /// Where a fold has nothing to train on or to interpolate to: there is one group, or one has everything.
    pub fn folds(&self) -> Result<Vec<Fold>> {
        let mut groups = self.test.to_vec();
        groups.sort_unstable();
        groups.dedup();
        let mut folds = Vec::with_capacity(groups.len());
        for held_out in groups {
            let places = |all: &[u32], inside: bool| -> Vec<usize> {
                let at = all.iter().enumerate();
                at.filter(|(_, group)| (**group == held_out) == inside).map(|(at, _)| at).collect()
            };
            let fold = Fold {
                held_out,
                train: places(self.train, false),
                interpolation: places(self.test, false),
                extrapolation: places(self.test, true),
            };
            if fold.train.is_empty() || fold.interpolation.is_empty() {
                let test = "ReSTTest, outside of each group, to train on and to test,";
                return Err(Error::TooFewQueries { test, needed: 1, got: 0 });
            }
            folds.push(fold);
        }
        Ok(folds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every test query extrapolates once and interpolates in all other folds; no fold trains on its group.
        #[test]
        fn every_group_is_held_out_once(
            train in proptest::collection::vec(0u32..5, 1..40),
            test in proptest::collection::vec(0u32..5, 1..40),
        ) {
            let Ok(folds) = (RestTest { train: &train, test: &test }).folds() else { return Ok(()) };
            for (query, group) in test.iter().enumerate() {
                let own = folds.iter().filter(|fold| fold.extrapolation.contains(&query));
                prop_assert_eq!(own.map(|fold| fold.held_out).collect::<Vec<_>>(), [*group]);
                let others = folds.iter().filter(|fold| fold.interpolation.contains(&query));
                prop_assert_eq!(others.count(), folds.len() - 1);
            }
            for fold in &folds {
                let expected: Vec<usize> =
                    (0..train.len()).filter(|&query| train[query] != fold.held_out).collect();
                prop_assert_eq!(&fold.train, &expected);
            }
        }
    }

    #[test]
    fn folds_by_hand() {
        let folds = RestTest { train: &[0, 1, 2, 1], test: &[1, 0, 1] }.folds().unwrap();
        let fold = |held_out, train: &[usize], interpolation: &[usize], extrapolation: &[usize]| {
            let [train, interpolation, extrapolation] =
                [train, interpolation, extrapolation].map(<[usize]>::to_vec);
            Fold { held_out, train, interpolation, extrapolation }
        };
        assert_eq!(folds, [fold(0, &[1, 2, 3], &[0, 2], &[1]), fold(1, &[0, 2], &[1], &[0, 2])]);
        assert!(RestTest { train: &[0, 1], test: &[1, 1] }.folds().is_err());
        assert!(RestTest { train: &[1, 1], test: &[1, 0] }.folds().is_err());
    }
}
