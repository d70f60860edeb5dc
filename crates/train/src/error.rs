//! What can go wrong in training.

use ecphory_core::ErrorKind;

use crate::block::BlockError;
use crate::loss::{LossError, SpecError};
use crate::ragged::ShapeError;
use crate::regulariser::RegulariserError;

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

impl Error {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Io,
            Self::Loss(LossError::Spec(_)) | Self::LossSpec(_) => ErrorKind::Usage,
            Self::Block(_) | Self::Loss(_) | Self::Rows(_) | Self::Regulariser(_) => {
                ErrorKind::Input
            }
        }
    }
}
