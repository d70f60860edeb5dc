//! Text from text: a decoder with its tokenizer, its way to choose tokens, and its chat template.
//!
//! [`Generator`] opens a directory of safetensors in the Hugging Face layout or a GGUF file. Choosing tokens: the most
//! likely one, at random (Holtzman et al. 2020), or by a beam; each follows the definition of the transformers library.
//! Cost: a new token reads all weights once (540 MB for `SmolLM2`-135M in f32); a prompt is read in products of many rows.

mod beam;
mod chat;
mod options;
mod pieces;
mod sampling;
mod session;
mod source;

use std::path::Path;

use ecphory_core::Progress;
use ecphory_kernels::Level;
use ecphory_text::subword::Tokenizer;

use crate::decoder::{Decoder, DecoderFamily};
use crate::error::{Error, Result};
use crate::eval::Eval;
use chat::Template;
pub use chat::{Message, Speaker};
pub use options::{
    Beam, Decoding, GenerateOptions, Generated, GeneratorOptions, Prompt, Sampling, StopReason,
};
use pieces::Pieces;
use session::{Choice, Session};

/// A language model that continues text.
///
/// It is shared between threads behind a reference; each call works alone. The tokens of a prompt do not depend on the
/// number of threads, not by one bit. Memory: the weights in f32 in the order of the matrix kernels (the token table stays in
/// the file's map), and per call the keys and values of its tokens, 46 KB each for `SmolLM2`-135M and each beam.
pub struct Generator {
    name: String,
    family: DecoderFamily,
    level: Level,
    /// Reads the names of special tokens as what they are.
    tokenizer: Tokenizer,
    /// Reads them as ordinary text.
    literal: Tokenizer,
    decoder: Decoder<Eval>,
    template: Option<Template>,
    vocabulary: usize,
    max_tokens: usize,
    /// The tokens that end a text.
    ends: Vec<u32>,
}

impl Generator {
    /// Opens a model: a directory with `config.json`, `tokenizer.json` and safetensors, a directory with one GGUF file, or
    /// such a file.
    ///
    /// # Errors
    /// `NotFound` for a missing file, `Input` for a model that is not supported, `Corrupt` for damaged files, `Usage`
    /// for a limit that the model does not have.
    pub fn open(path: &Path, options: &GeneratorOptions) -> Result<Self> {
        source::open(path, options)
    }

    /// Returns whether a path has a model for [`Self::open`]: a GGUF file, or a configuration of a supported decoder.
    ///
    /// # Errors
    /// Where the path or its configuration cannot be read.
    pub fn opens(path: &Path) -> Result<bool> {
        source::opens(path)
    }

    /// Returns the name of the model, the last part of its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the architecture, as configurations call it.
    pub fn architecture(&self) -> &'static str {
        self.family.name()
    }

    /// Returns how many tokens the model knows.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Returns the most tokens of a prompt and its continuation together.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Returns whether it takes a conversation as a prompt.
    pub fn has_chat(&self) -> bool {
        self.template.is_some()
    }

    /// Returns the tokens of a prompt, as [`Self::generate`] reads them.
    ///
    /// # Errors
    /// `Input` for a conversation where the model has no supported chat template, and what the tokenizer says.
    pub fn tokens(&self, prompt: &Prompt<'_>) -> Result<Vec<u32>> {
        let tokens = match prompt {
            Prompt::Tokens(tokens) => tokens.to_vec(),
            Prompt::Text(text) => self.tokenizer.encode(text, usize::MAX)?,
            Prompt::Chat(messages) => {
                let none = || Error::NoChat { model: self.name.clone() };
                self.template.ok_or_else(none)?.tokens(messages, &self.literal)?
            }
        };
        self.check(&tokens)?;
        Ok(tokens)
    }

    /// Returns the text of some tokens, without special tokens.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn text(&self, tokens: &[u32]) -> Result<String> {
        Ok(self.tokenizer.decode(tokens)?)
    }

    /// Returns the logits of the next token after every token: `tokens.len()` rows of [`Self::vocabulary`] values.
    ///
    /// # Errors
    /// `Usage` for no tokens or more than [`Self::max_tokens`], `Corrupt` for a token outside the vocabulary.
    pub fn logits(&self, tokens: &[u32], pool: &rayon::ThreadPool) -> Result<Vec<f32>> {
        self.check(tokens)?;
        self.check_room(tokens, self.max_tokens)?;
        pool.install(|| Ok(Session::new(self).all_logits(tokens)))
    }

    /// Continues a prompt.
    ///
    /// Reports a task `generate` with one unit a token; it may end before the last.
    ///
    /// # Errors
    /// `Usage` for an empty prompt, for one that leaves no room for a token, and for options that contradict each other;
    /// `Interrupted` within a token or a piece of 256 tokens of the prompt after the caller asked to stop; those of [`Self::tokens`].
    pub fn generate(
        &self,
        prompt: &Prompt<'_>,
        options: &GenerateOptions,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
    ) -> Result<Generated> {
        self.stream(prompt, options, pool, progress, &mut |_| {})
    }

    /// Continues a prompt and hands on the text as it comes, in pieces of whole characters. A beam changes its mind until its
    /// end, and hands on all of its text then. The pieces together are the text of the result.
    ///
    /// # Errors
    /// As [`Self::generate`].
    pub fn stream(
        &self,
        prompt: &Prompt<'_>,
        options: &GenerateOptions,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Generated> {
        options.check()?;
        let tokens = self.tokens(prompt)?;
        // One place is left for a token of the answer.
        self.check_room(&tokens, self.max_tokens - 1)?;
        progress.begin("generate", options.max_new_tokens as u64);
        let made = pool.install(|| self.run(&tokens, options, progress, on_text));
        progress.end();
        made
    }

    fn run(
        &self,
        prompt: &[u32],
        options: &GenerateOptions,
        progress: &dyn Progress,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Generated> {
        let most = options.max_new_tokens.min(self.max_tokens - prompt.len());
        let mut session = Session::new(self);
        let mut pieces = Pieces::new(&self.tokenizer, on_text);
        let choice = match &options.decoding {
            Decoding::Greedy => {
                let pick = sampling::most_likely;
                session.walk(prompt, most, pick, progress, &mut pieces)?
            }
            Decoding::Sample(sampling) => {
                let mut sampler = sampling::Sampler::new(sampling);
                let pick = |logits: &[f32]| sampler.pick(logits);
                session.walk(prompt, most, pick, progress, &mut pieces)?
            }
            Decoding::Beam(beam) => {
                let choice = beam::search(&mut session, prompt, most, beam, progress)?;
                choice.tokens.iter().try_for_each(|token| pieces.push(*token))?;
                choice
            }
        };
        let Choice { tokens, log_probability } = choice;
        let ended = tokens.last().is_some_and(|token| self.ends.contains(token));
        let stop = match (ended, most < options.max_new_tokens) {
            (true, _) => StopReason::End,
            (false, true) => StopReason::ContextFull,
            (false, false) => StopReason::MaxTokens,
        };
        let (text, prompt_tokens) = (pieces.finish()?, prompt.len());
        Ok(Generated { text, tokens, prompt_tokens, log_probability, stop })
    }

    fn check(&self, tokens: &[u32]) -> Result<()> {
        let rows = self.vocabulary;
        match tokens.iter().find(|token| **token as usize >= rows) {
            Some(&token) => Err(Error::TokenOutside { model: self.name.clone(), token, rows }),
            None => Ok(()),
        }
    }

    fn check_room(&self, tokens: &[u32], most: usize) -> Result<()> {
        if (1..=most).contains(&tokens.len()) {
            return Ok(());
        }
        Err(Error::PromptLength { model: self.name.clone(), tokens: tokens.len(), most })
    }
}

impl std::fmt::Debug for Generator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generator")
            .field("name", &self.name)
            .field("vocabulary", &self.vocabulary)
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}
