//! From the text of documents to the rows of a channel that an encoder fills.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ecphory_core::{ErrorKind, Progress};
use ecphory_index::{ChannelKind, ChannelSchema};
use ecphory_model::{Encoder, Role, SparseEncoder};
use ecphory_text::Passages;

use crate::{Engine, Error, Result};

/// A channel with its encoder, ready to encode.
pub(super) struct EncodedChannel {
    pub name: String,
    pub fields: Vec<String>,
    maker: Maker,
}

/// What makes the rows of a channel.
enum Maker {
    /// A vector of each passage.
    Dense { encoder: Arc<Encoder>, passages: Option<Passages> },
    /// Weighted terms of each document.
    Sparse(Arc<SparseEncoder>),
}

/// The rows of some documents, as the index takes them.
#[derive(Default)]
pub(super) struct Vectors {
    /// How many rows each document has.
    pub counts: Vec<u32>,
    /// The terms of the rows, in a sparse channel.
    pub terms: Vec<u32>,
    pub values: Vec<f32>,
    /// How many texts were encoded.
    pub texts: u64,
}

impl EncodedChannel {
    /// Opens the encoder of a channel; `None` for channels that have none.
    pub fn open(engine: &Engine, channel: &ChannelSchema) -> Result<Option<Self>> {
        let maker = match &channel.kind {
            ChannelKind::Bm25(_) => return Ok(None),
            ChannelKind::Dense(settings) => Maker::Dense {
                encoder: engine.channel_encoder(&channel.name, settings)?,
                passages: settings.passages.as_deref().map(str::parse).transpose()?,
            },
            ChannelKind::Sparse(settings) => {
                Maker::Sparse(engine.channel_sparse_encoder(&channel.name, settings)?)
            }
        };
        let (name, fields) = (channel.name.clone(), channel.fields.clone());
        Ok(Some(Self { name, fields, maker }))
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
        let interrupted = |error: Error| match error.kind() {
            ErrorKind::Interrupted => Error::Interrupted { doing: "encoding documents" },
            _ => error,
        };
        let mut made = Vectors { texts: pieces.len() as u64, ..Vectors::default() };
        match &self.maker {
            Maker::Dense { encoder, .. } => {
                let encoded = engine.encode(encoder, &pieces, Role::Document, &share);
                (made.counts, made.values) = (counts, encoded.map_err(interrupted)?);
            }
            Maker::Sparse(encoder) => {
                let encoded = engine.encode_sparse(encoder, &pieces, Role::Document, &share);
                let mut encoded = encoded.map_err(interrupted)?.into_iter();
                for count in counts {
                    // One vector, or none for a text that is blank.
                    let mut rows = 0;
                    for vector in encoded.by_ref().take(count as usize) {
                        rows += vector.terms.len() as u32;
                        made.terms.extend(vector.terms);
                        made.values.extend(vector.weights);
                    }
                    made.counts.push(rows);
                }
            }
        }
        share.finish();
        Ok(made)
    }

    /// Returns the parts of a text that are encoded each; none for a text that is blank.
    fn split(&self, text: &str) -> Vec<Range<usize>> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        match &self.maker {
            Maker::Dense { passages: Some(passages), .. } => passages.split(text),
            _ => std::iter::once(0..text.len()).collect(),
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
