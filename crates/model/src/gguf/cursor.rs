//! Reading the header's numbers and texts one after the other.

use super::problem::GgufProblem;

/// The header of a GGUF file, read from front to back.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns how many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Returns how many bytes are left.
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], GgufProblem> {
        let taken = self.bytes[self.at..].first_chunk().ok_or(GgufProblem::Truncated)?;
        self.at += N;
        Ok(*taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufProblem> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufProblem> {
        self.take().map(u64::from_le_bytes)
    }

    /// Reads a number of things that take at least `least` bytes each, so that none can be promised that
    /// the file has no room for.
    pub(super) fn count(&mut self, least: usize) -> Result<usize, GgufProblem> {
        let count = self.u64()?;
        let most = (self.left() / least) as u64;
        if count > most { Err(GgufProblem::Truncated) } else { Ok(count as usize) }
    }

    /// Reads a text: its length in bytes, then UTF-8.
    pub(super) fn text(&mut self) -> Result<&'a str, GgufProblem> {
        let length = self.count(1)?;
        let text = &self.bytes[self.at..self.at + length];
        self.at += length;
        std::str::from_utf8(text).map_err(|_| GgufProblem::Text)
    }
}
