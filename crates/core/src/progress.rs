//! How long work tells its caller where it is, and how the caller tells it to stop.

/// Receives the progress of long work and says whether to go on.
///
/// Libraries call these from the threads they were given; an implementation has to be cheap, as
/// `advance` may come thousands of times a second.
pub trait Progress: Sync {
    /// A task starts: its name for people, and how many units it has (0 where unknown).
    fn begin(&self, task: &str, total: u64);

    /// `units` more are done.
    fn advance(&self, units: u64);

    /// The task that began last is over.
    fn end(&self);

    /// Whether the work should stop at the next safe point with an error of kind `Interrupted`.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Work inside other work, whose progress is the one to show; it can be stopped all the same.
pub struct Unshown<'a>(
    /// The progress of the work around.
    pub &'a dyn Progress,
);

impl Progress for Unshown<'_> {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// Shows nothing and never stops the work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _task: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
}
