//! Staging the rows of a dense channel.
//!
//! Rows are kept in memory until a commit, the end of a segment or [`FLUSH_VALUES`]. So that many small
//! commits do not leave many small parts, a new part takes in the ones before it while they are not much
//! larger: every row is copied a few times, and the parts grow up to [`MERGED_BYTES`].

use super::{Rows, Writer};
use crate::error::VectorFault;
use crate::format::manifest::PartKind;
use crate::schema::ChannelKind;
use crate::segment::dense::{DensePart, PendingRows, check_row, write_rows};
use crate::snapshot::dense_position;
use crate::{Error, Result};

/// How many values are kept in memory before they go to a file (64 MiB).
const FLUSH_VALUES: usize = 16 << 20;
/// Parts larger than this are left as they are.
const MERGED_BYTES: usize = 64 << 20;

impl Writer {
    /// Stages the next rows of a dense channel: those of the documents at the beginning of
    /// [`Writer::uncovered`]. Nothing is taken where anything is wrong.
    ///
    /// # Errors
    /// [`Error::Vector`] for NaN, infinity or a wrong length, [`Error::UnknownChannel`],
    /// [`Error::ChannelKind`], [`Error::Io`], [`Error::WriterStopped`].
    pub fn stage_rows(&mut self, channel: &str, rows: Rows<'_>) -> Result<()> {
        self.check_running()?;
        let position = dense_position(self.snapshot.schema(), channel)?;
        if rows.counts.is_empty() && rows.values.is_empty() {
            return Ok(());
        }
        let gap = self.next_gap(position);
        let (segment, first, missing) =
            gap.map_or((0, 0, 0), |gap| (gap.segment, gap.first.0, gap.count));
        let got = rows.counts.len() as u64;
        if got > u64::from(missing) {
            let fault = VectorFault::PastGap { expected: missing, got, segment };
            return Err(vector_error(channel, "the rows".to_owned(), fault));
        }
        check_rows(channel, self.dimensions(position), first, rows)?;

        let pending = self.pending[position].take_if(|rows| rows.segment != segment as usize);
        if let Some(full) = pending {
            self.pending[position] = Some(full);
            self.flush(position)?;
        }
        let pending = self.pending[position].get_or_insert_with(|| PendingRows {
            segment: segment as usize,
            first,
            ..PendingRows::default()
        });
        pending.counts.extend_from_slice(rows.counts);
        pending.values.extend_from_slice(rows.values);
        if pending.values.len() >= FLUSH_VALUES {
            self.flush(position)?;
        }
        Ok(())
    }

    /// Writes a channel's rows in memory to a part.
    pub(super) fn flush(&mut self, channel: usize) -> Result<()> {
        let Some(pending) = self.pending[channel].take() else { return Ok(()) };
        let outcome = self.write_pending(channel, &pending);
        self.stop_on_error(outcome)?;
        self.changed = true;
        self.reopen()
    }

    fn write_pending(&mut self, channel: usize, pending: &PendingRows) -> Result<()> {
        let name = self.snapshot.schema().channels[channel].name.clone();
        let dimensions = self.dimensions(channel);
        let snapshot = self.snapshot.clone();
        let ranges = &snapshot.open_segments()[pending.segment].dense[channel];
        let mut before: Vec<&DensePart> = Vec::new();
        let mut first = pending.first;
        let mut bytes = 4 * pending.values.len();
        for range in ranges.iter().rev() {
            let part = range.part.get()?;
            let grown = bytes + part.row_bytes().len();
            if part.row_bytes().len() > 2 * bytes || grown > MERGED_BYTES {
                break;
            }
            before.insert(0, part);
            (first, bytes) = (range.first, grown);
        }
        let end = pending.first + pending.counts.len() as u32;
        let segment = self.staged.segments[pending.segment].segment;
        let identity = self.next_part(PartKind::Dense, segment, first, end - first);
        let storage = &*self.shared.storage;
        let entry = write_rows(storage, identity, (&name, dimensions), &before, pending)?;
        let parts = &mut self.staged.segments[pending.segment].parts;
        parts.retain(|part| part.channel.as_ref() != Some(&name) || part.first < first);
        parts.push(entry);
        Ok(())
    }

    fn dimensions(&self, channel: usize) -> u32 {
        match &self.snapshot.schema().channels[channel].kind {
            ChannelKind::Dense(settings) => settings.dimensions,
            ChannelKind::Bm25(_) => unreachable!("the position of a dense channel"),
        }
    }
}

fn check_rows(channel: &str, dimensions: u32, first: u32, rows: Rows<'_>) -> Result<()> {
    let count: u64 = rows.counts.iter().map(|&count| u64::from(count)).sum();
    let (expected, got) = (count * u64::from(dimensions), rows.values.len() as u64);
    if expected != got {
        let fault = VectorFault::Length { expected, got };
        return Err(vector_error(channel, format!("{count} rows"), fault));
    }
    let mut values = rows.values.chunks_exact(dimensions as usize);
    for (&count, doc) in rows.counts.iter().zip(first..) {
        for (row, number) in values.by_ref().take(count as usize).zip(0..) {
            check_row(row).map_err(|fault| {
                vector_error(channel, format!("row {number} of document {doc}"), fault)
            })?;
        }
    }
    Ok(())
}

fn vector_error(channel: &str, subject: String, fault: VectorFault) -> Error {
    Error::Vector { channel: channel.to_owned(), subject, fault }
}
