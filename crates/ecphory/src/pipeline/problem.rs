//! What can be wrong with a pipeline, and where.

use std::fmt;

use ecphory_core::caret::caret;
use ecphory_core::nearest::hint;

/// A problem at a place of an expression; prints the expression with a caret below the place.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineError {
    /// The whole expression, or the path of the part in a TOML or JSON document.
    pub text: String,
    /// The byte of `text` where the problem begins; `None` where `text` is a path.
    pub offset: Option<usize>,
    /// What is wrong there.
    pub problem: PipelineProblem,
}

impl PipelineError {
    pub(crate) fn at(text: &str, offset: usize, problem: PipelineProblem) -> Self {
        Self { text: text.to_owned(), offset: Some(offset), problem }
    }

    pub(crate) fn in_document(path: impl Into<String>, problem: PipelineProblem) -> Self {
        Self { text: path.into(), offset: None, problem }
    }
}

impl std::error::Error for PipelineError {}

impl fmt::Display for PipelineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(offset) = self.offset else {
            return match self.text.as_str() {
                "" => write!(f, "pipeline: {}", self.problem),
                path => write!(f, "pipeline, at {path}: {}", self.problem),
            };
        };
        write!(f, "pipeline: {}\n{}", self.problem, caret(&self.text, offset))
    }
}

/// What is wrong with a pipeline.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineProblem {
    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What may stand here.
        expected: String,
        /// What stands here.
        found: String,
    },
    /// A character that no expression contains.
    #[error("the character {0:?} has no meaning here; an unusual name is quoted: \"my channel\"")]
    Character(char),
    /// A quoted name without its end.
    #[error("this quote is never closed")]
    OpenQuote,
    /// A filter without its closing parenthesis.
    #[error("this filter has no closing `)`")]
    OpenFilter,
    /// A number that is none.
    #[error("`{0}` is no number")]
    Number(String),
    /// A count that is no whole number from 1 on.
    #[error("`{0}` is no count: write a whole number from 1 to 4294967295")]
    Count(String),
    /// A function that does not exist.
    #[error("no function is called `{name}`{}", hint(nearest.as_deref()))]
    UnknownFunction {
        /// As written.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// An option that the function does not have.
    #[error("`{function}` has no option `{name}`{}", hint(nearest.as_deref()))]
    UnknownOption {
        /// The function.
        function: &'static str,
        /// As written.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// An option twice.
    #[error("`{0}` is given twice")]
    OptionTwice(String),
    /// A step where a retriever has to stand.
    #[error("`{name}` works on the hits of what stands before it: write `bm25 >> {name}(...)`")]
    StepFirst {
        /// The step's name.
        name: String,
    },
    /// A retriever where a step has to stand.
    #[error(
        "`{name}` retrieves and cannot follow `>>`; to score the hits so far by a channel write `>> rescore({name})`, to fuse write `rrf(..., {name})`"
    )]
    RetrieverAsStep {
        /// The name as written.
        name: String,
    },
    /// A filter that filters nothing.
    #[error("a filter alone retrieves nothing: write `where(...) >> bm25`")]
    FilterAlone,
    /// The wrong number of operands.
    #[error("`{of}` takes {expected} operands, found {found}")]
    Operands {
        /// The function.
        of: &'static str,
        /// How many it takes, in words.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A filter that nests too deep.
    #[error("the filter nests deeper than {limit} levels")]
    FilterTooDeep {
        /// How deep it may nest.
        limit: usize,
    },
    /// A filter that cannot be taken for another reason.
    #[error("{message}")]
    Filter {
        /// What the index says.
        message: String,
    },
    /// No documents to learn from, or no words to take.
    #[error("`expand` takes at least one word of at least one document")]
    ExpandByNothing,
    /// An `expand` of hits that no BM25 channel found.
    #[error("`expand` reads a BM25 channel once more: write `bm25 >> expand(rm3)`{}", found.as_ref().map(|name| format!("; `{name}` is not read as one before it")).unwrap_or_default())]
    ExpandWithoutWords {
        /// The channel that was named.
        found: Option<String>,
    },
    /// Impacts of a channel that has none.
    #[error("`{name}` has no impacts: they are of bm25 and sparse channels")]
    NoImpacts {
        /// The channel.
        name: String,
    },
    /// `% 0`.
    #[error("a cut keeps at least one hit")]
    CutToNothing,
    /// A channel or a model without a name.
    #[error("a name is empty")]
    EmptyName,
    /// A number outside what is allowed.
    #[error("{name} has to be a finite number from 0 on, found {value}")]
    BadNumber {
        /// Which number.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// A share above 1.
    #[error("{name} is a share, from 0 to 1, found {value}")]
    AboveOne {
        /// What it is called.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// Weights that do not fit the operands.
    #[error("{operands} operands have {weights} weights")]
    WeightCount {
        /// How many operands there are.
        operands: usize,
        /// How many weights there are.
        weights: usize,
    },
    /// Weights that are all 0.
    #[error("every weight is 0, so nothing would be ranked")]
    AllWeightsZero,
    /// Too deep a tree.
    #[error("the pipeline nests deeper than {} levels", super::DEPTH_MAX)]
    TooDeep,
    /// A name that the collection does not have.
    #[error(
        "the collection has no channel `{name}`{}{}",
        hint(nearest.as_deref()),
        listing(nearest.as_ref(), channels)
    )]
    UnknownChannel {
        /// As written.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
        /// All that exist.
        channels: Vec<String>,
    },
    /// A TOML or JSON document that is none.
    #[error("{message}")]
    Document {
        /// What its reader says.
        message: String,
    },
}

/// Returns the list of channels, where there is no nearest name to propose.
fn listing(nearest: Option<&String>, channels: &[String]) -> String {
    if nearest.is_some() { String::new() } else { format!("; it has {}", channels.join(", ")) }
}
