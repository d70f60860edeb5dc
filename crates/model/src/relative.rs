//! The bias that `MPNet` adds to attention scores by the distance between two tokens.
//!
//! Distances fall into buckets: exact up to a quarter of their number in each direction, then
//! logarithmic up to 128, the same for all beyond (the scheme of T5, Raffel et al. 2020, section 2.1).

use std::sync::Arc;

use crate::tensor::Tensor;

/// The distance from which all distances share a bucket.
const FAR: f32 = 128.0;

/// The bias of every distance, for every head. Clones share it.
#[derive(Clone)]
pub(crate) struct RelativeBias {
    /// For each head, the bias of key minus query from `-(longest - 1)` on.
    by_distance: Arc<[Vec<f32>]>,
    longest: usize,
}

impl RelativeBias {
    /// Expands a table of shape `[buckets, heads]` for sequences of up to `longest` tokens.
    pub(crate) fn new(table: &Tensor, longest: usize) -> Self {
        let (buckets, heads) = (table.shape[0], table.shape[1]);
        let values = table.to_vec();
        let distances = 1 - longest as i64..longest as i64;
        let row: Vec<usize> = distances.map(|d| bucket(d, buckets)).collect();
        let by_distance = (0..heads)
            .map(|head| row.iter().map(|bucket| values[bucket * heads + head]).collect())
            .collect();
        Self { by_distance, longest }
    }

    /// Returns what one head adds to the scores of one query of a sequence of `length` tokens.
    pub(crate) fn row(&self, head: usize, query: usize, length: usize) -> &[f32] {
        &self.by_distance[head][self.longest - 1 - query..][..length]
    }
}

/// Returns the bucket of a distance from query to key.
fn bucket(distance: i64, buckets: usize) -> usize {
    let half = buckets / 2;
    let side = if distance > 0 { half } else { 0 };
    let distance = distance.unsigned_abs() as usize;
    let exact = half / 2;
    if distance < exact {
        return side + distance;
    }
    let ratio = (distance as f32 / exact as f32).ln() / (FAR / exact as f32).ln();
    side + (half - 1).min(exact + (ratio * (half - exact) as f32) as usize)
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn buckets_are_exact_near_and_logarithmic_far() {
        // From the definition: 32 buckets, 16 a side, 8 of them exact.
        let expected = [
            (0, 0),
            (-1, 1),
            (1, 17),
            (-7, 7),
            (7, 23),
            (-8, 8),
            (8, 24),
            (-16, 10),
            (-64, 14),
            (-127, 15),
            (-128, 15),
            (-500, 15),
            (500, 31),
        ];
        for (distance, place) in expected {
            assert_eq!(bucket(distance, 32), place, "distance {distance}");
        }
    }
}
