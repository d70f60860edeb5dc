//! An encoder's parameters and gradients as an optimiser takes them.

use ecphory_model::{self as model, Gradients, Parameters};

use super::{Gradient, Group, Slot, Tensors, Update, copied};
use crate::error::Result;

impl Slot {
    /// Makes a slot of each parameter that moves. Weights shrink by `decay`, biases and norms do not.
    pub fn of(parameters: &Parameters, decay: f32) -> Vec<Self> {
        let moving = parameters.iter().filter(|parameter| parameter.is_trainable());
        moving
            .map(|parameter| {
                let is_weight = parameter.shape().len() > 1;
                let decay = if is_weight { decay } else { 0.0 };
                Self {
                    name: parameter.name().to_owned(),
                    length: parameter.values().len(),
                    group: Group { rate_factor: 1.0, decay },
                }
            })
            .collect()
    }
}

impl<'a> Update<'a> {
    /// Puts the values of each parameter that moves beside its gradient.
    pub fn of(parameters: &'a mut Parameters, gradients: &'a Gradients) -> Vec<Self> {
        let parameters = parameters.iter_mut().enumerate();
        parameters
            .filter_map(|(index, parameter)| {
                let columns = parameter.shape().last().copied().unwrap_or(1);
                let gradient = match gradients.get(index)? {
                    model::Gradient::Dense(values) => Gradient::Dense(values),
                    model::Gradient::Rows { rows, values } => {
                        Gradient::Rows { rows, columns, values }
                    }
                };
                let (name, values) = parameter.named_values_mut();
                Some(Update { name, values, gradient })
            })
            .collect()
    }
}

/// Copies the parameters that move.
pub(crate) fn moving(parameters: &Parameters) -> Tensors {
    let moving = parameters.iter().filter(|one| one.is_trainable());
    moving.map(|one| (one.name().to_owned(), one.values().to_vec())).collect()
}

/// Sets the parameters that move; an error names one that is missing or has another length.
pub(crate) fn set_moving(parameters: &mut Parameters, values: &Tensors) -> Result<()> {
    for parameter in parameters.iter_mut().filter(|one| one.is_trainable()) {
        let found = copied(values, parameter.name(), parameter.values().len())?;
        parameter.values_mut().copy_from_slice(found);
    }
    Ok(())
}
