//! Progress bars on a terminal, nothing in a pipe, and the stop that Ctrl-C asks for.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ecphory::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Shows each task as a bar with rate and time left.
pub struct Bars {
    shown: bool,
    stop: Arc<AtomicBool>,
    running: Mutex<Vec<ProgressBar>>,
}

impl Bars {
    /// Makes the bars; they show themselves on a terminal unless `quiet`. The first Ctrl-C asks the
    /// work to stop at its next safe point, the second ends the process.
    pub fn new(quiet: bool) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        ctrlc::set_handler(move || {
            if asked.swap(true, Ordering::SeqCst) {
                // The collection on disk is whole at any moment, so leaving at once loses only work.
                std::process::abort();
            }
        })?;
        let shown = !quiet && std::io::stderr().is_terminal();
        Ok(Self { shown, stop, running: Mutex::default() })
    }

    fn with_running(&self, act: impl FnOnce(&mut Vec<ProgressBar>)) {
        act(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Bars {
    fn begin(&self, task: &str, total: u64) {
        let bar = match (self.shown, total) {
            (false, _) => ProgressBar::hidden(),
            (true, 0) => ProgressBar::new_spinner().with_style(open_style()),
            (true, _) => ProgressBar::new(total).with_style(style()),
        };
        bar.set_message(task.to_owned());
        self.with_running(|running| running.push(bar));
    }

    fn advance(&self, units: u64) {
        self.with_running(|running| {
            if let Some(bar) = running.last() {
                bar.inc(units);
            }
        });
    }

    fn end(&self) {
        self.with_running(|running| {
            if let Some(bar) = running.pop() {
                bar.finish_and_clear();
            }
        });
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Work under another name than the library has for it.
pub struct Named<'a> {
    /// The name.
    pub task: String,
    /// Where it is shown.
    pub progress: &'a dyn Progress,
}

impl Progress for Named<'_> {
    fn begin(&self, _task: &str, total: u64) {
        self.progress.begin(&self.task, total);
    }

    fn advance(&self, units: u64) {
        self.progress.advance(units);
    }

    fn end(&self) {
        self.progress.end();
    }

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }
}

/// For work of unknown size.
fn open_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg:<24} {human_pos} {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{msg:<24} {wide_bar} {human_pos}/{human_len} {per_sec} {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}
