//! Metrics, spelled as `ir_measures` spells them: `nDCG@10`, `AP`, `P(rel=2)@10`, `nDCG(dcg='exp-log2')@20`.
//!
//! A metric is a value: [`FromStr`](std::str::FromStr) and [`Display`](std::fmt::Display) round-trip, and the text that is displayed is
//! the canonical one (`P(rel=1)@10` prints as `P@10`, `ndcg_cut_10` as `nDCG@10`). Measures of `trec_eval` that `ir_measures`
//! has no name for have one here in the same style. Formulas and sources stand in the guide.

mod alias;
mod binary;
mod display;
mod gain;
mod measure;
mod parse;

pub(crate) use gain::ndcg_by_depth;
pub use measure::{Dcg, Gains, Measure};

use std::borrow::Cow;

use crate::ranking::{Ranking, Ties, UNPOOLED};

/// A measure with its parameters, ready to judge rankings.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// What is measured.
    pub measure: Measure,
    /// A judgment from here up counts as relevant; at least 0, by default 1. Measures of gain (nDCG and its
    /// kin) do not look at it.
    pub rel: i32,
    /// How many ranks are looked at; `None` for all.
    pub cutoff: Option<usize>,
    /// Whether documents without a judgment are taken out of the ranking first.
    pub judged_only: bool,
}

/// How the values of the queries become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Their arithmetic mean.
    Mean,
    /// Their sum; for counts.
    Sum,
    /// Their geometric mean, each value raised to at least 0.00001, as in `trec_eval`.
    GeometricMean,
}

/// The least value that enters a geometric mean.
const GEOMETRIC_FLOOR: f64 = 0.00001;

impl Aggregate {
    /// Returns the aggregate of some values; NaN for a mean of nothing.
    pub fn of(self, values: impl ExactSizeIterator<Item = f64>) -> f64 {
        let count = values.len() as f64;
        match self {
            Aggregate::Mean => values.sum::<f64>() / count,
            Aggregate::Sum => values.sum::<f64>() + 0.0,
            Aggregate::GeometricMean => (values.map(|v| self.term(v)).sum::<f64>() / count).exp(),
        }
    }

    /// Returns what a value adds to the sum: its logarithm for a geometric mean, else itself.
    pub(crate) fn term(self, value: f64) -> f64 {
        match self {
            Aggregate::GeometricMean => value.max(GEOMETRIC_FLOOR).ln(),
            Aggregate::Mean | Aggregate::Sum => value,
        }
    }
}

impl Metric {
    /// Makes a metric with `rel` 1, all ranks and all documents.
    pub fn new(measure: Measure) -> Self {
        Self { measure, rel: 1, cutoff: None, judged_only: false }
    }

    /// Cuts the ranking after `cutoff` ranks.
    #[must_use]
    pub fn at(mut self, cutoff: usize) -> Self {
        self.cutoff = Some(cutoff);
        self
    }

    /// Returns how the values of the queries become one.
    pub fn aggregate(&self) -> Aggregate {
        match self.measure {
            Measure::NumQ | Measure::NumRet { .. } | Measure::NumRel | Measure::NumNonRelRet => {
                Aggregate::Sum
            }
            Measure::AveragePrecision { geometric: true } | Measure::Bpref { geometric: true } => {
                Aggregate::GeometricMean
            }
            _ => Aggregate::Mean,
        }
    }

    /// Returns whether more is worse, so that a comparison must not praise it.
    pub fn lower_is_better(&self) -> bool {
        matches!(
            self.measure,
            Measure::Unjudged | Measure::RankBiasedResidual { .. } | Measure::NumNonRelRet
        )
    }

    /// Returns the value for one query, ties in `trec_eval`'s order.
    pub fn value(&self, ranking: &Ranking) -> f64 {
        self.value_arranged(ranking, Ties::Ranked)
    }

    /// Returns whether a query can be averaged over: it has a document that counts as relevant.
    pub(crate) fn is_judged(&self, ranking: &Ranking) -> bool {
        match self.gains() {
            Some(gains) => ranking.levels().iter().any(|(level, _)| gains.of(*level) > 0.0),
            None => ranking.relevant(self.rel) > 0,
        }
    }

    pub(crate) fn value_arranged(&self, ranking: &Ranking, ties: Ties) -> f64 {
        let mut labels = ranking.arranged(ties, &|label| self.worth(label));
        if self.judged_only {
            labels = Cow::Owned(labels.iter().copied().filter(|&label| label >= 0).collect());
        }
        let seen = &labels[..self.cutoff.unwrap_or(labels.len()).min(labels.len())];
        let value = match &self.measure {
            measure if measure.is_gain() => gain::value(self, ranking, seen),
            _ => binary::value(self, ranking, seen),
        };
        // The sum of no floats is −0, which would be printed with its sign.
        value + 0.0
    }

    /// Returns the gains of a measure that has them.
    pub(crate) fn gains(&self) -> Option<Cow<'_, Gains>> {
        match &self.measure {
            Measure::Ndcg { gains, .. }
            | Measure::NdcgRel { gains }
            | Measure::Rndcg { gains }
            | Measure::Gain { gains } => Some(Cow::Borrowed(gains)),
            Measure::RankBiased { graded: true, .. } => Some(Cow::Owned(Gains::default())),
            _ => None,
        }
    }

    /// Ranks labels by what they do to the value when they come earlier: documents of the best
    /// case go from high to low.
    fn worth(&self, label: i32) -> f64 {
        match &self.measure {
            // A negative judgment still means that somebody listed the document.
            Measure::Judged => f64::from(u8::from(label != UNPOOLED)),
            Measure::Unjudged | Measure::RankBiasedResidual { .. } => {
                f64::from(u8::from(label < 0))
            }
            Measure::NumNonRelRet => f64::from(u8::from((0..self.rel).contains(&label))),
            measure if measure.is_gain() && label >= 0 => self.gains().map_or(0.0, |g| g.of(label)),
            measure if measure.is_gain() => 0.0,
            _ => f64::from(label),
        }
    }
}

#[cfg(test)]
mod tests;
