//! From the text of documents to the rows of a dense channel.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ecphory_core::{ErrorKind, Progress};
use ecphory_index::{ChannelKind, ChannelSchema};
use ecphory_model::{Encoder, Role};
use ecphory_text::Passages;

use crate::{Engine, Error, Result};

/// A dense channel, ready to encode.
pub(super) struct DenseChannel {
    pub name: String,
    pub fields: Vec<String>,
    passages: Option<Passages>,
    encoder: Arc<Encoder>,
}

/// The rows of some documents: how many each has, and all of them one after the other.
pub(super) struct Vectors {
    pub counts: Vec<u32>,
    pub values: Vec<f32>,
}

impl DenseChannel {
    /// Opens the encoder of a channel; `None` for channels of other kinds.
    pub fn open(engine: &Engine, channel: &ChannelSchema) -> Result<Option<Self>> {
        let ChannelKind::Dense(settings) = &channel.kind else { return Ok(None) };
        let encoder = engine.channel_encoder(&channel.name, settings)?;
        let passages = settings.passages.as_deref().map(str::parse).transpose()?;
        let (name, fields) = (channel.name.clone(), channel.fields.clone());
        Ok(Some(Self { name, fields, passages, encoder }))
    }

    /// Encodes texts, one for each document; progress counts documents.
    pub fn encode(
        &self,
        engine: &Engine,
        texts: &[String],
        progress: &dyn Progress,
    ) -> Result<Vectors> {
        let mut pieces: Vec<&str> = Vec::with_capacity(texts.len());
        let mut counts = Vec::with_capacity(texts.len());
        for text in texts {
            let ranges = self.split(text);
            counts.push(ranges.len() as u32);
            pieces.extend(ranges.into_iter().map(|range| &text[range]));
        }
        let share = Share {
            progress,
            pieces: pieces.len() as u64,
            documents: texts.len() as u64,
            done: AtomicU64::new(0),
        };
        let encoded = engine.encode(&self.encoder, &pieces, Role::Document, &share);
        let values = encoded.map_err(|error| match error.kind() {
            ErrorKind::Interrupted => Error::Interrupted { doing: "encoding documents" },
            _ => error,
        })?;
        share.finish();
        Ok(Vectors { counts, values })
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
