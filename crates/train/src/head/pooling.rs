//! One vector for each text.

use ecphory_kernels::Level;

use super::Head;
use crate::ragged::{Ragged, ShapeError, add_scaled, check_length};

/// How the rows that count become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The first of them, where encoders put their classification token.
    Cls,
    /// The last of them, where decoders end a text; never a padding behind it.
    Last,
}

impl Pooling {
    /// The rows of an item that are pooled.
    fn rows(self, input: &Ragged, item: usize) -> Result<Vec<usize>, ShapeError> {
        let mut counted = input.counted_rows(item);
        let rows = match self {
            Pooling::Mean => counted.collect(),
            Pooling::Cls => counted.next().into_iter().collect(),
            Pooling::Last => counted.next_back().into_iter().collect::<Vec<_>>(),
        };
        if rows.is_empty() { Err(ShapeError::NothingCounted { item }) } else { Ok(rows) }
    }
}

impl Head for Pooling {
    type Kept = ();

    fn forward(&self, _level: Level, input: &Ragged) -> Result<(Ragged, ()), ShapeError> {
        input.check()?;
        let columns = input.columns;
        let mut values = Vec::with_capacity(input.items() * columns);
        for item in 0..input.items() {
            let rows = self.rows(input, item)?;
            let mut sums = vec![0.0f64; columns];
            for &row in &rows {
                for (sum, &value) in sums.iter_mut().zip(input.row(row)) {
                    *sum += f64::from(value);
                }
            }
            values.extend(sums.into_iter().map(|sum| (sum / rows.len() as f64) as f32));
        }
        Ok((Ragged::vectors(values, columns), ()))
    }

    fn backward(
        &mut self,
        _level: Level,
        input: &Ragged,
        (): &(),
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        input.check()?;
        let columns = input.columns;
        check_length("derivatives", slopes.len(), input.items() * columns)?;
        let mut out = vec![0.0; input.values.len()];
        for (item, slopes) in slopes.chunks_exact(columns).enumerate() {
            let rows = self.rows(input, item)?;
            for &row in &rows {
                add_scaled(&mut out[row * columns..][..columns], 1.0 / rows.len() as f32, slopes);
            }
        }
        Ok(out)
    }
}
