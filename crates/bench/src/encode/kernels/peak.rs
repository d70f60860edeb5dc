//! The processor's peak, by doing nothing but multiply and add in registers on every thread.

use std::time::Duration;

use ecphory_kernels::peak::Probe;

/// The fastest probe of a kind.
pub struct Peak(Probe);

/// The peak in single precision; nothing where there is no probe.
pub fn of_floats(pool: &rayon::ThreadPool, least: Duration) -> Option<Peak> {
    fastest(Probe::of_floats(), pool, least)
}

/// The peak of products of bytes.
pub fn of_bytes(pool: &rayon::ThreadPool, least: Duration) -> Option<Peak> {
    fastest(Probe::of_bytes(), pool, least)
}

fn fastest(probes: Vec<Probe>, pool: &rayon::ThreadPool, least: Duration) -> Option<Peak> {
    let mut timed = Vec::new();
    for probe in probes {
        let peak = Peak(probe);
        // The first time may be at a lower clock rate.
        let found = peak.measure(pool, least).max(peak.measure(pool, least));
        let threads = pool.current_num_threads();
        eprintln!("{}, {threads} threads: {:.1} G operations a second", peak.name(), found / 1e9);
        timed.push((found, peak));
    }
    let best = timed.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(best.1)
}

impl Peak {
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Operations a second of all threads together.
    pub fn measure(&self, pool: &rayon::ThreadPool, least: Duration) -> f64 {
        let seconds = super::time(least, |count| {
            pool.broadcast(|_| self.0.run(1000 * count));
        });
        (pool.current_num_threads() as u64 * 1000 * self.0.operations) as f64 / seconds
    }
}
