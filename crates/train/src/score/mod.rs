//! Scores: from the vectors of queries and candidates to the cells of a block, and back.
//!
//! Every scorer has `forward`, which returns scores row-major, and `backward`, which takes the derivatives by scores that a
//! loss returned and gives those by the vectors. Cells that do not count come with a derivative of 0 and move nothing.
//! Cost: a matrix product forward, two backward; [`MaxSim`] one forward, and backward only what won.

mod cosine;
mod dot;
mod fusion;
mod maxsim;
mod sparse;

pub use cosine::{Cosine, CosineKept};
pub use dot::Dot;
pub use fusion::{Fusion, FusionGradient};
pub use maxsim::{MaxSim, MaxSimKept};
pub use sparse::{SparseDot, SparseGradient, SparseRows};

use crate::block::Columns;
use crate::ragged::{Ragged, ShapeError, check_length};

/// Whose candidates the columns of a block are, as scorers need to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each query has as many candidates of its own; those of the first query come first.
    Own,
    /// All queries share all candidates.
    Shared,
}

impl From<&Columns> for Layout {
    fn from(columns: &Columns) -> Self {
        match columns {
            Columns::Own => Layout::Own,
            Columns::Shared(_) => Layout::Shared,
        }
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Pairs<'a> {
    /// The queries.
    pub queries: &'a Ragged,
    /// The candidates.
    pub candidates: &'a Ragged,
    /// Which are compared with which.
    pub layout: Layout,
}

/// Puts the scores of all queries for some candidates into those for all of them, which are `width`: as columns from `first` on.
pub(crate) fn put_columns(
    block: &[f32],
    (first, columns): (usize, usize),
    all: &mut [f32],
    width: usize,
) {
    for (row, found) in all.chunks_exact_mut(width).zip(block.chunks_exact(columns)) {
        row[first..first + columns].copy_from_slice(found);
    }
}

/// Derivatives by what was compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// By the values of the queries.
    pub queries: Vec<f32>,
    /// By the values of the candidates.
    pub candidates: Vec<f32>,
    /// By the scale, for those who learn it.
    pub scale: f64,
}

/// The cells of a block of scores.
#[derive(Clone, Copy)]
struct Grid {
    queries: usize,
    /// The candidates of one query.
    width: usize,
    layout: Layout,
}

impl Grid {
    fn of(queries: usize, candidates: usize, layout: Layout) -> Result<Self, ShapeError> {
        let width = match layout {
            Layout::Shared => candidates,
            Layout::Own if queries > 0 && candidates.is_multiple_of(queries) => {
                candidates / queries
            }
            Layout::Own => return Err(ShapeError::Deal { candidates, queries }),
        };
        Ok(Self { queries, width, layout })
    }

    fn cells(self) -> usize {
        self.queries * self.width
    }

    /// The first candidate of a query.
    fn first(self, query: usize) -> usize {
        if self.layout == Layout::Own { query * self.width } else { 0 }
    }
}

impl Pairs<'_> {
    /// Checks both sides and how they are dealt.
    fn grid(&self) -> Result<Grid, ShapeError> {
        self.queries.check()?;
        self.candidates.check_columns(self.queries.columns)?;
        Grid::of(self.queries.items(), self.candidates.items(), self.layout)
    }

    /// Checks that every item is one vector, too.
    fn vector_grid(&self) -> Result<Grid, ShapeError> {
        let grid = self.grid()?;
        for side in [self.queries, self.candidates] {
            if let Some(item) = (0..side.items()).find(|&item| side.span(item).len() != 1) {
                return Err(ShapeError::NotOneRow { item, rows: side.span(item).len() });
            }
        }
        Ok(grid)
    }
}

/// Returns `scale · slopes`, of which there is one for each cell.
fn scaled(slopes: &[f32], scale: f64, grid: Grid) -> Result<Vec<f32>, ShapeError> {
    check_length("derivatives by scores", slopes.len(), grid.cells())?;
    Ok(slopes.iter().map(|&slope| (scale * f64::from(slope)) as f32).collect())
}

/// The derivative by the scale of scores that are linear in the queries: `Σ slope · value / scale`.
fn by_scale(slopes: &[f32], values: &[f32], scale: f64) -> f64 {
    let pairs = slopes.iter().zip(values);
    pairs.map(|(&slope, &value)| f64::from(slope) * f64::from(value)).sum::<f64>() / scale
}

#[cfg(test)]
mod tests;
