//! Sources: what a run can mine and learn from besides its data, by name.
//!
//! A source gives rankings, scores of pairs, or both. The model that training begins from is one (`dense`), a lexical search that the
//! caller hands in another (`bm25`). [`ScoreMatrix`] holds the scores of all pairs of a small collection and
//! serves as both.

use std::collections::BTreeMap;

use ecphory_core::TopK;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::miner::{Candidate, Searcher};
use crate::teacher::Teacher;

/// A ranker that was handed in.
#[derive(Clone, Copy, Default)]
pub struct Source<'a> {
    /// Gives rankings.
    pub searcher: Option<&'a dyn Searcher>,
    /// Gives the scores of pairs.
    pub teacher: Option<&'a dyn Teacher>,
}

/// Rankers by name.
#[derive(Clone, Default)]
pub struct Sources<'a> {
    named: BTreeMap<String, Source<'a>>,
}

impl<'a> Sources<'a> {
    /// Adds a source, in the place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: &str, source: Source<'a>) -> Self {
        self.named.insert(name.to_owned(), source);
        self
    }

    /// Returns whether there is a source of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.named.contains_key(name)
    }

    /// Returns what gives rankings under a name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn searcher(&self, name: &str) -> Result<&'a dyn Searcher> {
        let found = self.named.get(name).and_then(|source| source.searcher);
        found.ok_or_else(|| self.unknown("search to mine with", name, |one| one.searcher.is_some()))
    }

    /// Returns what gives scores under a name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn teacher(&self, name: &str) -> Result<&'a dyn Teacher> {
        let found = self.named.get(name).and_then(|source| source.teacher);
        found.ok_or_else(|| self.unknown("teacher", name, |one| one.teacher.is_some()))
    }

    fn unknown(&self, what: &'static str, name: &str, has: impl Fn(&Source<'_>) -> bool) -> Error {
        let known = self.named.iter().filter(|(_, source)| has(source));
        let known = known.map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ");
        Error::UnknownSource { what, name: name.to_owned(), known }
    }
}

/// The scores of all documents for all queries: 4 bytes a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreMatrix {
    documents: usize,
    scores: Vec<f32>,
}

impl ScoreMatrix {
    /// Takes scores query by query, one for each document.
    ///
    /// # Errors
    /// No whole number of rows, or a score that is not finite.
    pub fn new(documents: usize, scores: Vec<f32>) -> Result<Self> {
        if documents == 0 || scores.is_empty() || !scores.len().is_multiple_of(documents) {
            let (what, got) = ("scores of all pairs", scores.len());
            return Err(Error::Shape { what, expected: documents, got });
        }
        match scores.iter().position(|score| !score.is_finite()) {
            None => Ok(Self { documents, scores }),
            Some(at) => Err(Error::NotFinite {
                what: "scores of query",
                row: at / documents,
                column: at % documents,
                value: scores[at],
            }),
        }
    }

    /// Asks a searcher for the whole ranking of each of the queries `0..queries`; a document that it does not return scores `missing`.
    ///
    /// # Errors
    /// What the search says.
    pub fn of_searcher(
        searcher: &dyn Searcher,
        queries: usize,
        documents: usize,
        missing: f32,
    ) -> Result<Self> {
        let mut scores = vec![missing; queries * documents];
        let numbers: Vec<u32> = (0..queries as u32).collect();
        let rankings = searcher.search(&numbers, documents)?;
        for (row, ranking) in scores.chunks_exact_mut(documents).zip(rankings) {
            for candidate in ranking {
                row[candidate.document as usize] = candidate.score;
            }
        }
        Self::new(documents, scores)
    }

    /// Returns how many queries there are.
    pub fn queries(&self) -> usize {
        self.scores.len() / self.documents
    }

    /// Returns the scores of all documents for a query.
    ///
    /// # Errors
    /// Where there is no such query.
    pub fn row(&self, query: u32) -> Result<&[f32]> {
        let mut rows = self.scores.chunks_exact(self.documents);
        let (number, count) = (query.into(), self.queries());
        rows.nth(query as usize).ok_or(Error::Outside { what: "query", number, count })
    }

    /// Returns itself as a source of both kinds.
    pub fn source(&self) -> Source<'_> {
        Source { searcher: Some(self), teacher: Some(self) }
    }
}

/// Returns the best documents, given the scores of all.
pub(crate) fn ranked(scores: &[f32], depth: usize) -> Vec<Candidate> {
    let mut top = TopK::new(depth);
    for (document, &score) in (0..).zip(scores) {
        top.offer(score, document);
    }
    let sorted = top.into_sorted().into_iter();
    sorted.map(|one| Candidate { document: one.item, score: one.score }).collect()
}

impl Searcher for ScoreMatrix {
    fn search(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let ranking = |&query: &u32| Ok(ranked(self.row(query)?, depth));
        queries.par_iter().map(ranking).collect()
    }
}

impl Teacher for ScoreMatrix {
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        let row = self.row(query)?;
        let score = |&document: &u32| {
            let (number, count) = (document.into(), self.documents);
            row.get(document as usize).copied().ok_or(Error::Outside {
                what: "document",
                number,
                count,
            })
        };
        documents.iter().map(score).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_ranks_and_teaches() {
        let matrix = ScoreMatrix::new(3, vec![1.0, 3.0, 3.0, 0.0, -1.0, 2.0]).unwrap();
        let ranking = &matrix.search(&[0], 2).unwrap()[0];
        let documents: Vec<u32> = ranking.iter().map(|one| one.document).collect();
        assert_eq!(documents, [1, 2]);
        assert_eq!(matrix.scores(1, &[2, 0]).unwrap(), [2.0, 0.0]);
        assert!(matrix.scores(2, &[0]).is_err() && matrix.scores(0, &[3]).is_err());
        assert_eq!(ScoreMatrix::of_searcher(&matrix, 2, 3, 9.0).unwrap(), matrix);
        assert!(ScoreMatrix::new(4, vec![1.0; 6]).is_err());
        assert!(ScoreMatrix::new(2, vec![1.0, f32::NAN]).is_err());
    }

    #[test]
    fn an_unknown_source_names_those_that_are_there() {
        let matrix = ScoreMatrix::new(1, vec![1.0]).unwrap();
        let sources = Sources::default().with("dense", matrix.source());
        assert!(sources.teacher("dense").is_ok());
        let error = sources.searcher("bm25").err().unwrap().to_string();
        assert!(error.contains("bm25") && error.contains("dense"), "{error}");
    }
}
