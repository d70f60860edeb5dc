//! The score block: what some queries think of some candidates, and what they should think.
//!
//! A block is all that a loss sees: `B` queries times `M` candidates, row-major, with a mask, gold targets, scores of
//! teachers and weights. Nothing of texts or vectors is left in it, so that every loss fits every scorer.
//! Size: 5 bytes a cell for scores and mask, 4 more for each of gold, teacher and cell weights.

mod mask;
mod problem;

pub use mask::Mask;
pub use problem::BlockError;

use problem::Part;

/// Whose candidates the columns of a block are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// Each query has candidates of its own: one column of two rows holds two different candidates.
    #[default]
    Own,
    /// All queries share the columns, as in-batch negatives do: `owners[j]` is the query that brought candidate `j`,
    /// `None` one that no query of this block brought, such as a key of a queue.
    Shared(Vec<Option<usize>>),
}

/// A teacher's scores for the cells of a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Teacher {
    /// One score a cell, row-major.
    pub scores: Vec<f32>,
    /// Which cells the teacher scored; empty where it scored all.
    pub known: Vec<bool>,
}

impl Teacher {
    /// Makes a teacher that scored every cell.
    pub fn of_all(scores: Vec<f32>) -> Self {
        Self { scores, known: Vec::new() }
    }
}

/// The parts of a block before they are checked; see [`Block::new`].
#[derive(Clone, Debug, Default)]
pub struct BlockParts {
    /// How many rows there are.
    pub queries: usize,
    /// How many columns there are.
    pub candidates: usize,
    /// The scores, row-major. Cells that are not valid may hold anything.
    pub scores: Vec<f32>,
    /// Which cells count; empty where all do.
    pub valid: Vec<bool>,
    /// A grade or probability per cell, 0 for what is not relevant; empty where there is none.
    pub gold: Vec<f32>,
    /// The teachers, of any number; losses name them by their index.
    pub teachers: Vec<Teacher>,
    /// One weight a query; empty where all are 1.
    pub weights: Vec<f32>,
    /// One weight a cell, which says how much its candidate counts within its row; empty where all are 1. A weight of 0 masks the
    /// cell.
    pub cell_weights: Vec<f32>,
    /// Whose candidates the columns are.
    pub columns: Columns,
}

/// Scores of queries against candidates with their targets; every number in a valid cell is finite.
#[derive(Clone, Debug)]
pub struct Block {
    parts: BlockParts,
}

impl Block {
    /// Checks the parts of a block.
    ///
    /// # Errors
    /// A part of another size, an owner that does not exist, or a number that is not finite, or negative where no
    /// negative one can be, in a valid cell; the error names row and column.
    pub fn new(parts: BlockParts) -> Result<Self, BlockError> {
        let block = Self { parts };
        block.check_sizes()?;
        block.check_owners()?;
        block.check_weights()?;
        block.check_cells()?;
        Ok(block)
    }

    /// Returns how many rows there are.
    pub fn queries(&self) -> usize {
        self.parts.queries
    }

    /// Returns how many columns there are.
    pub fn candidates(&self) -> usize {
        self.parts.candidates
    }

    /// Returns the scores, row-major; those of cells that do not count may be anything.
    pub fn scores(&self) -> &[f32] {
        &self.parts.scores
    }

    /// Returns whether a cell counts: it is valid and has a weight.
    ///
    /// # Panics
    /// Where there is no such cell, as the other functions of a cell do.
    pub fn counts(&self, row: usize, column: usize) -> bool {
        let cell = self.cell(row, column);
        self.parts.valid.get(cell).is_none_or(|&valid| valid)
            && self.cell_weight(row, column) != 0.0
    }

    /// Returns the grade of a cell.
    pub fn gold(&self, row: usize, column: usize) -> f32 {
        self.parts.gold.get(self.cell(row, column)).copied().unwrap_or(0.0)
    }

    /// Returns how much a query counts.
    pub fn weight(&self, row: usize) -> f32 {
        assert!(row < self.parts.queries, "no such row");
        self.parts.weights.get(row).copied().unwrap_or(1.0)
    }

    /// Returns how much a candidate counts for a query.
    pub fn cell_weight(&self, row: usize, column: usize) -> f32 {
        self.parts.cell_weights.get(self.cell(row, column)).copied().unwrap_or(1.0)
    }

    /// Returns how many teachers there are.
    pub fn teachers(&self) -> usize {
        self.parts.teachers.len()
    }

    /// Returns what a teacher thinks of a cell, or `None` where it does not know.
    ///
    /// # Panics
    /// Where there is no such teacher or cell.
    pub fn teacher(&self, teacher: usize, row: usize, column: usize) -> Option<f32> {
        let cell = self.cell(row, column);
        let teacher = &self.parts.teachers[teacher];
        teacher.known.get(cell).is_none_or(|&known| known).then(|| teacher.scores[cell])
    }

    /// Returns whose candidates the columns are.
    pub fn columns(&self) -> &Columns {
        &self.parts.columns
    }

    /// Returns the place of a cell in row-major order.
    pub(crate) fn cell(&self, row: usize, column: usize) -> usize {
        let (queries, candidates) = (self.parts.queries, self.parts.candidates);
        assert!(row < queries && column < candidates, "no cell in row {row}, column {column}");
        row * candidates + column
    }

    fn check_sizes(&self) -> Result<(), BlockError> {
        let BlockParts { queries, candidates, .. } = self.parts;
        if queries == 0 || candidates == 0 {
            return Err(BlockError::Empty { queries, candidates });
        }
        let cells = queries.checked_mul(candidates).ok_or(BlockError::TooLarge)?;
        let check = |part: Part, got: usize, expected: usize, optional: bool| {
            if got == expected || (optional && got == 0) {
                return Ok(());
            }
            Err(BlockError::Length { part, got, expected, queries, candidates })
        };
        check(Part::Scores, self.parts.scores.len(), cells, false)?;
        check(Part::Mask, self.parts.valid.len(), cells, true)?;
        check(Part::Gold, self.parts.gold.len(), cells, true)?;
        check(Part::Weights, self.parts.weights.len(), queries, true)?;
        check(Part::CellWeights, self.parts.cell_weights.len(), cells, true)?;
        for (index, teacher) in self.parts.teachers.iter().enumerate() {
            check(Part::Teacher(index), teacher.scores.len(), cells, false)?;
            check(Part::Teacher(index), teacher.known.len(), cells, true)?;
        }
        if let Columns::Shared(owners) = &self.parts.columns {
            check(Part::Owners, owners.len(), candidates, false)?;
        }
        Ok(())
    }

    fn check_owners(&self) -> Result<(), BlockError> {
        let Columns::Shared(owners) = &self.parts.columns else { return Ok(()) };
        let queries = self.parts.queries;
        for (column, owner) in owners.iter().enumerate() {
            if let Some(owner) = owner.filter(|&owner| owner >= queries) {
                return Err(BlockError::Owner { column, owner, queries });
            }
        }
        Ok(())
    }

    fn check_weights(&self) -> Result<(), BlockError> {
        for (row, &value) in self.parts.weights.iter().enumerate() {
            if !(value.is_finite() && value >= 0.0) {
                return Err(BlockError::Weight { row, value });
            }
        }
        Ok(())
    }

    fn check_cells(&self) -> Result<(), BlockError> {
        let parts = &self.parts;
        for row in 0..parts.queries {
            for column in 0..parts.candidates {
                let cell = row * parts.candidates + column;
                if !parts.valid.get(cell).is_none_or(|&valid| valid) {
                    continue;
                }
                let bad = |part, value| BlockError::Cell { part, row, column, value };
                let score = parts.scores[cell];
                if !score.is_finite() {
                    return Err(bad(Part::Scores, score));
                }
                for (part, values) in
                    [(Part::Gold, &parts.gold), (Part::CellWeights, &parts.cell_weights)]
                {
                    let value = values.get(cell).copied().unwrap_or(0.0);
                    if !(value.is_finite() && value >= 0.0) {
                        return Err(bad(part, value));
                    }
                }
                for teacher in 0..parts.teachers.len() {
                    let score = self.teacher(teacher, row, column);
                    if let Some(value) = score.filter(|score| !score.is_finite()) {
                        return Err(bad(Part::Teacher(teacher), value));
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
