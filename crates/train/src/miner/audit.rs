//! What a teacher took for unjudged answers, for somebody to look at.
//!
//! A candidate that a [`TeacherMargin`] removes is one that the teacher likes about as much as the answer: often it is one
//! that nobody judged. The best of them are kept, whatever the number of queries.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

use super::{Candidate, Filter, Pair, TeacherMargin};
use crate::error::Result;

/// A document without a judgment that a teacher takes for relevant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearMiss {
    /// The query.
    pub query: u32,
    /// The positive that it is near to: of several, the one with the least score.
    pub positive: u32,
    /// The document.
    pub document: u32,
    /// The teacher's score of the document.
    pub score: f32,
    /// The teacher's score of the positive.
    pub positive_score: f32,
}

impl NearMiss {
    /// Orders first what stands farther above its positive.
    fn best_first(&self, other: &Self) -> Ordering {
        let excess = |miss: &Self| miss.score - miss.positive_score;
        let numbers = |miss: &Self| (miss.query, miss.document, miss.positive);
        let by_excess = excess(other).total_cmp(&excess(self));
        by_excess.then_with(|| numbers(self).cmp(&numbers(other)))
    }
}

/// Filters as a [`TeacherMargin`] does, and keeps the likeliest answers among what it removes.
pub struct MarginAudit<'a> {
    margin: TeacherMargin<'a>,
    keep: usize,
    kept: Mutex<Vec<NearMiss>>,
}

impl<'a> MarginAudit<'a> {
    /// Keeps at most `keep` of what `margin` removes.
    pub fn new(margin: TeacherMargin<'a>, keep: usize) -> Self {
        Self { margin, keep, kept: Mutex::default() }
    }

    /// Returns the likeliest answers: first what stands farthest above its positive.
    pub fn into_kept(self) -> Vec<NearMiss> {
        self.kept.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filter for MarginAudit<'_> {
    fn name(&self) -> &'static str {
        self.margin.name()
    }

    fn apply(&self, pair: &Pair<'_>, candidates: &mut Vec<Candidate>) -> Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.margin.sort_out(pair, candidates, &mut |document, [score, positive_score]| {
            let &Pair { query, positive, .. } = pair;
            let miss = NearMiss { query, positive, document, score, positive_score };
            insert(&mut kept, miss, self.keep);
        })
    }
}

/// Puts a document into its place, once for each query, and cuts the list.
fn insert(kept: &mut Vec<NearMiss>, miss: NearMiss, keep: usize) {
    let place = kept.partition_point(|other| other.best_first(&miss) == Ordering::Less);
    if place >= keep {
        return;
    }
    let same = |other: &NearMiss| (other.query, other.document) == (miss.query, miss.document);
    match kept.iter().position(same) {
        Some(better) if better < place => return,
        Some(worse) => {
            kept.remove(worse);
        }
        None => {}
    }
    kept.insert(place, miss);
    kept.truncate(keep);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::teacher::Teacher;

    /// Query, positive and document.
    type Numbers = (u32, u32, u32);

    /// Scores documents by a list, for every query with something less.
    struct Listed(Vec<f32>);

    impl Teacher for Listed {
        fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
            let score = |&document: &u32| self.0[document as usize] - query as f32;
            Ok(documents.iter().map(score).collect())
        }
    }

    fn audit(keep: usize) -> (Vec<Vec<u32>>, Vec<Numbers>) {
        let teacher = Listed(vec![5.0, 4.0, 6.0, 4.5, 2.0, 4.9]);
        let margin = TeacherMargin::below(&teacher, 0.25).unwrap();
        let audit = MarginAudit::new(margin, keep);
        let pairs = [(0, 0, &[0, 1][..]), (0, 1, &[0, 1]), (1, 0, &[0])];
        let mut left = Vec::new();
        for (query, positive, positives) in pairs {
            let candidate = |document| Candidate { document, score: 0.0 };
            let mut candidates: Vec<Candidate> = (2..6).map(candidate).collect();
            audit.apply(&Pair { query, positive, positives }, &mut candidates).unwrap();
            left.push(candidates.iter().map(|candidate| candidate.document).collect());
        }
        let kept = audit.into_kept();
        (left, kept.iter().map(|miss| (miss.query, miss.positive, miss.document)).collect())
    }

    #[test]
    fn the_likeliest_answers_are_kept_once_for_each_query() {
        let (left, kept) = audit(10);
        // Above 4.75 beside the first positive, above 3.75 beside the second.
        assert_eq!(left, [vec![3, 4], vec![4], vec![3, 4]]);
        let expected = [(0, 1, 2), (1, 0, 2), (0, 1, 5), (0, 1, 3), (1, 0, 5)];
        assert_eq!(kept, expected);
        for keep in 0..expected.len() {
            assert_eq!(audit(keep), (left.clone(), expected[..keep].to_vec()));
        }
    }
}
