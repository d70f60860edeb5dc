//! The loop that applies the steps.

use super::bigrams::Run;
use super::steps::{Normal, Split, Steps};
use crate::fold;
use crate::stop::{StopList, StopSet};
use crate::words::{self, Word};
use std::borrow::Cow;
use std::mem;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

/// Applies `steps` to `text` and hands each term to `f`.
pub(super) fn run(steps: &Steps, text: &str, f: &mut dyn FnMut(&str)) {
    let text = normalize(text, steps.normal);
    let mut pass = Pass::new(steps);
    let mut run = Run::default();
    let mut each = |word: Word<'_>| {
        if steps.bigrams.is_some_and(|bigrams| bigrams.cover(word.kind)) {
            let text = if steps.width { pass.narrowed(word.text) } else { word.text };
            run.extend(text, word.offset, word.offset + word.text.len(), f);
            return;
        }
        run.finish(f);
        pass.word(word.text, f);
    };
    match steps.split {
        Split::Words => words::for_each_word(&text, &mut each),
        Split::Whitespace => words::for_each_stretch(&text, &mut each),
    }
    run.finish(f);
}

/// Brings a text into a normal form; ASCII, and text that is in it already, is not copied.
fn normalize(text: &str, normal: Option<Normal>) -> Cow<'_, str> {
    let Some(normal) = normal else { return Cow::Borrowed(text) };
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    match normal {
        Normal::Nfc if is_nfc_quick(text.chars()) != IsNormalized::Yes => {
            Cow::Owned(text.nfc().collect())
        }
        Normal::Nfkc if is_nfkc_quick(text.chars()) != IsNormalized::Yes => {
            Cow::Owned(text.nfkc().collect())
        }
        _ => Cow::Borrowed(text),
    }
}

/// The steps for one word, with the buffers that all words share.
struct Pass<'a> {
    steps: &'a Steps,
    stop: Option<&'static StopSet>,
    term: String,
    other: String,
    scratch: Vec<u8>,
}

impl<'a> Pass<'a> {
    fn new(steps: &'a Steps) -> Self {
        Self {
            steps,
            stop: steps.stop.map(StopList::set),
            term: String::with_capacity(64),
            other: String::new(),
            scratch: Vec::with_capacity(64),
        }
    }

    /// Returns the word with its width folded, in the second buffer.
    fn narrowed(&mut self, word: &str) -> &str {
        self.other.clear();
        fold::width_into(word, &mut self.other);
        &self.other
    }

    #[inline]
    fn word(&mut self, word: &str, f: &mut dyn FnMut(&str)) {
        let steps = self.steps;
        self.term.clear();
        let word = if steps.width && !word.is_ascii() {
            self.other.clear();
            fold::width_into(word, &mut self.other);
            self.other.as_str()
        } else {
            word
        };
        let word = if steps.possessive { fold::strip_possessive(word) } else { word };
        let word = steps.elision.map_or(word, |elision| elision.strip(word));
        if steps.lower {
            fold::lower_into(word, &mut self.term);
        } else {
            self.term.push_str(word);
        }
        self.finish(f);
    }

    /// The steps that need lower case.
    #[inline]
    fn finish(&mut self, f: &mut dyn FnMut(&str)) {
        if self.stop.is_some_and(|stop| stop.contains(&self.term)) {
            return;
        }
        if self.steps.fold && !self.term.is_ascii() {
            self.other.clear();
            fold::diacritics_into(&self.term, &mut self.other);
            mem::swap(&mut self.term, &mut self.other);
        }
        if let Some(stemmer) = self.steps.stem {
            stemmer.stem(&mut self.term, &mut self.scratch);
        }
        if !self.term.is_empty() {
            f(&self.term);
        }
    }
}
