//! Overlapping bigrams of the characters of scripts that write no spaces, as Lucene's `CJKBigramFilter`.
//!
//! Characters that stand next to each other in the text make a bigram, whichever of the scripts they
//! are of; a character with no such neighbour is a term by itself. Combining marks stay with their letter.

use super::steps::Bigrams;
use crate::words::WordKind;
use unicode_normalization::char::is_combining_mark;

impl Bigrams {
    /// Whether words of this kind are taken apart into bigrams.
    #[inline]
    pub(super) fn cover(self, kind: WordKind) -> bool {
        match kind {
            WordKind::Han | WordKind::Hiragana | WordKind::Katakana | WordKind::Hangul => true,
            WordKind::SoutheastAsian => self == Bigrams::Unspaced,
            WordKind::Alphanumeric | WordKind::Emoji => false,
        }
    }
}

/// A run of characters being paired.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The last character, alone while `paired` is false; then its pair is out already.
    previous: String,
    paired: bool,
    /// The byte of the text at which the run ends so far.
    end: usize,
    pair: String,
}

impl Run {
    /// Adds the characters of a word that covers the bytes from `start` to `end` of the text.
    pub(super) fn extend(&mut self, word: &str, start: usize, end: usize, f: &mut dyn FnMut(&str)) {
        if start != self.end {
            self.finish(f);
        }
        let mut rest = word;
        while !rest.is_empty() {
            let length = rest
                .char_indices()
                .skip(1)
                .find(|&(_, c)| !is_combining_mark(c))
                .map_or(rest.len(), |(at, _)| at);
            let (unit, after) = rest.split_at(length);
            rest = after;
            if !self.previous.is_empty() {
                self.pair.clear();
                self.pair.push_str(&self.previous);
                self.pair.push_str(unit);
                f(&self.pair);
                self.paired = true;
            }
            self.previous.clear();
            self.previous.push_str(unit);
        }
        self.end = end;
    }

    /// Ends the run.
    pub(super) fn finish(&mut self, f: &mut dyn FnMut(&str)) {
        if !self.previous.is_empty() && !self.paired {
            f(&self.previous);
        }
        self.previous.clear();
        self.paired = false;
    }
}
