//! Text from tokens that come one at a time.

use ecphory_text::subword::Tokenizer;

use crate::error::Result;

/// What half a character decodes to.
const BROKEN: char = '\u{FFFD}';

/// Hands on text in whole characters, and keeps it.
///
/// The text of a token can depend on the token before it (a space that only a text's first word lacks), and a character
/// can need several tokens. So a token is decoded with those from the start of the piece before it on, and what is new is
/// handed on as soon as it does not end within a character.
pub(super) struct Pieces<'a> {
    tokenizer: &'a Tokenizer,
    on_text: &'a mut (dyn FnMut(&str) + Send),
    text: String,
    tokens: Vec<u32>,
    /// Where the piece before starts, and where the current one does.
    starts: (usize, usize),
}

impl<'a> Pieces<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, on_text: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        Self { tokenizer, on_text, text: String::new(), tokens: Vec::new(), starts: (0, 0) }
    }

    /// Adds a token.
    pub(super) fn push(&mut self, token: u32) -> Result<()> {
        self.tokens.push(token);
        self.hand_on(false)
    }

    /// Hands on what is left and returns the whole text.
    pub(super) fn finish(mut self) -> Result<String> {
        self.hand_on(true)?;
        Ok(self.text)
    }

    fn hand_on(&mut self, is_end: bool) -> Result<()> {
        let before = self.tokenizer.decode(&self.tokens[self.starts.0..self.starts.1])?;
        let both = self.tokenizer.decode(&self.tokens[self.starts.0..])?;
        if both.len() <= before.len() || (both.ends_with(BROKEN) && !is_end) {
            return Ok(());
        }
        let piece = &both[before.len()..];
        self.text.push_str(piece);
        (self.on_text)(piece);
        self.starts = (self.starts.1, self.tokens.len());
        Ok(())
    }
}
