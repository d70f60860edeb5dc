//! From sums of impacts to candidates: which documents of a chunk can have a score that counts.
//!
//! A query's weight of a term times the unit of a list is a factor of type f64; `factor · impact` bounds what the term adds to a
//! score. Factors become 16-bit weights of one scale, so that all postings of a chunk add up to at most the largest
//! 16-bit sum. The scale is as large as that allows: with 40 terms a sum is at most 80 of 65,535 above the bound that the impacts
//! give.

use ecphory_core::TopK;
use ecphory_kernels::Level;
use ecphory_kernels::impacts::add;
use ecphory_kernels::postings::{CHUNK, at_least};

use crate::segment::impacts::ImpactPostings;

/// How many sums are searched at once for candidates: their positions stay in the first-level cache.
const SCAN: usize = 4096;
/// With fewer postings than this in a chunk, the postings are walked again instead of all 65,536 sums.
const FEW_POSTINGS: usize = 4096;

/// A document of a chunk that may be among the best: its sum, and its number in the chunk.
pub(super) type Candidate = (u16, u16);

/// The lists of a query's terms in one chunk.
#[derive(Default)]
pub(super) struct Lists<'a> {
    lists: Vec<(f64, ImpactPostings<'a>)>,
}

impl<'a> Lists<'a> {
    pub fn clear(&mut self) {
        self.lists.clear();
    }

    /// Adds the list of a term that has this weight in the query.
    pub fn push(&mut self, weight: f32, postings: ImpactPostings<'a>) {
        self.lists.push((f64::from(weight) * f64::from(postings.unit), postings));
    }

    /// Returns how many postings there are.
    pub fn postings(&self) -> usize {
        self.lists.iter().map(|(_, postings)| postings.docs.len()).sum()
    }

    /// Adds all postings up, and returns what the sums mean.
    pub fn add_up(&self, level: Level, sums: &mut [u16; CHUNK]) -> Scale {
        let scale = Scale::new(self.lists.iter().map(|list| list.0));
        for (factor, postings) in &self.lists {
            add(level, scale.weight(*factor), (postings.docs, postings.impacts), sums);
        }
        scale
    }

    /// Takes the documents with at least this sum that are wanted, and leaves zeros behind.
    pub fn take(
        &self,
        level: Level,
        (sums, documents): (&mut [u16; CHUNK], usize),
        least: u16,
        wanted: &dyn Fn(u16) -> bool,
        candidates: &mut Vec<Candidate>,
    ) {
        if self.postings() < FEW_POSTINGS {
            for &doc in self.lists.iter().flat_map(|(_, postings)| postings.docs) {
                let doc = u16::from_le_bytes(doc);
                // A document that was taken already has the sum 0.
                let sum = std::mem::take(&mut sums[usize::from(doc)]);
                if sum >= least && wanted(doc) {
                    candidates.push((sum, doc));
                }
            }
            return;
        }
        let mut found = Vec::with_capacity(SCAN);
        for (block, first) in sums[..documents].chunks_mut(SCAN).zip((0u16..).step_by(SCAN)) {
            found.clear();
            at_least(level, block, least, &mut found);
            for &place in &found {
                if wanted(first + place) {
                    candidates.push((block[usize::from(place)], first + place));
                }
            }
            block.fill(0);
        }
    }
}

/// What sums mean: a score is less than its document's sum divided by `steps`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// How many steps of a sum the score 1 has.
    steps: f64,
    terms: usize,
}

impl Scale {
    /// Chooses the scale for the factors of a chunk's lists.
    fn new(factors: impl ExactSizeIterator<Item = f64>) -> Self {
        let terms = factors.len();
        // Both the rounding of a weight and that of its postings take up to 1. A query of so many terms that nothing else
        // is left gets half: its sums may stop at the largest number, which passes every threshold.
        let most = f64::from(u16::MAX);
        let room = (most - 2.0 * terms as f64).max(most / 2.0);
        let sum: f64 = factors.sum();
        Self { steps: room / (sum * 256.0), terms }
    }

    /// Returns the weight of a factor. A posting adds more than `weight · impact / 256`, by at least 1/256, which is far more
    /// than the rounding of this product loses.
    fn weight(self, factor: f64) -> u16 {
        (factor * 256.0 * self.steps).ceil() as u16
    }

    /// Returns the smallest sum of a document whose score may be at least `score`.
    pub fn least(self, score: f32) -> u16 {
        if score == f32::NEG_INFINITY {
            return 1;
        }
        // A score is rounded once for each product and each addition: by half of this, or where numbers are no longer
        // normal by the smallest of them at most.
        let terms = self.terms as f64;
        let relative = 1.0 + (terms + 1.0) * f64::from(f32::EPSILON);
        let absolute = terms * f64::from(f32::from_bits(1));
        // A conversion from a float stops at the least and the largest number.
        (((f64::from(score) - absolute) * self.steps / relative).floor() as u16).max(1)
    }
}

/// Offers the candidates' scores, the most promising first, until no other can be among the best; returns how many were
/// scored.
pub(super) fn offer_best<T: Ord + Copy>(
    candidates: &mut Vec<Candidate>,
    (k, scale): (usize, Scale),
    top: &mut TopK<T>,
    score: &mut dyn FnMut(u16) -> crate::Result<(f32, T)>,
) -> crate::Result<u64> {
    let best_first = |a: &Candidate, b: &Candidate| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
    let mut scored = 0;
    let mut rest = Vec::new();
    // The first k nearly always tell the others apart, of which few are left to be sorted.
    if candidates.len() > k {
        candidates.select_nth_unstable_by(k, best_first);
        rest = candidates.split_off(k);
    }
    for batch in [candidates, &mut rest] {
        let least = scale.least(top.threshold());
        batch.retain(|candidate| candidate.0 >= least);
        batch.sort_unstable_by(best_first);
        for &(sum, doc) in &*batch {
            if sum < scale.least(top.threshold()) {
                return Ok(scored);
            }
            let (score, item) = score(doc)?;
            top.offer(score, item);
            scored += 1;
        }
    }
    Ok(scored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_sum_is_below_what_its_score_asks_for(
            lists in proptest::collection::vec((
                prop_oneof![0.001f32..30.0, (1u32..0x5863_5fa9).prop_map(f32::from_bits)],
                prop_oneof![0.001f32..0.1, (1u32..0x5000_0000).prop_map(f32::from_bits)],
                1u8..,
            ), 1..60),
        ) {
            let (docs, impacts): (Vec<[u8; 2]>, Vec<[u8; 1]>) =
                lists.iter().map(|list| ([7, 0], [list.2])).unzip();
            let mut query = Lists::default();
            let mut score = 0.0f32;
            for (i, &(weight, unit, impact)) in lists.iter().enumerate() {
                let (docs, impacts) = (&docs[i..=i], &impacts[i][..]);
                query.push(weight, ImpactPostings { docs, impacts, unit });
                // The largest weight that the impact can stand for.
                let mut bound = (f64::from(unit) * f64::from(impact)) as f32;
                if f64::from(bound) > f64::from(unit) * f64::from(impact) {
                    bound = bound.next_down();
                }
                score += weight * bound;
            }
            let mut sums: Box<[u16; CHUNK]> = vec![0; CHUNK].into_boxed_slice().try_into().unwrap();
            let scale = query.add_up(Level::detect(), &mut sums);
            prop_assert!(sums[7] >= scale.least(score));
            // And the bound is close where numbers are ordinary.
            let loose = f64::from(sums[7]) / scale.steps;
            let exact: f64 = lists
                .iter()
                .map(|&(weight, unit, impact)| f64::from(weight) * f64::from(unit) * f64::from(impact))
                .sum();
            prop_assert!(loose <= exact + 2.0 * lists.len() as f64 / scale.steps);
            let mut found = Vec::new();
            query.take(Level::detect(), (&mut sums, 8), 1, &|_| true, &mut found);
            prop_assert_eq!(found.len(), 1);
            prop_assert!(sums.iter().all(|&sum| sum == 0));
        }
    }
}
