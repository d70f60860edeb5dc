//! Conversations as the model was trained to read them.
//!
//! The template in a model's files is a program in Jinja; it is not run. A model whose vocabulary has the markers of
//! `ChatML` is spoken to in `ChatML`: `<|im_start|>`, the speaker, a new line, the content, `<|im_end|>`, a new line, for every
//! message, and `<|im_start|>assistant` and a new line for the answer. No message is added: where a template would begin
//! with one of its own for the system, give that message.

use ecphory_text::subword::Tokenizer;

use crate::error::Result;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub speaker: Speaker,
    /// What.
    pub content: String,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The one who sets the rules.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

impl Message {
    /// Makes a message of the system.
    pub fn system(content: impl Into<String>) -> Self {
        Self { speaker: Speaker::System, content: content.into() }
    }

    /// Makes a message of the user.
    pub fn user(content: impl Into<String>) -> Self {
        Self { speaker: Speaker::User, content: content.into() }
    }

    /// Makes a message of the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { speaker: Speaker::Assistant, content: content.into() }
    }
}

impl Speaker {
    fn name(self) -> &'static str {
        match self {
            Speaker::System => "system",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
        }
    }
}

/// The markers of `ChatML`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    start: u32,
    /// Ends a message.
    pub(super) end: u32,
}

impl Template {
    /// Finds the markers in a vocabulary.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let (start, end) = (tokenizer.id("<|im_start|>")?, tokenizer.id("<|im_end|>")?);
        Some(Self { start, end })
    }

    /// Returns the tokens of a conversation and of the beginning of an answer; `literal` reads no special tokens.
    pub(super) fn tokens(self, messages: &[Message], literal: &Tokenizer) -> Result<Vec<u32>> {
        let mut tokens = Vec::new();
        for message in messages {
            let text = format!("{}\n{}", message.speaker.name(), message.content);
            tokens.push(self.start);
            tokens.extend(literal.encode_bare(&text, usize::MAX)?);
            tokens.push(self.end);
            tokens.extend(literal.encode_bare("\n", usize::MAX)?);
        }
        tokens.push(self.start);
        let text = format!("{}\n", Speaker::Assistant.name());
        tokens.extend(literal.encode_bare(&text, usize::MAX)?);
        Ok(tokens)
    }
}
