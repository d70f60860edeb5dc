//! What can be wrong with data to train on.

use ecphory_core::ErrorKind;

/// Why data cannot be trained on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// An id names two texts.
    #[error("the {what} `{id}` comes twice")]
    Twice {
        /// A query or a document.
        what: &'static str,
        /// Its id.
        id: String,
    },

    /// An id names nothing.
    #[error("no {what} has the id `{id}`")]
    Unknown {
        /// A query or a document.
        what: &'static str,
        /// The id.
        id: String,
    },

    /// A text that is to be learned from is empty.
    #[error("the {what} `{id}` has no text")]
    EmptyText {
        /// A query or a document.
        what: &'static str,
        /// Its id.
        id: String,
    },

    /// A query has judgments, but nothing to be near to.
    #[error("the query `{query}` has no relevant document; leave it out of the judgments")]
    NoPositive {
        /// Its id.
        query: String,
    },

    /// There is no pair.
    #[error("no query has a relevant document: there is nothing to train on")]
    NothingToTrainOn,
}

impl DataError {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}
