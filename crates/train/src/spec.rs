//! The parser behind this crate's spec strings: `name`, or `name(key=value, key=value)`, where values are bare words or numbers.
//!
//! White space is free between the parts. It knows no names; every part keeps its byte offset, so that whoever
//! gives the names a meaning can point at the one that is wrong.

use std::str::FromStr;

use crate::error::{Error, Result};

/// A name with its settings.
#[derive(Debug, PartialEq)]
pub(crate) struct Call<'a> {
    pub name: &'a str,
    pub offset: usize,
    pub settings: Vec<Setting<'a>>,
}

/// A key with its value.
#[derive(Debug, PartialEq)]
pub(crate) struct Setting<'a> {
    pub key: &'a str,
    pub offset: usize,
    pub value: &'a str,
    pub value_offset: usize,
}

/// A spec string, and what it should describe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub what: &'static str,
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// Parses the whole string; no key is there twice.
    pub(crate) fn parse(self) -> Result<Call<'a>> {
        let mut at = 0;
        let (name, offset) = self.word(&mut at, "a name")?;
        let mut settings: Vec<Setting<'a>> = Vec::new();
        if self.take(&mut at, '(') && !self.take(&mut at, ')') {
            loop {
                let (key, offset) = self.word(&mut at, "a name")?;
                if settings.iter().any(|setting| setting.key == key) {
                    return Err(self.expected(offset, "another name: this one is there before"));
                }
                if !self.take(&mut at, '=') {
                    return Err(self.expected(at, "`=` and a value"));
                }
                let (value, value_offset) = self.word(&mut at, "a value")?;
                settings.push(Setting { key, offset, value, value_offset });
                if self.take(&mut at, ')') {
                    break;
                }
                if !self.take(&mut at, ',') {
                    return Err(self.expected(at, "`,` or `)`"));
                }
            }
        }
        self.end(&mut at)?;
        Ok(Call { name, offset, settings })
    }

    /// Checks that nothing is left.
    pub(crate) fn end(self, at: &mut usize) -> Result<()> {
        self.blank(at);
        if *at < self.text.len() { Err(self.expected(*at, "the end")) } else { Ok(()) }
    }

    /// Splits a positive factor off, as in `0.5*name`; 1 where there is none.
    pub(crate) fn factor(self) -> Result<(f64, Source<'a>)> {
        let Some((factor, rest)) = self.text.split_once('*') else { return Ok((1.0, self)) };
        let factor = factor.trim().parse().ok().filter(|x: &f64| *x > 0.0 && x.is_finite());
        let factor = factor.ok_or_else(|| self.expected(0, "a positive number before `*`"))?;
        Ok((factor, Source { text: rest.trim(), ..self }))
    }

    /// Makes the error for something else than `expected` at a byte offset.
    pub(crate) fn expected(self, offset: usize, expected: &str) -> Error {
        let (what, spec, expected) = (self.what, self.text.to_owned(), expected.to_owned());
        Error::Spec { what, spec, offset, expected }
    }

    fn blank(self, at: &mut usize) {
        let rest = &self.text[*at..];
        *at += rest.len() - rest.trim_start().len();
    }

    /// Reads a mark, where it is there.
    pub(crate) fn take(self, at: &mut usize, mark: char) -> bool {
        self.blank(at);
        let found = self.text[*at..].starts_with(mark);
        *at += usize::from(found);
        found
    }

    /// Reads a bare word or number, and says where it began.
    pub(crate) fn word(self, at: &mut usize, expected: &str) -> Result<(&'a str, usize)> {
        self.blank(at);
        let rest = &self.text[*at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.expected(*at, expected));
        }
        let offset = *at;
        *at += length;
        Ok((&rest[..length], offset))
    }
}

/// Parses the value of a setting, which has to be good.
pub(crate) fn number<T: FromStr>(
    source: Source<'_>,
    setting: &Setting<'_>,
    good: impl Fn(&T) -> bool,
    expected: &str,
) -> Result<T> {
    let value = setting.value.parse().ok().filter(good);
    value.ok_or_else(|| source.expected(setting.value_offset, expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Call<'_>> {
        Source { what: "schedule", text }.parse()
    }

    #[test]
    fn every_part_keeps_its_offset() {
        let call = parse(" linear( warm-up = 1e-3 ,b=2)").unwrap();
        assert_eq!((call.name, call.offset), ("linear", 1));
        let first = Setting { key: "warm-up", offset: 9, value: "1e-3", value_offset: 19 };
        assert_eq!(call.settings[0], first);
        assert_eq!((call.settings[1].key, call.settings[1].value), ("b", "2"));
        assert_eq!(parse("a").unwrap(), parse("a()").unwrap());
    }

    #[test]
    fn errors_point_at_what_is_wrong() {
        for (text, offset) in [
            ("", 0),
            ("a(", 2),
            ("a(b", 3),
            ("a(b=", 4),
            ("a(b=1 c)", 6),
            ("a b", 2),
            ("a)", 1),
            ("a(b=1, b=2)", 7),
        ] {
            match parse(text) {
                Err(Error::Spec { offset: at, .. }) => assert_eq!(at, offset, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let message = parse("a(b)").unwrap_err().to_string();
        assert_eq!(message, "schedule `a(b)`: expected `=` and a value at byte 3");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-c(),= é.1]{0,20}") {
            if let Err(Error::Spec { offset, .. }) = parse(&text) {
                prop_assert!(text.is_char_boundary(offset));
            }
        }
    }
}
