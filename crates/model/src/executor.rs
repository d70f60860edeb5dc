//! What an architecture is described in: the operations of an encoder, over whatever holds its states.
//!
//! An architecture makes these calls in order and knows nothing about memory, packing or batches. [`crate::eval::Eval`]
//! runs them at once; an executor that records them for training implements the same trait.

use std::ops::Range;

use ecphory_kernels::nn::Activation;

use crate::error::Result;
use crate::relative::RelativeBias;
use crate::weights::Tensor;

/// Some sequences of tokens, end to end, without padding.
pub(crate) struct TokenBatch {
    /// All tokens.
    pub(crate) tokens: Vec<u32>,
    /// The place of each sequence in `tokens`.
    pub(crate) spans: Vec<Range<usize>>,
}

impl TokenBatch {
    /// Puts sequences end to end.
    pub(crate) fn new<'a>(sequences: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut batch = Self { tokens: Vec::new(), spans: Vec::new() };
        for sequence in sequences {
            let start = batch.tokens.len();
            batch.tokens.extend_from_slice(sequence);
            batch.spans.push(start..batch.tokens.len());
        }
        batch
    }

    /// Returns the position of each token in its sequence, counted from `first`.
    pub(crate) fn positions(&self, first: usize) -> Vec<u32> {
        self.spans.iter().flat_map(|s| (0..s.len()).map(|i| (first + i) as u32)).collect()
    }
}

/// One part of a linear map: a weight of shape `[out, in]` and its bias.
pub(crate) type LinearPart = (Tensor, Option<Tensor>);

/// Runs or records the operations of an encoder over a batch: one row of states a token.
pub(crate) trait Executor {
    /// A table to look rows up in.
    type Table: Send + Sync;
    /// The parameters of a layer norm.
    type Norm: Send + Sync;
    /// The parameters of a linear map and its activation.
    type Linear: Send + Sync;
    /// One row for each token of the batch.
    type States;

    /// Prepares a table.
    fn table(tensor: &Tensor) -> Result<Self::Table>;
    /// Prepares a layer norm from its weight and bias.
    fn norm(weight: &Tensor, bias: &Tensor, epsilon: f32) -> Result<Self::Norm>;
    /// Prepares a linear map; the results of several parts stand side by side.
    fn linear(parts: &[LinearPart], activation: Activation) -> Result<Self::Linear>;

    /// Sums one row of each table for every token, and normalises.
    fn embed(&mut self, lookups: &[(&Self::Table, &[u32])], norm: &Self::Norm) -> Self::States;
    /// Applies a linear map and its activation.
    fn apply(&mut self, linear: &Self::Linear, input: &Self::States) -> Self::States;
    /// Attends within each sequence: `joint` has queries, keys and values side by side.
    fn attend(
        &mut self,
        joint: Self::States,
        heads: usize,
        batch: &TokenBatch,
        bias: Option<&RelativeBias>,
    ) -> Self::States;
    /// Adds the residual, which it uses up, and normalises.
    fn add_norm(
        &mut self,
        states: Self::States,
        residual: Self::States,
        norm: &Self::Norm,
    ) -> Self::States;
}
