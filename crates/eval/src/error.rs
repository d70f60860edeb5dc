//! What can go wrong while judging: bad files, unknown names, samples too small to test.

use std::path::PathBuf;

use ecphory_core::ErrorKind;
use ecphory_core::nearest::hint;

use crate::lines::{RawLineError, Stopped};

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong while reading, judging or comparing.
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

    /// A file that has to hold something holds nothing.
    #[error("{} holds no {what}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it should hold, in the plural.
        what: &'static str,
    },

    /// A run that was handed in contradicts itself, or cannot be written in six columns.
    #[error("run `{tag}`, query `{query}`, document `{document}`: {reason}")]
    Run {
        /// The run's tag.
        tag: String,
        /// The query.
        query: String,
        /// The document.
        document: String,
        /// What is wrong with it.
        reason: Box<LineError>,
    },

    /// No metric has this name.
    #[error("no metric is called `{name}`{}", hint(nearest.as_deref()))]
    UnknownMetric {
        /// The name as it was given.
        name: String,
        /// The closest name that exists.
        nearest: Option<String>,
    },

    /// A metric's parameter is unknown, missing, or out of its range.
    #[error("metric `{metric}`: {parameter}: expected {expected}, got `{got}`")]
    MetricParameter {
        /// The metric as it was given.
        metric: String,
        /// The parameter.
        parameter: String,
        /// What would have been right.
        expected: String,
        /// What was found.
        got: String,
    },

    /// The text is not of the form `NAME(key=value, ...)@cutoff`.
    #[error("metric `{metric}`: expected {expected} at byte {offset}")]
    MetricSyntax {
        /// The metric as it was given.
        metric: String,
        /// Where the text stops making sense.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },

    /// Two samples that are compared query by query differ in length.
    #[error("paired samples differ in length: {left} and {right}")]
    UnequalSamples {
        /// The length of the first.
        left: usize,
        /// The length of the second.
        right: usize,
    },

    /// A test needs more queries than there are.
    #[error("{test} needs at least {needed} queries, got {got}")]
    TooFewQueries {
        /// The test.
        test: &'static str,
        /// How many it needs.
        needed: usize,
        /// How many there are.
        got: usize,
    },

    /// A setting of a test or a comparison is out of its range.
    #[error("{setting}: expected {expected}, got {got}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What would have been right.
        expected: &'static str,
        /// What was found.
        got: String,
    },

    /// The judgments hold no query that a metric could be averaged over.
    #[error("data set `{dataset}` has no judged query for {metric}")]
    NothingJudged {
        /// The data set.
        dataset: String,
        /// The metric.
        metric: String,
    },

    /// No data set of this name lies in the folders searched.
    #[error("no data set `{name}`{}", listed("; there are", available))]
    DatasetNotFound {
        /// The name as it was given.
        name: String,
        /// The data sets that were found.
        available: Vec<String>,
    },

    /// The data set has no such split.
    #[error("data set {} has no split `{split}`{}", path.display(), listed("; it has", available))]
    SplitNotFound {
        /// The data set's folder.
        path: PathBuf,
        /// The split as it was given.
        split: String,
        /// The splits it has.
        available: Vec<String>,
    },

    /// A folder lacks a file that makes it a data set.
    #[error("{} is not a data set: it has no {file}", path.display())]
    NotADataset {
        /// The folder.
        path: PathBuf,
        /// The missing file.
        file: &'static str,
    },

    /// A folder that is to be made is there.
    #[error("{} exists already; name another place", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },

    /// A judgment cannot be written in three columns.
    #[error("the id `{id}` of a judgment: {reason}")]
    Judgment {
        /// The id of the query or the document.
        id: String,
        /// What is wrong with it.
        reason: Box<LineError>,
    },

    /// The judgments name a query whose text is not there.
    #[error("{}: the judgments name query `{query}`, which has no text", path.display())]
    QueryWithoutText {
        /// The file of queries.
        path: PathBuf,
        /// The query.
        query: String,
    },
}

/// What is wrong with one line, or with one entry of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The line is no text.
    #[error(transparent)]
    Raw(#[from] RawLineError),
    /// The number of columns is wrong.
    #[error("expected {expected}, got {got} columns")]
    Columns {
        /// The columns there should be.
        expected: &'static str,
        /// How many there are.
        got: usize,
    },
    /// A value does not parse.
    #[error("{column}: expected {expected}, got `{got}`")]
    Value {
        /// The column or key.
        column: &'static str,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// The line is not the JSON object it should be.
    #[error("not a query: {source}")]
    Json {
        /// The parser's error.
        source: serde_json::Error,
    },
    /// The same query and document again.
    #[error("query `{query}` and document `{document}` were there before")]
    Duplicate {
        /// The query.
        query: String,
        /// The document.
        document: String,
    },
    /// The same query and document again, with another judgment.
    #[error("query `{query}` and document `{document}` were judged {before} before, {now} here")]
    Conflict {
        /// The query.
        query: String,
        /// The document.
        document: String,
        /// The earlier judgment.
        before: i32,
        /// This line's judgment.
        now: i32,
    },
    /// The same query id again.
    #[error("query `{query}` was there before")]
    DuplicateQuery {
        /// The query.
        query: String,
    },
    /// An id that holds a tab or a line end, has blanks at an end, or is empty cannot be a column.
    #[error(
        "an id that is empty, holds a tab or a line end, or begins or ends with white space cannot be written as a column"
    )]
    NotAColumn,
    /// The score is not a number.
    #[error("the score is NaN")]
    Nan,
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
    /// Returns the kind, which decides the command's exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io { source } => ErrorKind::of_io(source),
            Error::OutputExists { .. } => ErrorKind::Conflict,
            Error::Line { .. }
            | Error::Empty { .. }
            | Error::Run { .. }
            | Error::NothingJudged { .. }
            | Error::TooFewQueries { .. }
            | Error::Judgment { .. }
            | Error::QueryWithoutText { .. } => ErrorKind::Input,
            Error::UnknownMetric { .. }
            | Error::MetricParameter { .. }
            | Error::MetricSyntax { .. }
            | Error::UnequalSamples { .. }
            | Error::Setting { .. } => ErrorKind::Usage,
            Error::DatasetNotFound { .. }
            | Error::SplitNotFound { .. }
            | Error::NotADataset { .. } => ErrorKind::NotFound,
        }
    }
}

fn listed(lead: &str, names: &[String]) -> String {
    if names.is_empty() {
        return "; the folders searched hold none".to_owned();
    }
    format!("{lead} {}", names.join(", "))
}
