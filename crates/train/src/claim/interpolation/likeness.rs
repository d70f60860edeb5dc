//! Which queries resemble each other, and the two sets of training queries that follow from it.

use ecphory_eval::resample::{Regimes, Restrain};
use ecphory_kernels::Level;
use ecphory_kernels::dot::dot;
use rayon::prelude::*;

use crate::error::Result;
use crate::study::{Fold, Subject};

/// How many of its nearest training queries each test query brings in: with more, too few are left that no test query is near to.
const NEIGHBOURS: usize = 2;

/// Which of the two sets is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Regime {
    /// The training queries nearest to the test queries.
    Interpolation,
    /// As many others.
    Extrapolation,
}

/// How near the queries of a subject are to each other: the cosine of their lexical scores of all documents.
pub(super) struct Likeness<'a> {
    subject: &'a Subject<'a>,
    values: Vec<f64>,
}

/// The folds of both regimes; they have the same test queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) interpolation: Fold,
    pub(super) extrapolation: Fold,
    /// Neighbours that are in no set, as no other query has as many answers.
    pub(super) unmatched: usize,
}

impl<'a> Likeness<'a> {
    /// Compares all queries: `queries² · documents` multiply-adds.
    ///
    /// # Errors
    /// Where there are more queries than the lexical search knows.
    pub(super) fn of(subject: &'a Subject<'a>) -> Result<Self> {
        let level = Level::detect();
        let queries = subject.data().queries().len() as u32;
        let scores = subject.parts().bm25;
        let rows = (0..queries).map(|query| scores.row(query)).collect::<Result<Vec<_>>>()?;
        let product = |a: &[f32], b: &[f32]| f64::from(dot(level, a, b));
        let lengths: Vec<f64> = rows.iter().map(|row| product(row, row).sqrt()).collect();
        let values = rows.par_iter().zip(&lengths).flat_map_iter(|(row, length)| {
            rows.iter().zip(&lengths).map(move |(other, other_length)| {
                // A query of which no word is known is near to none.
                product(row, other) / (length * other_length).max(f64::MIN_POSITIVE)
            })
        });
        Ok(Self { subject, values: values.collect() })
    }

    pub(super) fn subject(&self) -> &'a Subject<'a> {
        self.subject
    }

    fn between(&self, one: u32, other: u32) -> f64 {
        self.values[one as usize * self.subject.data().queries().len() + other as usize]
    }

    /// Draws both sets from the training queries of a fold.
    ///
    /// # Errors
    /// Where no neighbour of a test query has a counterpart.
    pub(super) fn pair(&self, fold: &Fold, seed: u64) -> Result<Pair> {
        let neighbours: Vec<Vec<usize>> = fold
            .test
            .iter()
            .map(|&test| {
                let mut places: Vec<usize> = (0..fold.train.len()).collect();
                let near = |place: usize| self.between(test, fold.train[place]);
                places.sort_by(|&a, &b| near(b).total_cmp(&near(a)));
                places.truncate(NEIGHBOURS);
                places
            })
            .collect();
        let answers = |&query: &u32| self.subject.data().positives(query as usize).len();
        let relevant: Vec<usize> = fold.train.iter().map(answers).collect();
        let drawn = Restrain { neighbours: &neighbours, relevant: &relevant, seed }.draw()?;
        let Regimes { interpolation, extrapolation, unmatched } = drawn;
        let of = |places: &[usize]| Fold {
            train: places.iter().map(|&place| fold.train[place]).collect(),
            test: fold.test.clone(),
        };
        let (interpolation, extrapolation) = (of(&interpolation), of(&extrapolation));
        Ok(Pair { interpolation, extrapolation, unmatched })
    }
}

impl Pair {
    pub(super) fn of(&self, regime: Regime) -> &Fold {
        match regime {
            Regime::Interpolation => &self.interpolation,
            Regime::Extrapolation => &self.extrapolation,
        }
    }
}
