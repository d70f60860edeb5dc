//! MaxSim: late interaction of token vectors (ColBERT, Khattab and Zaharia 2020), with ColBERTer's exact match of words.

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply};

use super::{Gradient, Grid, Layout, Pairs, by_scale, scaled};
use crate::ragged::{Ragged, ShapeError, add_scaled};

/// `scale · Σ_q max_c q·c`, over the rows that count.
///
/// Where several rows of a candidate are best, the first takes all of the derivative. A candidate without rows that count
/// scores 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxSim {
    /// What sums are multiplied with, not 0: a reciprocal temperature.
    pub scale: f64,
    /// Whether only rows of the same word can match: all other products are 0, and enter the maximum as such, so that a negative
    /// match loses to them.
    pub same_word: bool,
}

impl Default for MaxSim {
    fn default() -> Self {
        Self { scale: 1.0, same_word: false }
    }
}

/// What the way back needs: which row won, for each row of a query and each of its candidates.
#[derive(Clone, Debug)]
pub struct MaxSimKept {
    /// Query by query, candidate by candidate, row by row.
    winners: Vec<u32>,
}

/// No row won: there is none, or a 0 did.
const NOBODY: u32 = u32::MAX;

impl MaxSim {
    /// Computes the scores of matrices of token vectors.
    ///
    /// Cost: one product of all rows of queries with all rows of their candidates; the products of one query at a time are in memory.
    ///
    /// # Errors
    /// Vectors of different dimensions, candidates that cannot be dealt to the queries, words that are needed and unknown.
    pub fn forward(
        &self,
        level: Level,
        pairs: &Pairs<'_>,
    ) -> Result<(Vec<f32>, MaxSimKept), ShapeError> {
        let grid = self.grid(pairs)?;
        let Pairs { queries, candidates, .. } = *pairs;
        let mut scores = Vec::with_capacity(grid.cells());
        let mut winners = Vec::with_capacity(grid.width * queries.rows());
        let mut packed: Packed = Packed::default();
        for query in 0..grid.queries {
            let (first, last) = (grid.first(query), grid.first(query) + grid.width);
            let rows = candidates.offsets[first]..candidates.offsets[last];
            if query == 0 || grid.layout == Layout::Own {
                let cells = rows.start * candidates.columns..rows.end * candidates.columns;
                packed.set_transposed(Rows::dense(&candidates.values[cells], candidates.columns));
            }
            let products = products(level, queries, query, &packed);
            for candidate in first..last {
                let mut sum = 0.0f64;
                for (line, row) in queries.span(query).enumerate() {
                    let products = &products[line * rows.len()..][..rows.len()];
                    let product = |place: usize| products[place - rows.start];
                    let (best, winner) = self.best(pairs, row, candidate, product);
                    sum += f64::from(best);
                    winners.push(winner);
                }
                scores.push((self.scale * sum) as f32);
            }
        }
        Ok((scores, MaxSimKept { winners }))
    }

    /// Computes the derivatives by the token vectors and the scale from those by the scores.
    ///
    /// # Errors
    /// As [`MaxSim::forward`], and another number of derivatives than of scores.
    pub fn backward(
        &self,
        pairs: &Pairs<'_>,
        kept: &MaxSimKept,
        slopes: &[f32],
    ) -> Result<Gradient, ShapeError> {
        let grid = self.grid(pairs)?;
        let slopes = scaled(slopes, self.scale, grid)?;
        let columns = pairs.queries.columns;
        let mut queries = vec![0.0; pairs.queries.values.len()];
        let mut candidates = vec![0.0; pairs.candidates.values.len()];
        let mut winners = kept.winners.iter();
        for (cell, &slope) in slopes.iter().enumerate() {
            let span = pairs.queries.span(cell / grid.width);
            for (row, &winner) in span.zip(&mut winners) {
                if winner == NOBODY || slope == 0.0 {
                    continue;
                }
                let winner = winner as usize;
                let query = &mut queries[row * columns..][..columns];
                add_scaled(query, slope, pairs.candidates.row(winner));
                let candidate = &mut candidates[winner * columns..][..columns];
                add_scaled(candidate, slope, pairs.queries.row(row));
            }
        }
        let scale = by_scale(&queries, &pairs.queries.values, self.scale);
        Ok(Gradient { queries, candidates, scale })
    }

    fn grid(&self, pairs: &Pairs<'_>) -> Result<Grid, ShapeError> {
        let grid = pairs.grid()?;
        let lacks_words = |side: &Ragged| side.words.is_empty() && side.rows() > 0;
        if self.same_word && (lacks_words(pairs.queries) || lacks_words(pairs.candidates)) {
            return Err(ShapeError::NoWords);
        }
        Ok(grid)
    }

    /// The largest product of a row of a query with the rows of a candidate, and the row that has it.
    fn best(
        &self,
        pairs: &Pairs<'_>,
        row: usize,
        candidate: usize,
        product: impl Fn(usize) -> f32,
    ) -> (f32, u32) {
        if !pairs.queries.counts(row) {
            return (0.0, NOBODY);
        }
        let mut best = None;
        for place in pairs.candidates.counted_rows(candidate) {
            let matches = !self.same_word || is_match(pairs, row, place);
            let (value, winner) =
                if matches { (product(place), place as u32) } else { (0.0, NOBODY) };
            // What is no number has to come through: the block of scores refuses it with its place.
            if best.is_none_or(|(most, _)| value > most) || value.is_nan() {
                best = Some((value, winner));
            }
        }
        best.unwrap_or((0.0, NOBODY))
    }
}

fn is_match(pairs: &Pairs<'_>, row: usize, place: usize) -> bool {
    let word = pairs.queries.words[row];
    word != 0 && word == pairs.candidates.words[place]
}

/// The products of the rows of a query with those that are packed.
fn products(level: Level, queries: &Ragged, query: usize, packed: &Packed) -> Vec<f32> {
    let span = queries.span(query);
    let mut products = vec![0.0; span.len() * packed.width()];
    if !products.is_empty() {
        let cells = span.start * queries.columns..span.end * queries.columns;
        let rows = Rows::dense(&queries.values[cells], queries.columns);
        let out = RowsMut::dense(&mut products, packed.width());
        multiply(level, rows, packed.panels(), Epilogue::default(), out);
    }
    products
}
