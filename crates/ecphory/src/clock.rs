//! The clock that stage timings and commit intervals are read from.

use std::time::{Duration, Instant};

/// Tells the time since some fixed moment. Handed in, so that tests decide how time goes.
pub trait Clock: Send + Sync {
    /// Returns the time since the clock's own beginning; never decreases.
    fn now(&self) -> Duration;
}

/// The system's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Makes a clock that begins now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}
