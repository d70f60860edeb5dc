//! Tokens of an expression, read one at a time from a place.
//!
//! Names begin with a letter or `_` and go on with letters, digits, `_`, `-` and `.`; any other name is
//! quoted. Numbers have no sign: nothing in the language is negative.

use std::fmt;

use super::PipelineProblem;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Quoted(String),
    Number(f64, String),
    Sign(&'static str),
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Name(name) => write!(f, "`{name}`"),
            Token::Quoted(name) => write!(f, "\"{name}\""),
            Token::Number(_, text) => write!(f, "`{text}`"),
            Token::Sign(sign) => write!(f, "`{sign}`"),
            Token::End => f.write_str("the end"),
        }
    }
}

/// A problem and the byte where it begins.
pub(super) type Located = (usize, PipelineProblem);

const SIGNS: [&str; 10] = [">>", "(", ")", "[", "]", ",", "=", "%", "+", "*"];

/// Returns whether a name can stand without quotes.
pub(super) fn is_plain_name(name: &str) -> bool {
    name.starts_with(starts_name) && name.chars().all(continues_name)
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Reads the token at or after byte `at`; returns it with where it begins and ends.
pub(super) fn token(text: &str, at: usize) -> Result<(Token, usize, usize), Located> {
    let start = text.len() - text[at..].trim_start().len();
    let rest = &text[start..];
    let Some(first) = rest.chars().next() else { return Ok((Token::End, start, start)) };
    if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
        return Ok((Token::Sign(sign), start, start + sign.len()));
    }
    if first == '"' {
        let (name, length) = quoted(rest).ok_or((start, PipelineProblem::OpenQuote))?;
        return Ok((Token::Quoted(name), start, start + length));
    }
    if starts_name(first) {
        let length = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
        return Ok((Token::Name(rest[..length].to_owned()), start, start + length));
    }
    if first.is_ascii_digit() || first == '.' {
        let length = number_length(rest);
        let number = &rest[..length];
        return match number.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                Ok((Token::Number(value, number.to_owned()), start, start + length))
            }
            _ => Err((start, PipelineProblem::Number(number.to_owned()))),
        };
    }
    Err((start, PipelineProblem::Character(first)))
}

/// Returns the content of the quoted text that `rest` begins with, and its length with the quotes.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => {
                name.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((name, at + 1)),
            _ => name.push(c),
        }
    }
    None
}

/// Returns how many bytes look like one number, right or wrong: `1.5`, `2e-3`, `1.2.3`, `10x`.
fn number_length(rest: &str) -> usize {
    let mut previous = ' ';
    for (at, c) in rest.char_indices() {
        let exponent_sign = matches!(c, '-' | '+') && matches!(previous, 'e' | 'E');
        if !(c.is_alphanumeric() || c == '.' || c == '_' || exponent_sign) {
            return at;
        }
        previous = c;
    }
    rest.len()
}

/// Returns the end of the raw text from `start` to the parenthesis that closes it, which is not included.
///
/// Quotes and backticks, in which a filter writes texts and unusual field names, hide parentheses.
pub(super) fn raw_until_close(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote.is_some() => escaped = true,
            _ if quote.is_some() => quote = quote.filter(|&open| open != c),
            '"' | '`' => quote = Some(c),
            '(' => depth += 1,
            ')' if depth == 0 => return Some(start + at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}
