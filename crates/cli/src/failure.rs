//! From an error of any crate to its kind, and the errors of the command itself.

use std::io;

use ecphory::ErrorKind;

/// What goes wrong in the command itself.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Options that contradict each other or the data.
    #[error("{0}")]
    Usage(&'static str),
    /// The home directory is unknown, so there is no place for the cache.
    #[error("no place for the cache: neither ECPHORY_CACHE nor HOME is set")]
    NoCache,
    /// The collection to be made is there already.
    #[error("{path} exists already\nhint: --replace makes it anew, --resume goes on filling it")]
    Exists {
        /// The path.
        path: String,
    },
    /// Something that --replace would remove is no collection.
    #[error("{path} exists and is no collection, so --replace leaves it alone")]
    NotOurs {
        /// The path.
        path: String,
    },
    /// A document asked for is not in the collection.
    #[error("there is no document `{id}`")]
    NoDocument {
        /// The id.
        id: String,
    },
    /// A baseline that is not among the runs.
    #[error("the baseline `{name}` is not among {among}")]
    NoBaseline {
        /// The name given.
        name: String,
        /// The names there are.
        among: String,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted: {0}")]
    Interrupted(String),
}

impl Failure {
    fn kind(&self) -> ErrorKind {
        match self {
            Failure::Usage(_) | Failure::NoBaseline { .. } => ErrorKind::Usage,
            Failure::NoCache | Failure::NoDocument { .. } => ErrorKind::NotFound,
            Failure::Exists { .. } | Failure::NotOurs { .. } => ErrorKind::Conflict,
            Failure::Interrupted(_) => ErrorKind::Interrupted,
        }
    }
}

/// Returns the kind of an error: that of the first cause that has one.
pub fn kind(error: &anyhow::Error) -> ErrorKind {
    error
        .chain()
        .find_map(|cause| {
            let known = cause.downcast_ref::<Failure>().map(Failure::kind);
            known
                .or_else(|| cause.downcast_ref::<ecphory::Error>().map(ecphory::Error::kind))
                .or_else(|| {
                    cause.downcast_ref::<ecphory::eval::Error>().map(ecphory::eval::Error::kind)
                })
                .or_else(|| cause.downcast_ref::<io::Error>().map(ErrorKind::of_io))
        })
        .unwrap_or(ErrorKind::Bug)
}

/// Whether the reader of our output went away, which is no failure of ours.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}
