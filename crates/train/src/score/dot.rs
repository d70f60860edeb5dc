//! Dot products of vectors.

use ecphory_kernels::Level;
use ecphory_kernels::dot::dot_rows;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply, weighted_sum};

use super::{Gradient, Grid, Layout, Pairs, by_scale, scaled};
use crate::ragged::{ShapeError, add_scaled};

/// `scale · q·c`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// What products are multiplied with, not 0: a reciprocal temperature, or [`Dot::by_root`].
    pub scale: f64,
}

impl Default for Dot {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

impl Dot {
    /// Scales by the reciprocal root of the dimensions, without which a softmax over long vectors has no gradient.
    pub fn by_root(columns: usize) -> Self {
        Self { scale: 1.0 / (columns as f64).sqrt() }
    }

    /// Computes the scores of single vectors.
    ///
    /// # Errors
    /// Vectors of different dimensions, items of several rows, candidates that cannot be dealt to the queries.
    pub fn forward(&self, level: Level, pairs: &Pairs<'_>) -> Result<Vec<f32>, ShapeError> {
        let grid = pairs.vector_grid()?;
        let (queries, candidates) = (&pairs.queries.values, &pairs.candidates.values);
        let columns = pairs.queries.columns;
        let mut scores = vec![0.0; grid.cells()];
        match grid.layout {
            Layout::Shared => {
                let packed: Packed = Packed::transposed(Rows::dense(candidates, columns));
                let out = RowsMut::dense(&mut scores, grid.width);
                let rows = Rows::dense(queries, columns);
                multiply(level, rows, packed.panels(), Epilogue::default(), out);
            }
            Layout::Own => {
                let own = candidates.chunks_exact(grid.width * columns);
                let rows = queries.chunks_exact(columns).zip(own);
                for ((query, own), out) in rows.zip(scores.chunks_exact_mut(grid.width)) {
                    dot_rows(level, query, own, out);
                }
            }
        }
        for score in &mut scores {
            *score = (f64::from(*score) * self.scale) as f32;
        }
        Ok(scores)
    }

    /// Computes the derivatives by the vectors and the scale from those by the scores.
    ///
    /// # Errors
    /// As [`Dot::forward`], and another number of derivatives than of scores.
    pub fn backward(
        &self,
        level: Level,
        pairs: &Pairs<'_>,
        slopes: &[f32],
    ) -> Result<Gradient, ShapeError> {
        let grid = pairs.vector_grid()?;
        let slopes = scaled(slopes, self.scale, grid)?;
        let mut queries = vec![0.0; pairs.queries.values.len()];
        let mut candidates = vec![0.0; pairs.candidates.values.len()];
        match grid.layout {
            Layout::Shared => {
                product(level, &slopes, grid.width, &pairs.candidates.values, &mut queries);
                let turned = turned(&slopes, grid);
                product(level, &turned, grid.queries, &pairs.queries.values, &mut candidates);
            }
            Layout::Own => {
                let columns = pairs.queries.columns;
                for query in 0..grid.queries {
                    let slopes = &slopes[query * grid.width..][..grid.width];
                    let own =
                        grid.first(query) * columns..(grid.first(query) + grid.width) * columns;
                    let out = &mut queries[query * columns..][..columns];
                    weighted_sum(level, slopes, &pairs.candidates.values[own.clone()], out);
                    let rows = candidates[own].chunks_exact_mut(columns);
                    for (row, &slope) in rows.zip(slopes) {
                        add_scaled(row, slope, pairs.queries.row(query));
                    }
                }
            }
        }
        let scale = by_scale(&queries, &pairs.queries.values, self.scale);
        Ok(Gradient { queries, candidates, scale })
    }
}

/// Computes `out = a · rows`, where `a` has rows of `depth` values.
fn product(level: Level, a: &[f32], depth: usize, rows: &[f32], out: &mut [f32]) {
    let columns = rows.len() / depth;
    let mut packed: Packed = Packed::default();
    packed.set(Rows::dense(rows, columns));
    let out = RowsMut::dense(out, columns);
    multiply(level, Rows::dense(a, depth), packed.panels(), Epilogue::default(), out);
}

/// The cells, column by column.
fn turned(cells: &[f32], grid: Grid) -> Vec<f32> {
    let column = |c: usize| (0..grid.queries).map(move |row| cells[row * grid.width + c]);
    (0..grid.width).flat_map(column).collect()
}
