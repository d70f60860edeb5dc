//! The pieces that passages are made of: sentences, or parts of a sentence that is too long.
//!
//! Boundaries are those of UAX #29, without two kinds that are seldom the end of a sentence: after an abbreviation or an
//! initial (`Dr. Mabuse`, `J. Smith`), and at a single line break before a small letter, as in hard-wrapped text. One kind
//! comes on top: after a mark that stands alone, as in text that was cut into words and lower-cased (`the end . the rest`). The
//! abbreviations are a short English list of our own; a wrong guess moves a boundary and loses nothing.

use crate::words::for_each_unit;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// A piece of text that stays whole. Its range has no white space at the ends, and is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Atom {
    pub range: Range<usize>,
    pub words: usize,
}

/// Returns the pieces of a text, in order, none of more than `words_max` words; together they cover
/// everything but white space.
pub(super) fn atoms(text: &str, words_max: usize) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut start = 0;
    for (offset, segment) in text.split_sentence_bound_indices() {
        for end in ends(segment).into_iter().map(|end| offset + end) {
            if end < text.len() && goes_on(&text[start..end], &text[end..]) {
                continue;
            }
            cut(text, start..end, words_max, &mut atoms);
            start = end;
        }
    }
    cut(text, start..text.len(), words_max, &mut atoms);
    atoms
}

/// Returns where sentences end in what the algorithm takes for one: behind a mark that stands alone, and at the end.
fn ends(segment: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let (mut before, mut mark) = (' ', ' ');
    for (at, c) in segment.char_indices() {
        if c.is_whitespace() && matches!(mark, '.' | '!' | '?') && before.is_whitespace() {
            ends.push(at);
        }
        (before, mark) = (mark, c);
    }
    ends.push(segment.len());
    ends
}

/// Appends a sentence, cut before a word wherever the words so far are as many as may be.
fn cut(text: &str, sentence: Range<usize>, words_max: usize, atoms: &mut Vec<Atom>) {
    let mut start = sentence.start;
    let mut words = 0;
    for_each_unit(&text[sentence.clone()], &mut |word| {
        if words == words_max {
            let end = sentence.start + word.offset;
            push(text, start..end, words, atoms);
            start = end;
            words = 0;
        }
        words += 1;
    });
    push(text, start..sentence.end, words, atoms);
}

fn push(text: &str, range: Range<usize>, words: usize, atoms: &mut Vec<Atom>) {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let length = piece.trim().len();
    if length > 0 {
        atoms.push(Atom { range: start..start + length, words });
    }
}

/// Whether the sentence goes on in what follows, although the algorithm sees a boundary.
fn goes_on(sentence: &str, following: &str) -> bool {
    let body = sentence.trim_end();
    let gap = &sentence[body.len()..];
    if let Some(before) = body.strip_suffix('.') {
        return !gap.contains('\n') && is_abbreviation(before);
    }
    let breaks = gap.matches('\n').count();
    breaks == 1
        && body.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ',' | ';' | '-'))
        && following.starts_with(char::is_lowercase)
}

/// Abbreviations before which a name or a number comes rather than a sentence.
const ABBREVIATIONS: &[&str] = &[
    "al", "approx", "ca", "capt", "cf", "col", "dr", "ed", "eds", "e.g", "eq", "eqs", "fig",
    "figs", "gen", "gov", "i.e", "jr", "lt", "messrs", "mr", "mrs", "ms", "mt", "nos", "pp",
    "prof", "ref", "refs", "rep", "rev", "sen", "sgt", "sr", "st", "vol", "vs",
];

/// Whether what stands before a full stop is an abbreviation or an initial.
fn is_abbreviation(before: &str) -> bool {
    let word = before
        .rfind(|c: char| !(c.is_alphanumeric() || c == '.'))
        .map_or(before, |at| before[at..].trim_start_matches(|c: char| !c.is_alphanumeric()));
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => only.is_uppercase(),
        (Some(_), Some(_)) if word.len() <= 6 => {
            ABBREVIATIONS.iter().any(|known| known.eq_ignore_ascii_case(word))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<&str> = atoms(text, 100).into_iter().map(|atom| &text[atom.range]).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn a_mark_that_stands_alone_ends_a_sentence() {
        check("the end . the rest .", &["the end .", "the rest ."]);
        check("is it ? \n it is ! so", &["is it ?", "it is !", "so"]);
        check("uses .net and 3 .5 of it", &["uses .net and 3 .5 of it"]);
        check("what he said . ", &["what he said ."]);
    }

    #[test]
    fn abbreviations_do_not_end_a_sentence() {
        check("We met Dr. Smith. He left.", &["We met Dr. Smith.", "He left."]);
        check("J. R. Tolkien wrote. So did I.", &["J. R. Tolkien wrote.", "So did I."]);
        check("See Fig. 3 and (cf. Table 2). Done.", &["See Fig. 3 and (cf. Table 2).", "Done."]);
        check("Smith et al. Nature 3.5 ended. Yes.", &["Smith et al. Nature 3.5 ended.", "Yes."]);
        check("They were small. Figs ripen.", &["They were small.", "Figs ripen."]);
    }

    #[test]
    fn lines_join_where_the_sentence_goes_on() {
        check("It is a\nlong line.\nNext one", &["It is a\nlong line.", "Next one"]);
        check("a heading\n\nthe text", &["a heading", "the text"]);
        check("Title\nBody text.", &["Title", "Body text."]);
    }

    #[test]
    fn other_scripts() {
        check("猫が好き。犬も好き！本当？", &["猫が好き。", "犬も好き！", "本当？"]);
        check("यह पहला है। यह दूसरा।", &["यह पहला है।", "यह दूसरा।"]);
    }
}
