//! The parser of filters: recursive descent with a limit on the depth, and the place of every error.

use std::str::FromStr;

use super::{Comparison, Filter, FilterProblem, Literal, is_keyword, is_name_part, is_name_start};
use crate::{Error, Result};

/// How deep parentheses and `not` may nest.
const MAX_DEPTH: usize = 64;

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0 };
        let filter = parser.any_of(0)?;
        parser.skip_blanks();
        if parser.at < text.len() {
            return Err(parser.expected("`and`, `or` or the end"));
        }
        Ok(filter)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// Conditions joined by `or`.
    fn any_of(&mut self, depth: usize) -> Result<Filter> {
        let mut all = vec![self.all_of(depth)?];
        while self.keyword("or") {
            all.push(self.all_of(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::Or(all) })
    }

    /// Conditions joined by `and`.
    fn all_of(&mut self, depth: usize) -> Result<Filter> {
        let mut all = vec![self.condition(depth)?];
        while self.keyword("and") {
            all.push(self.condition(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }

    fn condition(&mut self, depth: usize) -> Result<Filter> {
        self.skip_blanks();
        if depth > MAX_DEPTH {
            return Err(self.wrong(self.at, FilterProblem::TooDeep { limit: MAX_DEPTH }));
        }
        if self.keyword("not") {
            return Ok(Filter::Not(Box::new(self.condition(depth + 1)?)));
        }
        if self.symbol("(") {
            let inner = self.any_of(depth + 1)?;
            self.require(")", "`and`, `or` or `)`")?;
            return Ok(inner);
        }
        if self.keyword("exists") {
            self.require("(", "`(` and a field")?;
            let field = self.field()?;
            self.require(")", "`)`")?;
            return Ok(Filter::Exists { field });
        }
        if self.keyword("prefix") || self.keyword("starts_with") {
            self.require("(", "`(`, a field and a text")?;
            let field = self.field()?;
            self.require(",", "`,` and a text")?;
            let prefix = self.text()?;
            self.require(")", "`)`")?;
            return Ok(Filter::StartsWith { field, prefix });
        }
        if self.keyword("matches") {
            self.require("(", "`(`, a BM25 channel and words in double quotes")?;
            let channel = self.field()?;
            self.require(",", "`,` and words in double quotes")?;
            let words = self.text()?;
            self.require(")", "`)`")?;
            return Ok(Filter::Matches { channel, words });
        }
        if self.keyword("geo_within") {
            return self.geo_within();
        }
        let field = self.field()?;
        self.comparison_of(field)
    }

    /// What follows `geo_within`.
    fn geo_within(&mut self) -> Result<Filter> {
        self.require("(", "`(`, a field, latitude, longitude and distance")?;
        let field = self.field()?;
        self.require(",", "`,` and a latitude")?;
        let latitude = self.degrees(90.0, "a latitude from -90 to 90")?;
        self.require(",", "`,` and a longitude")?;
        let longitude = self.degrees(180.0, "a longitude from -180 to 180")?;
        self.require(",", "`,` and a distance such as `10km` or `500m`")?;
        let metres = self.distance()?;
        self.require(")", "`)`")?;
        Ok(Filter::GeoWithin { field, latitude, longitude, metres })
    }

    fn degrees(&mut self, limit: f64, expected: &'static str) -> Result<f64> {
        let token = self.numeral();
        let degrees = token.parse().ok().filter(|degrees: &f64| degrees.abs() <= limit);
        let degrees = degrees.ok_or_else(|| self.expected_instead(expected, token))?;
        self.at += token.len();
        Ok(degrees)
    }

    /// A number of metres or kilometres, with its unit.
    fn distance(&mut self) -> Result<f64> {
        let token = self.numeral();
        let unit = token.strip_suffix("km").map(|number| (number, 1000.0));
        let unit = unit.or_else(|| token.strip_suffix('m').map(|number| (number, 1.0)));
        let metres = unit.and_then(|(number, scale)| Some(number.parse::<f64>().ok()? * scale));
        let metres = metres.filter(|metres| metres.is_finite() && *metres >= 0.0);
        let metres = metres
            .ok_or_else(|| self.expected_instead("a distance such as `10km` or `500m`", token))?;
        self.at += token.len();
        Ok(metres)
    }

    /// What follows a field's name.
    fn comparison_of(&mut self, field: String) -> Result<Filter> {
        if self.keyword("in") {
            self.require("(", "`(` and literals")?;
            let mut literals = vec![self.literal()?];
            while self.symbol(",") {
                literals.push(self.literal()?);
            }
            self.require(")", "`,` or `)`")?;
            return Ok(Filter::In { field, literals });
        }
        if self.keyword("starts_with") || self.keyword("prefix") {
            return Ok(Filter::StartsWith { field, prefix: self.text()? });
        }
        // Two characters before one, so that `<=` is not read as `<`.
        let operators = [
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("=", Comparison::Equal),
        ];
        for (symbol, comparison) in operators {
            if self.symbol(symbol) {
                return Ok(Filter::Compare { field, comparison, literal: self.literal()? });
            }
        }
        Err(self.expected("one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `starts_with`"))
    }

    fn field(&mut self) -> Result<String> {
        self.skip_blanks();
        if self.rest().starts_with('`') {
            return self.quoted('`');
        }
        match self.word() {
            Some(word) if !is_keyword(word) => {
                self.at += word.len();
                Ok(word.to_owned())
            }
            _ => Err(self.expected("a field (one named like a keyword stands in backticks)")),
        }
    }

    fn text(&mut self) -> Result<String> {
        self.skip_blanks();
        if self.rest().starts_with('"') {
            self.quoted('"')
        } else {
            Err(self.expected("a text in double quotes"))
        }
    }

    fn literal(&mut self) -> Result<Literal> {
        self.skip_blanks();
        if self.rest().starts_with('"') {
            return self.quoted('"').map(Literal::Text);
        }
        for (word, flag) in [("true", true), ("false", false)] {
            if self.keyword(word) {
                return Ok(Literal::Bool(flag));
            }
        }
        self.number()
    }

    fn number(&mut self) -> Result<Literal> {
        let token = self.numeral();
        if !token.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.expected("a text in double quotes, a number, `true` or `false`"));
        }
        let literal = if token.contains(['.', 'e', 'E']) {
            token.parse().ok().filter(|number: &f64| number.is_finite()).map(Literal::Float)
        } else {
            token.parse().ok().map(Literal::Integer)
        };
        let literal = literal
            .ok_or_else(|| self.expected_instead("a number within the range of 64 bits", token))?;
        self.at += token.len();
        Ok(literal)
    }

    /// What looks like a number here: a sign, then letters, digits, points and the sign of an exponent.
    fn numeral(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let is_part = |i: usize| match bytes[i] {
            b'+' | b'-' => i == 0 || matches!(bytes[i - 1], b'e' | b'E'),
            byte => byte.is_ascii_alphanumeric() || byte == b'.',
        };
        let end = (0..bytes.len()).find(|&i| !is_part(i)).unwrap_or(bytes.len());
        &rest[..end]
    }

    /// A text between two quotes; the first one is known to be there.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((i, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.at = start + i + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, c)) if c == '\\' || c == quote => text.push(c),
                    _ => {
                        self.at = start + i;
                        return Err(
                            self.expected("one of `\\\\`, `\\n`, `\\r`, `\\t` or an escaped quote")
                        );
                    }
                },
                c => text.push(c),
            }
        }
        self.at = start;
        Err(self.expected("a closing quote"))
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// The word that stands here, if any.
    fn word(&self) -> Option<&'a str> {
        let rest = self.rest();
        rest.starts_with(is_name_start).then(|| {
            let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
            &rest[..end]
        })
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_blanks();
        let found = self.word().is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        if found {
            self.at += keyword.len();
        }
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    fn require(&mut self, symbol: &str, expected: &'static str) -> Result<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> Error {
        let found = match self.word() {
            Some(word) => format!("`{word}`"),
            None => match self.rest().chars().next() {
                Some(c) => format!("`{c}`"),
                None => "the end".to_owned(),
            },
        };
        self.wrong(self.at, FilterProblem::Expected { expected, found })
    }

    /// The error about a token that is there but cannot be taken.
    fn expected_instead(&self, expected: &'static str, token: &str) -> Error {
        if token.is_empty() {
            return self.expected(expected);
        }
        let found = format!("`{token}`");
        self.wrong(self.at, FilterProblem::Expected { expected, found })
    }

    fn wrong(&self, offset: usize, problem: FilterProblem) -> Error {
        Error::Filter { text: self.text.to_owned(), offset, problem }
    }
}
