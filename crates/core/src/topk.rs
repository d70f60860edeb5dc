//! The k best of a stream of scored things, in a total order.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A thing with its score. Better means a higher score, then a smaller thing: the one order in which
/// all results of the engine are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored<T> {
    /// The score; never NaN.
    pub score: f32,
    /// What was scored.
    pub item: T,
}

impl<T: Ord> Scored<T> {
    /// Orders the better one first.
    #[inline]
    pub fn best_first(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.item.cmp(&other.item))
    }
}

/// Collects the k best of a stream. Offers cost `O(log k)` when they enter and one comparison when not.
#[derive(Clone, Debug)]
pub struct TopK<T> {
    k: usize,
    heap: BinaryHeap<WorstFirst<T>>,
}

impl<T: Ord + Copy> TopK<T> {
    /// Makes a collector of the `k` best; memory grows with what is offered, up to `k`.
    pub fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::with_capacity(k.min(1024)) }
    }

    /// Offers one thing. A score of −0 counts as 0.
    ///
    /// # Panics
    /// In debug builds, where the score is NaN.
    #[inline]
    pub fn offer(&mut self, score: f32, item: T) {
        debug_assert!(!score.is_nan(), "a score is NaN");
        // Adding zero turns −0 into +0, so that `total_cmp` sees equal scores as equal.
        let candidate = WorstFirst(Scored { score: score + 0.0, item });
        if self.heap.len() < self.k {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate.0.best_first(&worst.0) == Ordering::Less
        {
            *worst = candidate;
        }
    }

    /// Returns the score below which an offer cannot enter: the k-th best so far, or −∞.
    #[inline]
    pub fn threshold(&self) -> f32 {
        if self.k == 0 {
            return f32::INFINITY;
        }
        if self.heap.len() < self.k {
            return f32::NEG_INFINITY;
        }
        self.heap.peek().map_or(f32::NEG_INFINITY, |worst| worst.0.score)
    }

    /// Returns what was kept, best first.
    pub fn into_sorted(self) -> Vec<Scored<T>> {
        self.heap.into_sorted_vec().into_iter().map(|kept| kept.0).collect()
    }
}

/// Makes a max-heap keep its worst entry on top.
#[derive(Clone, Copy, Debug)]
struct WorstFirst<T>(Scored<T>);

impl<T: Ord> Ord for WorstFirst<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.best_first(&other.0)
    }
}

impl<T: Ord> PartialOrd for WorstFirst<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for WorstFirst<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Ord> Eq for WorstFirst<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // Few distinct scores, so that ties are the rule.
        #[test]
        fn equals_sorting_everything(scores in proptest::collection::vec(-3i8..3, 0..60), k in 0usize..70) {
            let mut top = TopK::new(k);
            let mut all: Vec<Scored<u32>> = Vec::new();
            for (item, &score) in scores.iter().enumerate() {
                let scored = Scored { score: f32::from(score) * 0.5, item: item as u32 };
                top.offer(scored.score, scored.item);
                all.push(scored);
            }
            all.sort_by(Scored::best_first);
            all.truncate(k);
            let threshold = top.threshold();
            let kept = top.into_sorted();
            if kept.len() == k && k > 0 {
                prop_assert_eq!(threshold, kept[k - 1].score);
            }
            prop_assert_eq!(kept, all);
        }
    }

    #[test]
    fn minus_zero_ties_with_zero() {
        let mut top = TopK::new(2);
        top.offer(-0.0, 1u32);
        top.offer(0.0, 2u32);
        let items: Vec<u32> = top.into_sorted().iter().map(|s| s.item).collect();
        assert_eq!(items, [1, 2]);
    }
}
