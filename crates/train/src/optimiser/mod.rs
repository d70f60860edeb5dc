//! Optimisers: `AdamW` and its schedule-free form, over named parameters with dense or row-sparse gradients.
//!
//! The training loop owns the values. It takes gradients, asks [`global_norm`] for their length, and calls
//! [`Optimiser::step`] with the rate of the step (a schedule's) and the factor of clipping. What is saved and
//! evaluated is [`Optimiser::evaluation_view`] of the values, never the values themselves: the two differ
//! for the schedule-free form, and since the view is a copy, training goes on from what it was.
//!
//! **Rows.** A gradient for some rows of a table moves those rows only, and each row keeps its own count of
//! updates: a row goes exactly where a dense optimiser would take it that sees the steps that touch the row
//! and no others. Momentum and decay of the other rows rest. (One count for the whole table would
//! make the first update of a rare word, late in training, about three times too long.)
//! PyTorch's `AdamW` does the same where each row is a parameter of its own that has no gradient in other steps:
//! `tests/golden/make_steps.py`, to which `tests/it/steps.rs` holds whole steps, from tokens to moved parameters.
//!
//! Cost: one pass over the values, gradients and moments that move, about 7 floats of traffic for each value of
//! `AdamW`; memory 2 floats a value. Long parameters are cut into pieces for the current pool; the result
//! does not depend on its threads. A parameter that gets no update in a step (frozen) does not move.

mod adamw;
mod average;
mod encoder;
mod gradient;
mod roster;
mod schedule_free;
#[cfg(test)]
mod tests;
mod twin;

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;

pub use adamw::{AdamW, AdamWSettings};
pub use average::average;
pub(crate) use encoder::{moving, set_moving};
pub use gradient::{Gradient, clipping, global_norm};
pub use roster::Slot;
pub use schedule_free::{ScheduleFree, ScheduleFreeSettings};
pub use twin::Twin;

use crate::error::Result;
use crate::run::RunError;

/// Named tensors, flat.
pub type Tensors = BTreeMap<String, Vec<f32>>;

/// Finds the values of a parameter among such as were copied; an error names one that is missing or has another length.
pub(crate) fn copied<'t>(tensors: &'t Tensors, name: &str, length: usize) -> Result<&'t [f32]> {
    let found = tensors.get(name).filter(|found| found.len() == length);
    let lacks = || RunError::CheckpointLacks { what: name.to_owned() };
    Ok(found.ok_or_else(lacks)?)
}

/// Values of this many are a piece of work for one thread: 128 KiB each of values, gradients and moments.
const PIECE: usize = 1 << 15;

/// How the parameters of a group move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// Multiplies the rate of every step.
    pub rate_factor: f32,
    /// The share of a value that a step with rate 1 takes away; 0 for biases and norms.
    pub decay: f32,
}

/// One parameter's part of a step.
#[derive(Debug)]
pub struct Update<'a> {
    /// The parameter's name.
    pub name: &'a str,
    /// Its values, which the step changes.
    pub values: &'a mut [f32],
    /// The gradient of the loss at these values.
    pub gradient: Gradient<'a>,
}

/// What all parameters of a step have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The learning rate.
    pub rate: f32,
    /// Multiplies every gradient first: [`clipping`], and one over the number of accumulated batches.
    pub gradient_scale: f32,
}

impl Pace {
    /// A step with this rate and the gradients as they are.
    pub fn of(rate: f32) -> Self {
        Self { rate, gradient_scale: 1.0 }
    }

    /// A step whose gradients, of this length together, are brought down to `longest`; 0 leaves any length.
    pub(crate) fn clipped(rate: f32, norm: f64, longest: f64) -> Self {
        let gradient_scale = if longest > 0.0 { clipping(norm, longest) } else { 1.0 };
        Self { rate, gradient_scale }
    }

    fn check(self) -> Result<()> {
        let wrong = |setting, got: f32| crate::Error::Setting {
            setting,
            expected: "a finite number that is not negative",
            got: got.to_string(),
        };
        let good = |value: f32| value.is_finite() && value >= 0.0;
        if !good(self.rate) {
            return Err(wrong("learning rate", self.rate));
        }
        if !good(self.gradient_scale) {
            return Err(wrong("scale of gradients", self.gradient_scale));
        }
        Ok(())
    }
}

/// What an optimiser remembers, in a form that a checkpoint can hold.
///
/// Names are `parameter#part`. Restored, training goes on to equal bits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Moments and the like, each as long as its parameter.
    pub tensors: Tensors,
    /// Counts of updates, one for the parameter or one for each of its rows, and sums as the bits of doubles.
    pub counters: BTreeMap<String, Vec<u64>>,
}

/// Moves parameters against their gradients.
pub trait Optimiser {
    /// Moves the parameters that are named; the others rest.
    ///
    /// # Errors
    /// Where a parameter is unknown, named twice, or a length does not fit; nothing has moved then.
    fn step(&mut self, pace: Pace, updates: &mut [Update<'_>]) -> Result<()>;

    /// Returns what to evaluate and save, given a parameter's values as training has them.
    ///
    /// # Errors
    /// Where the parameter is unknown or has another length.
    fn evaluation_view<'v>(&self, name: &str, training: &'v [f32]) -> Result<Cow<'v, [f32]>>;

    /// Returns a copy of what it remembers.
    fn state(&self) -> State;

    /// Takes up what another instance over the same parameters remembered.
    ///
    /// # Errors
    /// Where a name is unknown, missing, or of another length; what it remembered before is kept then.
    fn restore(&mut self, state: State) -> Result<()>;
}

/// Calls `advance` with three sequences and the gradient, in pieces on the current pool where they are long.
fn in_pieces(
    [values, first, second]: [&mut [f32]; 3],
    gradient: &[f32],
    advance: impl Fn([&mut [f32]; 3], &[f32]) + Sync,
) {
    if values.len() <= PIECE {
        return advance([values, first, second], gradient);
    }
    values
        .par_chunks_mut(PIECE)
        .zip(gradient.par_chunks(PIECE))
        .zip(first.par_chunks_mut(PIECE).zip(second.par_chunks_mut(PIECE)))
        .for_each(|((values, gradient), (first, second))| {
            advance([values, first, second], gradient);
        });
}

/// Why a parameter, its gradient or its remembered state was refused.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum ParameterProblem {
    /// No parameter has this name.
    #[error("is not among the parameters")]
    Unknown,
    /// The name is there twice.
    #[error("is named twice")]
    Twice,
    /// Something that should be there is not.
    #[error("is missing")]
    Missing,
    /// There is nothing to move.
    #[error("has no values")]
    Empty,
    /// A setting of the group is out of range.
    #[error("rate factor {rate_factor} and decay {decay} have to be finite and not negative")]
    Group {
        /// The rate factor.
        rate_factor: f32,
        /// The decay.
        decay: f32,
    },
    /// The number of values is another one.
    #[error("expected {expected} values, got {got}")]
    Length {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// The gradient's number of values is another one.
    #[error("expected a gradient of {expected} values, got {got}")]
    GradientLength {
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// The values are not a whole number of rows.
    #[error("{length} values are no rows of {columns}")]
    Columns {
        /// The parameter's length.
        length: usize,
        /// The length of a row.
        columns: usize,
    },
    /// Earlier gradients had rows of another length.
    #[error("rows have {before} columns since an earlier step, got {columns}")]
    OtherColumns {
        /// The length of a row before.
        before: usize,
        /// The length of a row now.
        columns: usize,
    },
    /// A row comes twice, or after a later one.
    #[error("row {row} is not after the row before it")]
    RowOrder {
        /// The row.
        row: u32,
    },
    /// There is no such row.
    #[error("row {row} of a table of {rows}")]
    Row {
        /// The row.
        row: u32,
        /// How many there are.
        rows: usize,
    },
    /// A gradient is NaN or infinite.
    #[error("the gradient is {value} at place {place}")]
    NotFinite {
        /// Where, counted from 0 among the values of the gradient.
        place: usize,
        /// The value.
        value: f32,
    },
    /// Counters do not divide the parameter into rows.
    #[error("{got} counters for {length} values")]
    Counters {
        /// The parameter's length.
        length: usize,
        /// How many counters there are.
        got: usize,
    },
}
