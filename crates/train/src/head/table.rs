//! A static table of the weights of terms: queries without an encoder (inference-free retrieval, bags of tokens).

use std::collections::HashSet;

use ecphory_kernels::Level;

use super::{Head, Parameter};
use crate::ragged::{NO_TERM, Ragged, ShapeError, check_length};
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
/// The terms of a text are its distinct tokens, in the order in which they first occur; those without a weight above 0, such as
/// special tokens, are left out. As a [`Head`] it looks at the terms of rows, and not at their states.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticTable {
    /// `[terms]`.
    pub weights: Parameter,
    /// What is taken from it.
    pub kind: TableWeights,
    /// Whether the weights move.
    pub is_learned: bool,
}

impl StaticTable {
    /// Makes a table whose weights stay as they are.
    pub fn new(weights: Vec<f32>, kind: TableWeights) -> Self {
        let mut weight = Parameter::filled("weights", &[weights.len()], 0.0);
        weight.values = weights;
        Self { weights: weight, kind, is_learned: false }
    }

    /// Looks up tokens of texts; `offsets` says where each text begins, and at last how many tokens there are.
    ///
    /// # Errors
    /// Spans that do not fit the tokens, or a token that the table does not have.
    pub fn look_up(&self, tokens: &[u32], offsets: &[usize]) -> Result<SparseRows, ShapeError> {
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
    pub fn add_gradient(&mut self, found: &SparseRows, slopes: &[f32]) -> Result<(), ShapeError> {
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

/// One dense row for each item: the weights of its distinct terms at their places.
impl Head for StaticTable {
    type Kept = SparseRows;

    fn forward(&self, _level: Level, input: &Ragged) -> Result<(Ragged, SparseRows), ShapeError> {
        input.check()?;
        if input.terms.is_empty() {
            return Err(ShapeError::NoTerms);
        }
        let mut terms = Vec::new();
        let mut offsets = vec![0];
        for item in 0..input.items() {
            let counted = input.counted_rows(item).map(|row| input.terms[row]);
            terms.extend(counted.filter(|&term| term != NO_TERM));
            offsets.push(terms.len());
        }
        let found = self.look_up(&terms, &offsets)?;
        let columns = self.weights.values.len();
        let mut values = vec![0.0; input.items() * columns];
        for (item, row) in values.chunks_exact_mut(columns).enumerate() {
            for at in found.offsets[item]..found.offsets[item + 1] {
                row[found.terms[at] as usize] = found.weights[at];
            }
        }
        Ok((Ragged::vectors(values, columns), found))
    }

    fn backward(
        &mut self,
        _level: Level,
        input: &Ragged,
        kept: &SparseRows,
        slopes: &[f32],
    ) -> Result<Vec<f32>, ShapeError> {
        let columns = self.weights.values.len();
        check_length("derivatives", slopes.len(), kept.items() * columns)?;
        let by_weight: Vec<f32> = (0..kept.items())
            .flat_map(|item| {
                let row = &slopes[item * columns..][..columns];
                let terms = &kept.terms[kept.offsets[item]..kept.offsets[item + 1]];
                terms.iter().map(|&term| row[term as usize])
            })
            .collect();
        self.add_gradient(kept, &by_weight)?;
        // States do not enter.
        Ok(vec![0.0; input.values.len()])
    }

    fn parameters(&mut self) -> Vec<&mut Parameter> {
        // A table whose weights are not learned is none of a step's business.
        if self.is_learned { vec![&mut self.weights] } else { Vec::new() }
    }
}
