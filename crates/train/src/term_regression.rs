//! First values of a lexical head in closed form, from documents alone: each weighs the terms of its own text, and some that are near.
//!
//! A model that was trained for vectors has no head over words, and its last states no longer tell the vectors of the words they stand
//! for: of the terms of a Cranfield abstract, a linear map from `MiniLM`'s states into its own table of words finds half. So the
//! table is not the model's. The row of each term is the ridge regression, over all rows that the head will see, of *is this one of
//! the term* on their states; all terms share one matrix, which is factorised once. Then a document's largest logit for a term is
//! compared with those of all documents: it is divided by their standard deviation, and 0 is where as many documents lie above it
//! as have the term, times [`TermRegression::open`]. Thus all terms weigh on one scale, which leaves it to the matching function
//! what a term is worth, and how many documents have a weight for it goes by how many have it in their text.
//! What is before the head stays as it begins. No query and no judgment takes part: all arms of a study can begin here.
//!
//! Cost: two passes over the states; the products of all rows with each other's columns and with all terms; for each term a
//! solution of `columns²` steps. Memory: 4 bytes for each document and term. All on the current pool, whose threads change no bit.

mod cholesky;
mod sums;
#[cfg(test)]
mod tests;

use ecphory_core::Progress;
use ecphory_kernels::Level;
use ecphory_model::Role;
use rayon::prelude::*;

use crate::body::{States, rows};
use crate::error::{Error, Result};
use crate::head::{Head, Lexical, LexicalActivation, Stage};
use crate::matching::{ChainSpec, EPSILON, HeadSpec, Materials};
use crate::optimiser::Tensors;
use crate::vocabulary::Vocabulary;
use cholesky::Cholesky;
use sums::Sums;

/// Documents that one thread takes at a time.
const DOCUMENTS: usize = 8;

/// How the rows of terms are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TermRegression {
    /// What is added to the variance of each value of a state, as a share of the mean variance; above 0.
    pub(crate) ridge: f64,
    /// How many documents weigh a term for each that has it.
    pub(crate) open: f64,
    /// What norms add to a variance.
    pub(crate) epsilon: f32,
}

/// With room for as many terms again as a document has.
pub(crate) const BEGINNING: TermRegression =
    TermRegression { ridge: 0.01, open: 2.0, epsilon: EPSILON };

/// What lexical heads begin with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FirstValues {
    /// The vocabulary, with the rows of the table for vectors.
    pub(crate) vocabulary: Vocabulary,
    /// The heads' parameters.
    pub(crate) learned: Tensors,
}

impl TermRegression {
    /// Computes first values of heads that end with a lexical head, from the first `documents` documents; what is learned is named after
    /// `name`. A square map before it stays the identity. Reports a task with two units a document.
    ///
    /// # Errors
    /// Other heads, states without terms or all alike; what reading says; `Interrupted` soon after the caller asked to stop.
    pub(crate) fn run(
        &self,
        states: &dyn States,
        documents: u32,
        heads: (&ChainSpec, &str),
        progress: &dyn Progress,
    ) -> Result<FirstValues> {
        progress.begin("finding first values of terms", 2 * u64::from(documents));
        let found = self.found(states, documents, heads, progress);
        progress.end();
        found
    }

    fn found(
        &self,
        states: &dyn States,
        documents: u32,
        (spec, name): (&ChainSpec, &str),
        progress: &dyn Progress,
    ) -> Result<FirstValues> {
        let none = Error::Nothing { what: "terms of a vocabulary" };
        let vocabulary = states.vocabulary().ok_or(none)?;
        let Some((HeadSpec::Lexical(_), before)) = spec.0.split_last() else {
            return Err(Error::Nothing { what: "lexical heads" });
        };
        let before = before.strip_suffix(&[HeadSpec::Linear(None)]).unwrap_or(before);
        let plain = Materials::without_terms(states.columns(), None, 0);
        let materials = Materials { epsilon: self.epsilon, ..plain };
        let before = ChainSpec(before.to_vec()).build(&materials, name)?;
        let numbers: Vec<u32> = (0..documents).collect();
        if numbers.is_empty() {
            return Err(Error::Nothing { what: "documents" });
        }
        let sums = Sums::of((states, &numbers), &before, vocabulary.tokens().len(), progress)?;
        let vectors = self.vectors(&sums)?;
        let (vectors, biases) = self.scaled(vectors, &sums, |head| {
            let largest = |numbers: &[u32]| {
                if progress.cancelled() {
                    return Err(Error::Interrupted);
                }
                progress.advance(numbers.len() as u64);
                let (made, _) =
                    before.forward(Level::detect(), &rows(states, Role::Document, numbers)?)?;
                Ok(head.largest(Level::detect(), &made)?.logits)
            };
            numbers.par_chunks(DOCUMENTS).map(largest).collect()
        })?;
        let vocabulary = vocabulary.with_vectors(vectors)?;
        let mut chain = spec.build(&materials.with_terms(Some(&vocabulary)), name)?;
        if let Some(Stage::Lexical(head)) = chain.stages.last_mut() {
            head.bias.values = biases;
        }
        let learned = chain.parameters().into_iter();
        let learned = learned.map(|one| (one.name.clone(), one.values.clone())).collect();
        Ok(FirstValues { vocabulary, learned })
    }

    /// The regression's rows but for their scale: the covariance's inverse times how far a term's mean state lies from that of all.
    fn vectors(&self, sums: &Sums) -> Result<Vec<f32>> {
        let columns = sums.columns();
        let mean = sums.mean();
        let mut covariance = sums.covariance();
        let trace: f64 = covariance.iter().step_by(columns + 1).sum();
        let ridge = self.ridge * trace / columns as f64;
        covariance.iter_mut().step_by(columns + 1).for_each(|variance| *variance += ridge);
        let factor = Cholesky::new(covariance, columns);
        let factor = factor.ok_or(Error::Nothing { what: "states that differ" })?;
        let mut vectors = vec![0.0; sums.terms() * columns];
        vectors.par_chunks_mut(columns).enumerate().for_each(|(term, vector)| {
            // A term that no row has keeps a row of zeros, and no weight.
            if let Some(of_term) = sums.mean_of(term) {
                let mut apart: Vec<f64> = of_term.zip(&mean).map(|(one, all)| one - all).collect();
                factor.solve(&mut apart);
                vector.iter_mut().zip(apart).for_each(|(to, value)| *to = value as f32);
            }
        });
        Ok(vectors)
    }

    /// Scales the rows of terms by the logits that they give to documents, which come in chunks of documents, and finds their biases.
    fn scaled(
        &self,
        mut vectors: Vec<f32>,
        sums: &Sums,
        largest: impl FnOnce(&Lexical) -> Result<Vec<Vec<f32>>>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let terms = sums.terms();
        let head = Lexical::new(terms, vectors.clone(), LexicalActivation::Log)?;
        let logits = largest(&head)?;
        let mut biases = vec![0.0; terms];
        let rows = vectors.par_chunks_mut(sums.columns()).zip(&mut biases);
        rows.enumerate().for_each(|(term, (vector, bias))| {
            let of_documents = logits.iter().flat_map(|chunk| chunk.chunks_exact(terms));
            let of_term: Vec<f32> = of_documents.map(|row| row[term]).collect();
            let open = (self.open * sums.documents_with(term) as f64).round() as usize;
            let (scale, threshold) = scale_and_threshold(of_term, open);
            for value in vector.iter_mut() {
                *value = (f64::from(*value) * scale) as f32;
            }
            *bias = (-threshold * scale) as f32;
        });
        Ok((vectors, biases))
    }
}

/// The reciprocal standard deviation of values, 0 where they are all alike, and the largest value that at most `open` lie above.
fn scale_and_threshold(mut values: Vec<f32>, open: usize) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / count).sqrt();
    let at = open.min(values.len() - 1);
    let (_, &mut threshold, _) = values.select_nth_unstable_by(at, |a, b| b.total_cmp(a));
    (if deviation > 0.0 { deviation.recip() } else { 0.0 }, threshold.into())
}
