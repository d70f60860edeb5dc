//! The threads of a writer: one seals and merges, one syncs the log at an interval.
//!
//! The only place of the libraries that starts threads, besides the engine's pool. They end when the
//! writer is closed or dropped. What goes wrong is kept for the writer's next call.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::pace::{Limit, Stop, TokenBucket};
use super::writer::{Inner, shared};
use crate::{Error, Result};

/// The threads at work on a writer.
pub(super) struct Maintenance {
    stop: Arc<Stop>,
    failed: Arc<Failed>,
    /// Dropped, it ends the thread that merges.
    work: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// The first error that nobody was told yet.
type Failed = Mutex<Option<Error>>;

impl Maintenance {
    /// Starts the threads.
    pub fn start(
        inner: &Arc<Inner>,
        sync_interval: Option<Duration>,
        merge_bytes_per_second: Option<u64>,
    ) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let mut maintenance = Self {
            stop: Arc::default(),
            failed: Arc::default(),
            work: Some(sender),
            threads: Vec::new(),
        };
        let (writer, stop, failed) = maintenance.parts(inner);
        maintenance.spawn("ecphory-merge", move || {
            merge(&writer, &receiver, &stop, &failed, merge_bytes_per_second);
        })?;
        if let Some(interval) = sync_interval {
            let (writer, stop, failed) = maintenance.parts(inner);
            maintenance.spawn("ecphory-sync", move || sync(&writer, interval, &stop, &failed))?;
        }
        maintenance.wake();
        Ok(maintenance)
    }

    fn parts(&self, inner: &Arc<Inner>) -> (Arc<Inner>, Arc<Stop>, Arc<Failed>) {
        (Arc::clone(inner), Arc::clone(&self.stop), Arc::clone(&self.failed))
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }

    /// Says that there may be something to seal or merge.
    pub fn wake(&self) {
        if let Some(work) = &self.work {
            // Where the thread is gone its error is waiting to be told.
            let _ = work.send(());
        }
    }

    /// Returns what went wrong since the last call.
    pub fn check(&self) -> Result<()> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    /// Ends the threads. A merge that is running is finished first, as fast as it can be.
    pub fn end(&mut self) {
        self.stop.ask();
        self.work = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; the writer's state is that of its last commit.
            let _ = thread.join();
        }
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.end();
    }
}

fn merge(
    inner: &Inner,
    work: &Receiver<()>,
    stop: &Stop,
    failed: &Failed,
    bytes_per_second: Option<u64>,
) {
    let bucket = bytes_per_second.map(|rate| Mutex::new(TokenBucket::new(rate)));
    let pace = Limit { bucket, clock: inner.engine.clock(), stop };
    while work.recv().is_ok() {
        // Whatever many batches asked for is done at once.
        while work.try_recv().is_ok() {}
        loop {
            let gate = shared(&inner.gate);
            let done = inner.index.maintain(&pace);
            drop(gate);
            match done {
                Ok(true) if !stop.sleep(Duration::ZERO) => {}
                Ok(_) => break,
                Err(error) => {
                    tell(failed, error.into());
                    break;
                }
            }
        }
    }
}

fn sync(inner: &Inner, interval: Duration, stop: &Stop, failed: &Failed) {
    loop {
        let last = stop.sleep(interval);
        if let Err(error) = inner.index.sync() {
            return tell(failed, error.into());
        }
        if last {
            return;
        }
    }
}

fn tell(failed: &Failed, error: Error) {
    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}
