//! Token states that lie on disk, text by text.

use ecphory_core::Progress;
use ecphory_core::storage::Bytes;
use ecphory_kernels::Level;

use super::record::{self, Kept};
use super::shelf::Content;
use super::{Asked, EncodingCache, STATES, STATES_BYTES, View};
use crate::encoder::{Encoder, Role};
use crate::error::Result;
use crate::runner::Runner;

/// The token states of some texts, most of them on disk.
///
/// Memory: 60 bytes a text, whatever its length. Threads share it behind a reference.
pub struct CachedStates<'a> {
    encoder: &'a Encoder,
    role: Role,
    level: Level,
    texts: Vec<Entry<'a>>,
    found: usize,
}

struct Entry<'a> {
    text: &'a str,
    tokens: usize,
    /// The content of its record; `None` where it could not be stored.
    stored: Option<Bytes>,
}

/// Where the states of a text are read to; the memory is used again for the next one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateBuffer {
    /// The tokens, special tokens included.
    pub tokens: Vec<u32>,
    /// For each token the number of its whole word, as [`TokenStates::words`](crate::TokenStates::words) says.
    pub words: Vec<u32>,
    /// A row of [`CachedStates::columns`] values for each token, rounded to half precision.
    pub rows: Vec<f32>,
}

impl CachedStates<'_> {
    /// Returns how many texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns how many values a row has.
    pub fn columns(&self) -> usize {
        self.encoder.token_dimensions()
    }

    /// Returns how many tokens a text has, special tokens included.
    pub fn tokens(&self, text: usize) -> usize {
        self.texts[text].tokens
    }

    /// Returns how many texts did not go through the encoder: those that were stored before, and second copies of a text.
    pub fn found(&self) -> usize {
        self.found
    }

    /// Returns how many texts lie on disk. Those that do not are encoded whenever they are read.
    pub fn stored(&self) -> usize {
        self.texts.iter().filter(|entry| entry.stored.is_some()).count()
    }

    /// Reads the states of a text.
    ///
    /// Whether they were stored makes no difference but to the time: rows are rounded in any case. Cost: one pass over
    /// them, about 0.2 ns a value where they are in memory; encoding on this thread, where they are not stored.
    ///
    /// # Errors
    /// As [`Encoder::encode`], for a text that is not stored.
    pub fn read(&self, text: usize, into: &mut StateBuffer) -> Result<()> {
        let Entry { text, tokens, stored } = &self.texts[text];
        if let Some(content) = stored {
            let parts = (&mut into.tokens, &mut into.words, &mut into.rows);
            record::read_states(self.level, content, *tokens, parts);
            return Ok(());
        }
        let one = self.encoder.states_of_one(text, self.role)?;
        into.tokens.clear();
        into.tokens.extend_from_slice(one.tokens(0));
        into.words.clear();
        into.words.extend_from_slice(one.words(0));
        into.rows.clear();
        into.rows.extend_from_slice(one.rows(0));
        record::round(&mut into.rows);
        Ok(())
    }
}

impl EncodingCache {
    /// Returns the token states of texts in half precision; computes and stores those that are not there, some hundred texts
    /// at a time, which is what an interruption loses. They are [`Encoder::states`], rounded.
    ///
    /// What cannot be stored (the limit is reached, another process stores, the disk is full) is encoded when it is read.
    /// Reports a task `encode` with one unit a text.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; where files cannot be listed or opened.
    pub fn states<'a>(
        &self,
        encoder: &'a Encoder,
        texts: &[&'a str],
        role: Role,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<CachedStates<'a>> {
        let view = View { encoder, role, kept: Kept::States };
        progress.begin("encode", texts.len() as u64);
        let entries = self.states_of(view, texts, pool, progress);
        progress.end();
        let (texts, found) = entries?;
        Ok(CachedStates { encoder, role, level: Level::detect(), texts, found })
    }

    fn states_of<'a>(
        &self,
        view: View<'_>,
        texts: &[&'a str],
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<(Vec<Entry<'a>>, usize)> {
        let mut asked = self.look_up(view, texts, progress)?;
        let made = self.store_states(view, texts, &asked, pool, progress)?;
        progress.advance((asked.missing.len() - made) as u64);
        let mut state = self.state();
        self.with_shelf(&mut state, view, |shelf| {
            let nowhere = asked.found.iter_mut().zip(&asked.keys).filter(|(f, _)| f.is_none());
            nowhere.for_each(|(found, key)| *found = shelf.find(&self.storage, key));
        })?;
        drop(state);
        let found = texts.len() - made;
        let pairs: Vec<_> = texts.iter().zip(asked.found).collect();
        let entries = pool.install(|| {
            Runner::prepare(&pairs, progress, |(text, found)| {
                let stored = found.as_ref().map(|found| found.content.clone());
                let tokens = match found {
                    Some(found) => found.tokens,
                    None => view.encoder.count_tokens(text, view.role)?,
                };
                Ok(Entry { text, tokens, stored })
            })
        })?;
        Ok((entries, found))
    }

    /// Computes and stores what is missing as long as there is room; returns how many texts were computed.
    fn store_states(
        &self,
        view: View<'_>,
        texts: &[&str],
        asked: &Asked,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<usize> {
        let text_bytes = view.encoder.max_tokens().saturating_mul(4 * view.columns());
        let count = (STATES_BYTES / text_bytes.max(1)).clamp(8, STATES);
        let mut made = 0;
        for piece in asked.missing.chunks(count) {
            if !self.has_room()? {
                break;
            }
            let missing: Vec<&str> = piece.iter().map(|&i| texts[i]).collect();
            let states =
                pool.install(|| view.encoder.states_here(&missing, view.role, progress))?;
            made += piece.len();
            let content = |(at, &i): (usize, &usize)| {
                let tokens = states.tokens(at);
                let bytes = record::states_content(tokens, states.words(at), states.rows(at));
                Content { key: asked.keys[i], tokens: tokens.len(), bytes }
            };
            if !self.store(view, piece.iter().enumerate().map(content).collect())? {
                break;
            }
        }
        Ok(made)
    }
}

impl std::fmt::Debug for CachedStates<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedStates")
            .field("texts", &self.len())
            .field("stored", &self.stored())
            .finish_non_exhaustive()
    }
}
