//! A gate that learns which rows to drop (ColBERTer's contextualised stop words).

use ecphory_kernels::Level;

use super::{Head, Parameter};
use crate::ragged::{Ragged, ShapeError, add_scaled};
use crate::unit::positive;

/// `r = ReLU(w·x + b)`, `y = r·x`, for every row; an index leaves out rows whose gate is 0.
///
/// `b` begins at 1 and `w` at 0: from there a penalty of [`crate::regulariser::L1`] closes gates one by one; from a `b` of 0 it would close all
/// of them at once, and a closed gate has no derivative to open it again. The gate of a row that does not count is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// `[in]`.
    pub weight: Parameter,
    /// `[1]`.
    pub bias: Parameter,
}

/// The gates of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gates {
    /// One gate a row.
    pub values: Vec<f32>,
    /// Derivatives by the gates that come from elsewhere, such as a penalty; zeros, until somebody adds to them before the way
    /// back.
    pub slopes: Vec<f32>,
}

impl Gate {
    /// Makes an open gate for rows of so many columns.
    pub fn new(columns: usize) -> Self {
        Self {
            weight: Parameter::filled("gate.weight", &[columns], 0.0),
            bias: Parameter::filled("gate.bias", &[1], 1.0),
        }
    }
}

impl Head for Gate {
    type Kept = Gates;

    fn forward(&self, _level: Level, input: &Ragged) -> Result<(Ragged, Gates), ShapeError> {
        input.check_columns(self.weight.values.len())?;
        let mut gates = Gates { values: Vec::new(), slopes: vec![0.0; input.rows()] };
        let mut values = Vec::with_capacity(input.values.len());
        for row in 0..input.rows() {
            let products = self.weight.values.iter().zip(input.row(row));
            let sum: f64 = products.map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
            let gate = positive((sum + f64::from(self.bias.values[0])) as f32);
            let gate = if input.counts(row) { gate } else { 0.0 };
            gates.values.push(gate);
            values.extend(input.row(row).iter().map(|x| gate * x));
        }
        Ok((input.with_values(values, input.columns), gates))
    }

    fn backward(
        &mut self,
        _level: Level,
        input: &Ragged,
        kept: &Gates,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        let columns = self.weight.values.len();
        input.check_columns(columns)?;
        input.check_slopes(slopes)?;
        let mut out = vec![0.0; input.values.len()];
        for (row, &gate) in kept.values.iter().enumerate() {
            if gate == 0.0 {
                continue;
            }
            let (state, slopes) = (input.row(row), &slopes[row * columns..][..columns]);
            let products = state.iter().zip(slopes);
            let by_output: f64 = products.map(|(&x, &s)| f64::from(x) * f64::from(s)).sum();
            let by_gate = (by_output + f64::from(kept.slopes[row])) as f32;
            add_scaled(&mut self.weight.gradient, by_gate, state);
            self.bias.gradient[0] += by_gate;
            let out = &mut out[row * columns..][..columns];
            add_scaled(out, gate, slopes);
            add_scaled(out, by_gate, &self.weight.values);
        }
        Ok(out)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter> {
        vec![&mut self.weight, &mut self.bias]
    }
}
