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
}

impl Error {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Io,
        }
    }
}
