//! A pipeline as the searcher of a miner.

use std::sync::{Mutex, PoisonError};

use ecphory_core::{DocAddress, Progress, Scored, Unshown};
use ecphory_train::miner::{Candidate, Searcher};
use ecphory_train::{Error as TrainError, Ids};

use super::numbers::Numbers;
use crate::reader::{Each, Ranked};
use crate::{Error, Pipeline, Reader, Result};

/// Ranks documents for a miner by a pipeline over a collection, the queries of a block on all threads.
///
/// Documents of the collection that have no number are left out of the rankings. Of equal scores the smaller number
/// comes first; where numbers follow another order than the collection, which one of them is the last that still enters is
/// decided by the collection's order.
pub struct PipelineSearcher<'a> {
    reader: &'a Reader,
    pipeline: &'a Pipeline,
    queries: &'a [&'a str],
    numbers: Numbers,
    progress: &'a dyn Progress,
    notes: Mutex<Vec<String>>,
}

impl<'a> PipelineSearcher<'a> {
    /// Searches for query `i` by the text `queries[i]`; the numbers of documents are those of their ids. `progress` only says
    /// when to stop.
    ///
    /// # Errors
    /// Where a file is damaged.
    pub fn new(
        reader: &'a Reader,
        pipeline: &'a Pipeline,
        queries: &'a [&'a str],
        documents: &Ids,
        progress: &'a dyn Progress,
    ) -> Result<Self> {
        let numbers = Numbers::new(&reader.snapshot, documents)?;
        Ok(Self { reader, pipeline, queries, numbers, progress, notes: Mutex::default() })
    }

    /// Returns what the searches noted, each note once.
    pub fn into_notes(self) -> Vec<String> {
        self.notes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn candidates(&self, hits: &[Scored<DocAddress>]) -> Vec<Candidate> {
        let candidate = |hit: &Scored<DocAddress>| {
            let document = self.numbers.number(hit.item)?;
            Some(Candidate { document, score: hit.score })
        };
        let mut candidates: Vec<Candidate> = hits.iter().filter_map(candidate).collect();
        candidates
            .sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.document.cmp(&b.document)));
        candidates
    }

    fn note(&self, new: Vec<String>) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        for note in new {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
}

impl Searcher for PipelineSearcher<'_> {
    fn search(&self, queries: &[u32], depth: usize) -> ecphory_train::Result<Vec<Vec<Candidate>>> {
        if depth == 0 {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let texts = texts(self.queries, queries)?;
        let each = Each { pipeline: self.pipeline, queries: &texts, k: depth };
        let found = self.reader.rankings(each, &Unshown(self.progress)).map_err(foreign)?;
        let mut rankings = Vec::with_capacity(found.len());
        for Ranked { hits, notes } in found {
            rankings.push(self.candidates(&hits));
            self.note(notes);
        }
        Ok(rankings)
    }
}

/// Returns the texts of some queries.
pub(super) fn texts<'a>(all: &[&'a str], wanted: &[u32]) -> ecphory_train::Result<Vec<&'a str>> {
    let text = |&query: &u32| {
        let (what, number, count) = ("query", query.into(), all.len());
        let outside = TrainError::Outside { what, number, count };
        all.get(query as usize).copied().ok_or(outside)
    };
    wanted.iter().map(text).collect()
}

/// Wraps an error of this crate, so that it can pass through the miner.
pub(super) fn foreign(error: Error) -> TrainError {
    match error {
        Error::Interrupted { .. } => TrainError::Interrupted,
        other => TrainError::Search { kind: other.kind(), source: Box::new(other) },
    }
}
