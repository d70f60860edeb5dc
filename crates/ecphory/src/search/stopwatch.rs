//! Times of stages, by the clock that was handed in, and what they read.

use std::time::Duration;

use ecphory_index::Work;

use super::Stage;
use crate::Clock;

/// Adds up how long each stage took and what it read.
pub(crate) struct Stopwatch<'a> {
    clock: &'a dyn Clock,
    stages: Vec<(String, Duration, Option<Work>)>,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn new(clock: &'a dyn Clock) -> Self {
        Self { clock, stages: Vec::new() }
    }

    /// Runs `work` and adds its time to the stage of this name.
    pub(crate) fn time<T>(&mut self, stage: &str, work: impl FnOnce() -> T) -> T {
        let start = self.clock.now();
        let done = work();
        self.add(stage, self.clock.now().saturating_sub(start));
        done
    }

    pub(crate) fn add(&mut self, stage: &str, took: Duration) {
        match self.stages.iter_mut().find(|(name, ..)| name == stage) {
            Some((_, total, _)) => *total += took,
            None => self.stages.push((stage.to_owned(), took, None)),
        }
    }

    /// Adds what the stage of this name, which was timed before, read, where that is known.
    pub(crate) fn count(&mut self, stage: &str, read: Option<Work>) {
        let stage = self.stages.iter_mut().find(|(name, ..)| name == stage);
        if let (Some((.., work)), Some(read)) = (stage, read) {
            *work.get_or_insert_default() += read;
        }
    }

    /// Returns the times divided by the number of queries they were spent for.
    pub(crate) fn shares(self, queries: usize) -> Vec<(String, Duration)> {
        let queries = u32::try_from(queries.max(1)).unwrap_or(u32::MAX);
        self.stages.into_iter().map(|(name, took, _)| (name, took / queries)).collect()
    }

    pub(crate) fn finish(self) -> Vec<Stage> {
        self.stages
            .into_iter()
            .map(|(name, took, work)| Stage { name, micros: took.as_micros() as u64, work })
            .collect()
    }
}
