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
    /// A collection named for the quickstart holds something else.
    #[error("{path} holds other documents or channels\nhint: name another place with --collection")]
    OtherDocuments {
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
    /// A collection in which something is wrong.
    #[error("{path} is not sound: {problems} problems")]
    Unsound {
        /// The path.
        path: String,
        /// How many.
        problems: usize,
    },
    /// What a claim says should be seen on the way was not.
    #[error("not seen: {says} ({seen})")]
    Mechanism {
        /// What should be seen.
        says: String,
        /// What was.
        seen: String,
    },
    /// An experiment that a lock file does not describe.
    #[error(
        "{path} is the lock of another experiment\n  {differences}\nhint: name another file for this one"
    )]
    OtherExperiment {
        /// The path.
        path: String,
        /// What differs, a line for each.
        differences: String,
    },
    /// A file that is no lock.
    #[error("{path} is no lock of an experiment: {why}")]
    NoLock {
        /// The path.
        path: String,
        /// What is wrong.
        why: String,
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
            Failure::Exists { .. }
            | Failure::NotOurs { .. }
            | Failure::OtherDocuments { .. }
            | Failure::OtherExperiment { .. } => ErrorKind::Conflict,
            Failure::NoLock { .. } => ErrorKind::Input,
            // Mechanisms do not hang on luck: where one is missing, something here is broken.
            Failure::Mechanism { .. } => ErrorKind::Bug,
            Failure::Unsound { .. } => ErrorKind::Corrupt,
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
                .or_else(|| {
                    cause.downcast_ref::<ecphory::model::Error>().map(ecphory::model::Error::kind)
                })
                .or_else(|| {
                    cause.downcast_ref::<ecphory::train::Error>().map(ecphory::train::Error::kind)
                })
                .or_else(|| cause.downcast_ref::<io::Error>().map(ErrorKind::of_io))
        })
        .unwrap_or(ErrorKind::Bug)
}

/// Returns an error with its causes, leaving out those that the text before names already.
pub fn message(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !message.contains(&cause) {
            message.push_str(": ");
            message.push_str(&cause);
        }
    }
    message
}

/// Whether the reader of our output went away, which is no failure of ours.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_message_says_everything_once() {
        let full = || io::Error::new(io::ErrorKind::StorageFull, "no space left");
        let error = Err::<(), _>(full()).context("cannot write x: no space left").unwrap_err();
        assert_eq!(message(&error), "cannot write x: no space left");
        assert_eq!(kind(&error), ErrorKind::Limit);
        let error = Err::<(), _>(full()).context("cannot write x").unwrap_err();
        assert_eq!(message(&error), "cannot write x: no space left");
    }
}
