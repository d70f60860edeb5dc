//! Which parameters an optimiser moves, and how many updates each of their rows has seen.

use std::collections::BTreeMap;

use super::{Gradient, Group, ParameterProblem, State, Update};
use crate::error::{Error, Result};

/// A parameter by name: how many values it has, and how it moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// The name, as in the model's file.
    pub name: String,
    /// How many values it has.
    pub length: usize,
    /// How it moves.
    pub group: Group,
}

/// All parameters of an optimiser.
#[derive(Clone, Debug)]
pub(super) struct Roster {
    pub slots: Vec<Slot>,
    numbers: BTreeMap<String, usize>,
}

impl Roster {
    pub(super) fn new(slots: Vec<Slot>) -> Result<Self> {
        let mut numbers = BTreeMap::new();
        for (number, slot) in slots.iter().enumerate() {
            let wrong = |problem| refused(&slot.name, problem);
            if slot.length == 0 {
                return Err(wrong(ParameterProblem::Empty));
            }
            let Group { rate_factor, decay } = slot.group;
            if !(rate_factor.is_finite() && rate_factor >= 0.0 && decay.is_finite() && decay >= 0.0)
            {
                return Err(wrong(ParameterProblem::Group { rate_factor, decay }));
            }
            if numbers.insert(slot.name.clone(), number).is_some() {
                return Err(wrong(ParameterProblem::Twice));
            }
        }
        Ok(Self { slots, numbers })
    }

    pub(super) fn find(&self, name: &str) -> Result<usize> {
        let unknown = || refused(name, ParameterProblem::Unknown);
        self.numbers.get(name).copied().ok_or_else(unknown)
    }

    /// Finds the slots of all updates and checks their shapes, before anything moves.
    pub(super) fn check(&self, updates: &[Update<'_>]) -> Result<Vec<usize>> {
        let mut seen = vec![false; self.slots.len()];
        let mut found = Vec::with_capacity(updates.len());
        for update in updates {
            let number = self.find(update.name)?;
            let wrong = |problem| refused(update.name, problem);
            let (expected, got) = (self.slots[number].length, update.values.len());
            if expected != got {
                return Err(wrong(ParameterProblem::Length { expected, got }));
            }
            if let Some(problem) = update.gradient.problem(expected) {
                return Err(wrong(problem));
            }
            if std::mem::replace(&mut seen[number], true) {
                return Err(wrong(ParameterProblem::Twice));
            }
            found.push(number);
        }
        Ok(found)
    }
}

/// Makes the error of one parameter.
pub(super) fn refused(name: &str, problem: ParameterProblem) -> Error {
    Error::Parameter { parameter: name.to_owned(), problem }
}

/// How many updates each row has seen; a parameter that was never updated by rows is a single row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Clock {
    pub counts: Vec<u64>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { counts: vec![0] }
    }

    /// Returns how long a row is.
    pub(super) fn columns(&self, length: usize) -> usize {
        length / self.counts.len()
    }

    /// Counts by rows from now on where the gradient has some; all of them have seen what the whole has seen.
    ///
    /// # Errors
    /// Where it counts by rows of another length already.
    pub(super) fn ready(&mut self, update: &Update<'_>) -> Result<()> {
        let length = update.values.len();
        let Gradient::Rows { columns, .. } = update.gradient else { return Ok(()) };
        if let [count] = self.counts[..] {
            self.counts = vec![count; length / columns];
        }
        let before = self.columns(length);
        if before == columns {
            return Ok(());
        }
        Err(refused(update.name, ParameterProblem::OtherColumns { before, columns }))
    }

    /// Lists the rows that a gradient touches, with where their values begin in it.
    pub(super) fn touched(&self, gradient: &Gradient<'_>, length: usize) -> Vec<(usize, usize)> {
        let columns = self.columns(length);
        match gradient {
            Gradient::Dense(_) => (0..self.counts.len()).map(|row| (row, row * columns)).collect(),
            Gradient::Rows { rows, .. } => {
                let place = |(at, &row): (usize, &u32)| (row as usize, at * columns);
                rows.iter().enumerate().map(place).collect()
            }
        }
    }
}

/// Takes the tensors and counters of one parameter out of a state, checking their lengths.
pub(super) struct Taken<'a> {
    pub state: &'a mut State,
    pub slot: &'a Slot,
}

impl Taken<'_> {
    /// Takes a tensor as long as the parameter; `None` where there is none of this name.
    pub(super) fn tensor(&mut self, part: &str) -> Result<Option<Vec<f32>>> {
        let name = part_name(&self.slot.name, part);
        let Some(values) = self.state.tensors.remove(&name) else { return Ok(None) };
        let (expected, got) = (self.slot.length, values.len());
        if expected == got {
            return Ok(Some(values));
        }
        Err(refused(&name, ParameterProblem::Length { expected, got }))
    }

    /// Takes counters, one a row; `None` where there are none of this name.
    pub(super) fn counters(&mut self, part: &str) -> Result<Option<Vec<u64>>> {
        let name = part_name(&self.slot.name, part);
        let Some(counts) = self.state.counters.remove(&name) else { return Ok(None) };
        if !counts.is_empty() && self.slot.length.is_multiple_of(counts.len()) {
            return Ok(Some(counts));
        }
        let problem = ParameterProblem::Counters { length: self.slot.length, got: counts.len() };
        Err(refused(&name, problem))
    }
}

/// The name of a part of a parameter's state.
pub(super) fn part_name(parameter: &str, part: &str) -> String {
    format!("{parameter}#{part}")
}

/// Refuses what is left of a state when every parameter has taken its own.
pub(super) fn nothing_left(state: &State) -> Result<()> {
    match state.tensors.keys().chain(state.counters.keys()).next() {
        Some(name) => Err(refused(name, ParameterProblem::Unknown)),
        None => Ok(()),
    }
}
