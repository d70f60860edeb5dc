//! Unit length.

use ecphory_kernels::Level;

use super::Head;
use crate::ragged::{Ragged, ShapeError};
use crate::unit::Units;

/// Divides every row by its length; a row of zeros stays one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Normalise;

impl Head for Normalise {
    type Kept = Units;

    fn forward(&self, _level: Level, input: &Ragged) -> Result<(Ragged, Units), ShapeError> {
        input.check()?;
        let units = Units::of(&input.values, input.columns);
        Ok((input.with_values(units.values.clone(), input.columns), units))
    }

    fn backward(
        &mut self,
        _level: Level,
        input: &Ragged,
        kept: &Units,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        input.check_slopes(slopes)?;
        Ok(kept.backward(slopes))
    }
}
