//! Adam with decoupled weight decay: Loshchilov and Hutter 2019, as PyTorch computes it.

use std::borrow::Cow;

use super::roster::{Clock, Roster, Slot, Taken, nothing_left, part_name, refused};
use super::{Optimiser, Pace, ParameterProblem, State, Update, in_pieces};
use crate::error::{Error, Result};

/// How `AdamW` moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// How much of the mean of gradients a step keeps.
    pub beta1: f64,
    /// How much of the mean of squared gradients a step keeps.
    pub beta2: f64,
    /// Is added to the root of the mean square.
    pub epsilon: f64,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl AdamWSettings {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |setting, expected, got: f64| {
            Err(Error::Setting { setting, expected, got: got.to_string() })
        };
        for (setting, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return wrong(setting, "a number from 0 to below 1", beta);
            }
        }
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return wrong("epsilon", "a positive number", self.epsilon);
        }
        Ok(())
    }
}

/// `AdamW` over named parameters; see the module for what gradients by rows mean.
#[derive(Clone, Debug)]
pub struct AdamW {
    settings: AdamWSettings,
    roster: Roster,
    moments: Vec<Moments>,
}

/// What is remembered of one parameter.
#[derive(Clone, Debug, PartialEq)]
struct Moments {
    /// The mean of gradients.
    first: Vec<f32>,
    /// The mean of squared gradients.
    second: Vec<f32>,
    clock: Clock,
}

/// The numbers of one row's update.
#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    /// What decay leaves of a value.
    kept: f32,
    /// The rate over the correction of the first moment.
    rate: f32,
    /// The root of the correction of the second moment.
    root: f32,
    epsilon: f32,
}

impl AdamW {
    /// Makes an optimiser of these parameters, which have seen no step.
    ///
    /// # Errors
    /// Where a setting is out of range, or a parameter is empty or named twice.
    pub fn new(settings: AdamWSettings, slots: Vec<Slot>) -> Result<Self> {
        settings.check()?;
        let roster = Roster::new(slots)?;
        let moments = roster.slots.iter().map(|slot| Moments::new(slot.length)).collect();
        Ok(Self { settings, roster, moments })
    }

    fn factors(&self, pace: Pace, slot: &Slot, count: u64) -> Factors {
        let AdamWSettings { beta1, beta2, epsilon } = self.settings;
        let rate = f64::from(pace.rate) * f64::from(slot.group.rate_factor);
        let power = i32::try_from(count).unwrap_or(i32::MAX);
        Factors {
            scale: pace.gradient_scale,
            beta1: beta1 as f32,
            rest1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            rest2: (1.0 - beta2) as f32,
            kept: (1.0 - rate * f64::from(slot.group.decay)) as f32,
            rate: (rate / (1.0 - beta1.powi(power))) as f32,
            root: (1.0 - beta2.powi(power)).sqrt() as f32,
            epsilon: epsilon as f32,
        }
    }
}

impl Moments {
    fn new(length: usize) -> Self {
        // Zeros cost no memory until they are written.
        Self { first: vec![0.0; length], second: vec![0.0; length], clock: Clock::new() }
    }
}

impl Optimiser for AdamW {
    fn step(&mut self, pace: Pace, updates: &mut [Update<'_>]) -> Result<()> {
        pace.check()?;
        let numbers = self.roster.check(updates)?;
        for (&number, update) in numbers.iter().zip(updates.iter()) {
            self.moments[number].clock.ready(update)?;
        }
        for (number, update) in numbers.into_iter().zip(updates) {
            let touched = self.moments[number].clock.touched(&update.gradient, update.values.len());
            let columns = self.moments[number].clock.columns(update.values.len());
            for (row, at) in touched {
                let count = self.moments[number].clock.counts[row] + 1;
                let factors = self.factors(pace, &self.roster.slots[number], count);
                let moments = &mut self.moments[number];
                moments.clock.counts[row] = count;
                let places = row * columns..(row + 1) * columns;
                let gradient = &update.gradient.values()[at..at + columns];
                let values = &mut update.values[places.clone()];
                let first = &mut moments.first[places.clone()];
                let second = &mut moments.second[places];
                in_pieces(
                    [values, first, second],
                    gradient,
                    |[values, first, second], gradient| {
                        advance(factors, gradient, values, first, second);
                    },
                );
            }
        }
        Ok(())
    }

    fn evaluation_view<'v>(&self, name: &str, training: &'v [f32]) -> Result<Cow<'v, [f32]>> {
        let (expected, got) = (self.roster.slots[self.roster.find(name)?].length, training.len());
        if expected != got {
            return Err(refused(name, ParameterProblem::Length { expected, got }));
        }
        Ok(Cow::Borrowed(training))
    }

    fn state(&self) -> State {
        let mut state = State::default();
        for (slot, moments) in self.roster.slots.iter().zip(&self.moments) {
            if moments.clock.counts.iter().all(|&count| count == 0) {
                continue; // nothing has happened to it
            }
            let name = |part| part_name(&slot.name, part);
            state.tensors.insert(name("first"), moments.first.clone());
            state.tensors.insert(name("second"), moments.second.clone());
            state.counters.insert(name("steps"), moments.clock.counts.clone());
        }
        state
    }

    fn restore(&mut self, mut state: State) -> Result<()> {
        let mut restored = Vec::with_capacity(self.moments.len());
        for slot in &self.roster.slots {
            let mut taken = Taken { state: &mut state, slot };
            let (first, second) = (taken.tensor("first")?, taken.tensor("second")?);
            restored.push(match (first, second, taken.counters("steps")?) {
                (Some(first), Some(second), Some(counts)) => {
                    Moments { first, second, clock: Clock { counts } }
                }
                (None, None, None) => Moments::new(slot.length),
                _ => return Err(refused(&slot.name, ParameterProblem::Missing)),
            });
        }
        nothing_left(&state)?;
        self.moments = restored;
        Ok(())
    }
}

/// Moves one row, or a piece of one.
fn advance(
    factors: Factors,
    gradient: &[f32],
    values: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let moments = first.iter_mut().zip(second);
    for ((value, &gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
        let gradient = gradient * factors.scale;
        *first = factors.beta1 * *first + factors.rest1 * gradient;
        *second = factors.beta2 * *second + factors.rest2 * gradient * gradient;
        let spread = second.sqrt() / factors.root + factors.epsilon;
        *value = factors.kept * *value - factors.rate * *first / spread;
    }
}
