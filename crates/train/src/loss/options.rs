//! The options of a loss, listed once for reading, writing and checking.
//!
//! Each family names its options in one function, which is run in one of three modes. So what can be read is what is
//! written, and what is set from code is checked like what is read.

use std::fmt::Display;

use ecphory_core::nearest::nearest;

use super::Family;
use super::problem::SpecProblem;

/// A problem and the byte where it begins.
pub(super) type Located = (usize, SpecProblem);

/// An option as it was written.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub key: &'a str,
    pub value: Option<&'a str>,
    pub offset: usize,
}

/// What happens to the options that a family lists.
enum Mode<'a> {
    Read(Vec<Given<'a>>),
    Write(Vec<String>),
    Check,
}

/// A visitor of options.
pub(super) struct Options<'a> {
    mode: Mode<'a>,
    /// What was listed, for hints.
    listed: Vec<&'static str>,
}

/// A choice between a few words.
pub(super) trait Words: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl<'a> Options<'a> {
    pub fn check() -> Self {
        Self { mode: Mode::Check, listed: Vec::new() }
    }

    /// Sets the options of `family` to what is given.
    pub fn read(family: &mut Family, given: Vec<Given<'a>>) -> Result<(), Located> {
        for (index, option) in given.iter().enumerate() {
            if given[..index].iter().any(|earlier| earlier.key == option.key) {
                return Err((option.offset, SpecProblem::Twice(option.key.to_owned())));
            }
        }
        let mut options = Self { mode: Mode::Read(given), listed: Vec::new() };
        family.options(&mut options)?;
        let Mode::Read(rest) = &options.mode else { return Ok(()) };
        let Some(unknown) = rest.first() else { return Ok(()) };
        let nearest = nearest(unknown.key, options.listed.iter().copied()).map(str::to_owned);
        let name = unknown.key.to_owned();
        Err((unknown.offset, SpecProblem::UnknownOption { loss: family.name(), name, nearest }))
    }

    /// A number above zero.
    pub fn positive(&mut self, key: &'static str, value: &mut f64) -> Result<(), Located> {
        self.number(key, value, "a number above 0", |value| value > 0.0)
    }

    /// A number from zero on.
    pub fn not_negative(&mut self, key: &'static str, value: &mut f64) -> Result<(), Located> {
        self.number(key, value, "a number from 0 on", |value| value >= 0.0)
    }

    /// The index of a teacher.
    pub fn index(&mut self, key: &'static str, value: &mut usize) -> Result<(), Located> {
        self.value(key, value, "a whole number from 0 on", |text| text.parse().ok())
    }

    /// The index of a teacher, where there is one.
    pub fn optional(
        &mut self,
        key: &'static str,
        value: &mut Option<usize>,
    ) -> Result<(), Located> {
        if let (Mode::Write(_), None) | (Mode::Check, _) = (&self.mode, *value) {
            return Ok(());
        }
        let mut index = value.unwrap_or(usize::MAX);
        self.index(key, &mut index)?;
        *value = (index != usize::MAX).then_some(index);
        Ok(())
    }

    /// One of a few words.
    pub fn word<W: Words>(&mut self, key: &'static str, value: &mut W) -> Result<(), Located> {
        let name = |value: W| W::WORDS.iter().find(|(_, word)| *word == value).map(|pair| pair.0);
        let words: Vec<_> = W::WORDS.iter().map(|(name, _)| format!("`{name}`")).collect();
        let mut written = name(*value).unwrap_or_default().to_owned();
        self.value(key, &mut written, &words.join(" or "), |text| {
            W::WORDS.iter().any(|(name, _)| *name == text).then(|| text.to_owned())
        })?;
        if let Some((_, word)) = W::WORDS.iter().find(|(name, _)| *name == written) {
            *value = *word;
        }
        Ok(())
    }

    /// An option that is there or not.
    pub fn flag(&mut self, key: &'static str, value: &mut bool) -> Result<(), Located> {
        self.listed.push(key);
        match &mut self.mode {
            Mode::Check => {}
            Mode::Write(written) => written.extend(value.then(|| key.to_owned())),
            Mode::Read(given) => {
                if let Some(option) = take(given, key) {
                    if let Some(found) = option.value {
                        let expected = "given without a value".to_owned();
                        let found = found.to_owned();
                        return Err((
                            option.offset,
                            SpecProblem::Value { option: key, expected, found },
                        ));
                    }
                    *value = true;
                }
            }
        }
        Ok(())
    }

    fn number(
        &mut self,
        key: &'static str,
        value: &mut f64,
        expected: &str,
        allowed: fn(f64) -> bool,
    ) -> Result<(), Located> {
        let fits = |value: &f64| value.is_finite() && allowed(*value);
        self.value(key, value, expected, |text| text.parse().ok().filter(fits))?;
        if fits(value) {
            return Ok(());
        }
        let (expected, found) = (expected.to_owned(), value.to_string());
        Err((0, SpecProblem::Value { option: key, expected, found }))
    }

    fn value<T: Display>(
        &mut self,
        key: &'static str,
        value: &mut T,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<(), Located> {
        self.listed.push(key);
        match &mut self.mode {
            Mode::Check => {}
            Mode::Write(written) => written.push(format!("{key}={value}")),
            Mode::Read(given) => {
                if let Some(option) = take(given, key) {
                    *value = option.value.and_then(&parse).ok_or_else(|| {
                        let found = option.value.unwrap_or_default().to_owned();
                        let expected = expected.to_owned();
                        (option.offset, SpecProblem::Value { option: key, expected, found })
                    })?;
                }
            }
        }
        Ok(())
    }
}

fn take<'a>(given: &mut Vec<Given<'a>>, key: &str) -> Option<Given<'a>> {
    let at = given.iter().position(|option| option.key == key)?;
    Some(given.remove(at))
}

/// Writes the options in which a family differs from its default.
pub(super) fn changed(family: &Family) -> Vec<String> {
    let plain = Family::by_name(family.name()).map(|plain| written(&plain)).unwrap_or_default();
    written(family).into_iter().filter(|option| !plain.contains(option)).collect()
}

fn written(family: &Family) -> Vec<String> {
    let mut options = Options { mode: Mode::Write(Vec::new()), listed: Vec::new() };
    // What cannot be is written as far as it goes: `Loss::check` says what is wrong with it.
    let _ = family.clone().options(&mut options);
    match options.mode {
        Mode::Write(written) => written,
        _ => Vec::new(),
    }
}
