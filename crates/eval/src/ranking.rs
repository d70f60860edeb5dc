//! One query's ranking as metrics see it: judgments in rank order, and how many there are of each level.
//!
//! Made once for a query and shared by all metrics: sorting and looking up 1,000 documents costs
//! more than any metric does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::evaluate::EvaluateOptions;
use crate::run::rank_order;

/// The label of a document that the judgments do not name.
pub const UNPOOLED: i32 = -1;
/// The label of a document that was pooled but not judged (a negative judgment).
pub const UNJUDGED: i32 = -2;

/// The judgments of one query's documents in rank order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The label at each rank: a judgment from 0 up, [`UNPOOLED`] or [`UNJUDGED`].
    pub labels: Vec<i32>,
    /// Where each group of equal scores ends, as ranks; the last is the length.
    tie_ends: Vec<u32>,
    /// How many documents of each level from 0 up the query has, retrieved or not; ascending.
    levels: Vec<(i32, u32)>,
    /// Whether the query stands in the run at all.
    retrieved: bool,
}

/// Whether tied documents stand as `trec_eval` puts them, or as helps or hurts the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ties {
    Ranked,
    HighestFirst,
    LowestFirst,
}

impl Ranking {
    /// Ranks `hits` (in any order; `None` where the run lacks the query), keeps as many as the
    /// options say, and looks up their judgments.
    pub fn new(
        judged: &BTreeMap<String, i32>,
        hits: Option<&[(String, f64)]>,
        options: &EvaluateOptions,
    ) -> Self {
        let mut levels: BTreeMap<i32, u32> = BTreeMap::new();
        for &judgment in judged.values().filter(|&&judgment| judgment >= 0) {
            *levels.entry(judgment).or_default() += 1;
        }
        let mut ranking = Self {
            levels: levels.into_iter().collect(),
            retrieved: hits.is_some(),
            ..Self::default()
        };
        let hits = in_rank_order(hits.unwrap_or_default(), options.single_precision);
        let kept = &hits[..options.depth.unwrap_or(hits.len()).min(hits.len())];
        for (rank, (document, score)) in kept.iter().enumerate() {
            ranking.labels.push(match judged.get(document) {
                None => UNPOOLED,
                Some(&judgment) if judgment < 0 => UNJUDGED,
                Some(&judgment) => judgment,
            });
            if kept.get(rank + 1).is_none_or(|(_, next)| next != score) {
                ranking.tie_ends.push(rank as u32 + 1);
            }
        }
        ranking
    }

    /// Makes a ranking without ties from labels and the judgments of the query; for tests and for
    /// judging a list that has no ids.
    pub fn of_labels(labels: Vec<i32>, judgments: &[i32]) -> Self {
        let mut levels: BTreeMap<i32, u32> = BTreeMap::new();
        for &judgment in judgments.iter().filter(|&&judgment| judgment >= 0) {
            *levels.entry(judgment).or_default() += 1;
        }
        let tie_ends = (1..=labels.len() as u32).collect();
        Self { labels, tie_ends, levels: levels.into_iter().collect(), retrieved: true }
    }

    /// Returns how many documents of the query are judged `rel` or more.
    pub fn relevant(&self, rel: i32) -> usize {
        self.levels
            .iter()
            .filter(|(level, _)| *level >= rel)
            .map(|(_, count)| *count as usize)
            .sum()
    }

    /// Returns how many documents of the query are judged from 0 up to below `rel`.
    pub fn nonrelevant(&self, rel: i32) -> usize {
        self.levels.iter().filter(|(level, _)| *level < rel).map(|(_, count)| *count as usize).sum()
    }

    /// Returns the levels from 0 up that occur among the judgments, ascending, with their counts.
    pub fn levels(&self) -> &[(i32, u32)] {
        &self.levels
    }

    /// Returns whether the run has this query.
    pub fn is_retrieved(&self) -> bool {
        self.retrieved
    }

    /// Returns the labels of the first `length` ranks as `trec_eval`'s relstring prints them: a digit, `>` above
    /// 9, `-` for a document outside the pool, `.` for one in the pool that was not judged.
    pub fn relevance_string(&self, length: usize) -> String {
        self.labels
            .iter()
            .take(length)
            .map(|&label| match label {
                UNPOOLED => '-',
                UNJUDGED => '.',
                0..=9 => char::from(b'0' + label as u8),
                _ => '>',
            })
            .collect()
    }

    /// Returns the labels with the ties in the order asked for.
    pub(crate) fn arranged(&self, ties: Ties, worth: &dyn Fn(i32) -> f64) -> Cow<'_, [i32]> {
        if ties == Ties::Ranked || self.tie_ends.len() == self.labels.len() {
            return Cow::Borrowed(&self.labels);
        }
        let mut labels = self.labels.clone();
        let mut start = 0;
        for &end in &self.tie_ends {
            let tied = &mut labels[start..end as usize];
            tied.sort_by(|&left, &right| worth(right).total_cmp(&worth(left)));
            if ties == Ties::LowestFirst {
                tied.reverse();
            }
            start = end as usize;
        }
        Cow::Owned(labels)
    }
}

/// A run that was read is in order already; one that was put together by hand may not be.
fn in_rank_order(hits: &[(String, f64)], single_precision: bool) -> Cow<'_, [(String, f64)]> {
    if single_precision {
        let rounded = |(id, score): &(String, f64)| (id.clone(), f64::from(*score as f32));
        let mut sorted: Vec<(String, f64)> = hits.iter().map(rounded).collect();
        sorted.sort_by(rank_order);
        return Cow::Owned(sorted);
    }
    if hits.is_sorted_by(|left, right| rank_order(left, right).is_le()) {
        return Cow::Borrowed(hits);
    }
    let mut sorted = hits.to_vec();
    sorted.sort_by(rank_order);
    Cow::Owned(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(pairs: &[(&str, f64)]) -> Vec<(String, f64)> {
        pairs.iter().map(|(id, score)| ((*id).to_owned(), *score)).collect()
    }

    #[test]
    fn labels_levels_and_ties() {
        let judged: BTreeMap<String, i32> =
            [("a", 2), ("b", 0), ("c", -1), ("z", 12)].map(|(id, j)| (id.to_owned(), j)).into();
        let run = hits(&[("a", 1.0), ("b", 3.0), ("c", 1.0), ("d", 1.0), ("z", 0.5)]);
        let ranking = Ranking::new(&judged, Some(&run), &EvaluateOptions::default());
        assert_eq!(ranking.labels, [0, UNPOOLED, UNJUDGED, 2, 12]);
        assert_eq!(ranking.relevance_string(10), "0-.2>");
        assert_eq!(ranking.levels(), [(0, 1), (2, 1), (12, 1)]);
        assert_eq!((ranking.relevant(1), ranking.relevant(3), ranking.nonrelevant(3)), (2, 1, 2));
        let worth = |label: i32| f64::from(label);
        assert_eq!(ranking.arranged(Ties::HighestFirst, &worth)[..4], [0, 2, UNPOOLED, UNJUDGED]);
        assert_eq!(ranking.arranged(Ties::LowestFirst, &worth)[..4], [0, UNJUDGED, UNPOOLED, 2]);
        let first = EvaluateOptions { depth: Some(1), ..EvaluateOptions::default() };
        assert_eq!(Ranking::new(&judged, Some(&run), &first).labels, [0]);
        assert!(!Ranking::new(&judged, None, &first).is_retrieved());
    }

    #[test]
    fn scores_of_single_precision_tie_sooner() {
        let judged: BTreeMap<String, i32> = [("a".to_owned(), 1), ("b".to_owned(), 0)].into();
        let run = hits(&[("a", 1.0 + 1e-9), ("b", 1.0)]);
        let double = EvaluateOptions::default();
        let single = EvaluateOptions { single_precision: true, ..double };
        assert_eq!(Ranking::new(&judged, Some(&run), &double).labels, [1, 0]);
        assert_eq!(Ranking::new(&judged, Some(&run), &single).labels, [0, 1]);
    }
}
