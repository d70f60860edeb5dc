//! Who waits for what: a lane of pieces for each model and view, of which one caller at a time takes a batch.
//!
//! Everything here is short and under one lock; encoding happens outside. What a caller holds is a guard, so
//! that one that panics gives back its room, and leaves the lane to the others.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ecphory_model::Role;
use rustc_hash::FxHashMap;

use super::cache::ContentKey;
use super::{BATCH_BYTES, BATCH_TEXTS};

/// How long a caller waits between two looks at whether it should stop.
const PATIENCE: Duration = Duration::from_millis(20);

/// One model, by its fingerprint, and one view.
pub(super) type LaneKey = (String, Role);

/// Some texts of one caller.
pub(super) struct Piece {
    pub texts: Vec<(ContentKey, Box<str>)>,
    pub bytes: usize,
    outcome: Mutex<Option<Outcome>>,
    /// The caller has gone, so nobody wants the vectors.
    left: AtomicBool,
}

/// What became of a piece.
enum Outcome {
    /// Its vectors, one after the other.
    Done(Vec<f32>),
    /// Its batch failed: it has to be encoded by itself.
    Apart,
}

/// What a caller does next.
pub(super) enum Turn<'a> {
    /// Take the vectors.
    Done(Vec<f32>),
    /// Encode its own texts by itself.
    Apart,
    /// Run a batch for all that wait.
    Run(Batch<'a>),
    /// Look whether it should stop, and ask again.
    Wait,
}

/// All lanes.
pub(super) struct Lanes {
    state: Mutex<State>,
    changed: Condvar,
    waiting_bytes_max: usize,
}

#[derive(Default)]
struct State {
    lanes: FxHashMap<LaneKey, Lane>,
    waiting_bytes: usize,
    waiting_bytes_peak: usize,
    /// Those who wait for room, in the order in which they came.
    entering: VecDeque<u64>,
    entered: u64,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<Arc<Piece>>,
    running: bool,
}

impl Lanes {
    pub fn new(waiting_bytes_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), waiting_bytes_max }
    }

    /// Queues texts once there is room for them; `None` where `cancelled` says so first.
    pub fn enter(
        &self,
        key: LaneKey,
        texts: &[(ContentKey, &str)],
        cancelled: &dyn Fn() -> bool,
    ) -> Option<Place<'_>> {
        let bytes = texts.iter().map(|(_, text)| text.len()).sum();
        let door = Door::new(self);
        loop {
            if cancelled() {
                return None;
            }
            let mut state = self.lock();
            let full =
                state.waiting_bytes > 0 && state.waiting_bytes + bytes > self.waiting_bytes_max;
            if state.entering.front() != Some(&door.number) || full {
                drop(self.wait(state));
                continue;
            }
            state.waiting_bytes += bytes;
            state.waiting_bytes_peak = state.waiting_bytes_peak.max(state.waiting_bytes);
            let texts = texts.iter().map(|&(key, text)| (key, text.into())).collect();
            let (outcome, left) = (Mutex::default(), AtomicBool::new(false));
            let piece = Arc::new(Piece { texts, bytes, outcome, left });
            state.lanes.entry(key.clone()).or_default().queue.push_back(Arc::clone(&piece));
            return Some(Place { lanes: self, key, piece });
        }
    }

    pub fn waiting_bytes_peak(&self) -> u64 {
        self.lock().waiting_bytes_peak as u64
    }

    /// Returns how many pieces are queued, in no batch yet.
    #[cfg(test)]
    pub fn queued(&self) -> usize {
        self.lock().lanes.values().map(|lane| lane.queue.len()).sum()
    }

    /// Returns how many callers wait for room.
    #[cfg(test)]
    pub fn entering(&self) -> usize {
        self.lock().entering.len()
    }

    /// Returns the bytes that wait, and how many lanes there are.
    #[cfg(test)]
    pub fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting_bytes, state.lanes.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let waited = self.changed.wait_timeout(state, PATIENCE);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// Forgets a lane in which nothing happens.
    fn tidy(&mut self, key: &LaneKey) {
        if self.lanes.get(key).is_some_and(|lane| !lane.running && lane.queue.is_empty()) {
            self.lanes.remove(key);
        }
    }
}

/// A caller's turn to wait for room.
struct Door<'a> {
    lanes: &'a Lanes,
    number: u64,
}

impl<'a> Door<'a> {
    fn new(lanes: &'a Lanes) -> Self {
        let mut state = lanes.lock();
        state.entered += 1;
        let number = state.entered;
        state.entering.push_back(number);
        Self { lanes, number }
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        self.lanes.lock().entering.retain(|&number| number != self.number);
        self.lanes.changed.notify_all();
    }
}

/// A caller's piece in its lane, until it is dropped.
pub(super) struct Place<'a> {
    lanes: &'a Lanes,
    key: LaneKey,
    pub piece: Arc<Piece>,
}

impl<'a> Place<'a> {
    /// Waits a little, unless there is something to do.
    pub fn turn(&self) -> Turn<'a> {
        let mut state = self.lanes.lock();
        if let Some(outcome) = self.piece.take() {
            return match outcome {
                Outcome::Done(vectors) => Turn::Done(vectors),
                Outcome::Apart => Turn::Apart,
            };
        }
        // The lane is there as long as one of its pieces is queued or in a batch.
        match state.lanes.get_mut(&self.key) {
            Some(lane) if !lane.running => {
                lane.running = true;
                let pieces = take_batch(&mut lane.queue);
                Turn::Run(Batch { lanes: self.lanes, key: self.key.clone(), pieces })
            }
            _ => {
                drop(self.lanes.wait(state));
                Turn::Wait
            }
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.piece.left.store(true, Ordering::Relaxed);
        let mut state = self.lanes.lock();
        state.waiting_bytes -= self.piece.bytes;
        if let Some(lane) = state.lanes.get_mut(&self.key) {
            lane.queue.retain(|other| !Arc::ptr_eq(other, &self.piece));
        }
        state.tidy(&self.key);
        drop(state);
        self.lanes.changed.notify_all();
    }
}

/// Takes pieces from the front, as many as a batch has room for, at least one.
fn take_batch(queue: &mut VecDeque<Arc<Piece>>) -> Vec<Arc<Piece>> {
    let (mut texts, mut bytes) = (0, 0);
    let mut pieces: Vec<Arc<Piece>> = Vec::new();
    while let Some(piece) = queue.front() {
        texts += piece.texts.len();
        bytes += piece.bytes;
        if !pieces.is_empty() && (texts > BATCH_TEXTS || bytes > BATCH_BYTES) {
            break;
        }
        pieces.extend(queue.pop_front());
    }
    pieces
}

impl Piece {
    /// Whether the caller has gone.
    pub fn left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn settle(&self, outcome: Outcome) {
        let mut settled = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        settled.get_or_insert(outcome);
    }
}

/// Pieces that are encoded together. While it lives, nobody else runs a batch of the lane; when it is dropped,
/// pieces without vectors are to be encoded apart.
pub(super) struct Batch<'a> {
    lanes: &'a Lanes,
    key: LaneKey,
    pub pieces: Vec<Arc<Piece>>,
}

impl Batch<'_> {
    /// Hands out the vectors, those of each piece one after the other.
    pub fn deliver(self, vectors: Vec<Vec<f32>>) {
        for (piece, vectors) in self.pieces.iter().zip(vectors) {
            piece.settle(Outcome::Done(vectors));
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let mut state = self.lanes.lock();
        for piece in &self.pieces {
            piece.settle(Outcome::Apart);
        }
        if let Some(lane) = state.lanes.get_mut(&self.key) {
            lane.running = false;
        }
        state.tidy(&self.key);
        drop(state);
        self.lanes.changed.notify_all();
    }
}
