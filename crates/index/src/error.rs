//! What can go wrong in a collection.

use std::io;

use ecphory_core::caret::caret;
use ecphory_core::nearest::hint;
use ecphory_core::{DocAddress, ErrorKind};

use crate::FieldKind;
use crate::filter::FilterProblem;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of a collection. [`Error::kind`] says what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file fails its checksum or its own structure, or is missing.
    #[error("{file} is corrupt at byte {offset}: {what}")]
    Corrupt {
        /// The file inside the collection.
        file: String,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A file was written by a newer version of the engine.
    #[error(
        "{file} has format version {found}, this program reads version {known}; use a newer one"
    )]
    Version {
        /// The file inside the collection.
        file: String,
        /// The version in the file.
        found: u32,
        /// The version this program reads.
        known: u32,
    },
    /// The storage refused.
    #[error("cannot {action} {file}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file or folder inside the collection.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is no collection in the storage.
    #[error("there is no collection here: no CURRENT and no manifest")]
    NoCollection,
    /// The storage already holds a collection.
    #[error("there is a collection here already; open it instead, or choose another place")]
    CollectionExists,
    /// Another writer holds the lock.
    #[error(
        "another writer has the collection open; wait until it is done (readers are never locked out)"
    )]
    Locked,
    /// An earlier write failed, so that the state of the files it touched is unknown.
    #[error(
        "this writer stopped after a failed write; open a new one, which starts from the last commit"
    )]
    WriterStopped,
    /// The progress said to stop.
    #[error("stopped on request; nothing of the batch was kept")]
    Interrupted,
    /// Two documents have the same id.
    #[error("the id {id:?} is there twice: {place}")]
    DuplicateId {
        /// The id.
        id: String,
        /// Where the other one is.
        place: DuplicatePlace,
    },
    /// A document cannot be stored.
    #[error("document {document:?}: {fault}")]
    Document {
        /// The document's id, or its place in the batch where the id is what is wrong.
        document: String,
        /// What is wrong.
        fault: DocumentFault,
    },
    /// A term of a query with a weight that cannot be.
    #[error("channel {channel:?}, the query: the weight of {term:?} is no number from 0 to 10^15")]
    TermWeight {
        /// The channel.
        channel: String,
        /// The term.
        term: String,
    },
    /// A vector or its counts do not fit.
    #[error("channel {channel:?}, {subject}: {fault}")]
    Vector {
        /// The channel.
        channel: String,
        /// Which vector: `the query`, `row 3 of document 17`.
        subject: String,
        /// What is wrong.
        fault: VectorFault,
    },
    /// The schema cannot be used.
    #[error("the schema's channel {channel:?}: {fault}")]
    Schema {
        /// The channel.
        channel: String,
        /// What is wrong.
        fault: SchemaFault,
    },
    /// No channel has this name.
    #[error("there is no channel `{name}`, the collection has {}{}", .channels.join(", "), hint(nearest.as_deref()))]
    UnknownChannel {
        /// The name asked for.
        name: String,
        /// The channel with the most similar name, where one is similar.
        nearest: Option<String>,
        /// All channels.
        channels: Vec<String>,
    },
    /// A channel is of another kind than the call needs.
    #[error("channel {name:?} is {found}, not {expected}")]
    ChannelKind {
        /// The channel.
        name: String,
        /// The kind the call needs.
        expected: &'static str,
        /// The kind the channel has.
        found: &'static str,
    },
    /// A filter cannot be parsed, or does not fit the fields of the collection.
    #[error("filter: {problem}\n{}", caret(text, *offset))]
    Filter {
        /// The filter.
        text: String,
        /// The byte of `text` where the problem is.
        offset: usize,
        /// What is wrong there.
        problem: FilterProblem,
    },
    /// A declared field cannot be used.
    #[error("the schema's field {field:?}: {fault}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong.
        fault: FieldFault,
    },
    /// No field has this name.
    #[error("there is no field `{name}`: it is not declared, and no document has it{}", hint(nearest.as_deref()))]
    UnknownField {
        /// The name asked for.
        name: String,
        /// The field with the most similar name, where one is similar.
        nearest: Option<String>,
    },
    /// No kind of field has this name.
    #[error("there is no kind of field `{name}`, only {}{}", FieldKind::ALL.map(FieldKind::name).join(", "), hint(nearest.as_deref()))]
    UnknownFieldKind {
        /// The name asked for.
        name: String,
        /// The kind with the most similar name, where one is similar.
        nearest: Option<String>,
    },
    /// An address points outside the snapshot.
    #[error("no document {} in segment {} of this snapshot; an address is good only for the snapshot that gave it", .at.doc, .at.segment)]
    Address {
        /// The address.
        at: DocAddress,
    },
    /// A selection was made by another snapshot.
    #[error("the selection was made on another snapshot; select again on this one")]
    ForeignSelection,
    /// A backup would be written over another collection.
    #[error("the target holds another collection than the one to back up; name an empty place")]
    ForeignBackup,
    /// A number of things passes what the format can hold.
    #[error("{got} {what}, the limit is {limit}; split the batch")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        got: u64,
        /// How many there may be.
        limit: u64,
    },
}

/// Where the other document with the same id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DuplicatePlace {
    /// In the same batch.
    #[error("documents {first} and {second} of the batch (counted from 0)")]
    Batch {
        /// Position of the first one.
        first: usize,
        /// Position of the second one.
        second: usize,
    },
    /// In the collection.
    #[error("the collection already has it, and document {position} of the batch (counted from 0)")]
    Collection {
        /// Position in the batch.
        position: usize,
    },
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentFault {
    /// The id is the empty string.
    #[error("the id is empty")]
    EmptyId,
    /// The id is too long.
    #[error("the id has {got} bytes, the limit is {limit}")]
    LongId {
        /// The id's length.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// No channel finds any text.
    #[error("no text in any field that a channel covers ({fields})")]
    NoText {
        /// The fields, separated by commas.
        fields: String,
    },
    /// A number is NaN or infinite.
    #[error("field {field:?} holds a number that is not finite")]
    NotFinite {
        /// The field.
        field: String,
    },
    /// A list in a list in a list and so on.
    #[error("field {field:?} has lists nested more than {limit} deep")]
    DeepList {
        /// The field.
        field: String,
        /// The limit.
        limit: usize,
    },
    /// A field name that cannot be used.
    #[error("field {field:?} cannot be stored: the name is {problem}")]
    FieldName {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A value that is not of the declared kind of its field.
    #[error("field {field:?} is declared {kind} and takes {expected}, found {found}")]
    Type {
        /// The field.
        field: String,
        /// Its declared kind.
        kind: FieldKind,
        /// What values of that kind are.
        expected: String,
        /// The value.
        found: String,
    },
    /// The document is too large.
    #[error("the document has {got} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size.
        got: usize,
        /// The limit.
        limit: usize,
    },
}

/// What is wrong with a vector or with a block of rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorFault {
    /// The length does not match.
    #[error("{got} values where {expected} are expected")]
    Length {
        /// The channel's dimensions, or rows times dimensions.
        expected: u64,
        /// How many came.
        got: u64,
    },
    /// A coordinate is NaN or infinite.
    #[error("coordinate {coordinate} is not a finite number")]
    NotFinite {
        /// Which coordinate.
        coordinate: usize,
    },
    /// The vector's norm is so large that a dot product could overflow.
    #[error("the vector's length (Euclidean norm) is above 1e18")]
    TooLong,
    /// A sparse channel's rows have no terms, or a dense one's have.
    #[error("{got} terms where {expected} are expected")]
    Terms {
        /// As many as there are rows, or none.
        expected: u64,
        /// How many came.
        got: u64,
    },
    /// A term that the vocabulary does not have.
    #[error("term {term} is not in the vocabulary, which has {terms}")]
    UnknownTerm {
        /// The term.
        term: u32,
        /// How many terms there are.
        terms: u32,
    },
    /// A term that does not come after the one before it.
    #[error("term {term} is there twice or out of order; terms increase")]
    TermOrder {
        /// The term.
        term: u32,
    },
    /// A weight that is no number above 0, or too large.
    #[error("the weight of term {term} is not a number above 0 and up to 1e15")]
    Weight {
        /// The term.
        term: u32,
    },
    /// The channel's rows come a second time in a batch.
    #[error("its rows come twice")]
    Twice,
    /// More documents than the next gap has.
    #[error("counts for {got} documents, but the next gap (in segment {segment}) has {expected}")]
    PastGap {
        /// How many documents are missing there.
        expected: u32,
        /// How many came.
        got: u64,
        /// The segment's position.
        segment: u32,
    },
}

/// What is wrong with a schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaFault {
    /// No channels at all.
    #[error("a collection needs at least one channel")]
    NoChannels,
    /// A name that cannot be used.
    #[error(
        "a channel's name is a letter followed by at most 63 letters, digits, `_` and `-` (ASCII)"
    )]
    Name,
    /// Two channels with the same name.
    #[error("two channels have this name")]
    DuplicateName,
    /// No fields, or the same field twice, or an empty name.
    #[error("the fields must be named, different from each other, and at least one")]
    Fields,
    /// A setting outside its range.
    #[error("{setting} must be {range}")]
    Range {
        /// The setting.
        setting: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// The analyser's spec cannot be parsed.
    #[error("the analyser {spec:?}: {source}")]
    Analyzer {
        /// The spec.
        spec: String,
        /// What the analyser says.
        source: Box<ecphory_text::Error>,
    },
}

/// What is wrong with a declared field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldFault {
    /// No name.
    #[error("the name is empty")]
    EmptyName,
    /// The name that filters use for ids.
    #[error("the name is that of the id")]
    IdName,
    /// Two fields with the same name.
    #[error("two fields have this name")]
    DuplicateName,
    /// A channel sees only texts.
    #[error("channel {channel:?} covers it, so it has to be text or keyword, not {kind}")]
    Covered {
        /// The channel.
        channel: String,
        /// The declared kind.
        kind: FieldKind,
    },
}

impl Error {
    /// Returns the error's kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Corrupt { .. } => ErrorKind::Corrupt,
            Error::Io { source, .. } => ErrorKind::of_io(source),
            Error::WriterStopped => ErrorKind::Io,
            Error::NoCollection => ErrorKind::NotFound,
            Error::CollectionExists
            | Error::ForeignBackup
            | Error::Locked
            | Error::DuplicateId { .. } => ErrorKind::Conflict,
            Error::Interrupted => ErrorKind::Interrupted,
            Error::Document { fault: DocumentFault::TooLarge { .. }, .. }
            | Error::TooMany { .. } => ErrorKind::Limit,
            Error::Document { .. } | Error::Vector { .. } | Error::TermWeight { .. } => {
                ErrorKind::Input
            }
            Error::Version { .. }
            | Error::Schema { .. }
            | Error::UnknownChannel { .. }
            | Error::ChannelKind { .. }
            | Error::Filter { .. }
            | Error::Field { .. }
            | Error::UnknownField { .. }
            | Error::UnknownFieldKind { .. }
            | Error::Address { .. }
            | Error::ForeignSelection => ErrorKind::Usage,
        }
    }

    pub(crate) fn corrupt(file: &str, offset: u64, what: impl Into<String>) -> Self {
        Error::Corrupt { file: file.to_owned(), offset, what: what.into() }
    }

    pub(crate) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Error::Io { action, file: file.to_owned(), source }
    }
}
