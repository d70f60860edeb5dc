//! What the head over words of a masked language model does before its decoder (Devlin et al. 2019): a map, GELU and layer norm.

use ecphory_kernels::Level;
use ecphory_kernels::nn::{
    Activation, NormSums, activate, activation_gradient, layer_norm, layer_norm_gradient,
};

use super::linear::clear_uncounted;
use super::{Head, Linear, Parameter};
use crate::ragged::{Ragged, ShapeError};

/// Where GELU is straight: there it differs from its input by less than single precision tells.
const STRAIGHT: f32 = 8.0;

/// `norm(gelu(W·x + b))` for every row, with as many values as before.
///
/// It begins with the identity and biases that lie where GELU is straight, so that at first it is nothing but the norm: for states that
/// no such head was trained for, any other beginning would lose half of what they say.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// Square, with biases.
    pub map: Linear,
    /// `[columns]`.
    pub scale: Parameter,
    /// `[columns]`.
    pub shift: Parameter,
    /// What the norm adds to a variance.
    pub epsilon: f32,
}

/// What the map returned, and what GELU made of it.
#[derive(Clone, Debug)]
pub struct TransformKept {
    mapped: Vec<f32>,
    activated: Vec<f32>,
}

impl Transform {
    /// Makes a head for rows of so many values; `epsilon` is that of the model's norms.
    ///
    /// # Errors
    /// No value.
    pub fn new(columns: usize, epsilon: f32) -> Result<Self, ShapeError> {
        let mut weights = vec![0.0; columns * columns];
        weights.iter_mut().step_by(columns + 1).for_each(|weight| *weight = 1.0);
        Ok(Self {
            map: Linear::new(columns, weights, Some(vec![STRAIGHT; columns]))?,
            scale: Parameter::filled("scale", &[columns], 1.0),
            shift: Parameter::filled("shift", &[columns], 0.0),
            epsilon,
        })
    }
}

impl Head for Transform {
    type Kept = TransformKept;

    fn forward(&self, level: Level, input: &Ragged) -> Result<(Ragged, TransformKept), ShapeError> {
        let (mut output, ()) = self.map.forward(level, input)?;
        let mapped = output.values.clone();
        activate(level, Activation::Gelu, &mut output.values);
        let activated = output.values.clone();
        let (scale, shift) = (&self.scale.values, &self.shift.values);
        layer_norm(level, &mut output.values, scale, shift, self.epsilon);
        clear_uncounted(input, &mut output.values, self.map.out());
        Ok((output, TransformKept { mapped, activated }))
    }

    fn backward(
        &mut self,
        level: Level,
        input: &Ragged,
        kept: &TransformKept,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        input.with_values(kept.mapped.clone(), self.map.out()).check_slopes(slopes)?;
        let mut slopes = slopes.to_vec();
        clear_uncounted(input, &mut slopes, self.map.out());
        let sums = NormSums { weight: &mut self.scale.gradient, bias: &mut self.shift.gradient };
        let scale = &self.scale.values;
        layer_norm_gradient(level, &kept.activated, &mut slopes, scale, self.epsilon, sums);
        activation_gradient(level, Activation::Gelu, &kept.mapped, &mut slopes);
        self.map.backward(level, input, &(), &slopes)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter> {
        let mut all = self.map.parameters();
        all.extend([&mut self.scale, &mut self.shift]);
        all
    }
}
