//! The parser of specifications.
//!
//! ```text
//! loss   := term [ "+" term ]...
//! term   := [ number "*" ] name [ "(" option [ "," option ]... ")" ]
//! option := name [ "=" word ]
//! ```

use ecphory_core::nearest::nearest;

use super::options::{Given, Located, Options};
use super::problem::{SpecError, SpecProblem};
use super::{Family, Loss, Term};

/// Parses a specification.
pub(super) fn parse(text: &str) -> Result<Loss, SpecError> {
    let mut parser = Parser { text, at: 0 };
    let loss = parser.loss().map_err(|(offset, problem)| SpecError::at(text, offset, problem))?;
    loss.check().map_err(|error| SpecError::at(text, 0, error.problem))?;
    Ok(loss)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn loss(&mut self) -> Result<Loss, Located> {
        let mut terms = vec![self.term()?];
        while self.take('+') {
            terms.push(self.term()?);
        }
        self.skip_spaces();
        if self.at < self.text.len() {
            return Err(self.expected("`+` or the end"));
        }
        Ok(Loss { terms })
    }

    fn term(&mut self) -> Result<Term, Located> {
        self.skip_spaces();
        let start = self.at;
        let mut weight = 1.0;
        if self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-') {
            let text = self.number();
            let positive = |weight: &f64| weight.is_finite() && *weight > 0.0;
            let problem = || (start, SpecProblem::Weight(text.to_owned()));
            weight = text.parse().ok().filter(positive).ok_or_else(problem)?;
            if !self.take('*') {
                return Err(self.expected("`*` between a weight and its loss"));
            }
        }
        Ok(Term { weight, family: self.family()? })
    }

    fn family(&mut self) -> Result<Family, Located> {
        self.skip_spaces();
        let start = self.at;
        let name = self.word("the name of a loss")?;
        let mut family = Family::by_name(name).ok_or_else(|| {
            let nearest = nearest(name, Family::NAMES.iter().copied()).map(str::to_owned);
            (start, SpecProblem::UnknownLoss { name: name.to_owned(), nearest })
        })?;
        let mut given = Vec::new();
        if self.take('(') && !self.take(')') {
            given.push(self.option()?);
            while self.take(',') {
                given.push(self.option()?);
            }
            if !self.take(')') {
                return Err(self.expected("`,` or `)`"));
            }
        }
        Options::read(&mut family, given).map_err(|(offset, problem)| {
            // A problem of several options together has no place of its own.
            (if offset == 0 { start } else { offset }, problem)
        })?;
        Ok(family)
    }

    fn option(&mut self) -> Result<Given<'a>, Located> {
        self.skip_spaces();
        let offset = self.at;
        let key = self.word("the name of an option")?;
        let value = if self.take('=') {
            self.skip_spaces();
            Some(self.word("a value")?)
        } else {
            None
        };
        Ok(Given { key, value, offset })
    }

    /// Takes letters, digits, dots and dashes; a plus only where it belongs to the exponent of a number.
    fn word(&mut self, expected: &'static str) -> Result<&'a str, Located> {
        let rest = self.rest();
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit() || "-.".contains(c));
        if is_number {
            return Ok(self.number());
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        let word = &rest[..end.unwrap_or(rest.len())];
        if word.is_empty() {
            return Err(self.expected(expected));
        }
        self.at += word.len();
        Ok(word)
    }

    fn number(&mut self) -> &'a str {
        let rest = self.rest();
        let mut previous = ' ';
        let end = rest.find(|c: char| {
            let goes_on = c.is_ascii_alphanumeric()
                || c == '.'
                || (c == '-' && (previous == ' ' || previous == 'e' || previous == 'E'))
                || (c == '+' && (previous == 'e' || previous == 'E'));
            previous = c;
            !goes_on
        });
        let number = &rest[..end.unwrap_or(rest.len())];
        self.at += number.len();
        number
    }

    fn take(&mut self, sign: char) -> bool {
        self.skip_spaces();
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len_utf8();
        }
        there
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn expected(&self, expected: &'static str) -> Located {
        let found = match self.rest().chars().next() {
            Some(found) => format!("`{found}`"),
            None => "the end".to_owned(),
        };
        (self.at, SpecProblem::Expected { expected, found })
    }
}
