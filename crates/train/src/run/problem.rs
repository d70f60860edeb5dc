//! What can go wrong with a run.

use std::path::PathBuf;

use ecphory_core::ErrorKind;

/// Why a run cannot begin, go on or end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The model to be made is there already.
    #[error("{} exists already; name another place or take it away first", path.display())]
    OutputExists {
        /// Where.
        path: PathBuf,
    },

    /// A run was left where this one would begin.
    #[error("{} holds a training that was interrupted; --resume goes on with it", path.display())]
    WorkExists {
        /// Where.
        path: PathBuf,
    },

    /// The run that was left is another one.
    #[error("the training to go on with has another {what}")]
    OtherRun {
        /// What is not the same.
        what: &'static str,
    },

    /// A checkpoint is damaged, or cannot be made.
    #[error("{}: {why}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },

    /// A checkpoint does not have what it should.
    #[error("the checkpoint lacks `{what}`, or has another one")]
    CheckpointLacks {
        /// What.
        what: String,
    },

    /// The model makes vectors in a way that is not trained.
    #[error("training knows the poolings mean, cls and last token, not {found}")]
    Pooling {
        /// What the model has.
        found: String,
    },

    /// States of tokens are to be read, and there is no place where they are kept.
    #[error("the tier `states` needs a cache of encodings")]
    NoCache,

    /// No model directory holds what would be learned.
    #[error(
        "no layout of a model directory holds the matching function `{matching}`: it is for studies"
    )]
    NoLayout {
        /// Its spec string.
        matching: String,
    },

    /// A loss or a gradient stopped being a number.
    #[error("the {what} is not a number")]
    NotANumber {
        /// Which.
        what: &'static str,
    },

    /// Training left the numbers.
    #[error(
        "the {what} of step {step} is not a number ({of} {}); the last good state is in {}; a lower optimiser.learning_rate may help",
        texts.join(", "),
        checkpoint.display()
    )]
    Diverged {
        /// The loss or the gradient.
        what: &'static str,
        /// The step, counted from 0.
        step: u64,
        /// What texts a batch is of: queries, or documents.
        of: &'static str,
        /// Their ids.
        texts: Vec<String>,
        /// Where the last checkpoint is.
        checkpoint: PathBuf,
    },
}

impl RunError {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OutputExists { .. } | Self::WorkExists { .. } | Self::OtherRun { .. } => {
                ErrorKind::Conflict
            }
            Self::Checkpoint { .. } | Self::CheckpointLacks { .. } => ErrorKind::Corrupt,
            Self::NoLayout { .. } | Self::NoCache => ErrorKind::Usage,
            Self::Pooling { .. } | Self::NotANumber { .. } | Self::Diverged { .. } => {
                ErrorKind::Input
            }
        }
    }
}
