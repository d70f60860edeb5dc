//! The parser: recursive descent over at most [`DEPTH_MAX`] levels, one function for each precedence.
//!
//! ```text
//! then    := [ filter ">>" ]... sum [ ">>" step ]...        loosest
//! sum     := product [ "+" product ]...
//! product := [ number "*" ] cut | cut "*" number
//! cut     := primary [ "%" count ]...                       tightest
//! primary := name | impacts "(" name ")" | rrf "(" ... ")" | cc "(" ... ")" | "(" then ")"
//! step    := ( ( "rescore" | "cross" | "maxsim" ) "(" name ")" | expand | filter ) [ "%" count ]...
//! expand  := "expand" "(" "rm3" [ "," option "=" value ]... ")"
//! filter  := where "(" condition ")"
//! ```

use std::str::FromStr;

use ecphory_index::Filter;
use ecphory_index::filter::FilterProblem;

use super::lexer::{self, Located, Token};
use super::{CC_ALPHA, DEPTH_MAX, Pipeline, PipelineError, PipelineProblem, RRF_K, Reranking, Rm3};
use ecphory_core::nearest::nearest;

/// What may follow `>>`.
const STEPS: &str = "`rescore(...)`, `cross(...)`, `maxsim(...)`, `expand(...)` or `where(...)`";

/// A channel name as it stands in an expression, for carets under names that do not exist.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) offset: usize,
}

/// Parses an expression; returns the places of its channel names too.
pub(crate) fn parse(text: &str) -> Result<(Pipeline, Vec<Named>), PipelineError> {
    let mut parser = Parser { text, at: 0, depth: 0, names: Vec::new() };
    let parsed = parser.then().and_then(|pipeline| {
        let (token, start) = parser.next()?;
        if token == Token::End {
            return Ok(pipeline);
        }
        Err(expected("`>>`, `+`, `*`, `%` or the end", &token, start))
    });
    let pipeline = parsed.map_err(|(offset, problem)| PipelineError::at(text, offset, problem))?;
    pipeline.check().map_err(|problem| PipelineError::at(text, 0, problem))?;
    Ok((pipeline, parser.names))
}

impl FromStr for Pipeline {
    type Err = PipelineError;

    fn from_str(text: &str) -> Result<Self, PipelineError> {
        parse(text).map(|(pipeline, _)| pipeline)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    names: Vec<Named>,
}

/// What stands between the parentheses of a fusion.
#[derive(Default)]
struct Arguments {
    operands: Vec<Pipeline>,
    numbers: Vec<(String, f64)>,
    weights: Option<Vec<f64>>,
}

type Parsed<T> = Result<T, Located>;

impl Parser<'_> {
    fn peek(&self) -> Parsed<(Token, usize)> {
        lexer::token(self.text, self.at).map(|(token, start, _)| (token, start))
    }

    fn next(&mut self) -> Parsed<(Token, usize)> {
        let (token, start, end) = lexer::token(self.text, self.at)?;
        self.at = end;
        Ok((token, start))
    }

    /// Takes a sign where it comes next.
    fn take(&mut self, sign: &'static str) -> Parsed<bool> {
        let (token, _, end) = lexer::token(self.text, self.at)?;
        let there = token == Token::Sign(sign);
        if there {
            self.at = end;
        }
        Ok(there)
    }

    fn demand(&mut self, sign: &'static str, what: &str) -> Parsed<()> {
        let (token, start) = self.next()?;
        if token == Token::Sign(sign) { Ok(()) } else { Err(expected(what, &token, start)) }
    }

    /// Returns the name that comes next if it calls a function; nothing is consumed.
    fn peek_call(&self) -> Parsed<Option<(String, usize)>> {
        let (token, start, end) = lexer::token(self.text, self.at)?;
        match (token, lexer::token(self.text, end)) {
            (Token::Name(name), Ok((Token::Sign("("), ..))) => Ok(Some((name, start))),
            _ => Ok(None),
        }
    }

    fn then(&mut self) -> Parsed<Pipeline> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err((self.at, PipelineProblem::TooDeep));
        }
        let mut filters = Vec::new();
        while let Some((name, start)) = self.peek_call()?
            && name == "where"
        {
            filters.push(self.filter()?);
            if !self.take(">>")? {
                return Err((start, PipelineProblem::FilterAlone));
            }
        }
        let mut pipeline = self.sum()?;
        for filter in filters {
            pipeline = pipeline.filter(filter);
        }
        while self.take(">>")? {
            let stepped = self.step(pipeline)?;
            pipeline = self.cuts(stepped)?;
        }
        self.depth -= 1;
        Ok(pipeline)
    }

    fn step(&mut self, before: Pipeline) -> Parsed<Pipeline> {
        let Some((name, start)) = self.peek_call()? else {
            let (token, start) = self.next()?;
            return Err(match token {
                Token::Name(name) | Token::Quoted(name) => {
                    (start, PipelineProblem::RetrieverAsStep { name })
                }
                other => expected(STEPS, &other, start),
            });
        };
        match name.as_str() {
            "where" => Ok(before.filter(self.filter()?)),
            "rescore" => {
                self.next()?;
                self.demand("(", "`(`")?;
                let channel = self.name("the name of a channel")?;
                self.demand(")", "`)` after the name of one channel")?;
                Ok(before.rescore(channel))
            }
            "expand" => self.expand(before),
            "rrf" | "cc" | "impacts" => Err((start, PipelineProblem::RetrieverAsStep { name })),
            _ => {
                if let Some(by) = Reranking::named(&name) {
                    return Ok(before.rerank(by, self.model()?));
                }
                let steps = ["rescore", "cross", "maxsim", "expand", "where"];
                let nearest = nearest(&name, steps).map(str::to_owned);
                Err((start, PipelineProblem::UnknownFunction { name, nearest }))
            }
        }
    }

    /// Reads `cross(MODEL)` or `maxsim(MODEL)`; a path without quotes is what goes wrong most easily.
    fn model(&mut self) -> Parsed<String> {
        const WHAT: &str = "the name of a model, or its path in quotes";
        self.next()?;
        self.demand("(", "`(`")?;
        let start = self.at;
        let named = self.next().map_err(|(at, _)| self.strange(WHAT, at))?;
        let name = match named {
            (Token::Name(name) | Token::Quoted(name), at) if name.is_empty() => {
                return Err((at, PipelineProblem::EmptyName));
            }
            (Token::Name(name) | Token::Quoted(name), _) => name,
            (token, at) => return Err(expected(WHAT, &token, at)),
        };
        match self.next() {
            Ok((Token::Sign(")"), _)) => Ok(name),
            Ok((token, at)) => Err(expected("`)` after the name of one model", &token, at)),
            Err(_) => {
                let at = start + (self.text[start..].len() - self.text[start..].trim_start().len());
                Err(self.strange(WHAT, at))
            }
        }
    }

    /// Says what was expected where no token can be read.
    fn strange(&self, what: &str, at: usize) -> Located {
        let rest = &self.text[at..];
        let word = rest.split([')', ',', ' ', '\n']).next().unwrap_or(rest);
        let found = Token::Name(word.to_owned());
        expected(what, &found, at)
    }

    fn sum(&mut self) -> Parsed<Pipeline> {
        let first = self.product()?;
        let mut parts = vec![first];
        while self.take("+")? {
            parts.push(self.product()?);
        }
        if let [(None, _)] = parts.as_slice() {
            return Ok(parts.remove(0).1);
        }
        Ok(Pipeline::Sum(
            parts.into_iter().map(|(weight, part)| (weight.unwrap_or(1.0), part)).collect(),
        ))
    }

    fn product(&mut self) -> Parsed<(Option<f64>, Pipeline)> {
        if let (Token::Number(weight, _), _) = self.peek()? {
            self.next()?;
            self.demand("*", "`*` between a weight and what it weighs")?;
            return Ok((Some(weight), self.cut()?));
        }
        let part = self.cut()?;
        if !self.take("*")? {
            return Ok((None, part));
        }
        Ok((Some(self.number("a weight")?), part))
    }

    fn cut(&mut self) -> Parsed<Pipeline> {
        let whole = self.primary()?;
        self.cuts(whole)
    }

    fn cuts(&mut self, mut pipeline: Pipeline) -> Parsed<Pipeline> {
        while self.take("%")? {
            pipeline = pipeline.top(self.count("how many hits to keep")?);
        }
        Ok(pipeline)
    }

    fn count(&mut self, what: &str) -> Parsed<u32> {
        let (token, start) = self.next()?;
        let Token::Number(_, digits) = &token else { return Err(expected(what, &token, start)) };
        match digits.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err((start, PipelineProblem::Count(digits.clone()))),
        }
    }

    /// Reads `expand(rm3, option=value, ...)`.
    fn expand(&mut self, before: Pipeline) -> Parsed<Pipeline> {
        const OPTIONS: [&str; 4] = ["channel", "documents", "terms", "original"];
        let (_, start) = self.next()?;
        self.demand("(", "`(`")?;
        match self.next()? {
            (Token::Name(name), _) if name == "rm3" => {}
            (token, at) => return Err(expected("`rm3`", &token, at)),
        }
        let (mut channel, mut by, mut given) = (None, Rm3::default(), Vec::new());
        while self.take(",")? {
            match self.option("expand", &OPTIONS, &mut given)?.as_deref() {
                Some("channel") => channel = Some(self.name("the name of a channel")?),
                Some("documents") => by.documents = self.count("a number of documents")?,
                Some("terms") => by.terms = self.count("a number of words")?,
                Some(_) => by.original = self.number("a share")?,
                None => {
                    let (token, at) = self.next()?;
                    return Err(expected("an option, as in `terms=10`", &token, at));
                }
            }
        }
        self.demand(")", "`,` or `)`")?;
        let expanded = Pipeline::Expand { of: Box::new(before), channel, by };
        expanded.check_node().map_err(|problem| (start, problem))?;
        Ok(expanded)
    }

    fn primary(&mut self) -> Parsed<Pipeline> {
        if self.take("(")? {
            let inside = self.then()?;
            self.demand(")", "`)`")?;
            return Ok(inside);
        }
        let Some((name, start)) = self.peek_call()? else {
            return self.name("a channel, a fusion or `(`").map(Pipeline::Channel);
        };
        match name.as_str() {
            "rrf" => self.rrf(),
            "cc" => self.cc(start),
            "impacts" => {
                self.next()?;
                self.demand("(", "`(`")?;
                let channel = self.name("the name of a channel")?;
                self.demand(")", "`)` after the name of one channel")?;
                Ok(Pipeline::Impacts(channel))
            }
            "where" => Err((start, PipelineProblem::FilterAlone)),
            "rescore" | "cross" | "maxsim" | "expand" => {
                Err((start, PipelineProblem::StepFirst { name }))
            }
            _ => {
                let functions =
                    ["rrf", "cc", "impacts", "rescore", "cross", "maxsim", "expand", "where"];
                let nearest = nearest(&name, functions).map(str::to_owned);
                Err((start, PipelineProblem::UnknownFunction { name, nearest }))
            }
        }
    }

    fn rrf(&mut self) -> Parsed<Pipeline> {
        let (_, start) = self.next()?;
        let Arguments { operands, numbers, weights } = self.arguments("rrf", &["k", "weights"])?;
        let k = numbers.first().map_or(RRF_K, |(_, k)| *k);
        let fused = Pipeline::Rrf { of: operands, k, weights };
        fused.check_node().map_err(|problem| (start, problem))?;
        Ok(fused)
    }

    fn cc(&mut self, start: usize) -> Parsed<Pipeline> {
        self.next()?;
        let Arguments { operands, numbers, .. } = self.arguments("cc", &["alpha"])?;
        let alpha = numbers.first().map_or(CC_ALPHA, |(_, alpha)| *alpha);
        let found = operands.len();
        let of: Box<[Pipeline; 2]> = operands
            .try_into()
            .map_err(|_| (start, PipelineProblem::Operands { of: "cc", expected: "two", found }))?;
        let fused = Pipeline::Cc { of, alpha };
        fused.check_node().map_err(|problem| (start, problem))?;
        Ok(fused)
    }

    /// Reads `( operand, ..., option=value, ... )`.
    fn arguments(&mut self, function: &'static str, options: &[&str]) -> Parsed<Arguments> {
        self.demand("(", "`(`")?;
        let (mut arguments, mut given) = (Arguments::default(), Vec::new());
        loop {
            if let Some(name) = self.option(function, options, &mut given)? {
                if name == "weights" {
                    arguments.weights = Some(self.list()?);
                } else {
                    let value = self.number("a number")?;
                    arguments.numbers.push((name, value));
                }
            } else {
                arguments.operands.push(self.then()?);
            }
            if !self.take(",")? {
                break;
            }
        }
        self.demand(")", "`,` or `)`")?;
        Ok(arguments)
    }

    /// Takes `name =` where it comes next, and remembers that it was given.
    fn option(
        &mut self,
        function: &'static str,
        options: &[&str],
        given: &mut Vec<String>,
    ) -> Parsed<Option<String>> {
        let (Token::Name(name), start, end) = lexer::token(self.text, self.at)? else {
            return Ok(None);
        };
        let Ok((Token::Sign("="), _, end)) = lexer::token(self.text, end) else {
            return Ok(None);
        };
        if !options.contains(&name.as_str()) {
            let nearest = nearest(&name, options.iter().copied()).map(str::to_owned);
            return Err((start, PipelineProblem::UnknownOption { function, name, nearest }));
        }
        if given.contains(&name) {
            return Err((start, PipelineProblem::OptionTwice(name)));
        }
        given.push(name.clone());
        self.at = end;
        Ok(Some(name))
    }

    fn list(&mut self) -> Parsed<Vec<f64>> {
        self.demand("[", "`[`")?;
        let mut numbers = vec![self.number("a number")?];
        while self.take(",")? {
            numbers.push(self.number("a number")?);
        }
        self.demand("]", "`,` or `]`")?;
        Ok(numbers)
    }

    fn number(&mut self, what: &str) -> Parsed<f64> {
        match self.next()? {
            (Token::Number(value, _), _) => Ok(value),
            (token, start) => Err(expected(what, &token, start)),
        }
    }

    fn name(&mut self, what: &str) -> Parsed<String> {
        let (token, offset) = self.next()?;
        let (Token::Name(name) | Token::Quoted(name)) = token else {
            return Err(expected(what, &token, offset));
        };
        if name.is_empty() {
            return Err((offset, PipelineProblem::EmptyName));
        }
        self.names.push(Named { name: name.clone(), offset });
        Ok(name)
    }

    /// Reads `where(...)`, whose inside belongs to the filter's own parser.
    fn filter(&mut self) -> Parsed<Filter> {
        let (_, name) = self.next()?;
        self.demand("(", "`(`")?;
        let start = self.at;
        let end =
            lexer::raw_until_close(self.text, start).ok_or((name, PipelineProblem::OpenFilter))?;
        self.at = end + 1;
        self.text[start..end].parse().map_err(|error| {
            let (offset, problem) = filter_problem(&error);
            (start + offset, problem)
        })
    }
}

fn expected(what: &str, found: &Token, start: usize) -> Located {
    (start, PipelineProblem::Expected { expected: what.to_owned(), found: found.to_string() })
}

/// Returns where in its text a filter is wrong, and how.
pub(super) fn filter_problem(error: &ecphory_index::Error) -> Located {
    match error {
        ecphory_index::Error::Filter { offset, problem, .. } => {
            let problem = match problem {
                FilterProblem::Expected { expected, found } => PipelineProblem::Expected {
                    expected: (*expected).to_owned(),
                    found: found.clone(),
                },
                FilterProblem::TooDeep { limit } => {
                    PipelineProblem::FilterTooDeep { limit: *limit }
                }
                other => PipelineProblem::Filter { message: other.to_string() },
            };
            (*offset, problem)
        }
        other => (0, PipelineProblem::Filter { message: other.to_string() }),
    }
}
