//! What can go wrong in training.

use std::path::PathBuf;

use ecphory_core::ErrorKind;
use ecphory_core::nearest::hint;
use ecphory_eval::lines::Stopped;

use crate::block::BlockError;
use crate::data::DataError;
use crate::lines::LineError;
use crate::loss::{LossError, SpecError};
use crate::optimiser::ParameterProblem;
use crate::ragged::ShapeError;
use crate::recipe::RecipeError;
use crate::regulariser::RegulariserError;
use crate::run::RunError;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong while training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the source names the path.
    #[error("cannot read or write: {source}")]
    Io {
        /// The operating system's error.
        #[from]
        source: std::io::Error,
    },

    /// The data cannot be trained on.
    #[error(transparent)]
    Data(#[from] DataError),

    /// The recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),

    /// A run cannot begin, go on or end.
    #[error(transparent)]
    Run(#[from] RunError),

    /// The model refused.
    #[error(transparent)]
    Model(#[from] ecphory_model::Error),

    /// Judging refused.
    #[error(transparent)]
    Eval(#[from] ecphory_eval::Error),

    /// A line of a file is not what it should be.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: LineError,
    },

    /// A file names queries or documents that are not there: it belongs to another collection.
    #[error(
        "{}: {count} of its {what} are not in this collection, the first in line {line}: {}",
        path.display(),
        first.join(", ")
    )]
    ForeignIds {
        /// The file.
        path: PathBuf,
        /// Queries or documents.
        what: &'static str,
        /// The first few unknown ids.
        first: Vec<String>,
        /// The line of the first.
        line: u64,
        /// How many lines name an unknown one.
        count: u64,
    },

    /// The same id names two things.
    #[error("{what} {first} and {second} have the same id `{id}`")]
    DuplicateId {
        /// Query or document.
        what: &'static str,
        /// The id.
        id: String,
        /// The number of the first, from 0.
        first: usize,
        /// The number of the second, from 0.
        second: usize,
    },

    /// A file scores a pair twice.
    #[error("{}: query `{query}` and document `{document}` are there twice", path.display())]
    DuplicatePair {
        /// The file.
        path: PathBuf,
        /// The query.
        query: String,
        /// The document.
        document: String,
    },

    /// A setting is out of its range.
    #[error("{setting}: expected {expected}, got {got}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What would have been right.
        expected: &'static str,
        /// What was found.
        got: String,
    },

    /// A spec string does not say what it should.
    #[error("{what} `{spec}`: expected {expected} at byte {offset}")]
    Spec {
        /// What it should describe.
        what: &'static str,
        /// The string.
        spec: String,
        /// Where it stops making sense.
        offset: usize,
        /// What was expected there.
        expected: String,
    },

    /// A parameter, its gradient or its remembered state does not fit.
    #[error("parameter `{parameter}`: {problem}")]
    Parameter {
        /// The parameter's name.
        parameter: String,
        /// What is wrong with it.
        problem: ParameterProblem,
    },

    /// There is nothing to draw from.
    #[error("there are no {what}")]
    Nothing {
        /// What there should be, in the plural.
        what: &'static str,
    },

    /// Something is there twice that may be there once.
    #[error("{what} {number} is there twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// Its number.
        number: u32,
    },

    /// A number leads outside of what it numbers.
    #[error("{what} {number}: there are {count}")]
    Outside {
        /// What it numbers.
        what: &'static str,
        /// The number, from 0.
        number: u64,
        /// How many there are.
        count: usize,
    },

    /// A query has no relevant document, so it cannot teach.
    #[error("query {query} has no positive document")]
    NoPositives {
        /// The query's number.
        query: u32,
    },

    /// A document is positive and negative for one query.
    #[error("document {document} is a positive and a negative of query {query}")]
    PositiveNegative {
        /// The query's number.
        query: u32,
        /// The document's number.
        document: u32,
    },

    /// Values are not a whole number of rows, or rows of two matrices differ in length.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// Which values.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        got: usize,
    },

    /// A value is NaN or infinite.
    #[error("{what} {row}: value {column} is {value}")]
    NotFinite {
        /// What the rows are.
        what: &'static str,
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value.
        value: f32,
    },

    /// A teacher has no score for a pair.
    #[error("the teacher has no score for document {document} and query {query}")]
    NoScore {
        /// The query's number.
        query: u32,
        /// The document's number.
        document: u32,
    },

    /// A recipe names a ranker that the run does not have.
    #[error("there is no {what} `{name}` here; known are: {known}")]
    UnknownSource {
        /// What it is for.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that are known.
        known: String,
    },

    /// No claim has this name.
    #[error("there is no claim `{name}`{}", hint(nearest.as_deref()))]
    UnknownClaim {
        /// The name as it was given.
        name: String,
        /// The nearest one.
        nearest: Option<String>,
    },

    /// A search that was handed in failed.
    #[error("searching failed: {source}")]
    Search {
        /// The kind of the searcher's error.
        kind: ErrorKind,
        /// The searcher's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A block of scores is not what it should be.
    #[error(transparent)]
    Block(#[from] BlockError),

    /// A loss cannot be computed.
    #[error(transparent)]
    Loss(#[from] LossError),

    /// The specification of a loss is wrong.
    #[error(transparent)]
    LossSpec(#[from] SpecError),

    /// Vectors, heads or scorers do not fit to each other.
    #[error(transparent)]
    Rows(#[from] ShapeError),

    /// A penalty cannot be computed.
    #[error(transparent)]
    Regulariser(#[from] RegulariserError),
}

impl From<Stopped<LineError>> for Error {
    fn from(stopped: Stopped<LineError>) -> Self {
        match stopped {
            Stopped::Io(source) => Error::Io { source },
            Stopped::Line { path, line, reason } => Error::Line { path, line, reason },
        }
    }
}

impl Error {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source } => ErrorKind::of_io(source),
            Self::Setting { .. }
            | Self::Spec { .. }
            | Self::UnknownSource { .. }
            | Self::UnknownClaim { .. }
            | Self::Loss(LossError::Spec(_))
            | Self::LossSpec(_) => ErrorKind::Usage,
            Self::Line { .. }
            | Self::ForeignIds { .. }
            | Self::DuplicateId { .. }
            | Self::DuplicatePair { .. }
            | Self::Parameter { .. }
            | Self::Nothing { .. }
            | Self::Twice { .. }
            | Self::Outside { .. }
            | Self::NoPositives { .. }
            | Self::PositiveNegative { .. }
            | Self::Shape { .. }
            | Self::NotFinite { .. }
            | Self::NoScore { .. } => ErrorKind::Input,
            Self::Search { kind, .. } => *kind,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Data(error) => error.kind(),
            Self::Recipe(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Model(error) => error.kind(),
            Self::Eval(error) => error.kind(),
            Self::Block(_) | Self::Loss(_) | Self::Rows(_) | Self::Regulariser(_) => {
                ErrorKind::Input
            }
        }
    }
}
