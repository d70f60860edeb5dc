//! A linear map of every row.

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply};

use super::{Head, Parameter};
use crate::ragged::{Ragged, ShapeError, add_scaled, check_length};

/// `y = W·x + b` for every row: the token vectors of late interaction, or a smaller single vector.
///
/// Rows that do not count become zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Parameter,
    /// `[out]`, or none.
    pub bias: Option<Parameter>,
}

impl Linear {
    /// Makes a map of `out` rows of weights.
    ///
    /// # Errors
    /// No output, weights that are no whole number of rows, another number of biases than of outputs.
    pub fn new(out: usize, weights: Vec<f32>, bias: Option<Vec<f32>>) -> Result<Self, ShapeError> {
        let columns = weights.len().checked_div(out).unwrap_or(0);
        if columns == 0 {
            return Err(ShapeError::Empty { items: out, columns });
        }
        let weight = Parameter::new("weight", &[out, columns], weights)?;
        let bias = bias.map(|bias| Parameter::new("bias", &[out], bias)).transpose()?;
        Ok(Self { weight, bias })
    }

    /// Returns how long the rows are that it returns.
    pub fn out(&self) -> usize {
        self.weight.shape[0]
    }

    /// Returns how long the rows are that it takes.
    pub fn columns(&self) -> usize {
        self.weight.shape[1]
    }
}

impl Linear {
    /// Adds `slopesᵀ · input` over the rows that count: with others left out, padding changes no bit.
    fn add_gradient(&mut self, level: Level, input: &Ragged, slopes: &[f32]) {
        let (out, columns) = (self.out(), self.columns());
        let counted: Vec<usize> = (0..input.rows()).filter(|&row| input.counts(row)).collect();
        if let Some(bias) = &mut self.bias {
            for &row in &counted {
                add_scaled(&mut bias.gradient, 1.0, &slopes[row * out..][..out]);
            }
        }
        if counted.is_empty() {
            return;
        }
        let rows: Vec<f32> = counted.iter().flat_map(|&row| input.row(row)).copied().collect();
        let mut turned = vec![0.0; out * counted.len()];
        for (place, &row) in counted.iter().enumerate() {
            for (output, &slope) in slopes[row * out..][..out].iter().enumerate() {
                turned[output * counted.len() + place] = slope;
            }
        }
        let mut packed: Packed = Packed::default();
        packed.set(Rows::dense(&rows, columns));
        multiply(
            level,
            Rows::dense(&turned, counted.len()),
            packed.panels(),
            Epilogue { accumulate: true, ..Epilogue::default() },
            RowsMut::dense(&mut self.weight.gradient, columns),
        );
    }
}

impl Head for Linear {
    type Kept = ();

    fn forward(&self, level: Level, input: &Ragged) -> Result<(Ragged, ()), ShapeError> {
        input.check_columns(self.columns())?;
        let mut values = vec![0.0; input.rows() * self.out()];
        let weight: Packed = Packed::transposed(Rows::dense(&self.weight.values, self.columns()));
        let bias = self.bias.as_ref().map(|bias| bias.values.as_slice());
        multiply(
            level,
            Rows::dense(&input.values, self.columns()),
            weight.panels(),
            Epilogue { bias, ..Epilogue::default() },
            RowsMut::dense(&mut values, self.out()),
        );
        clear_uncounted(input, &mut values, self.out());
        Ok((input.with_values(values, self.out()), ()))
    }

    fn backward(
        &mut self,
        level: Level,
        input: &Ragged,
        (): &(),
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        let (out, columns) = (self.out(), self.columns());
        input.check_columns(columns)?;
        check_length("derivatives", slopes.len(), input.rows() * out)?;
        let mut slopes = slopes.to_vec();
        clear_uncounted(input, &mut slopes, out);
        let mut packed: Packed = Packed::default();
        packed.set(Rows::dense(&self.weight.values, columns));
        let mut states = vec![0.0; input.values.len()];
        multiply(
            level,
            Rows::dense(&slopes, out),
            packed.panels(),
            Epilogue::default(),
            RowsMut::dense(&mut states, columns),
        );
        self.add_gradient(level, input, &slopes);
        Ok(states)
    }

    fn parameters(&mut self) -> Vec<&mut Parameter> {
        std::iter::once(&mut self.weight).chain(&mut self.bias).collect()
    }
}

/// Sets the rows that do not count to zeros.
pub(super) fn clear_uncounted(input: &Ragged, values: &mut [f32], columns: usize) {
    for (row, values) in values.chunks_exact_mut(columns).enumerate() {
        if !input.counts(row) {
            values.fill(0.0);
        }
    }
}
