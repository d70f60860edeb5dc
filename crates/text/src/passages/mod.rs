//! Passages: a long text cut at sentence boundaries into pieces of at most so many words, which may overlap.
//!
//! A passage is whole sentences, as many as fit; the next one begins with those of its last sentences that fit
//! into the overlap. A sentence longer than a passage is cut between words. A length is counted in words of UAX #29, so
//! a Chinese or Japanese character counts as one word, and so does a letter cluster of Thai and its like.
//!
//! Cost: two passes over the text and one small entry for each sentence. It is not for a limit in the tokens of an
//! encoder: 100 words of English are about 130 tokens, of a technical text up to 200, and the encoder cuts what is over.

mod sentences;

use crate::error::{Error, Result, SpecProblem};
use crate::spec::{Setting, Source};
use sentences::Atom;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// How to cut a text into passages.
///
/// ```
/// use ecphory_text::Passages;
///
/// let passages: Passages = "sentences(words=6, overlap=3)".parse()?;
/// let text = "One two three. Four five six. Seven.";
/// let pieces: Vec<&str> = passages.split(text).into_iter().map(|range| &text[range]).collect();
/// assert_eq!(pieces, ["One two three. Four five six.", "Four five six. Seven."]);
/// assert_eq!(passages.to_string(), "sentences(words=6, overlap=3)");
/// # Ok::<(), ecphory_text::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passages {
    words: usize,
    overlap: usize,
}

/// More words than this in a passage make no sense, and sums of them stay far from overflow.
const WORDS_MAX: usize = 1_000_000;

impl Passages {
    /// Makes passages of at most `words` words, of which the first `overlap` or fewer are the last
    /// of the passage before. `None` where `words` is 0 or above a million, or the overlap is not smaller.
    pub fn of_sentences(words: usize, overlap: usize) -> Option<Self> {
        (overlap < words && words <= WORDS_MAX).then_some(Self { words, overlap })
    }

    /// Returns the most words that a passage has.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Returns the most words that two neighbours share.
    pub fn overlap(&self) -> usize {
        self.overlap
    }

    /// Returns the byte ranges of the passages, in order: both ends ascend. They cover all of the text but white space
    /// between sentences and at the ends; a blank text has none.
    pub fn split(&self, text: &str) -> Vec<Range<usize>> {
        let atoms = sentences::atoms(text, self.words);
        let mut passages = Vec::new();
        let (mut first, mut next) = (0, 0);
        while next < atoms.len() {
            let mut words: usize = atoms[first..next].iter().map(|atom| atom.words).sum();
            while next < atoms.len() && words + atoms[next].words <= self.words {
                words += atoms[next].words;
                next += 1;
            }
            assert!(first < next, "an atom is never longer than a passage");
            passages.push(atoms[first].range.start..atoms[next - 1].range.end);
            first = self.overlap_start(&atoms, first, next);
        }
        passages
    }

    /// Where the passage after `first..next` begins: as far back as the overlap reaches, if the atom at `next` still fits.
    fn overlap_start(&self, atoms: &[Atom], first: usize, next: usize) -> usize {
        let Some(coming) = atoms.get(next) else { return next };
        let room = self.overlap.min(self.words - coming.words);
        let mut start = next;
        let mut shared = 0;
        while start > first + 1 && shared + atoms[start - 1].words <= room {
            start -= 1;
            shared += atoms[start].words;
        }
        start
    }
}

/// Returns the byte ranges of the sentences of a text, in order, without the white space between them; a blank text has none.
///
/// ```
/// use ecphory_text::sentences;
///
/// let text = "Dr. Mabuse came. Who saw him? ";
/// let found: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
/// assert_eq!(found, ["Dr. Mabuse came.", "Who saw him?"]);
/// ```
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    sentences::atoms(text, usize::MAX).into_iter().map(|atom| atom.range).collect()
}

impl Default for Passages {
    /// 120 words, 30 of them shared.
    fn default() -> Self {
        Self { words: 120, overlap: 30 }
    }
}

impl FromStr for Passages {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "passages", text };
        let call = source.parse()?;
        if call.name != "sentences" {
            return Err(source.unknown(call.offset, "way to cut", call.name, ["sentences"]));
        }
        source.unique(&call)?;
        let mut passages = Self { words: Self::default().words, overlap: 0 };
        let mut overlap = None;
        for setting in &call.options {
            match setting.key {
                "words" => passages.words = number(source, setting)?,
                "overlap" => overlap = Some((number(source, setting)?, setting.offset)),
                other => {
                    let known = ["words", "overlap"];
                    return Err(source.unknown(setting.offset, "option", other, known));
                }
            }
        }
        let conflict = |offset: usize, name: &str, rule| {
            source.error(offset, SpecProblem::Conflict { name: name.to_owned(), rule })
        };
        if !(1..=WORDS_MAX).contains(&passages.words) {
            return Err(conflict(call.offset, "words", "must be from 1 to 1000000"));
        }
        // A quarter, unless it is stated.
        let (overlap, offset) = overlap.unwrap_or((passages.words / 4, call.offset));
        passages.overlap = overlap;
        if overlap >= passages.words {
            return Err(conflict(offset, "overlap", "must be smaller than `words`"));
        }
        Ok(passages)
    }
}

fn number(source: Source<'_>, setting: &Setting<'_>) -> Result<usize> {
    let (digits, offset) = source.word(setting)?;
    digits.parse().map_err(|_| source.expected(offset, "a whole number"))
}

impl fmt::Display for Passages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sentences(words={}, overlap={})", self.words, self.overlap)
    }
}

#[cfg(test)]
mod tests;
