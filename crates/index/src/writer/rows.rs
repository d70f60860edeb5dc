//! Staging the rows of a dense or sparse channel.
//!
//! Rows are kept in memory until a commit, the end of a gap or [`FLUSH_BYTES`]. So that many small
//! commits do not leave many small parts, a new part takes in the ones before it while they are not much
//! larger: every row is copied a few times, and the parts grow up to [`MERGED_BYTES`].

use std::sync::Arc;

use ecphory_core::DocNo;

use super::{Gap, State, Writer, files};
use crate::error::VectorFault;
use crate::format::manifest::{PartEntry, SegmentEntry};
use crate::segment::Segment;
use crate::segment::rows::{
    OwnedRows, RowRun, RowTable, Rows, Shape, check_rows, value_bytes, word_bytes, write_rows,
};
use crate::{Error, Result};

/// How many bytes are kept in memory before they go to a file.
const FLUSH_BYTES: usize = 64 << 20;
/// Parts larger than this are left as they are.
const MERGED_BYTES: usize = 64 << 20;

/// Rows that were staged and are not yet in a file: consecutive documents of one segment.
#[derive(Debug, Default)]
pub(super) struct PendingRows {
    /// The segment's position.
    segment: usize,
    /// The first document.
    first: u32,
    rows: OwnedRows,
}

impl PendingRows {
    /// Returns the number of the document after the last.
    fn end(&self) -> u32 {
        self.first + self.rows.counts.len() as u32
    }
}

impl State {
    /// Returns the next hole of a dense or sparse channel, counting pending rows.
    pub(super) fn next_gap(&self, channel: usize) -> Option<Gap> {
        let segments = self.view.disk.iter().zip(0u32..);
        segments.into_iter().find_map(|(segment, position)| {
            let pending = self.pending[channel].as_ref();
            let pending = pending.filter(|pending| pending.segment == position as usize);
            let mut first = 0;
            for range in &segment.rows[channel] {
                if range.first > first {
                    break;
                }
                first = range.end();
            }
            first += pending.map_or(0, |pending| pending.rows.counts.len() as u32);
            let next = segment.rows[channel].iter().map(|range| range.first);
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
    /// Stages the next rows of a dense or sparse channel: those of the documents at the beginning of
    /// [`Writer::uncovered`]. Nothing is taken where anything is wrong.
    ///
    /// # Errors
    /// [`Error::Vector`] for rows that do not fit the channel, [`Error::UnknownChannel`],
    /// [`Error::ChannelKind`], [`Error::Io`], [`Error::WriterStopped`].
    pub fn stage_rows(&self, channel: &str, rows: Rows<'_>) -> Result<()> {
        let mut state = self.running()?;
        let (position, shape) = state.view.settings.rows_position(channel)?;
        if rows.counts.is_empty() && rows.terms.is_empty() && rows.values.is_empty() {
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
        check_rows(channel, shape, first, rows)?;

        let other =
            |pending: &PendingRows| pending.segment != segment as usize || pending.end() != first;
        if state.pending[position].as_ref().is_some_and(other) {
            self.flush(&mut state, position)?;
        }
        let pending = state.pending[position].get_or_insert_with(|| PendingRows {
            segment: segment as usize,
            first,
            ..PendingRows::default()
        });
        pending.rows.extend(rows);
        if pending.rows.bytes() >= FLUSH_BYTES || rows.counts.len() as u32 == missing {
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
        let named = &settings.schema.channels[channel];
        let shape = Shape::of(&named.kind).expect("rows were staged for a channel that has them");
        let segment = Arc::clone(&state.view.disk[pending.segment]);
        let mut before: Vec<&RowTable> = Vec::new();
        let mut first = pending.first;
        let mut bytes = pending.rows.bytes();
        for range in segment.rows[channel].iter().rev() {
            if range.first >= first {
                continue;
            }
            let table = range.table_of(shape)?;
            let grown = bytes + table.bytes();
            let apart = range.end() != first;
            if apart || table.bytes() > 2 * bytes || grown > MERGED_BYTES {
                break;
            }
            before.insert(0, table);
            (first, bytes) = (range.first, grown);
        }
        let (terms, values) = (word_bytes(&pending.rows.terms), value_bytes(&pending.rows.values));
        let mut run = RowRun { first, ..RowRun::default() };
        for table in before {
            run.push(table, 0..table.documents());
        }
        run.counts.extend_from_slice(&pending.rows.counts);
        run.terms.push(&terms);
        run.values.push(&values);
        let site = self.site(&settings);
        let number = segment.entry.segment;
        let identity = site.identity(shape.part(), number, first, pending.end() - first);
        let room = site.room(identity.part);
        let entry = write_rows(room, identity, (&named.name, shape), &run)?;
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
