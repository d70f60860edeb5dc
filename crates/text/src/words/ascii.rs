//! Words of a stretch of ASCII without blanks: what UAX #29 comes to there.
//!
//! Letters, digits and `_` join (rules 5 and 8 to 13b); `:` `.` `'` join two letters (6, 7);
//! `,` `;` `.` `'` join two digits (11, 12).

use super::{Word, WordKind, emit};

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const CONNECTOR: u8 = 4;
const BETWEEN_LETTERS: u8 = 8;
const BETWEEN_DIGITS: u8 = 16;
const INSIDE: u8 = LETTER | DIGIT | CONNECTOR;

const TABLE: [u8; 128] = table();

const fn table() -> [u8; 128] {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b'_' => CONNECTOR,
            b':' => BETWEEN_LETTERS,
            b',' | b';' => BETWEEN_DIGITS,
            b'.' | b'\'' => BETWEEN_LETTERS | BETWEEN_DIGITS,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// Splits `text`, which is ASCII, and begins at byte `base` of the whole.
#[inline]
pub(super) fn split<'a>(text: &'a str, base: usize, f: &mut impl FnMut(Word<'a>)) {
    let bytes = text.as_bytes();
    let class = |at: usize| bytes.get(at).map_or(0, |&byte| TABLE[usize::from(byte & 127)]);
    let mut at = 0;
    while at < bytes.len() {
        if class(at) & INSIDE == 0 {
            at += 1;
            continue;
        }
        let start = at;
        let mut seen = 0;
        loop {
            let here = class(at);
            if here & INSIDE != 0 {
                seen |= here;
                at += 1;
                continue;
            }
            let (before, after) = (class(at - 1), class(at + 1));
            let both = before & after;
            let joins = (here & BETWEEN_LETTERS != 0 && both & LETTER != 0)
                || (here & BETWEEN_DIGITS != 0 && both & DIGIT != 0);
            if !joins {
                break;
            }
            at += 1;
        }
        if seen & (LETTER | DIGIT) != 0 {
            emit(&text[start..at], base + start, WordKind::Alphanumeric, f);
        }
    }
}
