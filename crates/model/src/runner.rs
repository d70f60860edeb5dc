//! Batches of texts on the threads of a pool, each with an executor that keeps its memory from one batch to the next.

use std::sync::{Mutex, PoisonError};

use ecphory_core::Progress;
use ecphory_kernels::Level;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::eval::Eval;
use crate::plan;

/// The executors of one model.
pub(crate) struct Runner {
    level: Level,
    /// Executors that no thread is using, with their memory.
    idle: Mutex<Vec<Eval>>,
}

impl Runner {
    /// Makes executors for the instructions that the processor has, as they are needed.
    pub(crate) fn new() -> Self {
        Self { level: Level::detect(), idle: Mutex::default() }
    }

    /// Returns the level of the kernels.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Prepares every item on the current pool, in order.
    pub(crate) fn prepare<T: Sync, U: Send>(
        items: &[T],
        progress: &dyn Progress,
        prepare: impl Fn(&T) -> Result<U> + Sync,
    ) -> Result<Vec<U>> {
        let one = |item| if progress.cancelled() { Err(Error::Interrupted) } else { prepare(item) };
        items.par_iter().map(one).collect()
    }

    /// Calls `work` on the current pool for batches of texts, given the length of each; returns, for every batch,
    /// the texts it had and what `work` made of them, or its error.
    pub(crate) fn run<T: Send>(
        &self,
        lengths: &[usize],
        progress: &dyn Progress,
        work: impl Fn(&mut Eval, &[usize]) -> Result<T> + Sync,
    ) -> Result<Vec<(Vec<usize>, T)>> {
        let threads = rayon::current_num_threads();
        let batches = plan::batches(lengths, threads);
        // A batch that is alone takes all threads.
        let strips = threads / batches.len().max(1);
        batches
            .into_par_iter()
            // Singly, so that threads take the longest batches first.
            .with_max_len(1)
            .map(|batch| {
                if progress.cancelled() {
                    return Err(Error::Interrupted);
                }
                let made = self.with_executor(strips, |run| work(run, &batch));
                progress.advance(batch.len() as u64);
                Ok((batch, made?))
            })
            .collect()
    }

    /// Calls `work` with an executor on this thread; with one strip it stays on it.
    pub(crate) fn with_executor<T>(&self, strips: usize, work: impl FnOnce(&mut Eval) -> T) -> T {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut run = idle.unwrap_or_else(|| Eval::new(self.level));
        run.set_strips(strips);
        let made = work(&mut run);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(run);
        made
    }
}
