//! One row of a block as a loss reads it: the cells that count, gathered, in double precision.

use super::options::Words;
use super::problem::LossError;
use crate::block::{Block, Columns};

/// Which way a block is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Each query chooses among candidates: negatives are drawn from the candidates' side.
    #[default]
    A,
    /// Each relevant candidate chooses among queries. Needs shared columns; columns without a grade, such as those of a
    /// queue, choose nothing.
    B,
    /// The mean of both.
    Both,
}

impl Words for Side {
    const WORDS: &'static [(&'static str, Self)] =
        &[("a", Side::A), ("b", Side::B), ("both", Side::Both)];
}

/// Who brought a candidate into the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The query of this row, or nobody else.
    Own,
    /// Another query, for which it is relevant.
    OtherPositive,
    /// Another query, or a queue; relevant for no query of the block.
    OtherNegative,
}

/// The cells of a row that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// Where each cell lies in the block.
    pub cells: Vec<usize>,
    pub scores: Vec<f64>,
    pub gold: Vec<f64>,
    /// What the teacher says; empty where the loss reads none, `None` where the teacher does not know.
    pub teacher: Vec<Option<f64>>,
    pub weights: Vec<f64>,
    pub origins: Vec<Origin>,
}

/// What a loss makes of a row, beside the derivatives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub value: f64,
    /// Of a hinge: how many pairs are not yet satisfied, and how many there are.
    pub active: usize,
    pub pairs: usize,
}

impl From<f64> for Outcome {
    fn from(value: f64) -> Self {
        Self { value, ..Self::default() }
    }
}

/// A loss that looks at one row at a time.
pub(super) trait RowLoss {
    /// Computes the loss of a row and writes its derivative by each score into `slopes`, which come as zeros; `None` where the
    /// row lacks what it takes.
    fn row(&self, row: &Row, slopes: &mut [f64]) -> Option<Outcome>;

    /// The teacher it reads.
    fn teacher(&self) -> Option<usize> {
        None
    }

    /// Whether cells that the teacher does not know stay in the row.
    fn keeps_unknown(&self) -> bool {
        false
    }

    /// Which way it reads the block.
    fn side(&self) -> Side {
        Side::A
    }

    /// Whether columns have to be shared, sides apart.
    fn needs_shared(&self) -> bool {
        false
    }

    /// Checks what no row can see.
    fn check(&self, _block: &Block) -> Result<(), LossError> {
        Ok(())
    }
}

/// The rows of a block, or its columns.
pub(super) struct Lines<'a> {
    block: &'a Block,
    by_column: bool,
    /// Whether any query grades a column.
    graded: Vec<bool>,
}

impl<'a> Lines<'a> {
    pub fn rows(block: &'a Block) -> Self {
        let graded = (0..block.candidates())
            .map(|column| {
                (0..block.queries())
                    .any(|row| block.counts(row, column) && block.gold(row, column) > 0.0)
            })
            .collect();
        Self { block, by_column: false, graded }
    }

    /// The columns that some query grades.
    pub fn columns(block: &'a Block) -> Self {
        Self { by_column: true, ..Self::rows(block) }
    }

    /// The numbers of the lines.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        let count = if self.by_column { self.block.candidates() } else { self.block.queries() };
        (0..count).filter(|&line| !self.by_column || self.graded[line])
    }

    /// The weight of a line: that of its query, or of the query that brought the candidate.
    pub fn weight(&self, line: usize) -> f64 {
        if !self.by_column {
            return f64::from(self.block.weight(line));
        }
        match self.block.columns() {
            Columns::Shared(owners) => {
                owners[line].map_or(1.0, |row| self.block.weight(row).into())
            }
            Columns::Own => 1.0,
        }
    }

    /// Gathers the cells of a line that count.
    pub fn gather(&self, line: usize, loss: &dyn RowLoss) -> Row {
        let block = self.block;
        let mut row = Row::default();
        let length = if self.by_column { block.queries() } else { block.candidates() };
        for place in 0..length {
            let (query, candidate) = if self.by_column { (place, line) } else { (line, place) };
            if !block.counts(query, candidate) {
                continue;
            }
            if let Some(index) = loss.teacher() {
                let score = block.teacher(index, query, candidate).map(f64::from);
                if score.is_none() && !loss.keeps_unknown() {
                    continue;
                }
                row.teacher.push(score);
            }
            let cell = block.cell(query, candidate);
            row.cells.push(cell);
            row.scores.push(block.scores()[cell].into());
            row.gold.push(block.gold(query, candidate).into());
            row.weights.push(block.cell_weight(query, candidate).into());
            row.origins.push(self.origin(query, candidate));
        }
        row
    }

    fn origin(&self, query: usize, candidate: usize) -> Origin {
        match self.block.columns() {
            Columns::Own => Origin::Own,
            Columns::Shared(owners) if owners[candidate] == Some(query) => Origin::Own,
            Columns::Shared(_) if self.graded[candidate] => Origin::OtherPositive,
            Columns::Shared(_) => Origin::OtherNegative,
        }
    }
}

impl Row {
    /// The target of each cell: what the teacher says, where the loss reads one, or else the grade.
    pub fn targets(&self) -> Vec<f64> {
        if self.teacher.is_empty() {
            return self.gold.clone();
        }
        self.teacher.iter().map(|score| score.unwrap_or(0.0)).collect()
    }
}
