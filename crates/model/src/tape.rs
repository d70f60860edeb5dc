//! The executor of training: it computes what [`Eval`](crate::eval::Eval) computes, keeps what a gradient needs, and runs
//! hand-written backward functions over it in the opposite order.
//!
//! Parameters lie in a [`Store`], in single precision, and the handles of norms, tables and linear maps are places in it.
//! Only operations behind the first trainable parameter are recorded: below it nothing is kept, and nothing is computed
//! backwards.
//!
//! **What is kept**, for a token and layer, in values of 4 bytes (h hidden, f intermediate): the input of both norms, `2 h`;
//! queries, keys and values, `3 h`; what attention made of them, `h`; and what the activation is applied to, `f`, or `2 f` where
//! it is gated. That is `24 h + 4 f` bytes for BERT, 15 KB for MiniLM. Results of norms, activations and gates are computed again
//! from these, and so are the weights of attention, block by block: they are never kept.
//!
//! **Cost**: backwards, twice the products of the forward pass and two and a half times its attention; the weights are packed
//! once for each direction after every move of the parameters, which takes as much memory again as they do.
//!
//! Results do not depend on the number of threads, nor the states of a sequence on the batch it is in, by a single bit.
//! The table of relative distances of `MPNet` is not a parameter and stays as it is. Not for decoders.

mod attend;
mod backward;
mod gradients;
mod node;
mod parameters;
mod product;
mod recording;
mod rowwise;
mod store;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Activation, Epilogue, Rows, RowsMut};
use rayon::prelude::*;

use crate::attention::Attention;
use crate::error::Result;
use crate::eval::{HeadScratch, heads};
use crate::executor::{Executor, LinearPart, NormKind, Summary, TokenBatch};
use crate::tensor::Tensor;
pub use gradients::{Gradient, Gradients};
pub(crate) use node::{Linear, Norm, Traced};
use node::{LinearNode, Node, Part};
pub use parameters::{Parameter, ParameterGroup, Parameters};
pub use recording::Recording;
pub(crate) use store::Store;

/// Runs and records operations.
pub(crate) struct Tape {
    store: Arc<Store>,
    level: Level,
    nodes: Vec<Node>,
}

impl Tape {
    /// Makes an empty tape over some parameters.
    pub(crate) fn new(store: Arc<Store>, level: Level) -> Self {
        Self { store, level, nodes: Vec::new() }
    }

    /// Records an operation where a gradient is wanted of it, and returns its states.
    fn traced(&mut self, values: Vec<f32>, columns: usize, node: Option<Node>) -> Traced {
        let origin = node.map(|node| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        Traced { values: Arc::new(values), columns, origin }
    }

    /// Applies a linear map without its activation; with `accumulate`, adds the result to what `out` holds.
    fn product(&self, linear: &Linear, input: &Traced, accumulate: bool, out: &mut [f32]) {
        debug_assert_eq!(input.columns, linear.depth);
        let input = Rows::dense(&input.values, linear.depth);
        let mut rest = Some(RowsMut::dense(out, linear.width));
        for (index, part) in linear.parts.iter().enumerate() {
            let all = rest.take().expect("there is a part of the result for each of the map");
            let out = if index + 1 == linear.parts.len() {
                all
            } else {
                let (out, right) = all.split_at_column(part.width);
                rest = Some(right);
                out
            };
            let bias = part.bias.map(|bias| self.store.values(bias));
            let epilogue = Epilogue { bias, activation: Activation::None, accumulate };
            let weight = self.store.forward(part.weight).panels();
            product::by_rows(self.level, input, weight, epilogue, out);
        }
    }

    /// Returns what a linear map keeps, where a gradient is wanted of it or of what is before it.
    fn linear_node(
        &self,
        linear: &Linear,
        input: &Traced,
        residual: Option<usize>,
    ) -> Option<LinearNode> {
        let weights = linear.parts.iter().map(|part| part.weight);
        let biases = linear.parts.iter().filter_map(|part| part.bias);
        let keeps_input = self.store.any_trainable(weights);
        let is_moved = keeps_input || self.store.any_trainable(biases);
        (is_moved || input.origin.is_some() || residual.is_some()).then(|| LinearNode {
            linear: linear.clone(),
            input: keeps_input.then(|| input.kept(&self.nodes)),
            inner: None,
            from: input.origin,
            residual,
        })
    }

    fn norm_node(&self, norm: &Norm, states: &Traced) -> Option<Node> {
        let parameters = [norm.weight].into_iter().chain(norm.bias);
        let is_wanted = states.origin.is_some() || self.store.any_trainable(parameters);
        let input = || Arc::clone(&states.values);
        is_wanted.then(|| Node::Norm { norm: *norm, input: input(), from: states.origin })
    }
}

impl Executor for Tape {
    type Parameters = Parameters;
    /// Its place in the store.
    type Table = usize;
    type Norm = Norm;
    type Linear = Linear;
    type States = Traced;
    type Cache = Infallible;

    fn table(parameters: &mut Parameters, tensor: &Tensor) -> Result<usize> {
        Ok(parameters.add(tensor, true))
    }

    fn norm(
        parameters: &mut Parameters,
        kind: NormKind,
        weight: &Tensor,
        bias: Option<&Tensor>,
        epsilon: f32,
    ) -> Result<Norm> {
        let weight = parameters.add(weight, false);
        let bias = bias.map(|bias| parameters.add(bias, false));
        Ok(Norm { kind, weight, bias, epsilon })
    }

    fn linear(
        parameters: &mut Parameters,
        parts: &[LinearPart],
        activation: Activation,
    ) -> Result<Linear> {
        let depth = parts[0].0.shape[1];
        let width = parts.iter().map(|(weight, _)| weight.shape[0]).sum();
        let parts = parts.iter().map(|(weight, bias)| Part {
            weight: parameters.add(weight, false),
            bias: bias.as_ref().map(|bias| parameters.add(bias, false)),
            width: weight.shape[0],
        });
        Ok(Linear { parts: parts.collect(), activation, depth, width })
    }

    fn embed(&mut self, lookups: &[(&usize, &[u32])]) -> Traced {
        let columns = self.store.parameters()[*lookups[0].0].columns();
        let mut values = vec![0.0; lookups[0].1.len() * columns];
        for (token, out) in values.chunks_exact_mut(columns).enumerate() {
            for (table, ids) in lookups {
                let row = &self.store.values(**table)[ids[token] as usize * columns..][..columns];
                rowwise::add(out, row);
            }
        }
        let tables = lookups.iter().map(|(table, _)| **table);
        let node = self.store.any_trainable(tables).then(|| {
            let lookups = lookups.iter().map(|(table, ids)| (**table, ids.to_vec()));
            Node::Embed { lookups: lookups.collect() }
        });
        self.traced(values, columns, node)
    }

    fn normed(&mut self, states: &Traced, norm: &Norm) -> Traced {
        let out = rowwise::normed(self.level, &self.store, norm, &states.values);
        let node = self.norm_node(norm, states);
        self.traced(out, states.columns, node)
    }

    fn normalize(&mut self, states: Traced, norm: &Norm) -> Traced {
        if let Some(node) = self.norm_node(norm, &states) {
            let out = rowwise::normed(self.level, &self.store, norm, &states.values);
            return self.traced(out, states.columns, Some(node));
        }
        let columns = states.columns;
        let mut out = states.into_values();
        rowwise::normalize_all(self.level, &self.store, norm, &mut out);
        self.traced(out, columns, None)
    }

    fn apply(&mut self, linear: &Linear, input: &Traced) -> Traced {
        let mut out = vec![0.0; input.values.len() / linear.depth * linear.width];
        self.product(linear, input, false, &mut out);
        let mut node = self.linear_node(linear, input, None);
        if linear.activation != Activation::None {
            let inner = out;
            out = rowwise::activated(self.level, linear.activation, &inner);
            if let Some(node) = &mut node {
                node.inner = Some(Arc::new(inner));
            }
        }
        self.traced(out, linear.width, node.map(Node::Linear))
    }

    fn apply_add(&mut self, linear: &Linear, input: &Traced, residual: Traced) -> Traced {
        assert_eq!(linear.activation, Activation::None, "an activation before a residual");
        let node = self.linear_node(linear, input, residual.origin);
        let mut out = residual.into_values();
        self.product(linear, input, true, &mut out);
        self.traced(out, linear.width, node.map(Node::Linear))
    }

    fn gate(&mut self, joint: Traced, activation: Activation) -> Traced {
        let columns = joint.columns / 2;
        let out = rowwise::gated(self.level, activation, &joint.values, columns);
        let node = joint.origin.map(|origin| {
            let (joint, from) = (Arc::clone(&joint.values), Some(origin));
            Node::Gate { joint, columns, activation, from }
        });
        self.traced(out, columns, node)
    }

    fn attend(&mut self, joint: Traced, attention: &Attention, batch: &TokenBatch) -> Traced {
        debug_assert_eq!(joint.columns, attention.columns());
        let columns = attention.heads * attention.width;
        let from = joint.origin;
        let mut joint = joint.into_values();
        let mut out = vec![0.0; batch.tokens.len() * columns];
        let level = self.level;
        let all = heads(attention, batch, &mut joint, &mut out);
        let all = all.into_par_iter().with_max_len(1);
        all.for_each_init(HeadScratch::default, |scratch, head| head.run(level, scratch));
        let node = from.map(|_| {
            let (attention, spans) = (attention.clone(), batch.spans.clone().into());
            Node::Attend { joint, attention, spans, from }
        });
        self.traced(out, columns, node)
    }

    fn attend_cached(
        &mut self,
        _: Traced,
        _: &Attention,
        _: &TokenBatch,
        caches: &mut [Infallible],
        _: usize,
    ) -> Traced {
        match caches.first() {
            Some(never) => match *never {},
            None => {
                unreachable!("sequences are read as a whole, there is no cache to read on from")
            }
        }
    }

    fn summarize(&mut self, states: &Traced, summary: Summary, batch: &TokenBatch) -> Traced {
        let columns = states.columns;
        let out = rowwise::summarized(summary, &states.values, columns, &batch.spans);
        let node = states.origin.map(|origin| {
            let spans = batch.spans.clone().into();
            Node::Summarize { summary, columns, spans, from: Some(origin) }
        });
        self.traced(out, columns, node)
    }
}
