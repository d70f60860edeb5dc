//! The one writer of a collection. Its methods take `&self`: threads may share it.
//!
//! There are two ways in. [`Writer::put`] logs a batch and shows it at once, in the tail; this is the way of
//! a collection that lives. [`Writer::stage`] and [`Writer::stage_rows`] write segments straight to disk,
//! which [`Writer::commit`] makes visible together; this is the way of a bulk build.
//!
//! Staged files are synced but named by no manifest; a writer that is dropped leaves them to the next one,
//! which removes them. After a failed write the state of a file is unknown, so the writer stops.

mod batch;
mod evolve;
mod log;
mod maintain;
mod put;
mod rows;
mod stage;
pub(crate) mod sweep;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use ecphory_core::DocNo;

pub use batch::{Batch, Written};

use crate::collection::{Shared, lock, locked, publish_manifest};
use crate::format::manifest::{Manifest, PartEntry, SegmentEntry, generations};
use crate::segment::build::Site;
use crate::segment::{Numbers, Segment};
use crate::snapshot::Settings;
use crate::view::View;
use crate::wal;
use crate::{Error, Result, Snapshot};
use log::Log;
use rows::PendingRows;

/// Writes to a collection. While it lives, it holds the lock.
pub struct Writer {
    shared: Arc<Shared>,
    options: WriterOptions,
    numbers: Arc<Numbers>,
    state: Mutex<State>,
    /// Held by the thread that syncs the log; the others find their batches synced when it is done.
    syncing: Mutex<()>,
    /// Held by the thread that seals. Who needs both takes `merging` first.
    sealing: Mutex<()>,
    /// Held by the thread that merges, which may take long: seals go on beside it.
    merging: Mutex<()>,
    _lock: Box<dyn Send + Sync>,
}

/// How a writer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// When a batch counts as written.
    pub durability: Durability,
    /// About how many bytes building and merging may take, besides the documents that are handed in.
    pub memory_bytes: u64,
}

/// When a batch counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk: it survives a power failure.
    Synced,
    /// When the operating system has it: it survives the end of the process, not a power failure before
    /// the next [`Writer::sync`].
    Logged,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { durability: Durability::Synced, memory_bytes: 1 << 30 }
    }
}

/// What the writer knows.
struct State {
    /// The last commit, the tail, and what was staged since.
    view: View,
    /// Counts the changes of the view that readers may see.
    version: u64,
    log: Log,
    /// The generation in force.
    committed: u64,
    /// By channel: rows that are not in a file yet.
    pending: Vec<Option<PendingRows>>,
    /// Whether something is staged that the manifest in force does not have.
    changed: bool,
    /// Files that the next commit replaces.
    dropped: BTreeSet<String>,
    stopped: bool,
}

/// Documents of one segment that a dense or sparse channel does not cover yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The segment's position in [`Writer::snapshot`].
    pub segment: u32,
    /// The first document.
    pub first: DocNo,
    /// How many there are without a document in between that is covered. Dead ones count.
    pub count: u32,
}

impl Writer {
    pub(crate) fn open(shared: Arc<Shared>, options: WriterOptions) -> Result<Self> {
        let lock = lock(&*shared.storage)?;
        let storage = &*shared.storage;
        // Opening every part comes before removing any file.
        let (mut view, position) = shared.writer_view()?;
        let committed = view.manifest.generation;
        let manifest = Arc::make_mut(&mut view.manifest);
        let (next_segment, next_part) = sweep::next_numbers(storage, manifest)?;
        manifest.generation = generations(storage)?.last().copied().unwrap_or(0).max(committed) + 1;
        sweep::sync_found(storage)?;
        sweep::remove_unfinished(storage, manifest, committed)?;
        let unsealed = position.batches > 0;
        let largest = wal::numbers(storage)?.last().copied();
        let log = Log::after(position, view.manifest.log, largest);
        shared.publish(0, view.snapshot());
        let pending = view.settings.schema.channels.iter().map(|_| None).collect();
        let (changed, dropped, stopped) = (false, BTreeSet::new(), false);
        let state = State { view, version: 0, log, committed, pending, changed, dropped, stopped };
        let writer = Self {
            shared,
            options,
            numbers: Arc::new(Numbers::new(next_segment, next_part)),
            state: Mutex::new(state),
            syncing: Mutex::new(()),
            sealing: Mutex::new(()),
            merging: Mutex::new(()),
            _lock: lock,
        };
        if unsealed {
            writer.seal()?;
        }
        Ok(writer)
    }

    /// Returns a view of everything: the last commit, the tail and what was staged since, but for rows that
    /// are not in a file yet. Its generation is the one that the next commit will have.
    pub fn snapshot(&self) -> Snapshot {
        locked(&self.state).view.snapshot()
    }

    /// Returns the next hole of a dense or sparse channel in the segments on disk, counting what is staged; `None`
    /// where there is none. [`Writer::seal`] first, where documents of the tail may have no rows.
    ///
    /// # Errors
    /// [`Error::UnknownChannel`], [`Error::ChannelKind`].
    pub fn uncovered(&self, channel: &str) -> Result<Option<Gap>> {
        let state = locked(&self.state);
        Ok(state.next_gap(state.view.settings.rows_position(channel)?.0))
    }

    /// Makes everything staged visible at once. Without anything staged it does nothing.
    ///
    /// # Errors
    /// [`Error::Io`]: then readers see the last commit as before (or, where only the last sync failed,
    /// already this one), and the writer is of no more use. [`Error::WriterStopped`] after an earlier one.
    pub fn commit(&self) -> Result<()> {
        let mut state = self.running()?;
        self.commit_staged(&mut state)
    }

    /// Locks the state of a writer that has not stopped.
    fn running(&self) -> Result<MutexGuard<'_, State>> {
        let state = locked(&self.state);
        if state.stopped { Err(Error::WriterStopped) } else { Ok(state) }
    }

    fn commit_staged(&self, state: &mut State) -> Result<()> {
        for channel in 0..state.pending.len() {
            self.flush(state, channel)?;
        }
        if state.changed { self.publish(state) } else { Ok(()) }
    }

    /// Writes the manifest, which is the moment of the commit, and removes the files that it replaces and
    /// the log files that are sealed.
    ///
    /// The log is synced first: the segments and tombstones of the manifest may reflect batches of it, and
    /// must not outlive them.
    fn publish(&self, state: &mut State) -> Result<()> {
        let outcome = self.try_publish(state);
        state.stop_on_error(outcome)?;
        state.committed = state.view.manifest.generation;
        Arc::make_mut(&mut state.view.manifest).generation += 1;
        state.changed = false;
        let storage = &*self.shared.storage;
        state.view.log_bytes = state.log.bytes();
        self.show(state);
        // The commit stands; a file that cannot be removed now is removed by a later writer.
        let dropped = std::mem::take(&mut state.dropped);
        let _ = sweep::remove_files(storage, &dropped);
        let _ = sweep::remove_superseded(storage, state.committed, state.view.manifest.log);
        Ok(())
    }

    /// Shows the view, all of which has to be durable as far as was asked for, to readers of this process.
    fn show(&self, state: &mut State) {
        state.version += 1;
        self.shared.publish(state.version, state.view.snapshot());
    }

    fn try_publish(&self, state: &mut State) -> Result<()> {
        state.log.sync()?;
        let (next_segment, next_part) = self.numbers.next();
        let manifest = Arc::make_mut(&mut state.view.manifest);
        manifest.format = crate::format::VERSION;
        (manifest.next_segment, manifest.next_part) = (next_segment, next_part);
        publish_manifest(&*self.shared.storage, manifest)
    }

    /// Where new segments on disk go.
    fn site<'s>(&'s self, settings: &'s Settings) -> Site<'s> {
        /// A merge or build has six spools that grow; a budget is spent on documents, postings and these.
        const SPOOL_SHARE: u64 = 32;
        let spool_bytes = (self.options.memory_bytes / SPOOL_SHARE).max(1 << 16) as usize;
        Site { storage: &*self.shared.storage, numbers: &self.numbers, settings, spool_bytes }
    }
}

impl State {
    fn stop_on_error<T>(&mut self, outcome: Result<T>) -> Result<T> {
        self.stopped |= outcome.is_err();
        outcome
    }

    /// Puts segments in the place of some on disk, in the view and in the manifest.
    fn splice(&mut self, range: std::ops::Range<usize>, segments: Vec<Arc<Segment>>) {
        let entries: Vec<SegmentEntry> =
            segments.iter().map(|segment| SegmentEntry::clone(&segment.entry)).collect();
        self.manifest().segments.splice(range.clone(), entries);
        self.view.disk.splice(range, segments);
        self.changed = true;
    }

    fn manifest(&mut self) -> &mut Manifest {
        Arc::make_mut(&mut self.view.manifest)
    }
}

/// Returns the files of some parts.
fn files<'p>(parts: impl IntoIterator<Item = &'p PartEntry>) -> BTreeSet<String> {
    parts.into_iter().map(PartEntry::file).collect()
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.unpublish();
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("options", &self.options).finish_non_exhaustive()
    }
}
