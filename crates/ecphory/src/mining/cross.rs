//! A cross-encoder as a teacher: its scores of any pair, computed when they are first asked for.

use std::sync::{Arc, Mutex, PoisonError};

use ecphory_core::Silent;
use ecphory_model::{CrossEncoder, EncoderOptions};
use ecphory_train::teacher::Teacher;
use ecphory_train::{Error as TrainError, TrainingData};
use rustc_hash::FxHashMap;

use super::searcher::foreign;
use crate::{Engine, Result};

/// Scores by a cross-encoder, as logits. It remembers all that it was asked for: 12 bytes a pair and the table's own.
pub(crate) struct CrossTeacher<'a> {
    engine: &'a Engine,
    model: Arc<CrossEncoder>,
    data: &'a TrainingData,
    known: Mutex<FxHashMap<(u32, u32), f32>>,
}

impl<'a> CrossTeacher<'a> {
    /// Opens a model by its name or directory.
    pub(crate) fn new(engine: &'a Engine, model: &str, data: &'a TrainingData) -> Result<Self> {
        let model = engine.cross_encoder(model, &EncoderOptions::default())?;
        Ok(Self { engine, model, data, known: Mutex::default() })
    }
}

impl Teacher for CrossTeacher<'_> {
    fn scores(&self, query: u32, documents: &[u32]) -> ecphory_train::Result<Vec<f32>> {
        let outside =
            |what, number: u32, count| TrainError::Outside { what, number: number.into(), count };
        let (queries, texts) = (self.data.queries(), self.data.documents());
        let text = queries.get(query as usize);
        let text = text.ok_or_else(|| outside("query", query, queries.len()))?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown = documents.to_vec();
        unknown.retain(|&document| !known.contains_key(&(query, document)));
        unknown.sort_unstable();
        unknown.dedup();
        let read = |&document: &u32| {
            let found = texts.get(document as usize).map(|text| &*text.text);
            found.ok_or_else(|| outside("document", document, texts.len()))
        };
        let candidates = unknown.iter().map(read).collect::<ecphory_train::Result<Vec<&str>>>()?;
        if !candidates.is_empty() {
            let scores = self.model.logits(&text.text, &candidates, self.engine.pool(), &Silent);
            let scores = scores.map_err(|error| foreign(error.into()))?;
            known.extend(unknown.iter().map(|&document| (query, document)).zip(scores));
        }
        Ok(documents.iter().map(|&document| known[&(query, document)]).collect())
    }
}
