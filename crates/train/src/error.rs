//! What can go wrong in training.

use ecphory_core::ErrorKind;

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

impl Error {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Io,
            Self::Twice { .. }
            | Self::Unknown { .. }
            | Self::EmptyText { .. }
            | Self::NoPositive { .. }
            | Self::NothingToTrainOn => ErrorKind::Input,
        }
    }
}
