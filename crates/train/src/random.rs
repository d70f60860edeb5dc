//! Random numbers that a seed, a purpose and two indices give: access to any step without those before.
//!
//! The draws are ours and not those of a crate, so that a seed means the same batches on every release.
//! `ChaCha` with 8 rounds makes 64 bits in about a nanosecond; a stream costs one block to begin.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the numbers are for: two purposes never share a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The order of an epoch.
    Order = 1,
    /// The cluster of a batch and its queries.
    Cluster = 2,
    /// Tasks and their queries.
    Task = 3,
    /// A bin of margins and a pair in it.
    Margin = 4,
    /// The negatives of a group.
    Group = 5,
    /// First centroids.
    Centroid = 6,
    /// Which candidates become negatives.
    Mining = 7,
    /// Documents without any search.
    Document = 8,
    /// Which queries are held out.
    HeldOut = 9,
    /// The first values of heads.
    Head = 10,
    /// Folds of queries.
    Fold = 11,
    /// Views of a text.
    View = 12,
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// Begins the stream of a purpose; the indices are a step, an epoch, a query.
    pub(crate) fn new(seed: u64, purpose: Purpose, indices: [u64; 2]) -> Self {
        let mut key = [0; 32];
        let words = [seed, purpose as u64, indices[0], indices[1]];
        for (to, word) in key.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Draws a number below `count`, each with the same probability (Lemire 2019).
    ///
    /// # Panics
    /// Where `count` is 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        assert!(count > 0, "a draw from nothing");
        let count = count as u64;
        // Products below this would make some numbers more likely than others.
        let least = count.wrapping_neg() % count;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(count);
            if product as u64 >= least {
                return (product >> 64) as usize;
            }
        }
    }

    /// Draws a number of [0, 1) with 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Draws a number of the standard normal distribution (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Puts all into an order drawn at random.
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        self.shuffle_first(all, all.len());
    }

    /// Puts `count` drawn without replacement first, in the order of the draws. Costs `count` draws.
    pub(crate) fn shuffle_first<T>(&mut self, all: &mut [T], count: usize) {
        for at in 0..count.min(all.len().saturating_sub(1)) {
            let other = at + self.below(all.len() - at);
            all.swap(at, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(index: u64) -> Random {
        Random::new(3, Purpose::Order, [index, 0])
    }

    #[test]
    fn streams_differ_and_repeat() {
        let first = |seed, purpose, indices| Random::new(seed, purpose, indices).0.next_u64();
        let one = first(3, Purpose::Order, [0, 0]);
        assert_eq!(one, first(3, Purpose::Order, [0, 0]));
        assert_ne!(one, first(4, Purpose::Order, [0, 0]));
        assert_ne!(one, first(3, Purpose::Task, [0, 0]));
        assert_ne!(one, first(3, Purpose::Order, [1, 0]));
        assert_ne!(one, first(3, Purpose::Order, [0, 1]));
    }

    #[test]
    fn draws_are_uniform() {
        let mut random = random(0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7)] += 1;
        }
        // Six degrees of freedom: a chi-square above 22.5 has a probability of 0.001.
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 1e4).powi(2) / 1e4).sum();
        assert!(chi < 22.5, "{counts:?}");
        let mean = (0..10_000).map(|_| random.unit()).sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..24_000 {
            let mut order = [0, 1, 2, 3];
            random(index).shuffle(&mut order);
            *counts.entry(order).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi: f64 = counts.values().map(|&n| (f64::from(n) - 1e3).powi(2) / 1e3).sum();
        assert!(chi < 49.7, "{counts:?}");
    }

    #[test]
    fn the_first_ones_are_those_of_the_whole_order() {
        let mut whole: Vec<u32> = (0..50).collect();
        let mut part = whole.clone();
        random(1).shuffle(&mut whole);
        random(1).shuffle_first(&mut part, 9);
        assert_eq!(whole[..9], part[..9]);
        random(1).shuffle_first(&mut part, 90);
        random(1).shuffle::<u32>(&mut []);
    }
}
