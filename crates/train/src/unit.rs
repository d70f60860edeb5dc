//! Rows of unit length, and back; positive parts.

/// Returns `max(value, 0)`, and what is no number as it is: it has to reach the block of scores, which refuses it with its place.
pub(crate) fn positive(value: f32) -> f32 {
    if value < 0.0 { 0.0 } else { value }
}

/// The length below which a row is divided by this instead: a row of zeros stays one.
const LENGTH_MIN: f64 = 1e-12;

/// Rows divided by their lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Units {
    /// The rows.
    pub values: Vec<f32>,
    /// What each was divided by.
    lengths: Vec<f64>,
}

impl Units {
    /// Divides each row of `columns` values by its length.
    pub fn of(values: &[f32], columns: usize) -> Self {
        let mut units = Vec::with_capacity(values.len());
        let mut lengths = Vec::with_capacity(values.len() / columns);
        for row in values.chunks_exact(columns) {
            let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let length = squares.sqrt().max(LENGTH_MIN);
            units.extend(row.iter().map(|&x| (f64::from(x) / length) as f32));
            lengths.push(length);
        }
        Self { values: units, lengths }
    }

    /// Turns derivatives by the unit rows into those by the rows: what points along a row is taken out.
    pub fn backward(&self, slopes: &[f32]) -> Vec<f32> {
        let columns = self.values.len() / self.lengths.len().max(1);
        let mut out = Vec::with_capacity(slopes.len());
        for (row, &length) in self.lengths.iter().enumerate() {
            let cells = row * columns..(row + 1) * columns;
            let (unit, slopes) = (&self.values[cells.clone()], &slopes[cells]);
            let mut along: f64 =
                unit.iter().zip(slopes).map(|(&x, &slope)| f64::from(x) * f64::from(slope)).sum();
            if length == LENGTH_MIN {
                along = 0.0;
            }
            let pairs = unit.iter().zip(slopes);
            out.extend(
                pairs.map(|(&x, &slope)| {
                    ((f64::from(slope) - along * f64::from(x)) / length) as f32
                }),
            );
        }
        out
    }
}
