//! Why a hit has its score: a tree of parts that add up.

use std::fmt;

use serde_json::{Value, json};

/// One number of the arithmetic behind a hit, with what it was made of.
///
/// Where there are `parts`, their values sum to `value`. `inputs` are what the value was computed from
/// by the arithmetic that `what` states, such as the score that a rank came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// What the value is, with its arithmetic.
    pub what: String,
    /// The value.
    pub value: f64,
    /// Addends.
    pub parts: Vec<Explanation>,
    /// Things that the value was computed from otherwise.
    pub inputs: Vec<Explanation>,
    /// Other facts, by name.
    pub facts: Vec<(String, Fact)>,
}

/// A fact of an explanation.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A number.
    Number(f64),
    /// A whole number.
    Count(u64),
    /// Words.
    Text(String),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Number(number) => write!(f, "{number:.4}"),
            Fact::Count(count) => write!(f, "{count}"),
            Fact::Text(text) => f.write_str(text),
        }
    }
}

impl Explanation {
    pub(crate) fn new(what: impl Into<String>, value: f64) -> Self {
        Self { what: what.into(), value, ..Self::default() }
    }

    pub(crate) fn number(mut self, name: &str, value: f64) -> Self {
        self.facts.push((name.to_owned(), Fact::Number(value)));
        self
    }

    pub(crate) fn count(mut self, name: &str, value: u64) -> Self {
        self.facts.push((name.to_owned(), Fact::Count(value)));
        self
    }

    pub(crate) fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.push((name.to_owned(), Fact::Text(value.into())));
        self
    }

    pub(crate) fn input(mut self, input: Explanation) -> Self {
        self.inputs.push(input);
        self
    }

    /// Returns the tree as JSON.
    pub fn to_json(&self) -> Value {
        let facts: serde_json::Map<String, Value> = self
            .facts
            .iter()
            .map(|(name, fact)| {
                let value = match fact {
                    Fact::Number(number) => json!(number),
                    Fact::Count(count) => json!(count),
                    Fact::Text(text) => json!(text),
                };
                (name.clone(), value)
            })
            .collect();
        let mut object = json!({ "what": self.what, "value": self.value });
        if !facts.is_empty() {
            object["facts"] = Value::Object(facts);
        }
        for (name, children) in [("parts", &self.parts), ("inputs", &self.inputs)] {
            if !children.is_empty() {
                object[name] = children.iter().map(Explanation::to_json).collect();
            }
        }
        object
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        write!(f, "{indent}{:<8.5} {}", self.value, self.what)?;
        for (i, (name, fact)) in self.facts.iter().enumerate() {
            write!(f, "{}{name} {fact}", if i == 0 { " · " } else { ", " })?;
        }
        writeln!(f)?;
        // The depth is that of a pipeline, which is limited.
        for child in self.parts.iter().chain(&self.inputs) {
            child.write(f, depth + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}
