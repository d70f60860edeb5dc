//! The one parser behind all spec strings of this crate: `name`, or `name(option, option=value, …)`, where a value
//! is a number or again a spec.
//!
//! White space is free between the parts. The parser knows no names; [`Call`] keeps the byte offset
//! of each part, so that whoever gives the names a meaning can point at the one that is wrong.
//! It is not for pipelines or filters, which have operators.

use ecphory_core::nearest::nearest;

use crate::error::{Error, Result, SpecProblem};

/// Deeper nesting than this is refused, so that hostile input cannot exhaust the stack.
const DEPTH_MAX: usize = 8;

/// A name with its options.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub name: &'a str,
    pub offset: usize,
    /// Where the name and its options end.
    pub end: usize,
    pub options: Vec<Setting<'a>>,
}

/// One option, with its value where it has one.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub key: &'a str,
    pub offset: usize,
    pub value: Option<Call<'a>>,
}

/// A spec string being read, and what it should describe (for the messages).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub what: &'static str,
    pub text: &'a str,
}

impl<'a> Source<'a> {
    /// Parses the whole string.
    pub(crate) fn parse(self) -> Result<Call<'a>> {
        let mut at = 0;
        let call = self.call(&mut at, 0)?;
        self.blank(&mut at);
        if at < self.text.len() {
            return Err(self.expected(at, "the end"));
        }
        Ok(call)
    }

    /// Makes the error for `problem` at a byte offset.
    pub(crate) fn error(self, offset: usize, problem: SpecProblem) -> Error {
        Error::Spec { what: self.what, spec: self.text.to_owned(), offset, problem }
    }

    /// Makes the error for a name that is not among `known`.
    pub(crate) fn unknown(
        self,
        offset: usize,
        kind: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'static str>,
    ) -> Error {
        let problem =
            SpecProblem::Unknown { kind, name: name.to_owned(), nearest: nearest(name, known) };
        self.error(offset, problem)
    }

    /// Makes the error for something else than `expected` at a byte offset.
    pub(crate) fn expected(self, offset: usize, expected: &'static str) -> Error {
        let found = match self.text[offset..].chars().next() {
            Some(_) if name_length(&self.text[offset..]) > 0 => {
                format!("`{}`", &self.text[offset..offset + name_length(&self.text[offset..])])
            }
            Some(other) => format!("`{other}`"),
            None => "the end".to_owned(),
        };
        self.error(offset, SpecProblem::Expected { expected, found })
    }

    /// Returns the value of a setting, which must be there and be a bare word or number.
    pub(crate) fn word(self, setting: &Setting<'a>) -> Result<(&'a str, usize)> {
        let after = setting.offset + setting.key.len();
        let Some(value) = &setting.value else {
            return Err(self.expected(after, "`=` and a value"));
        };
        if value.end > value.offset + value.name.len() {
            return Err(self.expected(value.offset + value.name.len(), "`,` or `)`"));
        }
        Ok((value.name, value.offset))
    }

    /// Checks that a setting is a bare switch.
    pub(crate) fn switch(self, setting: &Setting<'_>) -> Result<()> {
        match &setting.value {
            None => Ok(()),
            Some(_) => Err(self.error(
                setting.offset,
                SpecProblem::Conflict { name: setting.key.to_owned(), rule: "takes no value" },
            )),
        }
    }

    /// Checks that no option is given twice.
    pub(crate) fn unique(self, call: &Call<'_>) -> Result<()> {
        for (i, setting) in call.options.iter().enumerate() {
            if call.options[..i].iter().any(|earlier| earlier.key == setting.key) {
                let problem = SpecProblem::Twice { name: setting.key.to_owned() };
                return Err(self.error(setting.offset, problem));
            }
        }
        Ok(())
    }

    fn blank(self, at: &mut usize) {
        let rest = &self.text[*at..];
        *at += rest.len() - rest.trim_start().len();
    }

    /// Takes one byte of punctuation where it is next.
    fn take(self, at: &mut usize, mark: char) -> bool {
        self.blank(at);
        let found = self.text[*at..].starts_with(mark);
        *at += usize::from(found);
        found
    }

    fn name(self, at: &mut usize) -> Result<(&'a str, usize)> {
        self.blank(at);
        let length = name_length(&self.text[*at..]);
        if length == 0 {
            return Err(self.expected(*at, "a name"));
        }
        let offset = *at;
        *at += length;
        Ok((&self.text[offset..offset + length], offset))
    }

    fn call(self, at: &mut usize, depth: usize) -> Result<Call<'a>> {
        if depth > DEPTH_MAX {
            return Err(self.error(*at, SpecProblem::TooDeep { limit: DEPTH_MAX }));
        }
        let (name, offset) = self.name(at)?;
        let mut call = Call { name, offset, end: *at, options: Vec::new() };
        let mut ahead = *at;
        if !self.take(&mut ahead, '(') {
            return Ok(call);
        }
        *at = ahead;
        if !self.take(at, ')') {
            loop {
                let (key, offset) = self.name(at)?;
                let value = if self.take(at, '=') { Some(self.call(at, depth + 1)?) } else { None };
                call.options.push(Setting { key, offset, value });
                if self.take(at, ')') {
                    break;
                }
                if !self.take(at, ',') {
                    return Err(self.expected(*at, "`,` or `)`"));
                }
            }
        }
        call.end = *at;
        Ok(call)
    }
}

/// Returns how many bytes at the start of a text can be a name or number.
fn name_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Call<'_>> {
        Source { what: "spec", text }.parse()
    }

    #[test]
    fn keeps_offsets_of_every_part() {
        let call = parse(" auto( default = words(lower) ,x=1.5)").unwrap();
        assert_eq!((call.name, call.offset), ("auto", 1));
        assert_eq!((call.options[0].key, call.options[0].offset), ("default", 7));
        let inner = call.options[0].value.as_ref().unwrap();
        assert_eq!(
            (inner.name, inner.options[0].key, inner.options[0].offset),
            ("words", "lower", 23)
        );
        assert_eq!(call.options[1].value.as_ref().unwrap().name, "1.5");
    }

    #[test]
    fn points_at_what_is_wrong() {
        for (text, offset) in [
            ("", 0),
            ("a(", 2),
            ("a(b", 3),
            ("a(b c)", 4),
            ("a b", 2),
            ("a(b=)", 4),
            ("a(é)", 2),
            ("a)", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().offset(), Some(offset), "{text}");
        }
        let error = parse("w(é=x, ?)").unwrap_err();
        assert_eq!(error.caret().unwrap(), "w(é=x, ?)\n  ^");
    }

    #[test]
    fn refuses_deep_nesting() {
        let text = format!("{}x{}", "a(a=".repeat(5000), ")".repeat(5000));
        assert!(matches!(
            parse(&text),
            Err(Error::Spec { problem: SpecProblem::TooDeep { .. }, .. })
        ));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z(),= é.]{0,30}") {
            if let Err(error) = parse(&text) {
                let offset = error.offset().unwrap();
                prop_assert!(offset <= text.len() && text.is_char_boundary(offset));
                prop_assert!(error.caret().is_some());
            }
        }
    }
}
