//! Filling channels that have an encoder: encoding, in windows, what has no vector yet.
//!
//! Each window is one commit, so an interruption loses a window at most, and the next call goes on where
//! the last one committed. A window is as large as what can be encoded in the commit interval; inside it
//! the encoder sorts texts by length. Vectors do not depend on the window they were encoded in.

use std::time::Duration;

use ecphory_core::{DocAddress, Progress};
use ecphory_index::{Error as IndexError, Gap, Rows, Writer};

use super::vectors::{EncodedChannel, Vectors};
use super::writer::{CollectionWriter, Inner, exclusive};
use crate::Result;

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

impl CollectionWriter {
    /// Encodes every document that a dense or sparse channel does not cover yet, and commits every few seconds.
    /// Batches that other threads put wait for the window that is being encoded.
    ///
    /// # Errors
    /// Where a model is missing or is not the one the channel was made with, or the disk is full. With
    /// kind `Interrupted` where the caller asked to stop: everything committed is kept, and the next call
    /// goes on from there.
    pub fn fill(&self, progress: &dyn Progress) -> Result<Filled> {
        let inner = self.inner()?;
        let snapshot = inner.index.snapshot();
        let mut filled = Filled::default();
        for channel in &snapshot.schema().channels {
            let missing = missing(&inner.index, &channel.name)?;
            if missing == 0 {
                continue;
            }
            let Some(channel) = EncodedChannel::open(&inner.engine, channel)? else { continue };
            progress.begin(&format!("encoding for {}", channel.name), missing);
            let done = Filling { inner, channel }.run(progress, &mut filled);
            progress.end();
            done?;
        }
        Ok(filled)
    }
}

/// Returns how many documents a channel lacks; a lexical one lacks none.
fn missing(writer: &Writer, channel: &str) -> Result<u64> {
    match writer.snapshot().coverage(channel) {
        Ok(coverage) => Ok(coverage.total - coverage.covered),
        Err(IndexError::ChannelKind { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// One channel being filled.
struct Filling<'a> {
    inner: &'a Inner,
    channel: EncodedChannel,
}

impl Filling<'_> {
    fn run(&self, progress: &dyn Progress, filled: &mut Filled) -> Result<()> {
        let clock = self.inner.engine.clock();
        let writer = &self.inner.index;
        let mut size = WINDOW_MIN;
        loop {
            // A gap is named by the segment's position, which batches and merges change.
            let _alone = exclusive(&self.inner.gate);
            let before = clock.now();
            let Some(gap) = writer.uncovered(&self.channel.name)? else {
                if missing(writer, &self.channel.name)? == 0 {
                    return Ok(());
                }
                // What is left is in the tail; sealed, it has a gap like any other segment.
                writer.seal()?;
                continue;
            };
            let count = size.min(gap.count as usize);
            let window = self.encode(gap, count, progress)?;
            let Vectors { counts, terms, values, texts } = &window;
            let rows = Rows { counts, terms, values };
            writer.stage_rows(&self.channel.name, rows)?;
            writer.commit()?;
            filled.documents += count as u64;
            filled.vectors += texts;
            size = next_size(clock.now().saturating_sub(before), count);
        }
    }

    /// Encodes the first `count` documents of a gap. One that was deleted has no rows.
    fn encode(&self, gap: Gap, count: usize, progress: &dyn Progress) -> Result<Vectors> {
        let snapshot = self.inner.index.snapshot();
        let mut texts = Vec::with_capacity(count);
        for number in gap.first.0..gap.first.0 + count as u32 {
            let text = match snapshot.document(DocAddress::new(gap.segment, number)) {
                Ok(document) => document.joined_text(&self.channel.fields),
                Err(IndexError::Address { .. }) => String::new(),
                Err(error) => return Err(error.into()),
            };
            texts.push(text);
        }
        self.channel.encode(&self.inner.engine, &texts, progress)
    }
}

/// Returns how many documents the next window has: what the last one's speed gives for the interval.
fn next_size(took: Duration, count: usize) -> usize {
    let size = count as f64 / took.as_secs_f64().max(1e-6) * COMMIT_INTERVAL.as_secs_f64();
    (size as usize).clamp(WINDOW_MIN, WINDOW_MAX)
}
