//! What an architecture is described in: the operations of an encoder, over whatever holds its states.
//!
//! An architecture makes these calls in order and knows nothing about memory, packing or batches. [`crate::eval::Eval`]
//! runs them at once; [`crate::tape::Tape`] records them for training too.

use std::ops::Range;

use ecphory_kernels::nn::Activation;

use crate::attention::Attention;
use crate::error::Result;
use crate::head::Pooling;
use crate::tensor::Tensor;

/// Some sequences of tokens, end to end, without padding.
pub(crate) struct TokenBatch {
    /// All tokens.
    pub(crate) tokens: Vec<u32>,
    /// The text each token belongs to, for architectures that tell two texts apart.
    pub(crate) types: Vec<u32>,
    /// The place of each sequence in `tokens`.
    pub(crate) spans: Vec<Range<usize>>,
}

impl TokenBatch {
    /// Puts single texts end to end.
    pub(crate) fn new<'a>(sequences: impl IntoIterator<Item = &'a [u32]>) -> Self {
        let mut batch = Self { tokens: Vec::new(), types: Vec::new(), spans: Vec::new() };
        for sequence in sequences {
            batch.push(sequence);
        }
        batch.types.resize(batch.tokens.len(), 0);
        batch
    }

    /// Puts pairs of texts end to end, each given by its tokens and their types.
    pub(crate) fn of_pairs<'a>(pairs: impl IntoIterator<Item = (&'a [u32], &'a [u32])>) -> Self {
        let mut batch = Self { tokens: Vec::new(), types: Vec::new(), spans: Vec::new() };
        for (tokens, types) in pairs {
            debug_assert_eq!(tokens.len(), types.len());
            batch.push(tokens);
            batch.types.extend_from_slice(types);
        }
        batch
    }

    fn push(&mut self, tokens: &[u32]) {
        let start = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        self.spans.push(start..self.tokens.len());
    }

    /// Returns the position of each token in its sequence, counted from `first`.
    pub(crate) fn positions(&self, first: usize) -> Vec<u32> {
        self.spans.iter().flat_map(|s| (0..s.len()).map(|i| (first + i) as u32)).collect()
    }
}

/// One part of a linear map: a weight of shape `[out, in]` and its bias.
pub(crate) type LinearPart = (Tensor, Option<Tensor>);

/// How a row of states is normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NormKind {
    /// Around the mean, to unit variance (Ba et al. 2016).
    Layer,
    /// To a root mean square of 1 (Zhang and Sennrich 2019).
    RootMeanSquare,
}

/// How the states of a text become one, for a head that judges the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Summary {
    /// The first token's state.
    First,
    /// The mean.
    Mean,
}

impl Summary {
    /// Returns the pooling that does the same.
    pub(crate) fn pooling(self) -> Pooling {
        match self {
            Summary::First => Pooling::Cls,
            Summary::Mean => Pooling::Mean,
        }
    }
}

/// Runs or records the operations of an encoder over a batch: one row of states a token.
pub(crate) trait Executor {
    /// Where parameters are kept, or how they are prepared.
    type Parameters;
    /// A table to look rows up in.
    type Table: Send + Sync;
    /// The parameters of a norm.
    type Norm: Send + Sync;
    /// The parameters of a linear map and its activation.
    type Linear: Send + Sync;
    /// One row for each token of the batch, or for each sequence.
    type States;
    /// What later tokens need of a sequence's earlier ones, in all layers. An executor that always sees whole
    /// sequences says `Infallible`.
    type Cache;

    /// Prepares a table of shape `[rows, columns]`.
    fn table(parameters: &mut Self::Parameters, tensor: &Tensor) -> Result<Self::Table>;
    /// Prepares a norm from its weight and, where it has one, its bias.
    fn norm(
        parameters: &mut Self::Parameters,
        kind: NormKind,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epsilon: f32,
    ) -> Result<Self::Norm>;
    /// Prepares a linear map; the results of several parts stand side by side.
    fn linear(
        parameters: &mut Self::Parameters,
        parts: &[LinearPart],
        activation: Activation,
    ) -> Result<Self::Linear>;

    /// Sums one row of each table for every token.
    fn embed(&mut self, lookups: &[(&Self::Table, &[u32])]) -> Self::States;
    /// Normalises each row.
    fn normed(&mut self, states: &Self::States, norm: &Self::Norm) -> Self::States;
    /// Normalises each row of states that are not needed as they were.
    fn normalize(&mut self, states: Self::States, norm: &Self::Norm) -> Self::States;
    /// Applies a linear map and its activation.
    fn apply(&mut self, linear: &Self::Linear, input: &Self::States) -> Self::States;
    /// Applies a linear map and its activation and adds the residual.
    fn apply_add(
        &mut self,
        linear: &Self::Linear,
        input: &Self::States,
        residual: Self::States,
    ) -> Self::States;
    /// Multiplies the activation of a row's first half with its second half (Shazeer 2020).
    fn gate(&mut self, joint: Self::States, activation: Activation) -> Self::States;
    /// Attends within each sequence: a row of `joint` has queries, keys and values side by side.
    fn attend(
        &mut self,
        joint: Self::States,
        attention: &Attention,
        batch: &TokenBatch,
    ) -> Self::States;
    /// Attends as [`Self::attend`], over the tokens in a sequence's cache too, one cache a sequence: the new tokens
    /// come after those and are added to them.
    fn attend_cached(
        &mut self,
        joint: Self::States,
        attention: &Attention,
        batch: &TokenBatch,
        caches: &mut [Self::Cache],
        layer: usize,
    ) -> Self::States;
    /// Makes one row of the rows of each sequence, zeros for an empty one.
    fn summarize(
        &mut self,
        states: &Self::States,
        summary: Summary,
        batch: &TokenBatch,
    ) -> Self::States;
}
