//! What a run trains: the part of a run that differs from one kind of training to another.

use std::collections::BTreeMap;
use std::path::Path;

use ecphory_core::Progress;

use crate::error::{Error, Result};
use crate::optimiser::{State, Tensors};

/// Something that a [`Session`](super::session::Session) trains, judges, writes down and saves.
///
/// A step is a function of the seed, its number and what [`Learner::snapshot`] holds, and of nothing else: that is what makes a run
/// that goes on end with the bits of one that was never stopped.
pub(super) trait Learner {
    /// Does what has to be done before the steps from this one on, up to the next evaluation; what was done before is not done again.
    fn prepare(&mut self, _step: u64, _progress: &dyn Progress) -> Result<()> {
        Ok(())
    }

    /// Moves the parameters once and returns the loss before that; `None` where nothing could move yet.
    fn step(&mut self, step: u64, rate: f32) -> Result<Option<f64>>;

    /// Says in which step and for which texts something went wrong.
    fn placed(&self, error: Error, step: u64, checkpoint: &Path) -> Error;

    /// Judges the parameters as they are saved.
    fn judge(&mut self, progress: &dyn Progress) -> Result<Judgement>;

    /// Copies everything that changes.
    fn snapshot(&mut self) -> Snapshot;

    /// Takes up what was copied.
    fn restore(&mut self, snapshot: Snapshot) -> Result<()>;

    /// Writes the model to a new directory: with the parameters that did best, or as they are now.
    fn save(&mut self, best: Option<&Tensors>, directory: &Path) -> Result<()>;
}

/// What an evaluation found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Judgement {
    /// nDCG@10 of the held-out queries, and the parameters that it is of; `None` where nothing is held out.
    pub(super) dev: Option<(f64, Tensors)>,
    /// In which share of unseen pairs of views the one finds the other; `None` where there are no views.
    pub(super) told_apart: Option<f64>,
}

/// All of a learner that changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    /// The parameters that move, as they are.
    pub(super) parameters: Tensors,
    pub(super) optimiser: State,
    /// What else there is in floating point, such as another player.
    pub(super) others: Tensors,
    /// Lists of numbers, such as what was mined.
    pub(super) lists: BTreeMap<String, Vec<u64>>,
}

/// What a run learns from, for its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) pairs: usize,
    pub(super) held_out: usize,
    /// Pairs with fewer negatives than were asked for.
    pub(super) short: u64,
    /// Documents whose views are learned from.
    pub(super) documents: usize,
}
