//! What can be wrong with the bytes of a GGUF file.

use ecphory_core::ErrorKind;

/// What is wrong with a GGUF file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufProblem {
    /// The file does not begin as GGUF files do.
    #[error("it begins with {found:02x?} and not with GGUF")]
    Magic {
        /// Its first four bytes.
        found: [u8; 4],
    },
    /// The file has another version of the format, or another order of bytes.
    #[error("its version is {found}, supported: 2 and 3, little-endian")]
    Version {
        /// The version as read.
        found: u32,
    },
    /// The header ends early.
    #[error("its header is cut off")]
    Truncated,
    /// A text of the header is not UTF-8.
    #[error("a text of its header is not UTF-8")]
    Text,
    /// A value of the metadata has a type that the format does not have.
    #[error("{key} has value type {found}, the format has 0 to 12")]
    ValueType {
        /// The key.
        key: String,
        /// The type's number.
        found: u32,
    },
    /// A value of the metadata is an array of arrays.
    #[error("{key} is an array of arrays, which is not supported")]
    Nested {
        /// The key.
        key: String,
    },
    /// An array of the metadata is longer than any vocabulary.
    #[error("{key} is an array of {found} values, the most that are read is 2^22")]
    Long {
        /// The key.
        key: String,
        /// Its values.
        found: usize,
    },
    /// A key or a tensor comes twice.
    #[error("{name} comes twice")]
    Twice {
        /// The key or tensor.
        name: String,
    },
    /// The alignment is not one.
    #[error("general.alignment is {found}, expected a power of two up to 2^20")]
    Alignment {
        /// The value.
        found: u64,
    },
    /// A tensor has no dimensions, too many, or some that no file could hold.
    #[error("tensor {tensor} has impossible dimensions {found:?}")]
    Dimensions {
        /// The tensor.
        tensor: String,
        /// Its dimensions in the order of the file.
        found: Vec<u64>,
    },
    /// A tensor has a type that is not supported.
    #[error("tensor {tensor} has type {found}, supported: {supported}")]
    TensorType {
        /// The tensor.
        tensor: String,
        /// The type's number.
        found: u32,
        /// The types that are, with their numbers.
        supported: String,
    },
    /// A tensor's rows are no whole number of blocks of its type.
    #[error("tensor {tensor} has rows of {found} values, its type comes in blocks of {block}")]
    Block {
        /// The tensor.
        tensor: String,
        /// Values of a row.
        found: u64,
        /// Values of a block.
        block: usize,
    },
    /// A tensor lies outside the file, on another one, or off its alignment.
    #[error("tensor {tensor} lies at {offset}, {reason}")]
    Offset {
        /// The tensor.
        tensor: String,
        /// Its offset from the start of the tensors.
        offset: u64,
        /// In which way that is wrong.
        reason: &'static str,
    },
}

impl GgufProblem {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Magic { .. }
            | Self::Version { .. }
            | Self::Nested { .. }
            | Self::TensorType { .. } => ErrorKind::Input,
            _ => ErrorKind::Corrupt,
        }
    }
}
