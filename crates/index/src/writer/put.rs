//! Putting a batch: check, build, log, show; then sync, together with the batches of other threads.

use std::sync::Arc;

use super::log::Ticket;
use super::{Batch, Durability, State, Writer, Written};
use crate::collection::locked;
use crate::tail::rows_of;
use crate::{Error, Filter, Result};

/// The tail is sealed beyond this many documents.
const TAIL_DOCUMENTS: u64 = 1 << 14;
/// The tail is sealed beyond this many bytes, or beyond an eighth of the memory budget.
const TAIL_BYTES: u64 = 64 << 20;
/// How much a tail may be too large before a batch has to wait for it to be sealed.
const PATIENCE: u64 = 2;

impl Writer {
    /// Writes a batch: all of it or nothing. When this returns, every snapshot taken from now on has it,
    /// and it is as durable as the writer's [`Durability`] says. What was staged is committed first.
    ///
    /// Costs an append, a small segment in memory, and a sync that batches of other threads share.
    ///
    /// # Errors
    /// Nothing is kept after [`Error::DuplicateId`], [`Error::Document`], [`Error::Vector`],
    /// [`Error::UnknownChannel`], [`Error::ChannelKind`], [`Error::TooMany`]. After [`Error::Io`] the
    /// writer stops, and the next one finds out whether the batch was kept.
    pub fn put(&self, batch: Batch, pool: Option<&rayon::ThreadPool>) -> Result<Written> {
        let mut state = self.running()?;
        self.put_locked(&mut state, batch, pool).and_then(|(written, ticket)| {
            drop(state);
            self.acknowledge(ticket)?;
            self.seal_when_overdue()?;
            Ok(written)
        })
    }

    /// Deletes all documents that match a filter, as one batch.
    ///
    /// # Errors
    /// As [`Writer::put`] and [`Snapshot::select`](crate::Snapshot::select).
    pub fn delete_where(&self, filter: &Filter) -> Result<Written> {
        let mut state = self.running()?;
        let snapshot = state.view.snapshot();
        let mut batch = Batch::new();
        for at in snapshot.select(filter)?.iter() {
            batch.delete(snapshot.id(at)?);
        }
        let (written, ticket) = self.put_locked(&mut state, batch, None)?;
        drop(state);
        self.acknowledge(ticket)?;
        Ok(written)
    }

    fn put_locked(
        &self,
        state: &mut State,
        batch: Batch,
        pool: Option<&rayon::ThreadPool>,
    ) -> Result<(Written, Option<Ticket>)> {
        self.commit_staged(state)?;
        let (logged, written) = batch.resolve(&state.view)?;
        if logged.deletes.is_empty() && logged.documents.is_empty() {
            return Ok((written, None));
        }
        let rows = rows_of(&logged, &state.view.settings);
        let built = state.view.build(&logged.documents, &rows, pool)?;
        let payload = logged.encode();
        let appended = state.log.append(&*self.shared.storage, &payload);
        let appended = match appended {
            // Refused before anything was written.
            Err(error @ Error::TooMany { .. }) => return Err(error),
            other => state.stop_on_error(other)?,
        };
        let ids = logged.documents.iter().map(|document| document.id.as_str());
        let ids = logged.deletes.iter().map(String::as_str).chain(ids);
        let applied = state.view.kill(ids).and_then(|_| state.view.push(built));
        state.stop_on_error(applied)?;
        state.view.log_bytes = state.log.bytes();
        Ok((written, Some(appended)))
    }

    /// Makes a batch durable where that is asked for, and shows it to readers.
    fn acknowledge(&self, ticket: Option<Ticket>) -> Result<()> {
        let Some(ticket) = ticket else { return Ok(()) };
        match self.options.durability {
            Durability::Synced => self.sync_to(&ticket),
            Durability::Logged => {
                let mut state = self.running()?;
                if !state.changed {
                    // Otherwise the seal before what is staged has shown the batch already.
                    self.show(&mut state);
                }
                Ok(())
            }
        }
    }

    /// Makes everything durable that was put so far.
    ///
    /// # Errors
    /// [`Error::Io`], after which the writer stops; [`Error::WriterStopped`].
    pub fn sync(&self) -> Result<()> {
        let ticket = self.running()?.log.unsynced();
        ticket.map_or(Ok(()), |ticket| self.sync_to(&ticket))
    }

    /// Syncs the log up to a ticket. Whoever comes first syncs for all that wait.
    fn sync_to(&self, ticket: &Ticket) -> Result<()> {
        let _syncing = locked(&self.syncing);
        let (ticket, version, snapshot) = {
            let mut state = self.running()?;
            if state.log.is_durable(ticket) {
                return Ok(());
            }
            let Some(all) = state.log.unsynced() else { return Ok(()) };
            state.version += 1;
            (all, state.version, state.view.snapshot())
        };
        let outcome = ticket.sync();
        let mut state = locked(&self.state);
        state.stop_on_error(outcome)?;
        state.log.note(&ticket);
        self.shared.publish(version, snapshot);
        Ok(())
    }

    /// Seals where the background has not come to it and the tail grows too large to be searched fast.
    fn seal_when_overdue(&self) -> Result<()> {
        let overdue = self.tail_share(&*self.running()?) > PATIENCE;
        if overdue { self.seal() } else { Ok(()) }
    }

    /// How many times over the tail is full.
    pub(super) fn tail_share(&self, state: &State) -> u64 {
        let tail = &state.view.tail;
        let bytes = TAIL_BYTES.min(self.options.memory_bytes / 8).max(1);
        (tail.documents() / TAIL_DOCUMENTS).max(tail.bytes() / bytes)
    }

    /// Ends the writer's work: commits what is staged and seals the tail, so that nobody has to replay a
    /// log. A writer that is dropped without it loses nothing; the next one seals for it.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::WriterStopped`].
    pub fn close(self) -> Result<()> {
        self.seal()
    }

    /// Returns the collection's storage.
    pub(super) fn storage(&self) -> &Arc<dyn ecphory_core::storage::Storage> {
        &self.shared.storage
    }
}
