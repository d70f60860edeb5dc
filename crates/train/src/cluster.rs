//! k-means: Lloyd's iterations from the first centroids of k-means++ (Arthur and Vassilvitskii 2007).
//!
//! Cost of an iteration: `points · k · columns` multiply-adds at the speed of the product kernel; the first
//! centroids cost about as much once. Beyond the vectors it needs a few numbers a point and twice the centroids. The result
//! is the same for any number of threads of the current pool. Not for inverted lists of millions: those
//! train on a sample.

use ecphory_core::Progress;
use ecphory_kernels::Level;
use ecphory_kernels::dot::{dot, dot_rows};
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::random::{Purpose, Random};
use crate::vectors::Vectors;

/// Points of one product: 128 rows of 384 values are 192 KiB, half of a second-level cache.
const BLOCK: usize = 128;

/// How clusters are found.
#[derive(Clone, Copy, Debug)]
pub struct KMeans {
    /// How many clusters; fewer come out where fewer vectors differ.
    pub clusters: usize,
    /// The most iterations; it stops before where no point moves.
    pub iterations_max: usize,
    /// The seed of the first centroids.
    pub seed: u64,
    /// Which instructions to use.
    pub level: Level,
}

/// Points in clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct Clustering {
    /// The means, one after the other.
    pub centroids: Vec<f32>,
    /// The cluster of each point.
    pub assignment: Vec<u32>,
    /// The sum of squared distances of points to their centroids.
    pub inertia: f64,
    /// How many iterations it took.
    pub iterations: usize,
}

impl Clustering {
    /// Lists the points of each cluster, ascending.
    pub fn groups(&self) -> Vec<Vec<u32>> {
        let count = self.assignment.iter().max().map_or(0, |&most| most as usize + 1);
        let mut groups = vec![Vec::new(); count];
        for (point, &cluster) in (0..).zip(&self.assignment) {
            groups[cluster as usize].push(point);
        }
        groups
    }
}

impl KMeans {
    /// Clusters points by their Euclidean distances.
    ///
    /// # Errors
    /// Where no clusters are asked for, or the work was cancelled.
    pub fn run(&self, points: Vectors<'_>, progress: &dyn Progress) -> Result<Clustering> {
        if self.clusters == 0 {
            let (setting, expected) = ("clusters", "at least 1");
            return Err(Error::Setting { setting, expected, got: "0".to_owned() });
        }
        progress.begin("cluster", self.iterations_max as u64);
        let result = self.iterate(points, progress);
        progress.end();
        result
    }

    fn iterate(&self, points: Vectors<'_>, progress: &dyn Progress) -> Result<Clustering> {
        let mut centroids = self.first_centroids(points, progress)?;
        let mut nearest = self.assign(points, &centroids);
        let mut iterations = 0;
        while iterations < self.iterations_max {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            iterations += 1;
            fill_empty(points, &mut nearest, centroids.len() / points.columns());
            centroids = means(points, &nearest, centroids.len() / points.columns());
            let next = self.assign(points, &centroids);
            let moved = next.iter().zip(&nearest).any(|(a, b)| a.cluster != b.cluster);
            nearest = next;
            progress.advance(1);
            if !moved {
                break;
            }
        }
        Ok(finished(points, &centroids, &nearest, iterations))
    }

    /// Draws each next centroid with a probability in proportion to the squared distance from those before. It
    /// ends early where every point is one of them.
    fn first_centroids(&self, points: Vectors<'_>, progress: &dyn Progress) -> Result<Vec<f32>> {
        let mut random = Random::new(self.seed, Purpose::Centroid, [0, 0]);
        let squares = self.squares(points);
        let mut distances = vec![f64::INFINITY; points.count()];
        let mut drawn = random.below(points.count());
        let mut centroids = points.row(drawn).to_vec();
        loop {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            self.come_nearer(points, &squares, drawn, &mut distances);
            let total: f64 = distances.iter().sum();
            if centroids.len() == self.clusters * points.columns() || total <= 0.0 {
                return Ok(centroids);
            }
            let mut at = random.unit() * total;
            // Rounding may lead past the end: the last point that is away from all centroids is meant.
            for (point, &distance) in distances.iter().enumerate().filter(|(_, d)| **d > 0.0) {
                drawn = point;
                if at < distance {
                    break;
                }
                at -= distance;
            }
            centroids.extend_from_slice(points.row(drawn));
        }
    }

    fn squares(&self, points: Vectors<'_>) -> Vec<f64> {
        let square = |row: &[f32]| f64::from(dot(self.level, row, row));
        points.values().par_chunks_exact(points.columns()).map(square).collect()
    }

    /// Takes the distances to a further centroid, which is a point, into account.
    fn come_nearer(
        &self,
        points: Vectors<'_>,
        squares: &[f64],
        centroid: usize,
        distances: &mut [f64],
    ) {
        let center = points.row(centroid);
        let blocks = points.values().par_chunks(BLOCK * points.columns());
        let sums = distances.par_chunks_mut(BLOCK).zip(squares.par_chunks(BLOCK));
        blocks.zip(sums).for_each(|(rows, (distances, own))| {
            let mut products = vec![0.0; distances.len()];
            dot_rows(self.level, center, rows, &mut products);
            let all = distances.iter_mut().zip(own).zip(products);
            for (row, ((distance, own), product)) in all.enumerate() {
                let near = own + squares[centroid] - 2.0 * f64::from(product);
                // Differences of large numbers leave a little where there is nothing: equal is equal.
                let same = &rows[row * points.columns()..][..points.columns()] == center;
                *distance = distance.min(if same { 0.0 } else { near.max(0.0) });
            }
        });
    }

    /// Finds the nearest centroid of each point; of equally near ones, the first.
    fn assign(&self, points: Vectors<'_>, centroids: &[f32]) -> Vec<Nearest> {
        let rows = Rows::dense(centroids, points.columns());
        let packed: Packed = Packed::transposed(rows);
        // The nearest centroid has the greatest x·c − |c|²/2.
        let halves: Vec<f32> = (0..rows.count())
            .map(|cluster| -0.5 * dot(self.level, rows.row(cluster), rows.row(cluster)))
            .collect();
        let blocks = points.values().par_chunks(BLOCK * points.columns());
        let nearest = blocks.flat_map_iter(|block| {
            let block = Rows::dense(block, points.columns());
            let width = rows.count();
            let mut scores = vec![0.0; block.count() * width];
            let epilogue = Epilogue { bias: Some(&halves), ..Epilogue::default() };
            let out = RowsMut::new(&mut scores, block.count(), width, width);
            multiply(self.level, block, packed.panels(), epilogue, out);
            let of_row = |row: usize| {
                let mut best = 0;
                let scores = &scores[row * width..][..width];
                for (cluster, &score) in scores.iter().enumerate() {
                    if score > scores[best] {
                        best = cluster;
                    }
                }
                let distance = distance(block.row(row), rows.row(best));
                Nearest { cluster: best as u32, distance }
            };
            (0..block.count()).map(of_row).collect::<Vec<_>>()
        });
        nearest.collect()
    }
}

/// The centroid nearest to a point.
#[derive(Clone, Copy, Debug)]
struct Nearest {
    cluster: u32,
    /// The squared distance.
    distance: f64,
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum()
}

fn sizes(nearest: &[Nearest], clusters: usize) -> Vec<u32> {
    let mut sizes = vec![0; clusters];
    for near in nearest {
        sizes[near.cluster as usize] += 1;
    }
    sizes
}

/// Gives each empty cluster the point that is farthest from its centroid, unless all are where their centroids are.
fn fill_empty(points: Vectors<'_>, nearest: &mut [Nearest], clusters: usize) {
    let mut sizes = sizes(nearest, clusters);
    for cluster in 0..clusters {
        if sizes[cluster] > 0 {
            continue;
        }
        let mut farthest: Option<usize> = None;
        for point in 0..points.count() {
            let near = nearest[point];
            let others = sizes[near.cluster as usize] > 1 && near.distance > 0.0;
            if others && farthest.is_none_or(|best| near.distance > nearest[best].distance) {
                farthest = Some(point);
            }
        }
        let Some(point) = farthest else { return };
        sizes[nearest[point].cluster as usize] -= 1;
        sizes[cluster] = 1;
        nearest[point] = Nearest { cluster: cluster as u32, distance: 0.0 };
    }
}

/// Computes the mean of each cluster: each one by one thread, its points in ascending order.
fn means(points: Vectors<'_>, nearest: &[Nearest], clusters: usize) -> Vec<f32> {
    let mut members = vec![Vec::new(); clusters];
    for (point, near) in nearest.iter().enumerate() {
        members[near.cluster as usize].push(point);
    }
    let mut means = vec![0.0; clusters * points.columns()];
    means.par_chunks_exact_mut(points.columns()).zip(&members).for_each(|(mean, members)| {
        let mut sums = vec![0.0; points.columns()];
        for &point in members {
            for (sum, &value) in sums.iter_mut().zip(points.row(point)) {
                *sum += f64::from(value);
            }
        }
        for (mean, sum) in mean.iter_mut().zip(sums) {
            *mean = (sum / members.len().max(1) as f64) as f32;
        }
    });
    means
}

/// Numbers the clusters that have points in their order, and leaves out the others.
fn finished(
    points: Vectors<'_>,
    centroids: &[f32],
    nearest: &[Nearest],
    iterations: usize,
) -> Clustering {
    let sizes = sizes(nearest, centroids.len() / points.columns());
    let mut number = 0;
    let mut numbers = Vec::with_capacity(sizes.len());
    let mut kept = Vec::new();
    for (size, centroid) in sizes.into_iter().zip(centroids.chunks_exact(points.columns())) {
        numbers.push(number);
        if size > 0 {
            number += 1;
            kept.extend_from_slice(centroid);
        }
    }
    Clustering {
        centroids: kept,
        assignment: nearest.iter().map(|near| numbers[near.cluster as usize]).collect(),
        inertia: nearest.iter().map(|near| near.distance).sum(),
        iterations,
    }
}

#[cfg(test)]
mod tests;
