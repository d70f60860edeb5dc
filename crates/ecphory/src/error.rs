//! What can go wrong in the facade; the errors of the crates below come through as they are.

use std::io;
use std::path::PathBuf;

use ecphory_core::ErrorKind;

use crate::channel::ChannelError;
use crate::pipeline::PipelineError;
use crate::read::{BadDocument, Place};

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the engine. [`Error::kind`] says what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text crate refused.
    #[error(transparent)]
    Text(#[from] ecphory_text::Error),
    /// The index refused.
    #[error(transparent)]
    Index(#[from] ecphory_index::Error),
    /// The model crate refused.
    #[error(transparent)]
    Model(#[from] ecphory_model::Error),
    /// The evaluation crate refused.
    #[error(transparent)]
    Eval(#[from] ecphory_eval::Error),
    /// Training refused.
    #[error(transparent)]
    Train(#[from] ecphory_train::Error),
    /// A pipeline is wrong.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A requested channel is wrong.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A file of vectors cannot be made.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    /// The operating system refused; the message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file of documents cannot be read to its end.
    #[error("cannot read {} from line {line} on", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The line that could not be read.
        line: u64,
        /// What the system or the decompressor says.
        source: io::Error,
    },
    /// A document of a corpus is malformed.
    #[error("{}{}: {problem}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Document {
        /// The file.
        path: PathBuf,
        /// The line, where a file has several documents.
        line: Option<u64>,
        /// What is wrong.
        problem: BadDocument,
    },
    /// A document of a file whose id the collection has.
    #[error("{place}: the collection has a document `{id}` already\nhint: --upsert replaces it")]
    IdTaken {
        /// Where the document stands.
        place: Place,
        /// The id.
        id: String,
    },
    /// A document of a file that the collection does not take.
    #[error("{place}")]
    Refused {
        /// Where the document stands.
        place: Place,
        /// Why.
        source: Box<ecphory_index::Error>,
    },
    /// A corpus without documents.
    #[error("{} holds no documents{}", path.display(), if *skipped > 0 { format!(" ({skipped} were left out)") } else { String::new() })]
    EmptyCorpus {
        /// The file or folder.
        path: PathBuf,
        /// How many malformed ones were left out.
        skipped: usize,
    },
    /// A file whose format cannot be told.
    #[error(
        "{} has no known format; it should end in .jsonl, .tsv (with .gz or without), .txt, .md or .html", path.display()
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// There is no collection at a path.
    #[error("{} is no collection; `ecphory index` makes one", path.display())]
    NoCollection {
        /// The path.
        path: PathBuf,
    },
    /// A collection that was made, but to which nothing has been added.
    #[error("the collection {} has no documents yet; it begins to exist with the first that are added", path.display())]
    NothingAdded {
        /// The path.
        path: PathBuf,
    },
    /// There is something at the path where a collection is to be made.
    #[error("{} exists already; open it, or choose another path", path.display())]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// A path without a last component, such as `/`.
    #[error("{} cannot be the path of a collection: it has no name", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The model that is there now is not the one that a channel was filled with.
    #[error(
        "channel `{channel}` was filled by another model: `{model}` is now {found}, the collection has vectors of {expected}; restore that model, or index again"
    )]
    OtherModel {
        /// The channel.
        channel: String,
        /// The model's name or path.
        model: String,
        /// The fingerprint that the collection was made with.
        expected: String,
        /// The fingerprint of the model now.
        found: String,
    },
    /// A model that cannot score pairs.
    #[error("`{model}` cannot be opened as a cross-encoder: {source}")]
    CrossEncoder {
        /// The model's name or path.
        model: String,
        /// What is wrong with it.
        source: Box<ecphory_model::Error>,
    },
    /// An order without a field.
    #[error("{text:?} names no field to sort by; write it as `year` or `year:desc`")]
    Order {
        /// What was given.
        text: String,
    },
    /// A declaration of a field that is none.
    #[error("{text:?} declares no field; write it as `year:integer`")]
    FieldDeclaration {
        /// What was given.
        text: String,
    },
    /// A place for a backup that holds other files.
    #[error("{} holds other files; name an empty or new directory, or one with an earlier backup", path.display())]
    NoBackup {
        /// The path.
        path: PathBuf,
    },
    /// A number of hits that makes no sense.
    #[error("k has to be from 1 to {max}, found {k}")]
    Hits {
        /// The number asked for.
        k: usize,
        /// The largest there may be.
        max: usize,
    },
    /// Runs that cannot be fused as asked.
    #[error("cannot fuse runs: {problem}")]
    Fusion {
        /// What is wrong.
        problem: crate::pipeline::PipelineProblem,
    },
    /// A pool of threads could not be made.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system says.
        source: rayon::ThreadPoolBuildError,
    },
    /// The caller asked to stop.
    #[error("stopped on request while {doing}")]
    Interrupted {
        /// What was being done.
        doing: &'static str,
    },
}

impl Error {
    /// Returns the error's kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Text(error) => error.kind(),
            Error::Index(error) => error.kind(),
            Error::Model(error) => error.kind(),
            Error::Eval(error) => error.kind(),
            Error::Train(error) => error.kind(),
            Error::CrossEncoder { source, .. } => match **source {
                // Nothing is damaged: it is a model of another kind.
                ecphory_model::Error::MissingTensor { .. } => ErrorKind::Input,
                _ => source.kind(),
            },
            Error::Pipeline(_)
            | Error::Channel(_)
            | Error::NoName { .. }
            | Error::Order { .. }
            | Error::FieldDeclaration { .. }
            | Error::Hits { .. }
            | Error::Fusion { .. } => ErrorKind::Usage,
            Error::Export(error) => error.kind(),
            Error::Io(error) => ErrorKind::of_io(error),
            Error::Read { source, .. } => match source.kind() {
                // What a decompressor says of a broken file: the user's data, not a file of ours.
                io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::UnexpectedEof => ErrorKind::Input,
                _ => ErrorKind::of_io(source),
            },
            Error::Document { .. } | Error::EmptyCorpus { .. } | Error::UnknownFormat { .. } => {
                ErrorKind::Input
            }
            Error::NoCollection { .. } | Error::NothingAdded { .. } => ErrorKind::NotFound,
            Error::Refused { source, .. } => source.kind(),
            Error::IdTaken { .. }
            | Error::Exists { .. }
            | Error::NoBackup { .. }
            | Error::OtherModel { .. } => ErrorKind::Conflict,
            Error::Threads { .. } => ErrorKind::Limit,
            Error::Interrupted { .. } => ErrorKind::Interrupted,
        }
    }
}
