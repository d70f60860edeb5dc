//! Batches of one task each, so that the negatives of a batch are of its kind: Zhang et al. 2023, LLM-Embedder.
//!
//! Each epoch sees every query of every task once; the batches of all tasks come in an order drawn at random. A task that is
//! given twice counts twice. The last batch of each task is as short as what is left.

use super::{Sampler, check_size, check_unique};
use crate::error::Result;
use crate::random::{Purpose, Random};

/// Draws each batch from one task.
#[derive(Clone, Debug)]
pub struct SingleTask {
    tasks: Vec<Vec<u32>>,
    batch: usize,
    seed: u64,
    /// The batches of an epoch, and which epoch that is.
    batches: Vec<Vec<u32>>,
    epoch: Option<u64>,
}

impl SingleTask {
    /// Draws batches of these tasks' queries.
    ///
    /// # Errors
    /// Where a task has no queries, or one of them twice, or a batch would be empty.
    pub fn new(tasks: Vec<Vec<u32>>, batch: usize, seed: u64) -> Result<Self> {
        check_size(batch)?;
        tasks.iter().try_for_each(check_unique)?;
        check_some(&tasks)?;
        Ok(Self { tasks, batch, seed, batches: Vec::new(), epoch: None })
    }

    /// Returns how many steps an epoch has.
    pub fn steps_per_epoch(&self) -> u64 {
        self.tasks.iter().map(|task| task.len().div_ceil(self.batch) as u64).sum()
    }

    fn deal(&mut self, epoch: u64) {
        let mut random = Random::new(self.seed, Purpose::Task, [epoch, 0]);
        self.batches.clear();
        for task in &self.tasks {
            let mut order = task.clone();
            random.shuffle(&mut order);
            self.batches.extend(order.chunks(self.batch).map(<[u32]>::to_vec));
        }
        random.shuffle(&mut self.batches);
        self.epoch = Some(epoch);
    }
}

/// Checks that there is a task.
fn check_some(tasks: &[Vec<u32>]) -> Result<()> {
    if tasks.is_empty() {
        return Err(crate::Error::Nothing { what: "tasks" });
    }
    Ok(())
}

impl Sampler for SingleTask {
    fn batch(&mut self, step: u64) -> Vec<u32> {
        let (epoch, within) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        if self.epoch != Some(epoch) {
            self.deal(epoch);
        }
        self.batches[within as usize].clone()
    }
}
