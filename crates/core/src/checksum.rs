//! CRC-32 (IEEE) over file contents; guards against torn writes and bit rot, not against an adversary. And digests in writing.

use std::fmt::Write as _;

/// Returns the CRC-32 of `bytes`. Runs at several GB/s where the CPU has carry-less multiplication.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// A CRC-32 computed over a stream of chunks; equals [`crc32`] of their concatenation.
#[derive(Clone, Debug, Default)]
pub struct Crc32(crc32fast::Hasher);

impl Crc32 {
    /// Adds `bytes` to the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the checksum of everything added so far.
    pub fn finish(&self) -> u32 {
        self.0.clone().finalize()
    }
}

/// Writes bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(out, "{byte:02x}").expect("a string takes everything");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_published_check_value_and_streams() {
        // The check value of CRC-32/ISO-HDLC for the nine digits.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let mut stream = Crc32::default();
        stream.update(b"1234");
        stream.update(b"56789");
        assert_eq!(stream.finish(), 0xcbf4_3926);
    }
}
