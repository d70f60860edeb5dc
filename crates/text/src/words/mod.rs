//! Words of a text by the rules of UAX #29, as Lucene's `StandardTokenizer` gives them.
//!
//! A word is a segment between two word boundaries of [UAX #29](https://www.unicode.org/reports/tr29/)
//! that has a letter, a digit or an ideograph in it: `p53`, `3.5`, `don't` and `snake_case` are one
//! word each, unlike under `\w+`. Three things go beyond the plain algorithm, as they do in Lucene:
//! a run of Thai, Lao, Khmer or Burmese letters (scripts without spaces) stays one word, an emoji is
//! a word, and a word of more than 255 UTF-16 units is cut into pieces of that length.
//!
//! Cost: text in ASCII is split by a table scan without allocation; a stretch between two ASCII blanks that has any
//! other character in it goes through `unicode-segmentation`. It is not a dictionary segmenter: Chinese and Japanese
//! come out as single characters, which [`Analyzer`](crate::Analyzer) joins to bigrams.

mod ascii;
mod classes;

use unicode_segmentation::UnicodeSegmentation;

/// Lucene's longest token, in UTF-16 units.
pub const WORD_UNITS_MAX: usize = 255;

/// What kind of characters a word is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WordKind {
    /// Letters and digits, in any script that writes words with spaces between them.
    Alphanumeric,
    /// One Chinese character.
    Han,
    /// One character of Hiragana.
    Hiragana,
    /// A run of Katakana.
    Katakana,
    /// A run of Hangul syllables.
    Hangul,
    /// A run of letters of a script that South-East Asia writes without spaces.
    SoutheastAsian,
    /// An emoji, with its modifiers.
    Emoji,
}

/// One word with its place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word as it stands in the text.
    pub text: &'a str,
    /// The byte at which it begins.
    pub offset: usize,
    /// What it is made of.
    pub kind: WordKind,
}

/// The class of a character, as far as words depend on it. ASCII is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Han,
    Hiragana,
    Katakana,
    Hangul,
    SoutheastAsian,
    /// Shown as a picture by default.
    Emoji,
    /// Shown as a picture when variation selector 16 follows.
    Pictograph,
}

/// Calls `f` with each word of `text`, in order.
///
/// ```
/// let mut words = Vec::new();
/// ecphory_text::words::for_each_word("p53 isn't 3.5%", &mut |word| words.push(word.text));
/// assert_eq!(words, ["p53", "isn't", "3.5"]);
/// ```
pub fn for_each_word<'a>(text: &'a str, f: &mut impl FnMut(Word<'a>)) {
    split::<true>(text, f);
}

/// As [`for_each_word`], but each letter cluster of a South-East Asian run is a word of its own: the
/// unit in which a length is counted, since a run can be a whole paragraph.
pub(crate) fn for_each_unit<'a>(text: &'a str, f: &mut impl FnMut(Word<'a>)) {
    split::<false>(text, f);
}

/// Calls `f` with each stretch of `text` between white space, cut up where it is too long.
pub(crate) fn for_each_stretch<'a>(text: &'a str, f: &mut impl FnMut(Word<'a>)) {
    let mut offset = 0;
    for piece in text.split(char::is_whitespace) {
        let mut at = 0;
        while at < piece.len() {
            let length = window_length(&piece[at..]);
            let text = &piece[at..at + length];
            f(Word { text, offset: offset + at, kind: WordKind::Alphanumeric });
            at += length;
        }
        let end = offset + piece.len();
        offset = end + text[end..].chars().next().map_or(0, char::len_utf8);
    }
}

/// No word crosses an ASCII blank, so each stretch between blanks can be split alone, and most of
/// them, being ASCII, by a table.
fn split<'a, const RUNS: bool>(text: &'a str, f: &mut impl FnMut(Word<'a>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if is_blank(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let mut seen = 0u8;
        while at < bytes.len() && !is_blank(bytes[at]) {
            seen |= bytes[at];
            at += 1;
        }
        let stretch = &text[start..at];
        if seen < 0x80 {
            ascii::split(stretch, start, f);
        } else {
            split_any::<RUNS>(stretch, start, f);
        }
    }
}

/// Space, tab, line feed, vertical tab, form feed, carriage return.
fn is_blank(byte: u8) -> bool {
    byte == b' ' || (9..=13).contains(&byte)
}

/// Splits text in any script; right for every text, and what the scan for ASCII must equal.
fn split_any<'a, const RUNS: bool>(text: &'a str, base: usize, f: &mut impl FnMut(Word<'a>)) {
    // A South-East Asian run that may go on: where it begins and ends.
    let mut run: Option<(usize, usize)> = None;
    for (start, segment) in text.split_word_bound_indices() {
        let end = start + segment.len();
        let kind = kind_of(segment);
        if RUNS && kind == Some(WordKind::SoutheastAsian) {
            run = Some((run.map_or(start, |(first, _)| first), end));
            continue;
        }
        if let Some((first, last)) = run.take() {
            emit(&text[first..last], base + first, WordKind::SoutheastAsian, f);
        }
        if let Some(kind) = kind {
            // Marks after a blank are glued to the blank; a word begins after it.
            let bare = segment.trim_start();
            emit(bare, base + end - bare.len(), kind, f);
        }
    }
    if let Some((first, last)) = run {
        emit(&text[first..last], base + first, WordKind::SoutheastAsian, f);
    }
}

/// Hands on a word, cut up where it is longer than the limit.
#[inline]
fn emit<'a>(text: &'a str, offset: usize, kind: WordKind, f: &mut impl FnMut(Word<'a>)) {
    if text.len() <= WORD_UNITS_MAX {
        f(Word { text, offset, kind });
    } else {
        emit_long(text, offset, kind, f);
    }
}

/// Cuts as a scanner with a window of 255 units does: each piece is the first word that the window
/// shows, and the next begins where that one ends.
#[cold]
fn emit_long<'a>(text: &'a str, offset: usize, kind: WordKind, f: &mut impl FnMut(Word<'a>)) {
    let mut at = 0;
    while at < text.len() {
        let window = &text[at..at + window_length(&text[at..])];
        let piece = if kind == WordKind::SoutheastAsian {
            window
        } else {
            window.split_word_bounds().next().unwrap_or(window)
        };
        if let Some(found) = kind_of(piece) {
            let kind = if kind == WordKind::SoutheastAsian { kind } else { found };
            f(Word { text: piece, offset: offset + at, kind });
        }
        at += piece.len();
    }
}

/// Returns how many bytes of `text` make at most 255 UTF-16 units; never 0 for a text that has any.
fn window_length(text: &str) -> usize {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > WORD_UNITS_MAX {
            return at;
        }
    }
    text.len()
}

/// Returns what kind of word a segment is; `None` for blanks and punctuation.
fn kind_of(segment: &str) -> Option<WordKind> {
    let mut chars = segment.chars();
    let mut found: Option<Class> = None;
    while let Some(c) = chars.next() {
        let class = class_of(c);
        match (found, class) {
            (None, Some(Class::Pictograph)) => {
                return (chars.next() == Some('\u{FE0F}')).then_some(WordKind::Emoji);
            }
            (None, Some(Class::Emoji)) => return Some(WordKind::Emoji),
            (None, Some(Class::Letter | Class::Number)) => return Some(WordKind::Alphanumeric),
            (None, Some(_)) => found = class,
            // Hangul with Latin letters or digits in the same segment is an ordinary word.
            (Some(first), Some(other)) if first != other => return Some(WordKind::Alphanumeric),
            (_, None) | (Some(_), Some(_)) => {}
        }
    }
    found.map(|class| match class {
        Class::Han => WordKind::Han,
        Class::Hiragana => WordKind::Hiragana,
        Class::Katakana => WordKind::Katakana,
        Class::Hangul => WordKind::Hangul,
        Class::SoutheastAsian => WordKind::SoutheastAsian,
        Class::Emoji | Class::Pictograph => WordKind::Emoji,
        Class::Letter | Class::Number => WordKind::Alphanumeric,
    })
}

fn class_of(c: char) -> Option<Class> {
    if c.is_ascii() {
        return match c {
            'a'..='z' | 'A'..='Z' => Some(Class::Letter),
            '0'..='9' => Some(Class::Number),
            _ => None,
        };
    }
    let code = u32::from(c);
    let after = classes::CLASSES.partition_point(|&(first, _, _)| first <= code);
    let &(_, last, class) = classes::CLASSES.get(after.checked_sub(1)?)?;
    (code <= last).then_some(class)
}

#[cfg(test)]
mod tests;
