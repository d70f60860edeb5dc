//! One step: texts to tokens to states to vectors to scores to a loss, and all the way back.

use std::path::Path;

use ecphory_core::Progress;
use ecphory_kernels::Level;
use ecphory_model::{self as model, Gradients, Role, TrainableEncoder};

use crate::data::{Text, TrainingData};
use crate::error::{Error, Result};
use crate::head::{Head, Normalise, Pooling};
use crate::loss::Loss;
use crate::optimiser::{Optimiser, Pace, ParameterProblem, Update, clipping, global_norm};
use crate::ragged::Ragged;
use crate::recipe::Encoding;
use crate::run::batch::Batch;
use crate::run::{Job, RunError};
use crate::sampler::{Groups, Judged};
use crate::score::{Cosine, Layout, Pairs};

/// Texts that are encoded at once where nothing is learned from them.
const TEXTS: usize = 16;

/// How a query and a candidate are compared; temperatures are the loss's.
const SCORE: Cosine = Cosine { scale: 1.0 };

/// What a step needs besides its queries.
pub(super) struct Step<'a> {
    data: &'a TrainingData,
    encoding: Encoding,
    clip: f32,
    loss: Loss,
    pooling: Pooling,
    level: Level,
    groups: Groups,
    pub(super) encoder: TrainableEncoder,
    gradients: Gradients,
    /// The queries of the step before, for errors.
    queries: Vec<u32>,
}

impl<'a> Step<'a> {
    pub(super) fn new(job: &Job<'a>, encoder: TrainableEncoder, judged: &[Judged]) -> Result<Self> {
        let recipe = job.recipe;
        Ok(Self {
            data: job.data,
            encoding: recipe.encoding,
            clip: recipe.optimiser.clip,
            loss: recipe.loss.parse()?,
            pooling: pooling(&encoder)?,
            level: Level::detect(),
            groups: Groups::new(judged.to_vec(), 1 + recipe.batches.negatives, job.seed)?,
            gradients: Gradients::new(encoder.parameters()),
            encoder,
            queries: Vec::new(),
        })
    }

    /// Moves the parameters once and returns the loss before that. Queries that come again in another epoch get another of their
    /// positives and other negatives.
    pub(super) fn run(
        &mut self,
        queries: Vec<u32>,
        epoch: u64,
        rate: f32,
        optimiser: &mut impl Optimiser,
    ) -> Result<f64> {
        self.queries.clone_from(&queries);
        let mut groups = Vec::with_capacity(queries.len());
        for &query in &queries {
            let group = self.groups.group(query, epoch)?;
            let kept = group.documents.iter().zip(&group.valid).filter(|(_, valid)| **valid);
            groups.push(kept.map(|(&document, _)| document).collect());
        }
        let batch = Batch::new(queries, &groups);
        let mut tokens = self.tokens(Role::Query, &batch.queries)?;
        tokens.extend(self.tokens(Role::Document, &batch.documents)?);
        let sequences: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        let recording = self.encoder.forward(&sequences);
        let states = Ragged::from(&recording);
        let (vectors, ()) = self.pooling.forward(self.level, &states)?;
        let (queries, candidates) = vectors.values.split_at(batch.queries.len() * vectors.columns);
        let side = |values: &[f32]| Ragged::vectors(values.to_vec(), vectors.columns);
        let (queries, candidates) = (side(queries), side(candidates));
        let pairs = Pairs { queries: &queries, candidates: &candidates, layout: Layout::Shared };
        let (scores, kept) = SCORE.forward(self.level, &pairs)?;
        if !scores.iter().all(|score| score.is_finite()) {
            return Err(Error::from(RunError::NotANumber { what: "score" }));
        }
        let judged = self.loss.evaluate(&batch.block(self.data, scores)?)?;
        if !judged.value.is_finite() {
            return Err(Error::from(RunError::NotANumber { what: "loss" }));
        }
        let mut slopes = SCORE.backward(self.level, &pairs, &kept, &judged.gradient)?;
        slopes.queries.append(&mut slopes.candidates);
        let slopes = self.pooling.backward(self.level, &states, &(), &slopes.queries)?;
        self.gradients.zero();
        self.encoder.backward(recording, &slopes, &mut self.gradients);
        self.apply(rate, optimiser)?;
        Ok(judged.value)
    }

    fn apply(&mut self, rate: f32, optimiser: &mut impl Optimiser) -> Result<()> {
        let mut updates = Update::of(self.encoder.parameters_mut(), &self.gradients);
        let norm = global_norm(&updates)?;
        let gradient_scale =
            if self.clip > 0.0 { clipping(norm, f64::from(self.clip)) } else { 1.0 };
        optimiser.step(Pace { rate, gradient_scale }, &mut updates)
    }

    /// Returns the vectors of queries or documents with the parameters as they are.
    pub(super) fn vectors(
        &self,
        role: Role,
        numbers: &[u32],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>> {
        let tokens = self.tokens(role, numbers)?;
        // Texts of like length side by side waste no thread's time.
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&place| tokens[place].len());
        let mut all = Vec::new();
        for places in order.chunks(TEXTS) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let sequences: Vec<&[u32]> = places.iter().map(|&place| &tokens[place][..]).collect();
            let recording = self.encoder.forward(&sequences);
            let (pooled, ()) = self.pooling.forward(self.level, &Ragged::from(&recording))?;
            let (vectors, _) = Normalise.forward(self.level, &pooled)?;
            let columns = vectors.columns;
            all.resize(tokens.len() * columns, 0.0);
            for (&place, vector) in places.iter().zip(vectors.values.chunks_exact(columns)) {
                all[place * columns..][..columns].copy_from_slice(vector);
            }
            progress.advance(places.len() as u64);
        }
        Ok(all)
    }

    fn tokens(&self, role: Role, numbers: &[u32]) -> Result<Vec<Vec<u32>>> {
        let texts = match role {
            Role::Query => self.data.queries(),
            Role::Document => self.data.documents(),
        };
        let most = self.encoding.tokens(role);
        let one = |&number: &u32| -> Result<Vec<u32>> {
            let Text { text, .. } = &texts[number as usize];
            Ok(cut(self.encoder.tokens_as(text, role)?, most))
        };
        numbers.iter().map(one).collect()
    }

    /// Says in which step and for which queries something went wrong.
    pub(super) fn placed(&self, error: Error, step: u64, checkpoint: &Path) -> Error {
        let what = match &error {
            Error::Run(RunError::NotANumber { what }) => *what,
            Error::Parameter { problem: ParameterProblem::NotFinite { .. }, .. } => "gradient",
            _ => return error,
        };
        let ids = self.queries.iter().map(|&query| self.data.queries()[query as usize].id.clone());
        Error::from(RunError::Diverged {
            what,
            step,
            queries: ids.collect(),
            checkpoint: checkpoint.to_owned(),
        })
    }
}

/// Finds the head that makes of states what the model's directory says.
fn pooling(encoder: &TrainableEncoder) -> Result<Pooling> {
    match encoder.pooling() {
        [model::Pooling::Mean] => Ok(Pooling::Mean),
        [model::Pooling::Cls] => Ok(Pooling::Cls),
        [model::Pooling::LastToken] => Ok(Pooling::Last),
        other => Err(Error::from(RunError::Pooling { found: format!("{other:?}") })),
    }
}

/// Cuts tokens as the tokenizer would: the last one, which ends every text, stays.
fn cut(mut tokens: Vec<u32>, most: usize) -> Vec<u32> {
    if tokens.len() > most {
        let end = tokens.pop();
        tokens.truncate(most - 1);
        tokens.extend(end);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn the_end_of_a_text_stays() {
        assert_eq!(cut(vec![101, 1, 2, 3, 102], 4), [101, 1, 2, 102]);
        assert_eq!(cut(vec![101, 1, 102], 3), [101, 1, 102]);
    }
}
