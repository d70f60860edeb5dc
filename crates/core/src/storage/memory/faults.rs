//! What goes wrong, and when: operations are counted, and a fault begins at a chosen one.

use std::io;

/// What goes wrong at a chosen operation that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails, and every one after it.
    Fail(io::ErrorKind),
    /// The operation fails; those after it succeed.
    FailOnce(io::ErrorKind),
    /// The disk is full: a write takes half of its bytes, then it fails, and every operation after it.
    ShortWrite,
    /// The power is cut: the operation does nothing, and nothing works any more, reads neither.
    PowerCut,
}

/// What goes wrong at a chosen read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// The read fails, and every one after it.
    Fail(io::ErrorKind),
    /// The read returns half of the bytes; those after it return all.
    Short,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    operations: u64,
    reads: u64,
    /// The number of the operation at which it begins.
    change: Option<(u64, Fault)>,
    read: Option<(u64, ReadFault)>,
}

impl Faults {
    pub fn operations(&self) -> u64 {
        self.operations
    }

    pub fn reads(&self) -> u64 {
        self.reads
    }

    pub fn change_after(&mut self, operations: u64, fault: Fault) {
        self.change = Some((self.operations + operations, fault));
    }

    pub fn read_after(&mut self, reads: u64, fault: ReadFault) {
        self.read = Some((self.reads + reads, fault));
    }

    pub fn heal(&mut self) {
        (self.change, self.read) = (None, None);
    }

    /// Counts an operation that changes something.
    pub fn step(&mut self) -> io::Result<()> {
        self.write(0).1
    }

    /// Counts a write; returns how many of the bytes it takes, and how it ends.
    pub fn write(&mut self, bytes: usize) -> (usize, io::Result<()>) {
        let number = self.operations;
        self.operations += 1;
        let Some((_, fault)) = self.change.filter(|(at, _)| number >= *at) else {
            return (bytes, Ok(()));
        };
        let first = self.change.is_some_and(|(at, _)| number == at);
        match fault {
            Fault::Fail(kind) => (0, Err(kind.into())),
            Fault::FailOnce(kind) if first => (0, Err(kind.into())),
            Fault::FailOnce(_) => (bytes, Ok(())),
            Fault::ShortWrite => {
                (if first { bytes / 2 } else { 0 }, Err(io::ErrorKind::StorageFull.into()))
            }
            Fault::PowerCut => (0, Err(no_power())),
        }
    }

    /// Counts a read; returns how many of the bytes it returns.
    pub fn read(&mut self, bytes: usize) -> io::Result<usize> {
        let number = self.reads;
        self.reads += 1;
        match self.read {
            Some((at, ReadFault::Fail(kind))) if number >= at => Err(kind.into()),
            Some((at, ReadFault::Short)) if number == at => Ok(bytes / 2),
            _ => Ok(bytes),
        }
    }

    /// Fails once the power was cut.
    pub fn check_power(&self) -> io::Result<()> {
        match self.change {
            Some((at, Fault::PowerCut)) if self.operations > at => Err(no_power()),
            _ => Ok(()),
        }
    }
}

fn no_power() -> io::Error {
    io::Error::other("the power of this storage was cut")
}
