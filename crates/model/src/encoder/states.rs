//! The states of a text's tokens, before anything is made of them.

use std::ops::Range;

use ecphory_core::Progress;

use super::{Encoder, Role};
use crate::error::Result;
use crate::eval::Eval;
use crate::load::Body;
use crate::reading::NumberedTokens;
use crate::runner::Runner;

/// The token states of some texts: what late interaction, whole words and term weights are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenStates {
    columns: usize,
    /// The tokens of each text.
    spans: Vec<Range<usize>>,
    tokens: Vec<u32>,
    words: Vec<u32>,
    values: Vec<f32>,
}

impl TokenStates {
    /// Returns how many texts there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns how many values a row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the tokens of a text, special tokens included.
    pub fn tokens(&self, text: usize) -> &[u32] {
        &self.tokens[self.spans[text].clone()]
    }

    /// Returns for each token of a text the number of its whole word.
    ///
    /// Tokens of one word have the same number, and so have all places of a word in a text, upper or lower case: the first
    /// 32 bits of the SHA-256 of its lower-case form, never 0. Special tokens, tokens of the role's prompt and tokens of a
    /// word that the limit of tokens has cut have 0 (Hofstätter et al. 2022 leave out words that are cut).
    pub fn words(&self, text: usize) -> &[u32] {
        &self.words[self.spans[text].clone()]
    }

    /// Returns the states of a text, a row of [`Self::columns`] values for each token.
    pub fn rows(&self, text: usize) -> &[f32] {
        let span = &self.spans[text];
        &self.values[span.start * self.columns..span.end * self.columns]
    }

    /// Makes room for the rows of texts whose tokens are known.
    fn with_room(numbered: Vec<NumberedTokens>, columns: usize) -> Self {
        let mut all = Self { columns, ..Self::default() };
        for NumberedTokens { ids, words } in numbered {
            let start = all.tokens.len();
            all.tokens.extend(ids);
            all.words.extend(words);
            all.spans.push(start..all.tokens.len());
        }
        all.values = vec![0.0; all.tokens.len() * columns];
        all
    }
}

impl Encoder {
    /// Returns how many values the state of a token has; of a model of late interaction, its vector.
    pub fn token_dimensions(&self) -> usize {
        if self.head.per_token { self.head.dimensions } else { self.hidden() }
    }

    /// Returns how many values the last layer has.
    pub(super) fn hidden(&self) -> usize {
        match &self.body {
            Body::Transformer { config, .. } => config.hidden(),
            #[cfg(feature = "onnx")]
            Body::Graph { config, .. } => config.hidden(),
            Body::Static(table) => table.dimensions(),
        }
    }

    /// Computes the states of the last layer for every token of some texts, before pooling and what comes after it.
    ///
    /// Reads the tokens that [`Self::encode`] reads. The states of a text are the same, bit for bit, whatever texts it is
    /// given with. Of a static table they are the rows of the tokens, with zeros for what it does not know.
    ///
    /// Reports a task `encode` with one unit a text. Memory: all states, `4 ·` [`Self::token_dimensions`] bytes a token, and
    /// half as much again while they are put in order: hand in a few hundred texts at a time.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn states(
        &self,
        texts: &[&str],
        role: Role,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<TokenStates> {
        progress.begin("encode", texts.len() as u64);
        let states = pool.install(|| self.states_here(texts, role, progress));
        progress.end();
        states
    }

    /// Computes states on the current pool; tells of every text, but not of a task.
    pub(crate) fn states_here(
        &self,
        texts: &[&str],
        role: Role,
        progress: &dyn Progress,
    ) -> Result<TokenStates> {
        let numbered =
            Runner::prepare(texts, progress, |text| self.reading.numbered_as(text, role))?;
        let columns = self.token_dimensions();
        let mut all = TokenStates::with_room(numbered, columns);
        let lengths: Vec<usize> = all.spans.iter().map(ExactSizeIterator::len).collect();
        let batches = self.runner.run(&lengths, progress, |run, batch| {
            let sequences: Vec<&[u32]> = batch.iter().map(|&i| all.tokens(i)).collect();
            self.token_rows(run, &sequences)
        })?;
        for (batch, states) in batches {
            let mut from = 0;
            for text in batch {
                let span = &all.spans[text];
                let size = span.len() * columns;
                all.values[span.start * columns..][..size].copy_from_slice(&states[from..][..size]);
                from += size;
            }
        }
        Ok(all)
    }

    /// Computes the states of one text on this thread alone.
    pub(crate) fn states_of_one(&self, text: &str, role: Role) -> Result<TokenStates> {
        let numbered = self.reading.numbered_as(text, role)?;
        let mut one = TokenStates::with_room(vec![numbered], self.token_dimensions());
        one.values = self.runner.with_executor(1, |run| self.token_rows(run, &[&one.tokens]))?;
        Ok(one)
    }

    /// Computes the rows of the tokens of some texts on this thread.
    fn token_rows(&self, run: &mut Eval, sequences: &[&[u32]]) -> Result<Vec<f32>> {
        let states = self.with_states(run, sequences, |states, _| states.to_vec())?;
        if self.head.per_token {
            return Ok(self.head.finish(run, self.runner.level(), states, self.hidden()));
        }
        Ok(states)
    }

    /// Returns how many tokens are read of a text of a role.
    pub(crate) fn tokens_of(&self, role: Role) -> usize {
        self.reading.tokens_of(role)
    }

    /// Returns tokens as the tokenizer writes them.
    pub(crate) fn written(&self, tokens: &[u32]) -> Vec<String> {
        let one = |&token: &u32| self.reading.tokenizer.token(token).unwrap_or_default();
        tokens.iter().map(one).collect()
    }

    /// Counts the tokens that are read of a text.
    pub(crate) fn count_tokens(&self, text: &str, role: Role) -> Result<usize> {
        Ok(self.reading.tokens_as(text, role)?.len())
    }
}
