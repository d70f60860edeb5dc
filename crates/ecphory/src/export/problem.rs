//! What can go wrong with a file of vectors.

use std::path::PathBuf;

use ecphory_core::ErrorKind;

use crate::read::Place;

/// An error of [`super::VectorExport`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// An extension that stands for no format.
    #[error("{} has no known format for vectors; it should end in .npy, .safetensors, .parquet or .jsonl", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// 16-bit values in a format that has none.
    #[error("f16 is for .npy and .safetensors, {} has 32-bit values", path.display())]
    NoHalf {
        /// The file.
        path: PathBuf,
    },
    /// There is something at the path.
    #[error("{} exists already\nhint: --replace makes it anew", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// An earlier run was interrupted, and this one would throw its work away.
    #[error("{} was begun before and holds {texts} texts\nhint: --resume goes on, --replace starts anew", path.display())]
    Unfinished {
        /// The file that was begun.
        path: PathBuf,
        /// How many texts it has.
        texts: u64,
    },
    /// Another process writes the same file.
    #[error("{} is being written by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The run to go on with was made with another setting.
    #[error("cannot go on with {}: {setting} was {before}, and is {now} now\nhint: --replace starts anew", path.display())]
    Differs {
        /// The file that was begun.
        path: PathBuf,
        /// What differs.
        setting: String,
        /// Its value then.
        before: String,
        /// Its value now.
        now: String,
    },
    /// The input does not begin with what was encoded.
    #[error("cannot go on with {}: the input does not begin with the {texts} texts that were encoded\nhint: --replace starts anew", path.display())]
    InputChanged {
        /// The file that was begun.
        path: PathBuf,
        /// How many texts were encoded.
        texts: u64,
    },
    /// What was begun cannot be gone on with.
    #[error("cannot go on with {}: {problem}\nhint: --replace starts anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A line of ids that is malformed.
    #[error("`{line}` is no id")]
    IdLine {
        /// The line.
        line: String,
    },
    /// A value that 16 bits cannot hold.
    #[error("{place}: {value} in the vector is too large for f16\nhint: write f32")]
    Overflow {
        /// Where the text stands.
        place: Place,
        /// The value.
        value: f32,
    },
    /// A text that the encoder refuses.
    #[error("{place}")]
    Text {
        /// Where the text stands.
        place: Place,
        /// Why.
        source: Box<crate::Error>,
    },
}

impl ExportError {
    /// Returns what the caller has to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            ExportError::UnknownFormat { .. } | ExportError::NoHalf { .. } => ErrorKind::Usage,
            ExportError::Exists { .. }
            | ExportError::Unfinished { .. }
            | ExportError::Busy { .. }
            | ExportError::Differs { .. }
            | ExportError::InputChanged { .. } => ErrorKind::Conflict,
            ExportError::Damaged { .. } | ExportError::IdLine { .. } => ErrorKind::Corrupt,
            ExportError::Overflow { .. } => ErrorKind::Input,
            ExportError::Text { source, .. } => source.kind(),
        }
    }
}
