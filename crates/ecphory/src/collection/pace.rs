//! How fast background work may write: a token bucket, and the wait for it, which closing ends.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use ecphory_core::storage::Pace;

use crate::Clock;

/// How long the bucket saves up what is not used.
const BURST: Duration = Duration::from_millis(250);

/// So many bytes a second, on average over any time longer than [`BURST`].
#[derive(Debug)]
pub(super) struct TokenBucket {
    bytes_per_second: u64,
    /// When everything that was spent is paid for.
    paid: Duration,
}

impl TokenBucket {
    pub fn new(bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), paid: Duration::ZERO }
    }

    /// Spends bytes at a moment, and returns how long to wait before more are spent.
    pub fn spend(&mut self, now: Duration, bytes: u64) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        self.paid = self.paid.max(now.saturating_sub(BURST)) + cost;
        self.paid.saturating_sub(now)
    }
}

/// A wish to stop that wakes those who sleep.
#[derive(Debug, Default)]
pub(super) struct Stop {
    asked: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    pub fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Sleeps for a time or until the wish comes; returns whether it came.
    pub fn sleep(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let slept = self.wake.wait_timeout_while(asked, time, |asked| !*asked);
        *slept.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The pace of a writer's background work; none where there is no bucket, and none any more once it is to stop.
pub(super) struct Limit<'a> {
    pub bucket: Option<Mutex<TokenBucket>>,
    pub clock: &'a dyn Clock,
    pub stop: &'a Stop,
}

impl Pace for Limit<'_> {
    fn spend(&self, bytes: u64) {
        let Some(bucket) = &self.bucket else { return };
        let wait =
            bucket.lock().unwrap_or_else(PoisonError::into_inner).spend(self.clock.now(), bytes);
        if !wait.is_zero() {
            self.stop.sleep(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_keeps_to_its_rate_however_it_is_spent() {
        for (bytes, rate) in [(1, 1000), (100, 1000), (5000, 1000), (1 << 20, 10 << 20)] {
            let mut bucket = TokenBucket::new(rate);
            let mut now = Duration::from_secs(100);
            let begin = now;
            let mut spent = 0;
            while spent < 20 * rate {
                now += bucket.spend(now, bytes);
                spent += bytes;
            }
            let expected = spent as f64 / rate as f64 - BURST.as_secs_f64();
            let took = now.saturating_sub(begin).as_secs_f64();
            assert!((took - expected).abs() < 1e-3 * expected, "{took} s, expected {expected}");
        }
    }

    #[test]
    fn what_was_not_used_for_long_is_not_saved_up() {
        let mut bucket = TokenBucket::new(1000);
        assert_eq!(bucket.spend(Duration::from_secs(1000), 250), Duration::ZERO);
        assert_eq!(bucket.spend(Duration::from_secs(1000), 100), Duration::from_millis(100));
        assert_eq!(bucket.spend(Duration::from_secs(2000), 250), Duration::ZERO);
        assert_eq!(bucket.spend(Duration::from_secs(2000), 1), Duration::from_millis(1));
    }

    #[test]
    fn a_wish_to_stop_ends_the_wait() {
        let stop = Stop::default();
        assert!(!stop.sleep(Duration::from_millis(1)));
        stop.ask();
        assert!(stop.sleep(Duration::from_secs(1000)));
    }
}
