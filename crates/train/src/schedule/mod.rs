//! Schedules: what changes from step to step. Rates, ramps, phases, and when to stop.
//!
//! All are values that a step (or a measurement) is put into; none keeps time. What remembers measurements can be
//! written down and taken up again. Each has a spec string that comes back as it was written.

mod phases;
mod ramp;
mod rate;
mod stop;
#[cfg(test)]
mod tests;

pub use phases::{Phase, Phases};
pub use ramp::Ramp;
pub use rate::{Rate, Schedule, WarmUp};
pub use stop::{EarlyStop, Progression, Verdict};
