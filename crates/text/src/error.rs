//! What can go wrong with text: a spec string that does not parse, a tokenizer file that does not load.

use ecphory_core::ErrorKind;
use ecphory_core::nearest::hint;
use std::io;
use std::path::PathBuf;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A spec string of an analyser or of passages does not parse or contradicts itself.
    #[error("bad {what} `{spec}` at byte {offset}: {problem}")]
    Spec {
        /// What the string should have described, for example `analyser`.
        what: &'static str,
        /// The whole string.
        spec: String,
        /// The byte at which the problem is; at most the length of the string.
        offset: usize,
        /// What is wrong there.
        problem: SpecProblem,
    },
    /// A file could not be read.
    #[error("cannot read a tokenizer: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said, with the path.
        source: io::Error,
    },
    /// A tokenizer file was read but does not describe a tokenizer that can be used.
    #[error("the tokenizer {} is not usable: {reason}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tokenizer refused a text.
    #[error("the tokenizer failed on a text of {bytes} bytes: {reason}")]
    Encode {
        /// The length of the text.
        bytes: usize,
        /// What the tokenizer said.
        reason: String,
    },
    /// A tokenizer could not turn tokens into text.
    #[error("the tokenizer failed on {tokens} tokens: {reason}")]
    Decode {
        /// How many tokens there were.
        tokens: usize,
        /// What the tokenizer said.
        reason: String,
    },
    /// The limit leaves no room for the special tokens.
    #[error("a limit of {max_tokens} tokens has no room for the {needed} special tokens")]
    NoRoom {
        /// The limit asked for.
        max_tokens: usize,
        /// How many tokens the template adds.
        needed: usize,
    },
}

/// What is wrong at one place of a spec string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecProblem {
    /// Something else should stand there.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What was expected.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A name that is not known.
    #[error("unknown {kind} `{name}`{}", hint(nearest.as_deref()))]
    Unknown {
        /// What the name should name.
        kind: &'static str,
        /// The name.
        name: String,
        /// The known name that is spelled most alike, where one is near enough.
        nearest: Option<&'static str>,
    },
    /// The same option twice.
    #[error("`{name}` is given twice")]
    Twice {
        /// The option.
        name: String,
    },
    /// Two options that exclude each other, or one that lacks another.
    #[error("`{name}` {rule}")]
    Conflict {
        /// The option.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// Specs inside specs, deeper than anything sensible.
    #[error("nested more than {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

impl Error {
    /// Returns the kind of this error, which decides the exit code of the command.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Spec { .. } | Error::NoRoom { .. } => ErrorKind::Usage,
            Error::Read { source, .. } => ErrorKind::of_io(source),
            Error::Tokenizer { .. } => ErrorKind::Corrupt,
            Error::Encode { .. } | Error::Decode { .. } => ErrorKind::Input,
        }
    }

    /// Returns the byte offset of the problem inside the spec string, for an error of a spec.
    pub fn offset(&self) -> Option<usize> {
        match self {
            Error::Spec { offset, .. } => Some(*offset),
            _ => None,
        }
    }

    /// Returns the spec string and below it a line with a caret at the problem, for an error of a spec.
    pub fn caret(&self) -> Option<String> {
        let Error::Spec { spec, offset, .. } = self else { return None };
        let column = spec.get(..*offset).map_or(0, |before| before.chars().count());
        Some(format!("{spec}\n{}^", " ".repeat(column)))
    }
}
