//! The queue of earlier keys that serve as negatives: He et al. 2020, `MoCo`, as Contriever uses it.
//!
//! Keys go in batch by batch and the oldest go out. Until the queue has been filled once it gives no keys at all: a
//! queue begun with noise would teach the model to tell keys from noise. Each key remembers its document, since
//! on a small collection the queue holds other crops of the documents of the batch, which are no negatives.
//! A queue of more than a quarter of the collection is mostly that: see [`Queue::capacity_max`].

use crate::error::{Error, Result};

/// A ring of keys with the documents they come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    batch: usize,
    columns: usize,
    capacity: usize,
    state: QueueState,
}

/// What a queue holds, in a form that a checkpoint can hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueState {
    /// The keys, one after the other, in the places of the ring.
    pub keys: Vec<f32>,
    /// The document of each key.
    pub documents: Vec<u32>,
    /// How many keys were ever pushed.
    pub pushed: u64,
}

impl Queue {
    /// Makes an empty queue of `capacity` keys of `columns` values, which come in batches of `batch`.
    ///
    /// # Errors
    /// Where something is 0, or the capacity is not a multiple of the batch.
    pub fn new(capacity: usize, batch: usize, columns: usize) -> Result<Self> {
        let wrong = |setting, expected, got| {
            Err(Error::Setting { setting, expected, got: format!("{got}") })
        };
        if batch == 0 || columns == 0 {
            return wrong("keys of a queue", "batches and keys of at least 1", 0);
        }
        if capacity == 0 || !capacity.is_multiple_of(batch) {
            return wrong("size of the queue", "a multiple of the batch", capacity);
        }
        Ok(Self { batch, columns, capacity, state: QueueState::default() })
    }

    /// Returns the longest queue that suits a collection: a quarter of its documents, in whole batches; it may
    /// be 0, where there should be no queue.
    pub fn capacity_max(documents: usize, batch: usize) -> usize {
        (documents / 4).checked_div(batch).unwrap_or(0) * batch
    }

    /// Puts a batch of keys in, over the oldest.
    ///
    /// # Errors
    /// Where it is not a batch, or a key is NaN or infinite.
    pub fn push(&mut self, keys: &[f32], documents: &[u32]) -> Result<()> {
        for (what, expected, got) in [
            ("documents of keys", self.batch, documents.len()),
            ("values of keys", self.batch * self.columns, keys.len()),
        ] {
            if expected != got {
                return Err(Error::Shape { what, expected, got });
            }
        }
        if let Some(at) = keys.iter().position(|key| !key.is_finite()) {
            let (row, column) = (at / self.columns, at % self.columns);
            return Err(Error::NotFinite { what: "key", row, column, value: keys[at] });
        }
        let state = &mut self.state;
        let first = (state.pushed % self.capacity as u64) as usize;
        if state.documents.len() < self.capacity {
            state.documents.extend_from_slice(documents);
            state.keys.extend_from_slice(keys);
        } else {
            state.documents[first..][..self.batch].copy_from_slice(documents);
            let places = first * self.columns..(first + self.batch) * self.columns;
            state.keys[places].copy_from_slice(keys);
        }
        state.pushed += self.batch as u64;
        Ok(())
    }

    /// Returns the keys that are negatives now: all of them, or none before the queue was full once.
    pub fn keys(&self) -> &[f32] {
        if self.is_ready() { &self.state.keys } else { &[] }
    }

    /// Returns the documents of [`Queue::keys`].
    pub fn documents(&self) -> &[u32] {
        if self.is_ready() { &self.state.documents } else { &[] }
    }

    /// Returns, for each document of a batch and each key, whether the key is of another document.
    pub fn mask(&self, batch: &[u32]) -> Vec<bool> {
        let keys = self.documents();
        batch.iter().flat_map(|document| keys.iter().map(move |key| key != document)).collect()
    }

    fn is_ready(&self) -> bool {
        self.state.pushed >= self.capacity as u64
    }

    /// Returns what it holds.
    pub fn state(&self) -> &QueueState {
        &self.state
    }

    /// Takes up what another queue of the same shape held.
    ///
    /// # Errors
    /// Where the shapes differ.
    pub fn restore(&mut self, state: QueueState) -> Result<()> {
        let held = state.pushed.min(self.capacity as u64) as usize;
        for (what, expected, got) in [
            ("documents of the queue", held, state.documents.len()),
            ("values of the queue", held * self.columns, state.keys.len()),
            ("keys beyond whole batches", 0, (state.pushed % self.batch as u64) as usize),
        ] {
            if expected != got {
                return Err(Error::Shape { what, expected, got });
            }
        }
        self.state = state;
        Ok(())
    }
}
