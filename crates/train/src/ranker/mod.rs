//! Rankers: what gives the candidates of a batch their scores, and learns from the derivatives by these.
//!
//! [`DualEncoder`] makes vectors of queries and of documents, each of them alone, and compares these: states from a
//! [`Body`](crate::body::Body), scores from a [`Matching`](crate::matching::Matching). [`CrossEncoder`] reads a query and a document
//! together.

mod cross;
mod dual;

pub(crate) use cross::CrossEncoder;
pub(crate) use dual::DualEncoder;

use std::path::Path;
use std::str::FromStr;

use ecphory_core::Progress;

use crate::error::{Error, Result};
use crate::matching::MatchingSpec;
use crate::optimiser::{Slot, Tensors, Update};
use crate::regulariser::PenaltySpec;
use crate::run::batch::Batch;

/// What a recipe calls its matching function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RankerSpec {
    /// `cross`: a cross-encoder.
    Cross,
    /// Heads and a comparison.
    Dual(MatchingSpec),
}

impl FromStr for RankerSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.trim() == "cross" {
            return Ok(Self::Cross);
        }
        Ok(Self::Dual(text.parse()?))
    }
}

impl RankerSpec {
    /// Returns the heads.
    pub(crate) fn heads(self) -> Result<MatchingSpec> {
        match self {
            Self::Dual(spec) => Ok(spec),
            Self::Cross => Err(Error::Nothing { what: "heads of a cross-encoder" }),
        }
    }
}

/// The scores of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scored {
    /// Row-major, as the batch's block has them.
    pub(crate) scores: Vec<f32>,
    /// The same of a fusion's first branch alone; empty where there is none.
    pub(crate) part: Vec<f32>,
}

/// Derivatives by the scores of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Slopes {
    /// By the scores.
    pub(crate) scores: Vec<f32>,
    /// By those of the first branch alone; empty where there are none.
    pub(crate) part: Vec<f32>,
}

/// Something that scores documents for queries, by their numbers, and learns to.
pub(crate) trait Ranker {
    /// Scores a batch and keeps what the way back needs.
    fn forward(&mut self, batch: &Batch) -> Result<Scored>;

    /// Returns what the vectors of the batch cost, and keeps the derivatives for the way back.
    fn penalise(&mut self, penalty: &PenaltySpec, step: u64) -> Result<f64>;

    /// Takes the derivatives by the scores of the last batch back to the parameters.
    fn backward(&mut self, slopes: Slopes) -> Result<()>;

    /// Returns the parameters that move.
    fn slots(&mut self, decay: f32) -> Vec<Slot>;

    /// Returns the parameters that move with the derivatives by them.
    fn updates(&mut self) -> Vec<Update<'_>>;

    /// Copies the parameters that move.
    fn values(&mut self) -> Tensors;

    /// Sets the parameters that move.
    fn set(&mut self, values: &Tensors) -> Result<()>;

    /// Returns the scores of documents for queries, row by row, with the parameters as they are; units of progress are those of
    /// [`Ranker::units`].
    fn scores(
        &self,
        queries: &[u32],
        documents: &[u32],
        progress: &dyn Progress,
    ) -> Result<Vec<f32>>;

    /// Returns how many texts [`Ranker::scores`] reads.
    fn units(&self, queries: usize, documents: usize) -> u64;

    /// Returns itself where it makes vectors of either side.
    fn dual(&self) -> Option<&DualEncoder<'_>> {
        None
    }

    /// Writes the model with its parameters as they are to a new directory.
    fn save(&mut self, directory: &Path) -> Result<()>;
}
