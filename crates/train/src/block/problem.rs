//! What can be wrong with a block, and where.

use std::fmt;

/// A part of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The scores.
    Scores,
    /// Which cells count.
    Mask,
    /// The grades.
    Gold,
    /// A teacher, by its index.
    Teacher(usize),
    /// The weights of queries.
    Weights,
    /// The weights of cells.
    CellWeights,
    /// The owners of columns.
    Owners,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Scores => f.write_str("score"),
            Part::Mask => f.write_str("mask"),
            Part::Gold => f.write_str("gold target"),
            Part::Teacher(index) => write!(f, "score of teacher {index}"),
            Part::Weights => f.write_str("weight of queries"),
            Part::CellWeights => f.write_str("weight of cells"),
            Part::Owners => f.write_str("owner of columns"),
        }
    }
}

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// A block without cells.
    #[error(
        "a block needs a query and a candidate, found {queries} queries and {candidates} candidates"
    )]
    Empty {
        /// Its rows.
        queries: usize,
        /// Its columns.
        candidates: usize,
    },
    /// More cells than can be counted.
    #[error("a block has more cells than can be counted")]
    TooLarge,
    /// A part of another size.
    #[error(
        "{part}: a block of {queries} queries and {candidates} candidates needs {expected} values, found {got}"
    )]
    Length {
        /// Which part.
        part: Part,
        /// How long it is.
        got: usize,
        /// How long it should be.
        expected: usize,
        /// The rows of the block.
        queries: usize,
        /// Its columns.
        candidates: usize,
    },
    /// A number in a valid cell that cannot be.
    #[error(
        "{part} in row {row}, column {column}: {value} is no {}finite number",
        if matches!(part, Part::Gold | Part::CellWeights) { "non-negative " } else { "" }
    )]
    Cell {
        /// Which part.
        part: Part,
        /// The query.
        row: usize,
        /// The candidate.
        column: usize,
        /// The number.
        value: f32,
    },
    /// A weight of a query that cannot be.
    #[error("weight of row {row}: {value} is no non-negative finite number")]
    Weight {
        /// The query.
        row: usize,
        /// The number.
        value: f32,
    },
    /// A column of a query that does not exist.
    #[error("column {column} is said to come from query {owner}, but there are {queries} queries")]
    Owner {
        /// The column.
        column: usize,
        /// The query.
        owner: usize,
        /// How many there are.
        queries: usize,
    },
    /// Ids or grades of another number than the mask has cells.
    #[error("a mask of {queries} queries and {candidates} candidates got {got} {what}")]
    MaskInput {
        /// What was handed in.
        what: &'static str,
        /// How many.
        got: usize,
        /// The rows of the mask.
        queries: usize,
        /// Its columns.
        candidates: usize,
    },
}
