//! Dot products of sparse queries with vectors over a vocabulary.

use super::{Grid, Layout};
use crate::ragged::{Ragged, ShapeError, check_length};

/// Terms with weights, item by item: tokenised queries of a learned sparse model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseRows {
    /// Where each item begins, and at last the number of terms: one more than there are items.
    pub offsets: Vec<usize>,
    /// The terms.
    pub terms: Vec<u32>,
    /// Their weights.
    pub weights: Vec<f32>,
}

impl SparseRows {
    /// Returns how many items there are.
    pub fn items(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Checks spans, lengths and terms.
    ///
    /// # Errors
    /// Spans that do not ascend from 0, another number of weights than of terms, a term outside the vocabulary.
    pub fn check(&self, vocabulary: usize) -> Result<(), ShapeError> {
        if self.items() == 0 {
            return Err(ShapeError::Empty { items: 0, columns: vocabulary });
        }
        let descends = self.offsets.windows(2).position(|pair| pair[0] > pair[1]);
        if let Some(item) = descends.or((self.offsets[0] != 0).then_some(0)) {
            return Err(ShapeError::Span { item });
        }
        check_length("terms", self.terms.len(), self.offsets[self.items()])?;
        check_length("weights of terms", self.weights.len(), self.terms.len())?;
        if let Some(at) = self.terms.iter().position(|&term| term as usize >= vocabulary) {
            let item = self.offsets.partition_point(|&offset| offset <= at) - 1;
            return Err(ShapeError::Term { item, term: self.terms[at], terms: vocabulary });
        }
        Ok(())
    }
}

/// `scale · Σ_t q_t·c_t`: sparse queries against vectors over the vocabulary, such as those of a lexical head.
///
/// Both sides dense is [`super::Dot`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseDot {
    /// What sums are multiplied with, not 0.
    pub scale: f64,
}

impl Default for SparseDot {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// Derivatives by both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseGradient {
    /// By the weights of the queries' terms.
    pub weights: Vec<f32>,
    /// By the candidates' values.
    pub candidates: Vec<f32>,
    /// By the scale.
    pub scale: f64,
}

impl SparseDot {
    /// Computes the scores.
    ///
    /// # Errors
    /// Terms outside the vocabulary, which is the candidates' columns; candidates of several rows or that cannot be dealt to
    /// the queries.
    pub fn forward(
        &self,
        queries: &SparseRows,
        candidates: &Ragged,
        layout: Layout,
    ) -> Result<Vec<f32>, ShapeError> {
        let grid = grid(queries, candidates, layout)?;
        let mut scores = Vec::with_capacity(grid.cells());
        for query in 0..grid.queries {
            for candidate in grid.first(query)..grid.first(query) + grid.width {
                let row = candidates.row(candidate);
                let sum: f64 = (queries.offsets[query]..queries.offsets[query + 1])
                    .map(|at| {
                        f64::from(queries.weights[at]) * f64::from(row[queries.terms[at] as usize])
                    })
                    .sum();
                scores.push((self.scale * sum) as f32);
            }
        }
        Ok(scores)
    }

    /// Computes the derivatives by weights, values and scale from those by the scores.
    ///
    /// # Errors
    /// As [`SparseDot::forward`], and another number of derivatives than of scores.
    pub fn backward(
        &self,
        queries: &SparseRows,
        candidates: &Ragged,
        layout: Layout,
        slopes: &[f32],
    ) -> Result<SparseGradient, ShapeError> {
        let grid = grid(queries, candidates, layout)?;
        let slopes = super::scaled(slopes, self.scale, grid)?;
        let mut weights = vec![0.0; queries.weights.len()];
        let mut values = vec![0.0; candidates.values.len()];
        for (cell, &slope) in slopes.iter().enumerate().filter(|(_, slope)| **slope != 0.0) {
            let (query, column) = (cell / grid.width, cell % grid.width);
            let start = (grid.first(query) + column) * candidates.columns;
            let terms = queries.offsets[query]..queries.offsets[query + 1];
            let given = queries.terms[terms.clone()].iter().zip(&queries.weights[terms.clone()]);
            for (by_weight, (&term, &weight)) in weights[terms].iter_mut().zip(given) {
                let place = start + term as usize;
                *by_weight += slope * candidates.values[place];
                values[place] += slope * weight;
            }
        }
        let scale = super::by_scale(&weights, &queries.weights, self.scale);
        Ok(SparseGradient { weights, candidates: values, scale })
    }
}

fn grid(queries: &SparseRows, candidates: &Ragged, layout: Layout) -> Result<Grid, ShapeError> {
    candidates.check()?;
    queries.check(candidates.columns)?;
    if let Some(item) = (0..candidates.items()).find(|&item| candidates.span(item).len() != 1) {
        return Err(ShapeError::NotOneRow { item, rows: candidates.span(item).len() });
    }
    Grid::of(queries.items(), candidates.items(), layout)
}
