//! What can go wrong in training.

use std::path::PathBuf;

use ecphory_core::ErrorKind;
use ecphory_core::nearest::hint;

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

    /// No recipe has this name.
    #[error("there is no recipe `{name}`, nor a file of that name{}", hint(nearest.as_deref()))]
    UnknownRecipe {
        /// The name as it was given.
        name: String,
        /// The nearest one.
        nearest: Option<String>,
    },

    /// A recipe is no TOML, or its settings are not those of a recipe.
    #[error("recipe `{source_name}`: {error}")]
    Recipe {
        /// The name, the file or the change.
        source_name: String,
        /// What the parser says, with the place.
        error: toml::de::Error,
    },

    /// A change of a setting is not written as one.
    #[error("`{assignment}` is not key=value")]
    Assignment {
        /// The change as it was given.
        assignment: String,
    },

    /// A change names no setting.
    #[error("there is no setting `{key}`{}", hint(nearest.as_deref()))]
    UnknownSetting {
        /// The name as it was given.
        key: String,
        /// The nearest one.
        nearest: Option<String>,
    },

    /// A setting has a value that means nothing.
    #[error("{key} has to be {range}")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// What it can be.
        range: &'static str,
    },

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

    /// A loss or a gradient stopped being a number.
    #[error("the {what} is not a number")]
    NotANumber {
        /// Which.
        what: &'static str,
    },

    /// Training left the numbers.
    #[error(
        "the {what} of step {step} is not a number (queries {}); the last good state is in {}; a lower optimiser.learning_rate may help",
        queries.join(", "),
        checkpoint.display()
    )]
    Diverged {
        /// The loss or the gradient.
        what: &'static str,
        /// The step, counted from 0.
        step: u64,
        /// The ids of the batch's queries.
        queries: Vec<String>,
        /// Where the last checkpoint is.
        checkpoint: PathBuf,
    },

    /// The model refused.
    #[error(transparent)]
    Model(#[from] ecphory_model::Error),

    /// Judging refused.
    #[error(transparent)]
    Eval(#[from] ecphory_eval::Error),

    /// There is no pair.
    #[error("no query has a relevant document: there is nothing to train on")]
    NothingToTrainOn,
}

impl Error {
    /// Returns the kind of error, which decides exit codes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Io,
            Self::OutputExists { .. } | Self::WorkExists { .. } | Self::OtherRun { .. } => {
                ErrorKind::Conflict
            }
            Self::Checkpoint { .. } | Self::CheckpointLacks { .. } => ErrorKind::Corrupt,
            Self::Model(error) => error.kind(),
            Self::Eval(error) => error.kind(),
            Self::Pooling { .. } | Self::NotANumber { .. } | Self::Diverged { .. } => {
                ErrorKind::Input
            }
            Self::UnknownRecipe { .. }
            | Self::Recipe { .. }
            | Self::Assignment { .. }
            | Self::UnknownSetting { .. }
            | Self::OutOfRange { .. } => ErrorKind::Usage,
            Self::Twice { .. }
            | Self::Unknown { .. }
            | Self::EmptyText { .. }
            | Self::NoPositive { .. }
            | Self::NothingToTrainOn => ErrorKind::Input,
        }
    }
}
