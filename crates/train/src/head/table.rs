//! A static table of the weights of terms: queries without an encoder (inference-free retrieval, bags of tokens).

use std::collections::HashSet;

use super::Parameter;
use crate::ragged::{ShapeError, check_length};
use crate::score::SparseRows;

/// What a term of a text weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableWeights {
    /// `max(w, 0)` of the table, such as its IDF.
    #[default]
    Table,
    /// 1, where the table has a weight above 0.
    Binary,
}

/// The weights of terms, looked up.
///
/// The terms of a text are its distinct tokens, in the order in which they first occur; those without a weight above 0, such as special tokens, are left out. Not a
/// [`super::Head`]: it takes tokens, not their states.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticTable {
    /// `[terms]`.
    pub weights: Parameter,
    /// What is taken from it.
    pub kind: TableWeights,
}

impl StaticTable {
    /// Makes a table.
    pub fn new(weights: Vec<f32>, kind: TableWeights) -> Self {
        let mut weight = Parameter::filled("weights", &[weights.len()], 0.0);
        weight.values = weights;
        Self { weights: weight, kind }
    }

    /// Looks up tokens of texts; `offsets` says where each text begins, and at last how many tokens there are.
    ///
    /// # Errors
    /// Spans that do not fit the tokens, or a token that the table does not have.
    pub fn forward(&self, tokens: &[u32], offsets: &[usize]) -> Result<SparseRows, ShapeError> {
        let (terms, offsets) = (tokens.to_vec(), offsets.to_vec());
        let given = SparseRows { offsets, weights: vec![0.0; terms.len()], terms };
        given.check(self.weights.values.len())?;
        let mut found = SparseRows { offsets: vec![0], ..SparseRows::default() };
        for item in 0..given.items() {
            let mut seen = HashSet::new();
            for &term in &given.terms[given.offsets[item]..given.offsets[item + 1]] {
                let weight = self.weights.values[term as usize];
                if weight > 0.0 && seen.insert(term) {
                    found.terms.push(term);
                    found.weights.push(match self.kind {
                        TableWeights::Table => weight,
                        TableWeights::Binary => 1.0,
                    });
                }
            }
            found.offsets.push(found.terms.len());
        }
        Ok(found)
    }

    /// Adds the derivatives by the weights of the table, from those by the weights that it returned; binary weights have none.
    ///
    /// # Errors
    /// Another number of derivatives than of weights.
    pub fn backward(&mut self, found: &SparseRows, slopes: &[f32]) -> Result<(), ShapeError> {
        check_length("derivatives", slopes.len(), found.weights.len())?;
        found.check(self.weights.values.len())?;
        if self.kind == TableWeights::Table {
            for (&term, slope) in found.terms.iter().zip(slopes) {
                self.weights.gradient[term as usize] += slope;
            }
        }
        Ok(())
    }
}
