//! A query and a document read together.

use std::path::Path;

use ecphory_core::Progress;
use ecphory_model::{Gradients, Recording, TokenPair, TrainableCrossEncoder};

use super::{Ranker, Scored, Slopes};
use crate::data::TrainingData;
use crate::error::{Error, Result};
use crate::optimiser::{Slot, Tensors, Update, moving, set_moving};
use crate::regulariser::PenaltySpec;
use crate::run::batch::Batch;

/// Pairs that are scored at once where nothing is learned from them.
const PAIRS: usize = 32;

/// A transformer over pairs of texts; its score is the logit of its head.
pub(crate) struct CrossEncoder<'a> {
    data: &'a TrainingData,
    model: TrainableCrossEncoder,
    gradients: Gradients,
    recording: Option<Recording>,
}

impl<'a> CrossEncoder<'a> {
    /// Runs a model over the texts of a data set.
    pub(crate) fn new(data: &'a TrainingData, model: TrainableCrossEncoder) -> Self {
        Self { data, gradients: Gradients::new(model.parameters()), model, recording: None }
    }

    fn pair(&self, query: u32, document: u32) -> Result<TokenPair> {
        let query = &self.data.queries()[query as usize].text;
        let document = &self.data.documents()[document as usize].text;
        Ok(self.model.pair(query, document)?)
    }
}

impl Ranker for CrossEncoder<'_> {
    fn forward(&mut self, batch: &Batch) -> Result<Scored> {
        let mut pairs = Vec::with_capacity(batch.cells());
        for (row, &query) in batch.queries.iter().enumerate() {
            for &document in batch.candidates(row) {
                pairs.push(self.pair(query, document)?);
            }
        }
        let recording = self.model.forward(&pairs.iter().collect::<Vec<_>>());
        let scores = recording.states().to_vec();
        self.recording = Some(recording);
        Ok(Scored { scores, part: Vec::new() })
    }

    fn penalise(&mut self, _penalty: &PenaltySpec, _step: u64) -> Result<f64> {
        Err(Error::Nothing { what: "vectors of a cross-encoder" })
    }

    fn backward(&mut self, slopes: Slopes) -> Result<()> {
        let recording = self.recording.take().ok_or(Error::Nothing { what: "recordings" })?;
        self.gradients.zero();
        self.model.backward(recording, &slopes.scores, &mut self.gradients);
        Ok(())
    }

    fn slots(&mut self, decay: f32) -> Vec<Slot> {
        Slot::of(self.model.parameters(), decay)
    }

    fn updates(&mut self) -> Vec<Update<'_>> {
        Update::of(self.model.parameters_mut(), &self.gradients)
    }

    fn values(&mut self) -> Tensors {
        moving(self.model.parameters())
    }

    fn set(&mut self, values: &Tensors) -> Result<()> {
        set_moving(self.model.parameters_mut(), values)
    }

    fn scores(
        &self,
        queries: &[u32],
        documents: &[u32],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let mut scores = Vec::with_capacity(queries.len() * documents.len());
        for &query in queries {
            for documents in documents.chunks(PAIRS) {
                if progress.cancelled() {
                    return Err(Error::Interrupted);
                }
                let pairs = documents
                    .iter()
                    .map(|&document| self.pair(query, document))
                    .collect::<Result<Vec<_>>>()?;
                let recording = self.model.forward(&pairs.iter().collect::<Vec<_>>());
                scores.extend_from_slice(recording.states());
                progress.advance(pairs.len() as u64);
            }
        }
        Ok(scores)
    }

    fn units(&self, queries: usize, documents: usize) -> u64 {
        (queries * documents) as u64
    }

    fn save(&mut self, directory: &Path) -> Result<()> {
        Ok(self.model.save(directory)?)
    }
}
