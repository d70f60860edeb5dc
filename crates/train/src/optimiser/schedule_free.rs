//! `AdamW` without a schedule of rates: Defazio et al. 2024, "The Road Less Scheduled".
//!
//! There are three sequences. The steps go to *z*; *x* is the mean of all *z*, each weighted by its rate squared;
//! gradients are taken at *y = (1 − β₁) z + β₁ x*. Training has *y* and this optimiser keeps *z*, from which *x*
//! follows: `evaluation_view` returns it. Saving *y* (or *z*) instead is the mistake to make here.
//!
//! With v the mean of squared gradients, corrected for its beginning, and c the weight of the newest *z*:
//!
//! ```text
//! d = g / (√v̂ + ε) + decay · y        z ← z − γ d        c = γ² / Σ γ²        x ← (1 − c) x + c z
//! ```
//!
//! Memory is that of `AdamW`, two floats a value. For the rate a warm-up is enough, and is needed.

use std::borrow::Cow;

use super::roster::{Clock, Roster, Slot, Taken, nothing_left, part_name, refused};
use super::{AdamWSettings, Optimiser, Pace, ParameterProblem, State, Update, in_pieces};
use crate::error::{Error, Result};

/// How schedule-free `AdamW` moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScheduleFreeSettings {
    /// Where between z (0) and x (1) gradients are taken.
    pub beta1: f64,
    /// How much of the mean of squared gradients a step keeps.
    pub beta2: f64,
    /// Is added to the root of the mean square.
    pub epsilon: f64,
}

impl Default for ScheduleFreeSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// Schedule-free `AdamW` over named parameters; see the modules for the three sequences and for rows.
#[derive(Clone, Debug)]
pub struct ScheduleFree {
    settings: ScheduleFreeSettings,
    roster: Roster,
    sequences: Vec<Option<Sequences>>,
}

/// What is remembered of one parameter, from its first update on.
#[derive(Clone, Debug, PartialEq)]
struct Sequences {
    /// Where the steps go.
    z: Vec<f32>,
    /// The mean of squared gradients.
    second: Vec<f32>,
    clock: Clock,
    /// The sum of squared rates of each row that the clock counts.
    weights: Vec<f64>,
}

#[derive(Clone, Copy)]
struct Factors {
    scale: f32,
    beta2: f32,
    rest2: f32,
    /// One over the correction of the mean square.
    correction: f32,
    epsilon: f32,
    decay: f32,
    rate: f32,
    /// The weight of the newest z in x.
    share: f32,
    /// What a step of z means for y.
    y_rate: f32,
}

impl ScheduleFree {
    /// Makes an optimiser of these parameters, which have seen no step.
    ///
    /// # Errors
    /// Where a setting is out of range, or a parameter is empty or named twice.
    pub fn new(settings: ScheduleFreeSettings, slots: Vec<Slot>) -> Result<Self> {
        let ScheduleFreeSettings { beta1, beta2, epsilon } = settings;
        AdamWSettings { beta1, beta2, epsilon }.check()?;
        if beta1 == 0.0 {
            let (setting, expected) = ("beta1", "a number above 0, or x does not follow from y");
            return Err(Error::Setting { setting, expected, got: "0".to_owned() });
        }
        let roster = Roster::new(slots)?;
        let sequences = vec![None; roster.slots.len()];
        Ok(Self { settings, roster, sequences })
    }

    /// Counts one update of a row and returns its numbers.
    fn factors(&self, pace: Pace, slot: &Slot, count: u64, weights: &mut f64) -> Factors {
        let ScheduleFreeSettings { beta1, beta2, epsilon } = self.settings;
        let rate = f64::from(pace.rate) * f64::from(slot.group.rate_factor);
        *weights += rate * rate;
        // The first steps of a warm-up may have rate 0: they have no weight, and x stays.
        let share = if *weights > 0.0 { rate * rate / *weights } else { 0.0 };
        let power = i32::try_from(count).unwrap_or(i32::MAX);
        Factors {
            scale: pace.gradient_scale,
            beta2: beta2 as f32,
            rest2: (1.0 - beta2) as f32,
            correction: (1.0 / (1.0 - beta2.powi(power))) as f32,
            epsilon: epsilon as f32,
            decay: slot.group.decay,
            rate: rate as f32,
            share: share as f32,
            y_rate: (rate * (1.0 - beta1 * (1.0 - share))) as f32,
        }
    }
}

impl Sequences {
    /// Begins where training begins: x, y and z are the same.
    fn new(values: &[f32]) -> Self {
        Self {
            z: values.to_vec(),
            second: vec![0.0; values.len()],
            clock: Clock::new(),
            weights: vec![0.0],
        }
    }
}

impl Optimiser for ScheduleFree {
    fn step(&mut self, pace: Pace, updates: &mut [Update<'_>]) -> Result<()> {
        pace.check()?;
        let numbers = self.roster.check(updates)?;
        for (&number, update) in numbers.iter().zip(updates.iter()) {
            let sequences =
                self.sequences[number].get_or_insert_with(|| Sequences::new(update.values));
            sequences.clock.ready(update)?;
            if let [weights] = sequences.weights[..] {
                sequences.weights = vec![weights; sequences.clock.counts.len()];
            }
        }
        for (number, update) in numbers.into_iter().zip(updates) {
            // Taken out while it moves, so that the settings can be read; the loop above made it.
            let Some(mut sequences) = self.sequences[number].take() else { continue };
            let columns = sequences.clock.columns(update.values.len());
            let slot = &self.roster.slots[number];
            for (row, at) in sequences.clock.touched(&update.gradient, update.values.len()) {
                sequences.clock.counts[row] += 1;
                let count = sequences.clock.counts[row];
                let factors = self.factors(pace, slot, count, &mut sequences.weights[row]);
                let places = row * columns..(row + 1) * columns;
                let gradient = &update.gradient.values()[at..at + columns];
                let values = &mut update.values[places.clone()];
                let z = &mut sequences.z[places.clone()];
                let second = &mut sequences.second[places];
                in_pieces([values, z, second], gradient, |[values, z, second], gradient| {
                    advance(factors, gradient, values, z, second);
                });
            }
            self.sequences[number] = Some(sequences);
        }
        Ok(())
    }

    fn evaluation_view<'v>(&self, name: &str, training: &'v [f32]) -> Result<Cow<'v, [f32]>> {
        let number = self.roster.find(name)?;
        let (expected, got) = (self.roster.slots[number].length, training.len());
        if expected != got {
            return Err(refused(name, ParameterProblem::Length { expected, got }));
        }
        let Some(sequences) = &self.sequences[number] else { return Ok(Cow::Borrowed(training)) };
        // x = (y − (1 − β) z) / β, written so that rows that never moved come out as they are.
        let beyond = ((1.0 - self.settings.beta1) / self.settings.beta1) as f32;
        let x = training.iter().zip(&sequences.z).map(|(&y, &z)| y + beyond * (y - z));
        Ok(Cow::Owned(x.collect()))
    }

    fn state(&self) -> State {
        let mut state = State::default();
        for (slot, sequences) in self.roster.slots.iter().zip(&self.sequences) {
            let Some(sequences) = sequences else { continue };
            let name = |part| part_name(&slot.name, part);
            let weights = sequences.weights.iter().map(|weights| weights.to_bits()).collect();
            state.tensors.insert(name("z"), sequences.z.clone());
            state.tensors.insert(name("second"), sequences.second.clone());
            state.counters.insert(name("steps"), sequences.clock.counts.clone());
            state.counters.insert(name("weights"), weights);
        }
        state
    }

    fn restore(&mut self, mut state: State) -> Result<()> {
        let mut restored = Vec::with_capacity(self.sequences.len());
        for slot in &self.roster.slots {
            let mut taken = Taken { state: &mut state, slot };
            let tensors = (taken.tensor("z")?, taken.tensor("second")?);
            let counters = (taken.counters("steps")?, taken.counters("weights")?);
            restored.push(match (tensors, counters) {
                ((Some(z), Some(second)), (Some(counts), Some(weights)))
                    if counts.len() == weights.len() =>
                {
                    let weights = weights.into_iter().map(f64::from_bits).collect();
                    Some(Sequences { z, second, clock: Clock { counts }, weights })
                }
                ((None, None), (None, None)) => None,
                _ => return Err(refused(&slot.name, ParameterProblem::Missing)),
            });
        }
        nothing_left(&state)?;
        self.sequences = restored;
        Ok(())
    }
}

/// Moves one row, or a piece of one.
fn advance(
    factors: Factors,
    gradient: &[f32],
    values: &mut [f32],
    z: &mut [f32],
    second: &mut [f32],
) {
    let sequences = z.iter_mut().zip(second);
    for ((y, &gradient), (z, second)) in values.iter_mut().zip(gradient).zip(sequences) {
        let gradient = gradient * factors.scale;
        *second = factors.beta2 * *second + factors.rest2 * gradient * gradient;
        let spread = (*second * factors.correction).sqrt() + factors.epsilon;
        let direction = gradient / spread + factors.decay * *y;
        *y += factors.share * (*z - *y) - factors.y_rate * direction;
        *z -= factors.rate * direction;
    }
}
