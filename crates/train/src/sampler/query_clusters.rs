//! Topic-aware batches: Hofstätter et al. 2021, TAS.
//!
//! Each batch draws a cluster of queries, every cluster with the same probability whatever its size (small ones are seen
//! more often: that is meant), and queries of it without replacement. Where the cluster is too small, another
//! one tops the batch up. Queries of one topic make each other's documents hard negatives; without a teacher that
//! looks at them, some will be false ones.

use super::{Sampler, check_size, check_unique};
use crate::error::Result;
use crate::random::{Purpose, Random};

/// Draws each batch from one cluster of queries.
#[derive(Clone, Debug)]
pub struct QueryClusters {
    clusters: Vec<Vec<u32>>,
    batch: usize,
    seed: u64,
}

impl QueryClusters {
    /// Draws batches from these clusters. A query alone in a cluster has nobody to learn against: all such
    /// queries become one cluster, or join the smallest one where there is only one of them.
    ///
    /// # Errors
    /// Where there are no queries, one is there twice, or a batch would be empty.
    pub fn new(clusters: Vec<Vec<u32>>, batch: usize, seed: u64) -> Result<Self> {
        check_size(batch)?;
        check_unique(clusters.iter().flatten())?;
        Ok(Self { clusters: merged(clusters), batch, seed })
    }

    /// Returns the clusters after merging, in the order in which they were given.
    pub fn clusters(&self) -> &[Vec<u32>] {
        &self.clusters
    }
}

fn merged(clusters: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
    let (mut kept, small): (Vec<_>, Vec<_>) =
        clusters.into_iter().partition(|cluster| cluster.len() >= 2);
    let alone: Vec<u32> = small.into_iter().flatten().collect();
    let smallest = kept.iter_mut().min_by_key(|cluster| cluster.len());
    match (alone.len(), smallest) {
        (0, _) => {}
        (1, Some(smallest)) => smallest.extend(alone),
        _ => kept.push(alone),
    }
    kept
}

impl Sampler for QueryClusters {
    fn batch(&mut self, step: u64) -> Vec<u32> {
        let mut random = Random::new(self.seed, Purpose::Cluster, [step, 0]);
        let mut order: Vec<usize> = (0..self.clusters.len()).collect();
        let mut batch = Vec::with_capacity(self.batch);
        for at in 0..order.len() {
            let missing = self.batch - batch.len();
            if missing == 0 {
                break;
            }
            let drawn = at + random.below(order.len() - at);
            order.swap(at, drawn);
            let mut cluster = self.clusters[order[at]].clone();
            random.shuffle_first(&mut cluster, missing);
            batch.extend(cluster.into_iter().take(missing));
        }
        batch
    }
}
