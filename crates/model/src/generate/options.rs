//! What a caller can ask of a generator, and what it gets.

use super::chat::Message;
use crate::error::{Error, Result};

/// How to open a generator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneratorOptions {
    /// The most tokens of a prompt and its continuation together, from 2 to the model's own limit; that limit, but at most
    /// 32,768, where there is none here.
    pub max_tokens: Option<usize>,
}

/// What is to be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt<'a> {
    /// Text, in which the names of special tokens stand for these tokens.
    Text(&'a str),
    /// A conversation, whose next message is the model's. Its contents are ordinary text: no message can end itself or
    /// speak for another.
    Chat(&'a [Message]),
    /// Tokens.
    Tokens(&'a [u32]),
}

/// How to continue a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens that are made, at least 1.
    pub max_new_tokens: usize,
    /// How they are chosen.
    pub decoding: Decoding,
}

/// How tokens are chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Decoding {
    /// The most likely token each time; of equal ones that with the lowest id.
    #[default]
    Greedy,
    /// A token at random each time.
    Sample(Sampling),
    /// The continuation that is most likely as a whole, as far as a beam finds it.
    Beam(Beam),
}

/// From which tokens one is drawn. The steps come in this order: temperature, `top_k`, `top_p`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by, above 0: below 1 the likely becomes likelier.
    pub temperature: f32,
    /// Only so many of the most likely tokens.
    pub top_k: Option<usize>,
    /// Only the most likely tokens whose probabilities first reach this sum, above 0 and up to 1.
    pub top_p: Option<f32>,
    /// The same seed gives the same text, on any machine with the same level of instructions.
    pub seed: u64,
}

/// A beam search as the transformers library defines it.
///
/// The score of a continuation is its log-probability over its length to the power of `length_penalty`. The search ends when
/// `width` continuations have ended and the best open one, divided by its length so far, is no better than the worst
/// of them (`early_stopping=False` there), or when no token is left to be made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beam {
    /// How many continuations are kept, 1 to 64.
    pub width: usize,
    /// Above 0 it favours long continuations, below 0 short ones.
    pub length_penalty: f32,
}

/// Why a text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The model ended it.
    End,
    /// `max_new_tokens` were made.
    MaxTokens,
    /// The model has no room for more.
    ContextFull,
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The text, without special tokens.
    pub text: String,
    /// The tokens, with the one that ended it.
    pub tokens: Vec<u32>,
    /// How many tokens the prompt had.
    pub prompt_tokens: usize,
    /// The natural logarithm of the continuation's probability under the model, whatever the way in which tokens were chosen.
    pub log_probability: f64,
    /// Why it ends.
    pub stop: StopReason,
}

impl Default for GenerateOptions {
    /// At most 256 tokens, greedily.
    fn default() -> Self {
        Self { max_new_tokens: 256, decoding: Decoding::Greedy }
    }
}

impl Default for Sampling {
    /// Temperature 1, all tokens, seed 0.
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None, seed: 0 }
    }
}

impl Default for Beam {
    /// Four continuations, length penalty 1.
    fn default() -> Self {
        Self { width: 4, length_penalty: 1.0 }
    }
}

/// The widest beam: each continuation has a cache of its own.
const MOST_WIDTH: usize = 64;

impl GenerateOptions {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |setting, found: &dyn ToString, expected| {
            Err(Error::Decoding { setting, found: found.to_string(), expected })
        };
        if self.max_new_tokens == 0 {
            return wrong("max_new_tokens", &0, "at least 1");
        }
        match &self.decoding {
            Decoding::Greedy => Ok(()),
            Decoding::Sample(Sampling { temperature, top_k, top_p, .. }) => {
                if !(temperature.is_finite() && *temperature > 0.0) {
                    return wrong("temperature", temperature, "a number above 0");
                }
                if *top_k == Some(0) {
                    return wrong("top_k", &0, "at least 1");
                }
                match top_p {
                    Some(p) if !(*p > 0.0 && *p <= 1.0) => wrong("top_p", p, "above 0 and up to 1"),
                    _ => Ok(()),
                }
            }
            Decoding::Beam(Beam { width, length_penalty }) => {
                if !(1..=MOST_WIDTH).contains(width) {
                    return wrong("width", width, "1 to 64");
                }
                if !length_penalty.is_finite() {
                    return wrong("length_penalty", length_penalty, "a number");
                }
                Ok(())
            }
        }
    }
}
