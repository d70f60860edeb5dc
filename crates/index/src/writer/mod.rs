//! The one writer of a collection: stages segments and rows, then makes all of it visible at once.
//!
//! Staged files are synced but named by no manifest; a writer that is dropped leaves them to the next
//! one, which removes them. After a failed write the state of a file is unknown, so the writer stops.

mod rows;
mod stage;
mod sweep;

use std::sync::Arc;

use ecphory_core::DocNo;

use crate::collection::{Shared, lock, newest_manifest, publish_manifest};
use crate::format::manifest::{Manifest, PartKind, generations};
use crate::format::part::PartIdentity;
use crate::segment::dense::PendingRows;
use crate::snapshot::dense_position;
use crate::{Error, Result, Snapshot};

/// Writes to a collection. While it lives, it holds the lock.
pub struct Writer {
    shared: Arc<Shared>,
    _lock: Box<dyn Send + Sync>,
    /// The last commit and what was staged since.
    staged: Manifest,
    /// Everything that is in `staged`, open.
    snapshot: Snapshot,
    /// The generation in force.
    committed: u64,
    /// By channel: rows that are not in a file yet.
    pending: Vec<Option<PendingRows>>,
    changed: bool,
    stopped: bool,
}

/// The next rows of a dense channel.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// How many rows each of the next documents has; 0 for one without text.
    pub counts: &'a [u32],
    /// All rows, one after the other.
    pub values: &'a [f32],
}

/// Documents of one segment that a dense channel does not cover yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The segment's position in [`Writer::snapshot`].
    pub segment: u32,
    /// The first document.
    pub first: DocNo,
    /// How many there are up to the end of the segment.
    pub count: u32,
}

impl Writer {
    pub(crate) fn open(shared: Arc<Shared>) -> Result<Self> {
        let lock = lock(&*shared.storage)?;
        let mut staged = newest_manifest(&*shared.storage)?;
        // Opening every part comes before removing any file.
        let snapshot = shared.open_manifest(staged.clone())?;
        let committed = staged.generation;
        sweep::skip_used_numbers(&*shared.storage, &mut staged)?;
        sweep::remove_unfinished(&*shared.storage, &snapshot, committed)?;
        let pending = staged.channels.iter().map(|_| None).collect();
        let (changed, stopped) = (false, false);
        let mut writer =
            Self { shared, _lock: lock, staged, snapshot, committed, pending, changed, stopped };
        writer.reopen()?;
        Ok(writer)
    }

    /// Returns a view of the last commit and everything staged since, but for rows that are not in a
    /// file yet. Its generation is the one that the next commit will have.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Returns the next hole of a dense channel, counting what is staged; `None` where it is complete.
    ///
    /// # Errors
    /// [`Error::UnknownChannel`], [`Error::ChannelKind`].
    pub fn uncovered(&self, channel: &str) -> Result<Option<Gap>> {
        Ok(self.next_gap(dense_position(self.snapshot.schema(), channel)?))
    }

    fn next_gap(&self, channel: usize) -> Option<Gap> {
        let segments = self.snapshot.open_segments();
        segments.iter().zip(0u32..).find_map(|(segment, position)| {
            let pending = self.pending[channel].as_ref();
            let pending = pending.filter(|rows| rows.segment == position as usize);
            let pending = pending.map_or(0, |rows| rows.counts.len() as u32);
            let first = segment.covered(channel) + pending;
            let count = segment.documents - first;
            (count > 0).then_some(Gap { segment: position, first: DocNo(first), count })
        })
    }

    /// Makes everything staged visible at once. Without anything staged it does nothing.
    ///
    /// # Errors
    /// [`Error::Io`]: then readers see the last commit as before (or, where only the last sync failed,
    /// already this one), and the writer is of no more use. [`Error::WriterStopped`] after an earlier one.
    pub fn commit(&mut self) -> Result<()> {
        self.check_running()?;
        for channel in 0..self.pending.len() {
            self.flush(channel)?;
        }
        if !self.changed {
            return Ok(());
        }
        let outcome = publish_manifest(&*self.shared.storage, &self.staged);
        self.stop_on_error(outcome)?;
        self.committed = self.staged.generation;
        self.staged.generation += 1;
        self.changed = false;
        let committed = self.snapshot.clone();
        self.reopen()?;
        // The commit stands; a file that cannot be removed now is removed by a later writer.
        let _ = sweep::remove_superseded(&*self.shared.storage, &committed, self.committed);
        Ok(())
    }

    fn check_running(&self) -> Result<()> {
        if self.stopped { Err(Error::WriterStopped) } else { Ok(()) }
    }

    fn stop_on_error<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.stopped |= outcome.is_err();
        outcome
    }

    /// Opens what is staged now, with the parts that are open already.
    fn reopen(&mut self) -> Result<()> {
        let outcome = Snapshot::open(
            &*self.shared.storage,
            self.shared.settings(),
            self.staged.clone(),
            self.snapshot.parts(),
        );
        self.snapshot = self.stop_on_error(outcome)?;
        Ok(())
    }

    /// Gives out the number of the next part.
    fn next_part(
        &mut self,
        kind: PartKind,
        segment: u32,
        first: u32,
        documents: u32,
    ) -> PartIdentity {
        let part = self.staged.next_part;
        self.staged.next_part += 1;
        PartIdentity { kind, part, segment, first, documents }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("committed", &self.committed).finish_non_exhaustive()
    }
}

/// Returns the largest generation that any file has had, so that it is not used again.
fn newest_generation(storage: &dyn ecphory_core::storage::Storage) -> Result<u64> {
    Ok(generations(storage)?.last().copied().unwrap_or(0))
}
