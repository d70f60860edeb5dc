//! The spec string of a matching function.
//!
//! ```text
//! cosine(pooled)                                  single vectors, pooled as the model's directory says
//! cosine(pooled > linear)                         the same through a square map that begins as the identity
//! maxsim(linear(96) > unit)                       late interaction
//! dot(table | linear > lexical)                   queries are looked up, documents weigh the terms of a vocabulary
//! dot(table | transform > lexical)                the same with the head of a masked language model, which a directory can hold
//! fusion(dot(cls > linear(128)), maxsim(linear(32) > words > gate))      ColBERTer
//! ```
//!
//! In a branch, heads follow one another from left to right. Two chains with `|` between them are those of queries and of documents.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::head::{LexicalActivation, Pooling, TableWeights};
use crate::spec::Source;

/// How vectors are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// By inner products.
    Dot,
    /// By cosines.
    Cosine,
    /// By the sum of each query row's best inner product.
    MaxSim,
    /// The same, where only rows of the same word match.
    WordMaxSim,
}

/// A head by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadSpec {
    /// The states as they are.
    States,
    /// One vector as the model's directory makes it; nothing is done to vectors that are pooled already.
    Pooled,
    /// One vector of the rows of a text.
    Pooling(Pooling),
    /// A linear map to so many values, random at first; to as many as before and the identity at first where there is no number.
    Linear(Option<usize>),
    /// A square map, GELU and layer norm, as before the decoder of a masked language model.
    Transform,
    /// The mean of the pieces of each distinct word.
    Words,
    /// A gate for each row.
    Gate,
    /// Unit length.
    Unit,
    /// Weights of the terms of a vocabulary.
    Lexical(LexicalActivation),
    /// A static table of the weights of terms.
    Table(TableWeights),
}

/// Heads that follow one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec(pub Vec<HeadSpec>);

/// Heads and a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchSpec {
    /// How vectors are compared.
    pub comparison: Comparison,
    /// The heads of queries; `None` where they are those of documents.
    pub query: Option<ChainSpec>,
    /// The heads of documents.
    pub document: ChainSpec,
}

/// A matching function by its spec string: one branch, or two that are fused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchingSpec {
    /// One or two.
    pub branches: Vec<BranchSpec>,
}

const COMPARISONS: [(&str, Comparison); 4] = [
    ("dot", Comparison::Dot),
    ("cosine", Comparison::Cosine),
    ("maxsim", Comparison::MaxSim),
    ("word-maxsim", Comparison::WordMaxSim),
];

const HEADS: [(&str, HeadSpec); 15] = [
    ("states", HeadSpec::States),
    ("pooled", HeadSpec::Pooled),
    ("mean", HeadSpec::Pooling(Pooling::Mean)),
    ("cls", HeadSpec::Pooling(Pooling::Cls)),
    ("last", HeadSpec::Pooling(Pooling::Last)),
    ("linear", HeadSpec::Linear(None)),
    ("transform", HeadSpec::Transform),
    ("words", HeadSpec::Words),
    ("gate", HeadSpec::Gate),
    ("unit", HeadSpec::Unit),
    ("lexical", HeadSpec::Lexical(LexicalActivation::Log)),
    ("lexical-twice", HeadSpec::Lexical(LexicalActivation::DoubleLog)),
    ("lexical-elu", HeadSpec::Lexical(LexicalActivation::EluPlusOne)),
    ("table", HeadSpec::Table(TableWeights::Table)),
    ("ones", HeadSpec::Table(TableWeights::Binary)),
];

/// The most values that a linear head may return.
const VALUES_MAX: usize = 1 << 16;

struct Parser<'a> {
    source: Source<'a>,
    at: usize,
}

impl Parser<'_> {
    fn matching(&mut self) -> Result<MatchingSpec> {
        let start = self.at;
        let (name, _) = self.source.word(&mut self.at, "a comparison or `fusion`")?;
        let branches = if name == "fusion" {
            self.mark('(')?;
            let first = self.branch()?;
            self.mark(',')?;
            let second = self.branch()?;
            self.mark(')')?;
            vec![first, second]
        } else {
            self.at = start;
            vec![self.branch()?]
        };
        self.source.end(&mut self.at)?;
        Ok(MatchingSpec { branches })
    }

    fn branch(&mut self) -> Result<BranchSpec> {
        let expected = "dot, cosine, maxsim or word-maxsim";
        let (name, offset) = self.source.word(&mut self.at, expected)?;
        let known = COMPARISONS.iter().find(|(known, _)| *known == name);
        let comparison = known.ok_or_else(|| self.source.expected(offset, expected))?.1;
        self.mark('(')?;
        let first = self.chain()?;
        let second = self.source.take(&mut self.at, '|').then(|| self.chain()).transpose()?;
        self.mark(')')?;
        let (query, document) = match second {
            Some(document) => (Some(first), document),
            None => (None, first),
        };
        Ok(BranchSpec { comparison, query, document })
    }

    fn chain(&mut self) -> Result<ChainSpec> {
        let mut heads = vec![self.head()?];
        while self.source.take(&mut self.at, '>') {
            heads.push(self.head()?);
        }
        Ok(ChainSpec(heads))
    }

    fn head(&mut self) -> Result<HeadSpec> {
        let (name, offset) = self.source.word(&mut self.at, "a head")?;
        let head = HEADS.iter().find(|(known, _)| *known == name).map(|(_, head)| *head);
        let head = head.ok_or_else(|| {
            let names: Vec<&str> = HEADS.iter().map(|(name, _)| *name).collect();
            self.source.expected(offset, &format!("one of the heads {}", names.join(", ")))
        })?;
        if head != HeadSpec::Linear(None) || !self.source.take(&mut self.at, '(') {
            return Ok(head);
        }
        let expected = "how many values, from 1 to 65536";
        let (word, offset) = self.source.word(&mut self.at, expected)?;
        let values = word.parse().ok().filter(|values| (1..=VALUES_MAX).contains(values));
        let values = values.ok_or_else(|| self.source.expected(offset, expected))?;
        self.mark(')')?;
        Ok(HeadSpec::Linear(Some(values)))
    }

    fn mark(&mut self, mark: char) -> Result<()> {
        if self.source.take(&mut self.at, mark) {
            return Ok(());
        }
        Err(self.source.expected(self.at, &format!("`{mark}`")))
    }
}

impl FromStr for MatchingSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Parser { source: Source { what: "matching", text }, at: 0 }.matching()
    }
}

impl fmt::Display for MatchingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.branches[..] {
            [first, second] => write!(f, "fusion({first}, {second})"),
            branches => branches.iter().try_for_each(|branch| write!(f, "{branch}")),
        }
    }
}

impl fmt::Display for BranchSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = COMPARISONS.iter().find(|(_, known)| *known == self.comparison);
        write!(f, "{}(", name.map_or("", |(name, _)| name))?;
        if let Some(query) = &self.query {
            write!(f, "{query} | ")?;
        }
        write!(f, "{})", self.document)
    }
}

impl fmt::Display for ChainSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, head) in self.0.iter().enumerate() {
            let arrow = if index > 0 { " > " } else { "" };
            match head {
                HeadSpec::Linear(Some(values)) => write!(f, "{arrow}linear({values})")?,
                head => {
                    let name = HEADS.iter().find(|(_, known)| known == head);
                    write!(f, "{arrow}{}", name.map_or("", |(name, _)| name))?;
                }
            }
        }
        Ok(())
    }
}
