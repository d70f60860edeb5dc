//! Samplers: which queries make a batch, and which documents stand beside them.
//!
//! Everything is a function of a seed and a step (or a visit): any batch can be had without those before it, so a
//! run that resumes needs its step and nothing else. Where a sampler deals in epochs it keeps the order
//! of the epoch it was last asked for; asking in another order costs time, not another result.
//!
//! Queries and documents are numbers. Reading texts is not done here.

mod groups;
mod margin_bins;
mod query_clusters;
mod queue;
mod shuffled;
mod single_task;
mod spec;
mod temperature;
#[cfg(test)]
mod tests;

pub use groups::{Group, Groups, Judged};
pub use margin_bins::{BINS, MarginBins, MarginPair};
pub use query_clusters::QueryClusters;
pub use queue::{Queue, QueueState};
pub use shuffled::Shuffled;
pub use single_task::SingleTask;
pub use spec::SamplerSpec;
pub use temperature::TaskTemperature;

use rustc_hash::FxHashSet;

use crate::error::{Error, Result};

/// Says which queries make the batch of a step.
pub trait Sampler {
    /// Returns the queries of a step, none of them twice.
    fn batch(&mut self, step: u64) -> Vec<u32>;
}

/// Checks that a batch holds something.
fn check_size(batch: usize) -> Result<()> {
    let (setting, expected) = ("size of a batch", "at least 1");
    if batch == 0 {
        return Err(Error::Setting { setting, expected, got: "0".to_owned() });
    }
    Ok(())
}

/// Checks that there are queries, none of them twice.
fn check_unique<'a>(queries: impl IntoIterator<Item = &'a u32>) -> Result<()> {
    let mut seen = FxHashSet::default();
    for &query in queries {
        if !seen.insert(query) {
            return Err(Error::Twice { what: "query", number: query });
        }
    }
    if seen.is_empty() {
        return Err(Error::Nothing { what: "queries" });
    }
    Ok(())
}
