//! What a head learns.

use crate::error::Result;
use crate::optimiser::{Gradient, Group, Slot, Tensors, Update, copied};
use crate::ragged::{ShapeError, check_length};

/// A tensor with a name and its derivatives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameter {
    /// Its name within the head.
    pub name: String,
    /// Its shape, the last dimension being contiguous.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
    /// The derivatives by them, which a head adds to and an optimiser takes.
    pub gradient: Vec<f32>,
}

impl Parameter {
    /// Makes a parameter with derivatives of 0.
    ///
    /// # Errors
    /// Another number of values than the shape has.
    pub fn new(
        name: &str,
        shape: &[usize],
        values: Vec<f32>,
    ) -> std::result::Result<Self, ShapeError> {
        check_length("values of a parameter", values.len(), shape.iter().product())?;
        let gradient = vec![0.0; values.len()];
        Ok(Self { name: name.to_owned(), shape: shape.to_vec(), values, gradient })
    }

    /// Makes a parameter of equal values.
    pub(super) fn filled(name: &str, shape: &[usize], value: f32) -> Self {
        let count = shape.iter().product();
        let (values, gradient) = (vec![value; count], vec![0.0; count]);
        Self { name: name.to_owned(), shape: shape.to_vec(), values, gradient }
    }

    /// Takes the values of its name out of such as were copied.
    pub(crate) fn set(&mut self, values: &Tensors) -> Result<()> {
        let found = copied(values, &self.name, self.values.len())?;
        self.values.copy_from_slice(found);
        Ok(())
    }

    /// Returns its place in an optimiser. A weight shrinks by `decay`, a bias does not.
    pub(crate) fn slot(&self, decay: f32) -> Slot {
        let decay = if self.shape.len() > 1 { decay } else { 0.0 };
        let group = Group { rate_factor: 1.0, decay };
        Slot { name: self.name.clone(), length: self.values.len(), group }
    }

    /// Puts its values beside their derivatives.
    pub(crate) fn update(&mut self) -> Update<'_> {
        let Self { name, values, gradient, .. } = self;
        Update { name, values, gradient: Gradient::Dense(gradient) }
    }

    /// Sets the derivatives to 0.
    pub fn clear(&mut self) {
        self.gradient.fill(0.0);
    }
}
