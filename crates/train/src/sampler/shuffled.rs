//! Batches at random: each query once an epoch, in an order of its own for each epoch.
//!
//! The last batch of an epoch is as short as what is left. Memory: one number a query.

use super::{Sampler, check_size, check_unique};
use crate::error::Result;
use crate::random::{Purpose, Random};

/// Draws queries without replacement, epoch by epoch.
#[derive(Clone, Debug)]
pub struct Shuffled {
    queries: Vec<u32>,
    batch: usize,
    seed: u64,
    /// The order of an epoch, and which epoch that is.
    order: Vec<u32>,
    epoch: Option<u64>,
}

impl Shuffled {
    /// Draws batches of these queries.
    ///
    /// # Errors
    /// Where there are no queries, one is there twice, or a batch would be empty.
    pub fn new(queries: Vec<u32>, batch: usize, seed: u64) -> Result<Self> {
        check_size(batch)?;
        check_unique(&queries)?;
        Ok(Self { queries, batch, seed, order: Vec::new(), epoch: None })
    }

    /// Returns how many steps an epoch has.
    pub fn steps_per_epoch(&self) -> u64 {
        self.queries.len().div_ceil(self.batch) as u64
    }
}

impl Sampler for Shuffled {
    fn batch(&mut self, step: u64) -> Vec<u32> {
        let (epoch, within) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        if self.epoch != Some(epoch) {
            self.order.clone_from(&self.queries);
            Random::new(self.seed, Purpose::Order, [epoch, 0]).shuffle(&mut self.order);
            self.epoch = Some(epoch);
        }
        let first = within as usize * self.batch;
        self.order[first..self.order.len().min(first + self.batch)].to_vec()
    }
}
