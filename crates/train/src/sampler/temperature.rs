//! Batches over tasks of very different sizes: a task with n queries is drawn with weight n^(1/T).
//!
//! T = 1 draws every query alike; a higher temperature draws small tasks more often, an infinite one all tasks alike.
//! Each place of a batch draws its task anew, so batches are mixed. There are no epochs: the queries of a
//! small task repeat from batch to batch (never within one).

use rustc_hash::FxHashSet;

use super::{Sampler, check_size, check_unique};
use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// Draws tasks by a temperature, then queries.
#[derive(Clone, Debug)]
pub struct TaskTemperature {
    tasks: Vec<Vec<u32>>,
    weights: Vec<f64>,
    batch: usize,
    seed: u64,
}

impl TaskTemperature {
    /// Draws batches of these tasks' queries.
    ///
    /// # Errors
    /// Where there are no queries, a query is there twice, a batch would be empty, or the temperature is not positive.
    pub fn new(tasks: Vec<Vec<u32>>, temperature: f64, batch: usize, seed: u64) -> Result<Self> {
        check_size(batch)?;
        check_unique(tasks.iter().flatten())?;
        if temperature.is_nan() || temperature <= 0.0 {
            let (setting, expected) = ("temperature over tasks", "a positive number");
            return Err(Error::Setting { setting, expected, got: temperature.to_string() });
        }
        // Relative to the largest task, so that a low temperature does not overflow.
        let largest = tasks.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let weight = |task: &Vec<u32>| match task.len() {
            0 => 0.0,
            count => (count as f64 / largest).powf(1.0 / temperature),
        };
        let weights = tasks.iter().map(weight).collect();
        Ok(Self { tasks, weights, batch, seed })
    }

    /// Returns the probability with which each task is drawn.
    pub fn probabilities(&self) -> Vec<f64> {
        let total: f64 = self.weights.iter().sum();
        self.weights.iter().map(|weight| weight / total).collect()
    }
}

impl Sampler for TaskTemperature {
    fn batch(&mut self, step: u64) -> Vec<u32> {
        let mut random = Random::new(self.seed, Purpose::Task, [step, 1]);
        let mut weights = self.weights.clone();
        let mut left: Vec<usize> = self.tasks.iter().map(Vec::len).collect();
        let mut seen = FxHashSet::default();
        let mut batch = Vec::with_capacity(self.batch);
        while batch.len() < self.batch
            && let Some(task) = draw(&weights, &mut random)
        {
            let query = loop {
                let query = self.tasks[task][random.below(self.tasks[task].len())];
                if seen.insert(query) {
                    break query;
                }
            };
            batch.push(query);
            left[task] -= 1;
            if left[task] == 0 {
                weights[task] = 0.0;
            }
        }
        batch
    }
}

/// Draws a place by weight; `None` where all weights are 0.
fn draw(weights: &[f64], random: &mut Random) -> Option<usize> {
    let mut at = random.unit() * weights.iter().sum::<f64>();
    let mut last = None;
    for (place, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        if at < weight {
            return Some(place);
        }
        at -= weight;
        // Rounding may lead past the end: the last one is meant.
        last = Some(place);
    }
    last
}
