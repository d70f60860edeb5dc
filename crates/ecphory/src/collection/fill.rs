//! Filling dense channels: encoding, in windows, what has no vector yet.
//!
//! Each window is one commit, so an interruption loses a window at most, and the next call goes on where
//! the last one committed. A window is as large as what can be encoded in the commit interval; inside it
//! the encoder sorts texts by length. Vectors do not depend on the window they were encoded in.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ecphory_core::{DocAddress, Progress};
use ecphory_index::{ChannelKind, DenseSettings, Gap, Rows, Writer};
use ecphory_model::{Encoder, Role};
use ecphory_text::Passages;

use super::Collection;
use crate::{Error, Result};

/// The first window of a channel, before its speed is known, and the smallest.
const WINDOW_MIN: usize = 64;

/// The largest window: its token ids and vectors are in memory.
const WINDOW_MAX: usize = 4096;

/// How long encoding goes on between two commits; the index joins the small files that this makes.
const COMMIT_INTERVAL: Duration = Duration::from_secs(5);

/// What filling did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// How many documents were encoded, summed over the channels.
    pub documents: u64,
    /// How many vectors that made.
    pub vectors: u64,
}

impl Collection {
    /// Encodes every document that a dense channel does not cover yet, and commits every few seconds.
    ///
    /// # Errors
    /// Where a model is missing or is not the one the channel was made with, another writer is at work,
    /// or the disk is full. With kind `Interrupted` where the caller asked to stop: everything committed
    /// is kept, and the next call goes on from there.
    pub fn fill(&self, progress: &dyn Progress) -> Result<Filled> {
        let index = self.index()?;
        let snapshot = index.snapshot()?;
        let mut work = Vec::new();
        for channel in &snapshot.schema().channels {
            let ChannelKind::Dense(settings) = &channel.kind else { continue };
            let coverage = snapshot.coverage(&channel.name)?;
            if coverage.covered < coverage.total {
                work.push((channel, settings, coverage.total - coverage.covered));
            }
        }
        let mut filled = Filled::default();
        if work.is_empty() {
            return Ok(filled);
        }
        let writer = index.writer()?;
        for (channel, settings, missing) in work {
            let filling = Filling::new(self, &channel.name, &channel.fields, settings)?;
            progress.begin(&format!("encoding for {}", channel.name), missing);
            let done = filling.run(&writer, progress, &mut filled);
            progress.end();
            done?;
        }
        Ok(filled)
    }
}

/// One channel being filled.
struct Filling<'a> {
    collection: &'a Collection,
    channel: &'a str,
    fields: &'a [String],
    passages: Option<Passages>,
    encoder: Arc<Encoder>,
}

/// The vectors of a window.
struct Window {
    counts: Vec<u32>,
    values: Vec<f32>,
}

impl<'a> Filling<'a> {
    fn new(
        collection: &'a Collection,
        channel: &'a str,
        fields: &'a [String],
        settings: &DenseSettings,
    ) -> Result<Self> {
        let encoder = collection.engine.channel_encoder(channel, settings)?;
        let passages = settings.passages.as_deref().map(str::parse).transpose()?;
        Ok(Self { collection, channel, fields, passages, encoder })
    }

    fn run(&self, writer: &Writer, progress: &dyn Progress, filled: &mut Filled) -> Result<()> {
        let clock = self.collection.engine.clock();
        let mut size = WINDOW_MIN;
        while let Some(gap) = writer.uncovered(self.channel)? {
            let before = clock.now();
            let count = size.min(gap.count as usize);
            let window = self.encode(writer, &gap, count, progress)?;
            writer.stage_rows(
                self.channel,
                Rows { counts: &window.counts, values: &window.values },
            )?;
            writer.commit()?;
            filled.documents += count as u64;
            filled.vectors += window.counts.iter().copied().map(u64::from).sum::<u64>();
            size = next_size(clock.now().saturating_sub(before), count);
        }
        Ok(())
    }

    /// Encodes the first `count` documents of a gap.
    fn encode(
        &self,
        writer: &Writer,
        gap: &Gap,
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Window> {
        let snapshot = writer.snapshot();
        let mut texts = Vec::with_capacity(count);
        for number in gap.first.0..gap.first.0 + count as u32 {
            let document = snapshot.document(DocAddress::new(gap.segment, number))?;
            texts.push(document.joined_text(self.fields));
        }
        let mut pieces: Vec<&str> = Vec::with_capacity(count);
        let mut counts = Vec::with_capacity(count);
        for text in &texts {
            let ranges = self.split(text);
            counts.push(ranges.len() as u32);
            pieces.extend(ranges.into_iter().map(|range| &text[range]));
        }
        let share = Share {
            progress,
            pieces: pieces.len() as u64,
            documents: count as u64,
            done: AtomicU64::new(0),
        };
        let engine = &self.collection.engine;
        let encoded = engine.encode(&self.encoder, &pieces, Role::Document, &share);
        let values = encoded.map_err(|error| match error.kind() {
            ecphory_core::ErrorKind::Interrupted => {
                Error::Interrupted { doing: "encoding documents" }
            }
            _ => error,
        })?;
        share.finish();
        Ok(Window { counts, values })
    }

    /// Returns the parts of a text that get a vector each; none for a text that is blank.
    fn split(&self, text: &str) -> Vec<Range<usize>> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        match &self.passages {
            Some(passages) => passages.split(text),
            None => std::iter::once(0..text.len()).collect(),
        }
    }
}

/// Returns how many documents the next window has: what the last one's speed gives for the interval.
fn next_size(took: Duration, count: usize) -> usize {
    let size = count as f64 / took.as_secs_f64().max(1e-6) * COMMIT_INTERVAL.as_secs_f64();
    (size as usize).clamp(WINDOW_MIN, WINDOW_MAX)
}

/// Turns the encoder's progress in pieces of text into progress in documents.
struct Share<'a> {
    progress: &'a dyn Progress,
    pieces: u64,
    documents: u64,
    done: AtomicU64,
}

impl Share<'_> {
    /// Returns how many documents `pieces` pieces are worth.
    fn documents(&self, pieces: u64) -> u64 {
        (pieces * self.documents).checked_div(self.pieces).unwrap_or(0)
    }

    /// Reports what rounding and documents without text have left.
    fn finish(&self) {
        let reported = self.documents(self.done.load(Ordering::Relaxed));
        self.progress.advance(self.documents - reported);
    }
}

impl Progress for Share<'_> {
    fn begin(&self, _task: &str, _total: u64) {}

    fn advance(&self, units: u64) {
        let before = self.done.fetch_add(units, Ordering::Relaxed);
        let documents = self.documents(before + units) - self.documents(before);
        if documents > 0 {
            self.progress.advance(documents);
        }
    }

    fn end(&self) {}

    fn cancelled(&self) -> bool {
        self.progress.cancelled()
    }
}
