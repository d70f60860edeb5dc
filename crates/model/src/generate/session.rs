//! One call of a generator: the executor, and the sequences that it reads.

use ecphory_core::Progress;

use super::Generator;
use super::pieces::Pieces;
use super::sampling::log_sum;
use crate::error::{Error, Result};
use crate::eval::{Eval, KeyValues, Matrix};
use crate::executor::TokenBatch;

/// Tokens of a prompt that are read at once: from about 100 rows on products reach their full speed, and the buffers of a
/// piece stay below 4 MB for a feed-forward part of 1,536.
const PIECE: usize = 256;

/// Reads tokens with a generator's decoder.
pub(super) struct Session<'a> {
    generator: &'a Generator,
    run: Eval,
}

/// A continuation that was chosen.
pub(super) struct Choice {
    pub(super) tokens: Vec<u32>,
    pub(super) log_probability: f64,
}

impl<'a> Session<'a> {
    pub(super) fn new(generator: &'a Generator) -> Self {
        let run = Eval::in_strips(generator.level, rayon::current_num_threads());
        Self { generator, run }
    }

    /// Returns whether a token ends a text.
    pub(super) fn is_end(&self, token: u32) -> bool {
        self.generator.ends.contains(&token)
    }

    /// Returns the tokens that end a text.
    pub(super) fn ends(&self) -> usize {
        self.generator.ends.len()
    }

    /// Reads a prompt in pieces; returns its cache and the logits after its last token.
    pub(super) fn read_prompt(
        &mut self,
        prompt: &[u32],
        progress: &dyn Progress,
    ) -> Result<(KeyValues, Vec<f32>)> {
        let mut cache = [KeyValues::new(self.generator.decoder.layers())];
        let mut last = Vec::new();
        for piece in prompt.chunks(PIECE) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let states = self.read(&[piece], &mut cache);
            last = states.values()[states.values().len() - states.columns..].to_vec();
        }
        let [cache] = cache;
        Ok((cache, self.logits_of(&last)))
    }

    /// Reads one more token of each sequence; returns the logits after it, one row a sequence.
    pub(super) fn read_tokens(&mut self, tokens: &[u32], caches: &mut [KeyValues]) -> Vec<f32> {
        let sequences: Vec<&[u32]> = tokens.chunks(1).collect();
        let states = self.read(&sequences, caches);
        self.logits_of(states.values())
    }

    /// Returns the logits after every token.
    pub(super) fn all_logits(&mut self, tokens: &[u32]) -> Vec<f32> {
        let mut cache = [KeyValues::new(self.generator.decoder.layers())];
        let mut logits = Vec::with_capacity(tokens.len() * self.generator.vocabulary);
        for piece in tokens.chunks(PIECE) {
            let states = self.read(&[piece], &mut cache);
            logits.extend(self.logits_of(states.values()));
        }
        logits
    }

    fn read(&mut self, sequences: &[&[u32]], caches: &mut [KeyValues]) -> Matrix {
        let batch = TokenBatch::new(sequences.iter().copied());
        self.generator.decoder.forward(&mut self.run, &batch, Some(caches))
    }

    fn logits_of(&mut self, states: &[f32]) -> Vec<f32> {
        self.run.apply_rows(self.generator.decoder.head(), states)
    }

    /// Makes one token after the other until one ends the text or `most` are made.
    pub(super) fn walk(
        &mut self,
        prompt: &[u32],
        most: usize,
        mut pick: impl FnMut(&[f32]) -> u32,
        progress: &dyn Progress,
        pieces: &mut Pieces<'_>,
    ) -> Result<Choice> {
        let (cache, mut logits) = self.read_prompt(prompt, progress)?;
        let mut cache = [cache];
        let mut choice = Choice { tokens: Vec::new(), log_probability: 0.0 };
        loop {
            let token = pick(&logits);
            choice.log_probability += f64::from(logits[token as usize]) - log_sum(&logits);
            choice.tokens.push(token);
            pieces.push(token)?;
            progress.advance(1);
            if self.is_end(token) || choice.tokens.len() == most {
                return Ok(choice);
            }
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            logits = self.read_tokens(&[token], &mut cache);
        }
    }
}
