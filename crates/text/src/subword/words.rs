//! The words that tokens are parts of.
//!
//! A word is what the tokenizer's pre-tokenizer cuts off (`BertPreTokenizer`, `Metaspace`, `ByteLevel` and so on), and
//! white space between two tokens ends one in any case: some tokenizers have no pre-tokenizer and merge over whole texts.

use std::ops::Range;

use tokenizers::Encoding;

use super::Tokenizer;
use crate::error::{Error, Result};

/// The tokens of a text, and for each its word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordTokens {
    /// The ids, with the special tokens where they were asked for.
    pub ids: Vec<u32>,
    /// For each id, the bytes of the text that are its word, without the white space around. Empty for special tokens, for
    /// tokens of white space, and for those of a word that the limit has cut.
    pub words: Vec<Range<usize>>,
}

/// A token with the occurrence of its word.
struct Part {
    id: u32,
    /// Counts the words of the text.
    word: usize,
    /// The bytes of the token, without white space around.
    bytes: Range<usize>,
}

impl Tokenizer {
    /// Returns what [`Tokenizer::encode`] returns, and the word of each token.
    ///
    /// All tokens of a word get the same bytes. A word that the limit cuts in two has none: half a word is not one.
    ///
    /// Cost: about twice that of [`Tokenizer::encode`], for the offsets.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_words(&self, text: &str, max_tokens: usize) -> Result<WordTokens> {
        let bare = self.encode_bare_words(text, self.single.room(max_tokens)?)?;
        let mut framed = WordTokens::default();
        self.single.assemble(&[&bare.ids], |id, _| framed.ids.push(id));
        let before = self.single.parts[0].len();
        framed.words = vec![0..0; before];
        framed.words.extend(bare.words);
        framed.words.resize(framed.ids.len(), 0..0);
        Ok(framed)
    }

    /// Returns what [`Tokenizer::encode_bare`] returns, and the word of each token, as [`Tokenizer::encode_words`] does.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_bare`].
    pub fn encode_bare_words(&self, text: &str, max_tokens: usize) -> Result<WordTokens> {
        let encoding = self
            .inner
            .encode(text, false)
            .map_err(|error| Error::Encode { bytes: text.len(), reason: error.to_string() })?;
        let parts = self.parts(text, &encoding);
        let kept = parts.len().min(max_tokens);
        let cut = parts.get(kept).map(|part| part.word);
        let mut words = Vec::with_capacity(kept);
        for occurrence in parts[..kept].chunk_by(|a, b| a.word == b.word) {
            let is_cut = cut == Some(occurrence[0].word);
            let whole = if is_cut { 0..0 } else { span(occurrence) };
            words.resize(words.len() + occurrence.len(), whole);
        }
        Ok(WordTokens { ids: parts[..kept].iter().map(|part| part.id).collect(), words })
    }

    fn parts(&self, text: &str, encoding: &Encoding) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::with_capacity(encoding.len());
        let (mut index, mut from) = (None, 0);
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        for ((&id, &(start, end)), &place) in tokens.zip(encoding.get_word_ids()) {
            let bytes = trimmed(text, start..end);
            let is_special = self.is_special(id, text.get(bytes.clone()));
            // A special token is no part of a word, so that it has no bytes here.
            let bytes = if is_special { bytes.start..bytes.start } else { bytes };
            // What is between the starts of two tokens is the first of them, and what lies between.
            let gap = text.get(from..bytes.start).unwrap_or_default();
            let begins = is_special || place != index || gap.contains(char::is_whitespace);
            let word = parts.last().map_or(0, |last| last.word + usize::from(begins));
            (index, from) = (if is_special { None } else { place }, bytes.start);
            parts.push(Part { id, word, bytes });
        }
        parts
    }

    /// Returns whether a token stands in the text as a special token. The unknown token is special too, but where it
    /// stands for a word it is that word's.
    fn is_special(&self, id: u32, found: Option<&str>) -> bool {
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder().get(&id);
        added.is_some_and(|token| token.special && found == Some(token.content.trim()))
    }
}

/// Returns the bytes that the tokens of a word span, leaving out those without any.
fn span(occurrence: &[Part]) -> Range<usize> {
    let bytes = || occurrence.iter().map(|part| &part.bytes).filter(|bytes| !bytes.is_empty());
    let start = bytes().map(|bytes| bytes.start).min().unwrap_or(0);
    start..bytes().map(|bytes| bytes.end).max().unwrap_or(start)
}

/// Takes the white space off both ends. Offsets that a normaliser left inside a character go to its borders.
fn trimmed(text: &str, bytes: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(bytes.start.min(text.len()));
    let end = text.ceil_char_boundary(bytes.end.clamp(start, text.len()));
    let slice = &text[start..end];
    let skipped = slice.len() - slice.trim_start().len();
    let length = slice.trim().len();
    // All white space: an empty range after it.
    start + skipped..start + skipped + length
}
