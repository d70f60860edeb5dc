//! Analysers: from the text of a field, or a query, to the terms of a lexical channel.
//!
//! An [`Analyzer`] is named by a spec string that round-trips: a name (`english`, `german`, `cjk`, `raw`, …), the
//! steps spelled out (`words(possessive, lower, stop=english, stem=porter)`), or `auto`, which picks by the language of
//! each value. Documents and queries of one channel have to go through the same one.
//!
//! Cost: one pass over the text with two buffers for a whole text, none for a term (Snowball stemmers, which are not ours,
//! allocate). It is not for neural encoders; those take [`subword`](crate::subword) ids.

mod bigrams;
mod named;
mod run;
mod steps;

pub use steps::{Bigrams, Normal, Split, Steps};

use crate::error::{Error, Result, SpecProblem};
use crate::language::{self, Language};
use crate::spec::{Call, Source};
use named::Named;
use std::fmt;
use std::str::FromStr;

/// Turns text into terms.
///
/// ```
/// use ecphory_text::Analyzer;
///
/// let english: Analyzer = "english".parse()?;
/// assert_eq!(english.terms("The patient's p53 levels"), ["patient", "p53", "level"]);
/// let own: Analyzer = "words(lower, stop=en)".parse()?;
/// assert_eq!(own.to_string(), "words(lower, stop=english)");
/// # Ok::<(), ecphory_text::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analyzer {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Named(&'static Named),
    Explicit(Steps),
    /// Picks by language, and takes this one where the language is not known.
    Auto(Box<Analyzer>),
}

impl Analyzer {
    /// Makes an analyser from its steps.
    pub fn from_steps(steps: Steps) -> Self {
        Self { kind: Kind::Explicit(steps) }
    }

    /// Returns the analyser that `auto` uses for a language.
    pub fn for_language(language: Language) -> Self {
        Self { kind: Kind::Named(named::for_language(language)) }
    }

    /// Returns the names that a spec string may use alone, without those of `auto`, `words` and `whitespace`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        named::NAMED.iter().map(|named| named.name)
    }

    /// Returns the spec with names replaced by the steps they stand for.
    pub fn expanded(&self) -> String {
        match &self.kind {
            Kind::Named(named) => named.steps.to_string(),
            Kind::Explicit(steps) => steps.to_string(),
            Kind::Auto(default) => format!("auto(default={})", default.expanded()),
        }
    }

    /// Returns the terms of a text.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        self.for_each_term(text, &mut |term| terms.push(term.to_owned()));
        terms
    }

    /// Calls `f` with each term of a text, in order. No term is empty.
    pub fn for_each_term(&self, text: &str, f: &mut dyn FnMut(&str)) {
        run::run(self.steps(text), text, f);
    }

    /// Returns the words of a text as the terms of longer words begin: with every step but the stop list, the stemmer and bigrams,
    /// which look at whole words.
    pub fn beginnings(&self, text: &str) -> Vec<String> {
        let steps = Steps { stop: None, stem: None, bigrams: None, ..*self.steps(text) };
        Self::from_steps(steps).terms(text)
    }

    /// The steps for this text: only `auto` looks at it.
    fn steps(&self, text: &str) -> &Steps {
        match &self.kind {
            Kind::Named(named) => &named.steps,
            Kind::Explicit(steps) => steps,
            Kind::Auto(default) => match language::identify(text).language {
                Some(language) => &named::for_language(language).steps,
                None => default.steps(text),
            },
        }
    }

    fn from_call(source: Source<'_>, call: &Call<'_>) -> Result<Self> {
        let kind = match call.name {
            "words" => Kind::Explicit(Steps::from_call(source, call, Split::Words)?),
            "whitespace" => Kind::Explicit(Steps::from_call(source, call, Split::Whitespace)?),
            "auto" => Kind::Auto(Box::new(Self::auto_default(source, call)?)),
            name => {
                let Some(named) = named::find(name) else {
                    let known = Self::names().chain(["auto", "words", "whitespace"]);
                    return Err(source.unknown(call.offset, "analyser", name, known));
                };
                if let Some(option) = call.options.first() {
                    let problem = SpecProblem::Conflict {
                        name: name.to_owned(),
                        rule: "takes no options; spell the steps out as `words(…)`",
                    };
                    return Err(source.error(option.offset, problem));
                }
                Kind::Named(named)
            }
        };
        Ok(Self { kind })
    }

    /// Reads the one option of `auto`.
    fn auto_default(source: Source<'_>, call: &Call<'_>) -> Result<Self> {
        source.unique(call)?;
        let mut default = Self { kind: Kind::Named(&named::NAMED[0]) };
        for setting in &call.options {
            if setting.key != "default" {
                return Err(source.unknown(setting.offset, "option", setting.key, ["default"]));
            }
            let Some(value) = &setting.value else {
                let after = setting.offset + setting.key.len();
                return Err(source.expected(after, "`=` and an analyser"));
            };
            default = Self::from_call(source, value)?;
            if matches!(default.kind, Kind::Auto(_)) {
                let name = "auto".to_owned();
                let rule = "cannot be its own default";
                return Err(source.error(value.offset, SpecProblem::Conflict { name, rule }));
            }
        }
        Ok(default)
    }
}

impl Default for Analyzer {
    /// `english`, as for BM25 channels.
    fn default() -> Self {
        Self { kind: Kind::Named(&named::NAMED[0]) }
    }
}

impl FromStr for Analyzer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let source = Source { what: "analyser", text };
        Self::from_call(source, &source.parse()?)
    }
}

impl fmt::Display for Analyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Named(named) => f.write_str(named.name),
            Kind::Explicit(steps) => steps.fmt(f),
            Kind::Auto(default) => write!(f, "auto(default={default})"),
        }
    }
}

#[cfg(test)]
mod tests;
