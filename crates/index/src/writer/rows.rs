//! Staging the rows of a dense channel.
//!
//! Rows are kept in memory until a commit, the end of a gap or [`FLUSH_VALUES`]. So that many small
//! commits do not leave many small parts, a new part takes in the ones before it while they are not much
//! larger: every row is copied a few times, and the parts grow up to [`MERGED_BYTES`].

use std::sync::Arc;

use ecphory_core::DocNo;

use super::batch::check_rows;
use super::{Gap, Rows, State, Writer, files};
use crate::error::VectorFault;
use crate::format::manifest::{PartEntry, PartKind, SegmentEntry};
use crate::segment::Segment;
use crate::segment::dense::{DensePart, PendingRows, row_bytes, write_rows};
use crate::{Error, Result};

/// How many values are kept in memory before they go to a file (64 MiB).
const FLUSH_VALUES: usize = 16 << 20;
/// Parts larger than this are left as they are.
const MERGED_BYTES: usize = 64 << 20;

impl State {
    /// Returns the next hole of a dense channel, counting pending rows.
    pub(super) fn next_gap(&self, channel: usize) -> Option<Gap> {
        let segments = self.view.disk.iter().zip(0u32..);
        segments.into_iter().find_map(|(segment, position)| {
            let pending = self.pending[channel].as_ref();
            let pending = pending.filter(|rows| rows.segment == position as usize);
            let mut first = 0;
            for range in &segment.dense[channel] {
                if range.first > first {
                    break;
                }
                first = range.first + range.documents;
            }
            first += pending.map_or(0, |rows| rows.counts.len() as u32);
            let next = segment.dense[channel].iter().map(|range| range.first);
            let end = next.filter(|&next| next >= first).min().unwrap_or(segment.documents);
            let count = end - first;
            if count > 0 {
                return Some(Gap { segment: position, first: DocNo(first), count });
            }
            // Pending rows that fill a hole to its end are written before the next hole is looked for.
            None
        })
    }
}

impl Writer {
    /// Stages the next rows of a dense channel: those of the documents at the beginning of
    /// [`Writer::uncovered`]. Nothing is taken where anything is wrong.
    ///
    /// # Errors
    /// [`Error::Vector`] for NaN, infinity or a wrong length, [`Error::UnknownChannel`],
    /// [`Error::ChannelKind`], [`Error::Io`], [`Error::WriterStopped`].
    pub fn stage_rows(&self, channel: &str, rows: Rows<'_>) -> Result<()> {
        let mut state = self.running()?;
        let position = state.view.settings.dense_position(channel)?;
        if rows.counts.is_empty() && rows.values.is_empty() {
            return Ok(());
        }
        let gap = state.next_gap(position);
        let (segment, first, missing) =
            gap.map_or((0, 0, 0), |gap| (gap.segment, gap.first.0, gap.count));
        let got = rows.counts.len() as u64;
        if got > u64::from(missing) {
            let fault = VectorFault::PastGap { expected: missing, got, segment };
            let (channel, subject) = (channel.to_owned(), "the rows".to_owned());
            return Err(Error::Vector { channel, subject, fault });
        }
        let dimensions = state.view.settings.dimensions(position);
        check_rows(channel, dimensions, first, rows.counts, rows.values)?;

        let other = |pending: &PendingRows| {
            pending.segment != segment as usize
                || pending.first + pending.counts.len() as u32 != first
        };
        if state.pending[position].as_ref().is_some_and(other) {
            self.flush(&mut state, position)?;
        }
        let pending = state.pending[position].get_or_insert_with(|| PendingRows {
            segment: segment as usize,
            first,
            ..PendingRows::default()
        });
        pending.counts.extend_from_slice(rows.counts);
        pending.values.extend_from_slice(rows.values);
        let values = pending.values.len();
        if values >= FLUSH_VALUES || rows.counts.len() as u32 == missing {
            self.flush(&mut state, position)?;
        }
        Ok(())
    }

    /// Writes a channel's rows in memory to a part.
    pub(super) fn flush(&self, state: &mut State, channel: usize) -> Result<()> {
        let Some(pending) = state.pending[channel].take() else { return Ok(()) };
        let outcome = self.write_pending(state, channel, &pending);
        state.stop_on_error(outcome)
    }

    fn write_pending(
        &self,
        state: &mut State,
        channel: usize,
        pending: &PendingRows,
    ) -> Result<()> {
        let settings = Arc::clone(&state.view.settings);
        let name = settings.schema.channels[channel].name.as_str();
        let segment = Arc::clone(&state.view.disk[pending.segment]);
        let mut before: Vec<&DensePart> = Vec::new();
        let mut first = pending.first;
        let mut bytes = 4 * pending.values.len();
        for range in segment.dense[channel].iter().rev() {
            if range.first >= first {
                continue;
            }
            let part = range.rows(settings.dimensions(channel) as usize)?;
            let grown = bytes + part.row_bytes().len();
            let apart = range.first + range.documents != first;
            if apart || part.row_bytes().len() > 2 * bytes || grown > MERGED_BYTES {
                break;
            }
            before.insert(0, part);
            (first, bytes) = (range.first, grown);
        }
        let end = pending.first + pending.counts.len() as u32;
        let site = self.site(&settings);
        let identity = site.identity(PartKind::Dense, segment.entry.segment, first, end - first);
        let counts = before.iter().flat_map(|part| part.counts());
        let counts = counts.chain(pending.counts.iter().copied());
        let values = row_bytes(&pending.values);
        let mut pieces: Vec<&[u8]> = before.iter().map(|part| part.row_bytes()).collect();
        pieces.push(&values);
        let shape = (name, settings.dimensions(channel));
        let entry = write_rows(site.storage, identity, shape, counts, pieces)?;
        self.replace_rows(state, pending.segment, entry)
    }

    /// Puts a part of rows in the place of those that it took in.
    fn replace_rows(&self, state: &mut State, position: usize, entry: PartEntry) -> Result<()> {
        let segment = Arc::clone(&state.view.disk[position]);
        let mut changed = SegmentEntry::clone(&segment.entry);
        let end = entry.first + entry.documents;
        let taken_in = |part: &PartEntry| {
            part.channel == entry.channel && part.first >= entry.first && part.first < end
        };
        let dropped = files(changed.parts.iter().filter(|part| taken_in(part)));
        changed.parts.retain(|part| !taken_in(part));
        let later = |part: &PartEntry| part.channel == entry.channel && part.first > entry.first;
        let place = changed.parts.iter().position(later).unwrap_or(changed.parts.len());
        changed.parts.insert(place, entry);
        let known = |part| segment.parts.get(&part).cloned();
        let opened = Segment::open(&**self.storage(), &state.view.settings, &changed, &known)?;
        let opened = Segment { dead: Arc::clone(&segment.dead), ..opened };
        state.splice(position..position + 1, vec![Arc::new(opened)]);
        state.dropped.extend(dropped);
        Ok(())
    }
}
