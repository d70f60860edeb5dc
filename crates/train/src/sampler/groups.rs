//! Groups of n documents for a query: one positive, and negatives beside it.
//!
//! From visit to visit the positives take turns, and the negatives are drawn anew. Where there are too few negatives they are
//! repeated, so that all groups have the same shape; a repeated document is masked, because in a
//! list loss it would be a target twice.

use crate::error::{Error, Result};
use crate::random::{Purpose, Random};

/// The judged documents of one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Relevant documents; at least one.
    pub positives: Vec<u32>,
    /// Documents to rank below them.
    pub negatives: Vec<u32>,
}

/// The documents of a query in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// `n` documents, the positive first.
    pub documents: Vec<u32>,
    /// Whether each counts; false for repeats.
    pub valid: Vec<bool>,
}

/// Draws groups of `n` documents.
#[derive(Clone, Debug)]
pub struct Groups {
    queries: Vec<Judged>,
    size: usize,
    seed: u64,
}

impl Groups {
    /// Draws groups of `size` documents for the queries 0, 1, ….
    ///
    /// # Errors
    /// Where `size` is below 2, a query has no positive, or a document is both for one query.
    pub fn new(queries: Vec<Judged>, size: usize, seed: u64) -> Result<Self> {
        if size < 2 {
            let (setting, expected) = ("size of a group", "at least 2");
            return Err(Error::Setting { setting, expected, got: size.to_string() });
        }
        for (query, judged) in (0..).zip(&queries) {
            if judged.positives.is_empty() {
                return Err(Error::NoPositives { query });
            }
            let both = judged.negatives.iter().find(|d| judged.positives.contains(d));
            if let Some(&document) = both {
                return Err(Error::PositiveNegative { query, document });
            }
        }
        Ok(Self { queries, size, seed })
    }

    /// Draws the group of a query for its `visit`-th time (an epoch, or how often it came before).
    ///
    /// # Errors
    /// Where there is no such query.
    pub fn group(&self, query: u32, visit: u64) -> Result<Group> {
        let outside =
            Error::Outside { what: "query", number: query.into(), count: self.queries.len() };
        let judged = self.queries.get(query as usize).ok_or(outside)?;
        let turn = (visit % judged.positives.len() as u64) as usize;
        let mut documents = vec![judged.positives[turn]];
        let mut negatives = judged.negatives.clone();
        let mut random = Random::new(self.seed, Purpose::Group, [visit, query.into()]);
        random.shuffle_first(&mut negatives, self.size - 1);
        documents.extend(negatives.iter().take(self.size - 1));
        // With no negative at all the positive is repeated.
        let repeated = documents[usize::from(documents.len() > 1)..].to_vec();
        let missing = self.size - documents.len();
        documents.extend(repeated.iter().cycle().take(missing));
        let first = |at: usize| !documents[..at].contains(&documents[at]);
        let valid = (0..documents.len()).map(first).collect();
        Ok(Group { documents, valid })
    }
}
