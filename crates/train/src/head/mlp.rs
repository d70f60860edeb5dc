//! A tower of linear maps and activations over every row, for vectors that come from elsewhere.

use ecphory_kernels::Level;

use super::{Head, Linear, Parameter};
use crate::ragged::{Ragged, ShapeError};
use crate::unit::positive;

/// What stands between two maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MlpActivation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `tanh(x)`.
    Tanh,
}

impl MlpActivation {
    fn apply(self, value: f32) -> f32 {
        match self {
            Self::Relu => positive(value),
            Self::Tanh => value.tanh(),
        }
    }

    /// The derivative, from the value of the activation.
    fn slope(self, activated: f32) -> f32 {
        match self {
            Self::Relu => f32::from(u8::from(activated > 0.0)),
            Self::Tanh => 1.0 - activated * activated,
        }
    }
}

/// Linear maps with an activation after each, or after each but the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// The maps, at least one; each takes rows of the length that the one before returns.
    pub layers: Vec<Linear>,
    /// What follows them.
    pub activation: MlpActivation,
    /// Whether it follows the last one too.
    pub activates_last: bool,
}

/// The outputs of all maps, activated.
#[derive(Clone, Debug)]
pub struct MlpKept {
    outputs: Vec<Ragged>,
}

impl Mlp {
    fn activates(&self, layer: usize) -> bool {
        self.activates_last || layer + 1 < self.layers.len()
    }
}

impl Head for Mlp {
    type Kept = MlpKept;

    fn forward(&self, level: Level, input: &Ragged) -> Result<(Ragged, MlpKept), ShapeError> {
        let mut outputs: Vec<Ragged> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let (mut output, ()) = layer.forward(level, outputs.last().unwrap_or(input))?;
            if self.activates(index) {
                output.values.iter_mut().for_each(|value| *value = self.activation.apply(*value));
            }
            outputs.push(output);
        }
        let Some(last) = outputs.last().cloned() else {
            return Err(ShapeError::Empty { items: 0, columns: input.columns });
        };
        Ok((last, MlpKept { outputs }))
    }

    fn backward(
        &mut self,
        level: Level,
        input: &Ragged,
        kept: &MlpKept,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        let mut slopes = slopes.to_vec();
        for index in (0..self.layers.len()).rev() {
            let output = &kept.outputs[index];
            output.check_slopes(&slopes)?;
            if self.activates(index) {
                for (slope, &value) in slopes.iter_mut().zip(&output.values) {
                    *slope *= self.activation.slope(value);
                }
            }
            let before = if index == 0 { input } else { &kept.outputs[index - 1] };
            slopes = self.layers[index].backward(level, before, &(), &slopes)?;
        }
        Ok(slopes)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter> {
        self.layers.iter_mut().flat_map(Linear::parameters).collect()
    }
}
