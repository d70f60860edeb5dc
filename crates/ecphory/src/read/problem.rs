//! What can be wrong with one document of a corpus.

/// Why a document cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadDocument {
    /// The line is no JSON.
    #[error("invalid JSON at column {column}: {message}")]
    Json {
        /// The column, from 1.
        column: usize,
        /// What the JSON reader says.
        message: String,
    },
    /// The line is JSON, but no object.
    #[error("a document is a JSON object, found {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A key of the object comes twice.
    #[error("the key `{0}` comes twice")]
    KeyTwice(String),
    /// There is no `_id`.
    #[error("`_id` is missing")]
    MissingId,
    /// The `_id` is neither text nor a whole number.
    #[error("`_id` is a string or a whole number, found {found}")]
    BadId {
        /// What it is.
        found: &'static str,
    },
    /// The id is empty.
    #[error("the id is empty")]
    EmptyId,
    /// A value that no field can hold.
    #[error(
        "field `{name}` holds {found}; a field is a string, a number, a boolean or a list of these"
    )]
    BadField {
        /// The field.
        name: String,
        /// What it holds.
        found: &'static str,
    },
    /// A line with too few or too many columns.
    #[error("expected {expected}, found {found}")]
    Columns {
        /// How many there should be, in words.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("invalid UTF-8 at byte {byte}")]
    Utf8 {
        /// The first bad byte, from 1, in the line or the file.
        byte: usize,
    },
    /// A line that is longer than any document.
    #[error("the line has {bytes} bytes, more than the {limit} there may be; is it a JSON list?")]
    LongLine {
        /// How many it has.
        bytes: u64,
        /// How many there may be.
        limit: usize,
    },
    /// An id for the second time.
    #[error("the id `{id}` was used before, on line {first_line}")]
    Duplicate {
        /// The id.
        id: String,
        /// The line that has it first.
        first_line: u64,
    },
    /// Nothing to encode.
    #[error("document `{id}` has no text in {fields}")]
    NoTextIn {
        /// The id.
        id: String,
        /// The fields that were asked for.
        fields: String,
    },
    /// Nothing to index.
    #[error("document `{id}` has no text in title or text")]
    NoText {
        /// The id.
        id: String,
    },
}
