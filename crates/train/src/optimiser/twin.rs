//! The slow twin of a model: the exponential moving average of its parameters.
//!
//! It is the teacher of self-distillation and the key encoder of contrast with a queue (`MoCo`). A decay
//! of 0.9995 forgets half in about 1,400 steps: short runs want 0.99.

use super::roster::refused;
use super::{ParameterProblem, Tensors, copied};
use crate::error::{Error, Result};

/// The moving average of some parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Twin {
    decay: f32,
    tensors: Tensors,
}

impl Twin {
    /// Begins with the values as they are; each later one counts `1 − decay`.
    ///
    /// # Errors
    /// Where `decay` is not in [0, 1).
    pub fn new(decay: f32, tensors: Tensors) -> Result<Self> {
        if !(0.0..1.0).contains(&decay) {
            let (setting, expected) = ("decay of the twin", "a number from 0 to below 1");
            return Err(Error::Setting { setting, expected, got: decay.to_string() });
        }
        Ok(Self { decay, tensors })
    }

    /// Moves a parameter of the twin towards the values of the model.
    ///
    /// # Errors
    /// Where the parameter is unknown or has another length.
    pub fn follow(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let twin =
            self.tensors.get_mut(name).ok_or_else(|| refused(name, ParameterProblem::Unknown))?;
        let (expected, got) = (twin.len(), values.len());
        if expected != got {
            return Err(refused(name, ParameterProblem::Length { expected, got }));
        }
        for (twin, &value) in twin.iter_mut().zip(values) {
            *twin = self.decay * *twin + (1.0 - self.decay) * value;
        }
        Ok(())
    }

    /// Takes up what another twin of the same model had come to.
    ///
    /// # Errors
    /// Where a parameter is unknown, missing or has another length.
    pub fn restore(&mut self, tensors: Tensors) -> Result<()> {
        if let Some(name) = tensors.keys().find(|name| !self.tensors.contains_key(*name)) {
            return Err(refused(name, ParameterProblem::Unknown));
        }
        for (name, values) in &self.tensors {
            copied(&tensors, name, values.len())?;
        }
        self.tensors = tensors;
        Ok(())
    }

    /// Returns the twin's parameters: what to evaluate, to save, and to begin again with.
    pub fn tensors(&self) -> &Tensors {
        &self.tensors
    }
}
