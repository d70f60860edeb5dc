//! The part `kernels`: the processor's peak, measured, and what share of it our products and whole encodes reach;
//! and where the time of a passage goes.
//!
//! Each round measures the peak and then the work, so that both see the same clock rate.

mod kinds;
mod layer;
mod peak;
mod products;
mod whole;

use std::time::{Duration, Instant};

use anyhow::Result;
use ecphory_kernels::Level;

use super::THREADS_MAX;
use super::models::Model;
use crate::compare::{Better, Comparison};
use peak::Peak;

/// Threads, and how long something is run to be timed.
pub struct Bench {
    pool: rayon::ThreadPool,
    threads: usize,
    level: Level,
    least: Duration,
    runs: usize,
    floats: Peak,
    /// Where the CPU has an instruction for bytes.
    bytes: Option<Peak>,
}

/// Runs the part for all models.
pub fn run(models: &[Model], runs: usize, quick: bool) -> Result<()> {
    for threads in 1..=THREADS_MAX {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let least = Duration::from_millis(if quick { 2 } else { 15 });
        let Some(floats) = peak::of_floats(&pool, least) else {
            eprintln!("no peak is known of this processor: the part `kernels` is left out");
            return Ok(());
        };
        let bytes = peak::of_bytes(&pool, least);
        let level = Level::detect();
        let bench = Bench { pool, threads, level, least, runs, floats, bytes };
        products::run(&bench, models);
        for model in models {
            whole::run(&bench, model)?;
            if threads == 1 {
                layer::run(&bench, model)?;
            }
        }
    }
    Ok(())
}

impl Bench {
    /// Seconds of one call of `work`, which is handed how often to do its work.
    fn time(&self, work: impl FnMut(u64)) -> f64 {
        time(self.least, work)
    }
}

/// Prints a comparison of operations a second with a peak.
fn print(peak: &Peak, metric: String, about: &str, rounds: Vec<(f64, f64)>) {
    let comparison = Comparison {
        workload: "encode",
        peer: "measured peak".to_owned(),
        metric,
        quality: format!("{about}; the peak is that of {}", peak.name()),
        better: Better::Higher,
        rounds,
    };
    comparison.print();
}

/// Seconds of one repetition, over as many as take long enough to be timed; the best of three times, since what
/// else the machine does can only add.
fn time(least: Duration, mut work: impl FnMut(u64)) -> f64 {
    let mut count = 1;
    loop {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            work(count);
            best = best.min(start.elapsed());
        }
        if best >= least {
            return best.as_secs_f64() / count as f64;
        }
        // Towards a tenth more than is needed, but no leap on the word of a few microseconds.
        let wanted = least.as_secs_f64() * 1.1 / best.as_secs_f64().max(1e-9);
        count = (count as f64 * wanted.clamp(1.5, 50.0)).ceil() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_repeated_until_it_can_be_timed() {
        let mut calls = Vec::new();
        let least = Duration::from_millis(2);
        let seconds = time(least, |count| {
            calls.push(count);
            std::thread::sleep(Duration::from_micros(100) * count as u32);
        });
        assert!(seconds >= 1e-4, "{seconds}");
        assert!(calls.len() > 3 && calls.is_sorted(), "{calls:?}");
        assert!(calls.chunks(3).all(|three| three[0] == three[2]), "{calls:?}");
    }
}
