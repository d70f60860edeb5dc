//! What can be wrong with a loss: its specification, or the block it is asked about.

use std::fmt;

use ecphory_core::caret::caret;
use ecphory_core::nearest::hint;

/// A problem at a place of a specification; prints it with a caret below the place.
#[derive(Clone, Debug, PartialEq)]
pub struct SpecError {
    /// The whole specification.
    pub text: String,
    /// The byte of `text` where the problem begins.
    pub offset: usize,
    /// What is wrong there.
    pub problem: SpecProblem,
}

impl SpecError {
    pub(super) fn at(text: impl Into<String>, offset: usize, problem: SpecProblem) -> Self {
        Self { text: text.into(), offset, problem }
    }
}

impl std::error::Error for SpecError {}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss: {}\n{}", self.problem, caret(&self.text, self.offset))
    }
}

/// What is wrong with a specification.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecProblem {
    /// A loss without terms.
    #[error("a loss needs a term, such as `infonce(temperature=0.05)`")]
    NoTerm,
    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What may stand here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// A loss that does not exist.
    #[error("no loss is called `{name}`{}", hint(nearest.as_deref()))]
    UnknownLoss {
        /// As written.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// An option that the loss does not have.
    #[error("`{loss}` has no option `{name}`{}", hint(nearest.as_deref()))]
    UnknownOption {
        /// The loss.
        loss: &'static str,
        /// As written.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// An option twice.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// A value that the option cannot have.
    #[error("`{option}` has to be {expected}, found `{found}`")]
    Value {
        /// The option.
        option: &'static str,
        /// What it can be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Two options of which each excludes the other.
    #[error("`{first}` and `{second}` exclude each other: {reason}")]
    Exclusive {
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A weight that is no positive number.
    #[error("the weight of a term has to be a positive number, found `{0}`")]
    Weight(String),
}

/// Why a loss cannot be computed for a block.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// The loss itself is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A teacher that the block does not have.
    #[error("`{loss}` reads teacher {teacher}, but the block has {teachers}")]
    Teacher {
        /// The loss.
        loss: &'static str,
        /// The teacher's index.
        teacher: usize,
        /// How many there are.
        teachers: usize,
    },
    /// Columns that are not shared.
    #[error("`{loss}` compares queries by the columns that they share, but each has its own")]
    Unshared {
        /// The loss.
        loss: &'static str,
    },
    /// A target that the loss cannot have.
    #[error("`{loss}`: the target in row {row}, column {column} is {value}, not {expected}")]
    Target {
        /// The loss.
        loss: &'static str,
        /// The query.
        row: usize,
        /// The candidate.
        column: usize,
        /// The target.
        value: f32,
        /// What it can be.
        expected: &'static str,
    },
    /// A value that is too large to be represented.
    #[error("`{loss}` overflows: its value is {value}")]
    Value {
        /// The loss.
        loss: &'static str,
        /// The value.
        value: f64,
    },
    /// A derivative that is too large to be represented.
    #[error("the derivative by the score in row {row}, column {column} overflows: {value}")]
    Derivative {
        /// The query.
        row: usize,
        /// The candidate.
        column: usize,
        /// The derivative.
        value: f64,
    },
}
