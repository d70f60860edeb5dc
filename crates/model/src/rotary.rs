//! Rotary position embedding: pairs of a query's or a key's values are turned by an angle that grows with the
//! position, so that their product depends on the distance (Su et al. 2021).
//!
//! Value `i` is paired with value `i + width / 2`, as in Hugging Face's models, and turned by
//! `position · theta^(-2i / width)`.

use std::sync::Arc;

/// The angles of every position. Clones share them.
#[derive(Clone)]
pub(crate) struct Rotary {
    /// Cosine and sine of each pair, one row a position.
    turns: Arc<[(f32, f32)]>,
    pairs: usize,
}

impl Rotary {
    /// Prepares `positions` positions for heads of `width` values.
    pub(crate) fn new(theta: f64, width: usize, positions: usize) -> Self {
        let pairs = width / 2;
        let frequencies: Vec<f32> =
            (0..pairs).map(|i| 1.0 / theta.powf((2 * i) as f64 / width as f64) as f32).collect();
        let turns = (0..positions)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f))
            .map(|angle| (f64::from(angle).cos() as f32, f64::from(angle).sin() as f32))
            .collect();
        Self { turns, pairs }
    }

    /// Turns the values of one head at a position.
    pub(crate) fn turn(&self, position: usize, head: &mut [f32]) {
        let (first, second) = head.split_at_mut(self.pairs);
        for ((x, y), (cos, sin)) in first.iter_mut().zip(second).zip(self.at(position)) {
            (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
        }
    }

    /// Turns the values of one head back: the inverse of [`Self::turn`], which is its transpose too.
    pub(crate) fn turn_back(&self, position: usize, head: &mut [f32]) {
        let (first, second) = head.split_at_mut(self.pairs);
        for ((x, y), (cos, sin)) in first.iter_mut().zip(second).zip(self.at(position)) {
            (*x, *y) = (*x * cos + *y * sin, *y * cos - *x * sin);
        }
    }

    /// Returns cosine and sine of each pair's angle at a position.
    pub(crate) fn at(&self, position: usize) -> &[(f32, f32)] {
        &self.turns[position * self.pairs..][..self.pairs]
    }
}

#[cfg(test)]
mod tests {
    use super::Rotary;

    #[test]
    fn turning_back_gives_what_was_there() {
        let rotary = Rotary::new(100.0, 6, 9);
        let values = [0.3, -1.0, 0.7, 0.2, 1.1, -0.4];
        for position in 0..9 {
            let mut turned = values;
            rotary.turn(position, &mut turned);
            assert_eq!(turned == values, position == 0);
            rotary.turn_back(position, &mut turned);
            assert!(turned.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }

    #[test]
    fn products_depend_on_the_distance_only() {
        let rotary = Rotary::new(10_000.0, 8, 64);
        let (query, key) = (
            [0.3, -1.0, 0.7, 0.2, 1.1, -0.4, 0.9, 0.5],
            [1.0, 0.1, -0.6, 0.8, 0.2, 0.3, -0.9, 1.4],
        );
        let product = |at: usize, from: usize| -> f32 {
            let (mut q, mut k) = (query, key);
            rotary.turn(at, &mut q);
            rotary.turn(from, &mut k);
            q.iter().zip(&k).map(|(q, k)| q * k).sum()
        };
        for distance in 0..10 {
            for start in [0, 5, 50] {
                let difference = product(start + distance, start) - product(distance, 0);
                assert!(difference.abs() < 1e-5);
            }
        }
        assert!((product(3, 0) - product(0, 0)).abs() > 0.1);
    }
}
