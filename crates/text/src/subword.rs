//! Subword tokenizers from a Hugging Face `tokenizer.json`, through the `tokenizers` crate.
//!
//! The file's own truncation and padding are ignored: the caller says how many tokens there may be,
//! the special tokens are kept whatever the length, and nothing is padded. Ids come out, and text from ids; where a
//! token's word lies in the text is computed only by [`Tokenizer::encode_words`]. The special tokens around a text are
//! found once, by post-processing a probe, so that encoding is the tokenizer's fast path and two copies.
//!
//! A [`Tokenizer`] is shared between threads behind a reference. It is not the analyser of a lexical channel; that is
//! [`Analyzer`](crate::Analyzer).

mod words;

use crate::error::{Error, Result};
use std::path::Path;
use tokenizers::{Encoding, Token};
pub use words::WordTokens;

/// A subword tokenizer.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    single: Frame,
    pair: Frame,
}

/// Two texts as one input of a cross-encoder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The ids of both texts, with the special tokens.
    pub ids: Vec<u32>,
    /// For each id, the segment it belongs to (0 or 1 for BERT).
    pub type_ids: Vec<u32>,
}

/// The special tokens around one or two texts: what stands before, between and after, as (id, type id).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Frame {
    parts: Vec<Vec<(u32, u32)>>,
    /// The type id of each text.
    types: Vec<u32>,
}

/// Ids that no vocabulary has, to find the texts' places among the special tokens.
const PROBES: [u32; 2] = [u32::MAX, u32::MAX - 1];

impl Tokenizer {
    /// Opens a `tokenizer.json`.
    ///
    /// # Errors
    /// `Read` where the file cannot be read (kind `NotFound` where it is missing), `Tokenizer` where it does not parse or
    /// arranges texts in a way that is not supported.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes =
            fs_err::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes, path)
    }

    /// Makes a tokenizer from the bytes of a `tokenizer.json`; `path` is only named in errors.
    ///
    /// # Errors
    /// `Tokenizer`, as for [`Tokenizer::open`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let refuse = |reason: String| Error::Tokenizer { path: path.to_owned(), reason };
        let mut inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| refuse(e.to_string()))?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| refuse(error.to_string()))?;
        let single = Frame::find(&inner, 1).map_err(refuse)?;
        // Some tokenizers define no pairs; those encode single texts all the same.
        let pair = Frame::find(&inner, 2).unwrap_or_default();
        Ok(Self { inner, single, pair })
    }

    /// Makes it read the names of special tokens in a text as ordinary text, so that no text can contain such a token.
    #[must_use]
    pub fn with_literal_specials(mut self) -> Self {
        self.inner.set_encode_special_tokens(true);
        self
    }

    /// Returns the text of some tokens, without special tokens. Bytes that make no UTF-8, such as those of half a
    /// character, come out as U+FFFD.
    ///
    /// # Errors
    /// `Decode` where the tokenizer fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let failed =
            |e: tokenizers::Error| Error::Decode { tokens: ids.len(), reason: e.to_string() };
        self.inner.decode(ids, true).map_err(failed)
    }

    /// Returns the ids of a text with its special tokens, at most `max_tokens` in all. A longer text loses
    /// its end; special tokens are never lost.
    ///
    /// # Errors
    /// `NoRoom` where the limit is smaller than the number of special tokens; `Encode` where the tokenizer fails.
    pub fn encode(&self, text: &str, max_tokens: usize) -> Result<Vec<u32>> {
        let room = self.single.room(max_tokens)?;
        let ids = self.bare(text)?;
        let mut framed = Vec::with_capacity(ids.len().min(room) + self.single.len());
        self.single.assemble(&[&ids[..ids.len().min(room)]], |id, _| framed.push(id));
        Ok(framed)
    }

    /// Returns the ids of a text without special tokens, at most `max_tokens`, as static tables read them.
    ///
    /// # Errors
    /// `Encode` where the tokenizer fails.
    pub fn encode_bare(&self, text: &str, max_tokens: usize) -> Result<Vec<u32>> {
        let mut ids = self.bare(text)?;
        ids.truncate(max_tokens);
        Ok(ids)
    }

    /// Returns two texts as one input of at most `max_tokens`. Where both are too long, the longer one is cut first, as
    /// with the strategy `longest_first`.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`], and `Encode` where the tokenizer defines no pairs.
    pub fn encode_pair(&self, first: &str, second: &str, max_tokens: usize) -> Result<Pair> {
        if self.pair.parts.is_empty() {
            let reason = "it defines no pairs of texts".to_owned();
            return Err(Error::Encode { bytes: first.len() + second.len(), reason });
        }
        let room = self.pair.room(max_tokens)?;
        let (a, b) = (self.bare(first)?, self.bare(second)?);
        let (keep_a, keep_b) = longest_first(a.len(), b.len(), room);
        let mut pair = Pair::default();
        self.pair.assemble(&[&a[..keep_a], &b[..keep_b]], |id, type_id| {
            pair.ids.push(id);
            pair.type_ids.push(type_id);
        });
        Ok(pair)
    }

    /// Returns how many tokens the vocabulary has, with those that were added to it.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Returns how many special tokens stand around a single text.
    pub fn special_tokens(&self) -> usize {
        self.single.len()
    }

    /// Returns the ids of all special tokens, in ascending order: those that stand around a text, and what the tokenizer's file
    /// calls so, such as the unknown token.
    pub fn special_ids(&self) -> Vec<u32> {
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        let mut ids: Vec<u32> =
            added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id).collect();
        ids.extend(self.single.parts.iter().flatten().map(|&(id, _)| id));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Returns the token of an id.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Returns the id of a token as it stands in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The ids of a text alone.
    fn bare(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| Error::Encode { bytes: text.len(), reason: error.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }
}

impl Frame {
    /// Post-processes one probe for each text and reads off what was put around them.
    fn find(tokenizer: &tokenizers::Tokenizer, texts: usize) -> Result<Self, String> {
        let probe = |i: usize| {
            let token = Token { id: PROBES[i], value: String::new(), offsets: (0, 0) };
            Encoding::from_tokens(vec![token], 0)
        };
        let second = (texts == 2).then(|| probe(1));
        let framed = tokenizer
            .post_process(probe(0), second, true)
            .map_err(|error| format!("its post-processor fails: {error}"))?;
        let mut frame = Frame { parts: vec![Vec::new()], types: Vec::new() };
        for (&id, &type_id) in framed.get_ids().iter().zip(framed.get_type_ids()) {
            match PROBES.iter().position(|&probe| probe == id) {
                // The next text, in order.
                Some(text) if text == frame.types.len() => {
                    frame.types.push(type_id);
                    frame.parts.push(Vec::new());
                }
                Some(_) => return Err("its template does not use each text once, in order".into()),
                None => frame.parts.last_mut().expect("starts with one").push((id, type_id)),
            }
        }
        if frame.types.len() != texts {
            return Err("its template leaves out a text".to_owned());
        }
        Ok(frame)
    }

    fn len(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }

    fn room(&self, max_tokens: usize) -> Result<usize> {
        let needed = self.len();
        max_tokens.checked_sub(needed).ok_or(Error::NoRoom { max_tokens, needed })
    }

    fn assemble(&self, texts: &[&[u32]], mut push: impl FnMut(u32, u32)) {
        debug_assert_eq!(texts.len(), self.types.len());
        for (i, part) in self.parts.iter().enumerate() {
            for &(id, type_id) in part {
                push(id, type_id);
            }
            if let Some(ids) = texts.get(i) {
                for &id in *ids {
                    push(id, self.types[i]);
                }
            }
        }
    }
}

/// How much of two texts fits into `room`: what is too much comes off the longer one until both are
/// equally long, then off both; an odd token stays with the longer, of two equal ones with the second.
fn longest_first(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    let shorter = first.min(second);
    let (short, long) =
        if 2 * shorter <= room { (shorter, room - shorter) } else { (room / 2, room - room / 2) };
    if first > second { (long, short) } else { (short, long) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cutting_takes_from_the_longer_one(a in 0usize..20, b in 0usize..20, room in 0usize..30) {
            // One token at a time, as the definition has it.
            let (mut x, mut y) = (a, b);
            while x + y > room {
                if x > y || (x == y && a <= b) { x -= 1 } else { y -= 1 }
            }
            prop_assert_eq!(longest_first(a, b, room), (x, y));
        }
    }

    #[test]
    fn is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Tokenizer>();
    }
}
