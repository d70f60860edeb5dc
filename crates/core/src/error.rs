//! The kinds of error. Each crate has its own error type; each of those maps to one of these once.

/// What went wrong, as far as a caller has to act on it.
///
/// Maps to the exit code of the command, later to the status of the server and the exception of the
/// Python package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's expression or option is wrong: an unknown channel, an unparsable pipeline.
    Usage,
    /// The data handed in is wrong: a malformed line, a vector of the wrong length, NaN.
    Input,
    /// Something named does not exist: a file, a collection, a model.
    NotFound,
    /// The request contradicts what is there: a duplicate id, a collection that exists, a held lock.
    Conflict,
    /// A file of ours or a weight file fails its checksum or its own structure.
    Corrupt,
    /// The operating system refused.
    Io,
    /// A limit was reached: a full disk, more documents than a segment can number.
    Limit,
    /// The user asked to stop.
    Interrupted,
    /// An invariant of ours does not hold.
    Bug,
}

impl ErrorKind {
    /// Returns the exit code of the command for this kind. 0 is success; 1 is never used, so that a
    /// script can tell our codes from a shell's.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Usage => 2,
            ErrorKind::Input => 3,
            ErrorKind::NotFound => 4,
            ErrorKind::Conflict => 5,
            ErrorKind::Corrupt => 6,
            ErrorKind::Io => 7,
            ErrorKind::Limit => 8,
            ErrorKind::Bug => 70,
            ErrorKind::Interrupted => 130,
        }
    }

    /// Returns the kind of an operating-system error: a full disk is a limit, a missing file is
    /// not found, the rest is input/output.
    pub fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Os;
        match error.kind() {
            Os::NotFound => ErrorKind::NotFound,
            Os::StorageFull | Os::QuotaExceeded | Os::FileTooLarge => ErrorKind::Limit,
            Os::AlreadyExists => ErrorKind::Conflict,
            Os::InvalidData | Os::UnexpectedEof => ErrorKind::Corrupt,
            _ => ErrorKind::Io,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_its_own_exit_code() {
        use ErrorKind::{Bug, Conflict, Corrupt, Input, Interrupted, Io, Limit, NotFound, Usage};
        let kinds = [Usage, Input, NotFound, Conflict, Corrupt, Io, Limit, Interrupted, Bug];
        let codes: BTreeSet<u8> = kinds.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!(codes.len(), kinds.len());
        assert!(!codes.contains(&0) && !codes.contains(&1));
    }

    #[test]
    fn a_full_disk_is_a_limit() {
        let error = std::io::Error::from_raw_os_error(28);
        assert_eq!(ErrorKind::of_io(&error), ErrorKind::Limit);
    }
}
