//! The way back over a tape.

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Rows, RowsMut};

use super::attend::Attended;
use super::gradients::Gradients;
use super::node::{LinearNode, Node};
use super::store::Store;
use super::{product, rowwise};

/// The gradients that are under way: those of states by the operation that made them, those of parameters.
pub(super) struct Backward<'a> {
    level: Level,
    store: &'a Store,
    /// Of the result of each operation, the sum of what those behind it gave.
    pending: Vec<Option<Vec<f32>>>,
    gradients: &'a mut Gradients,
}

impl<'a> Backward<'a> {
    /// Makes ready for as many operations.
    pub(super) fn new(
        level: Level,
        store: &'a Store,
        operations: usize,
        gradients: &'a mut Gradients,
    ) -> Self {
        Self { level, store, pending: vec![None; operations], gradients }
    }

    /// Goes back over the operations, the result of one of which has a given gradient. What an operation kept is given
    /// back as soon as it has been passed.
    pub(super) fn run(mut self, mut nodes: Vec<Node>, last: usize, given: Vec<f32>) {
        self.hand(Some(last), given);
        while let Some(node) = nodes.pop() {
            if let Some(given) = self.pending[nodes.len()].take() {
                self.pass(node, given, &nodes);
            }
        }
    }

    fn pass(&mut self, node: Node, mut given: Vec<f32>, before: &[Node]) {
        let (level, store) = (self.level, self.store);
        match node {
            Node::Embed { lookups } => {
                for (table, rows) in lookups {
                    if store.any_trainable([table]) {
                        self.gradients.add_rows(table, &rows, &given);
                    }
                }
            }
            Node::Norm { norm, input, from } => {
                let gradients = &mut *self.gradients;
                rowwise::norm_gradient((level, store), &norm, &input, &mut given, gradients);
                self.hand(from, given);
            }
            Node::Linear(node) => self.linear(node, given, before),
            Node::Gate { joint, columns, activation, from } => {
                let gradient = rowwise::gate_gradient(level, activation, &joint, &given, columns);
                self.hand(from, gradient);
            }
            Node::Attend { joint, attention, spans, from } => {
                let attended = Attended { attention: &attention, spans: &spans, joint: &joint };
                let gradient = attended.gradient(level, &given);
                self.hand(from, gradient);
            }
            Node::Summarize { summary, columns, spans, from } => {
                let gradient = rowwise::summary_gradient(summary, &given, columns, &spans);
                self.hand(from, gradient);
            }
        }
    }

    fn linear(&mut self, node: LinearNode, mut given: Vec<f32>, before: &[Node]) {
        let (level, store) = (self.level, self.store);
        let LinearNode { linear, input, inner, from, residual } = node;
        if let Some(inner) = inner {
            rowwise::activation_slopes(level, linear.activation, &inner, &mut given);
        }
        let rows = Rows::dense(&given, linear.width);
        let mut first = 0;
        let input = input.as_ref().map(|kept| kept.values(level, store, before));
        let mut parts = Vec::with_capacity(linear.parts.len());
        for part in &*linear.parts {
            let rows = rows.at_columns(first..first + part.width);
            first += part.width;
            if let Some(input) = input.as_ref().filter(|_| store.any_trainable([part.weight])) {
                let input = Rows::dense(input, linear.depth);
                product::add_outer(level, rows, input, self.gradients.dense(part.weight));
            }
            if let Some(bias) = part.bias.filter(|&bias| store.any_trainable([bias])) {
                product::add_sums(rows, self.gradients.dense(bias));
            }
            parts.push((part.weight, rows));
        }
        drop(input);
        if let Some(from) = from {
            let held = self.pending[from].take();
            let mut accumulate = held.is_some();
            let mut gradient = held.unwrap_or_else(|| vec![0.0; rows.count() * linear.depth]);
            for (weight, rows) in parts {
                let epilogue = Epilogue { accumulate, ..Epilogue::default() };
                let out = RowsMut::dense(&mut gradient, linear.depth);
                product::by_rows(level, rows, store.backward(weight).panels(), epilogue, out);
                accumulate = true;
            }
            self.pending[from] = Some(gradient);
        }
        self.hand(residual, given);
    }

    /// Adds to the gradient of an operation's result.
    fn hand(&mut self, to: Option<usize>, gradient: Vec<f32>) {
        let Some(to) = to else { return };
        match &mut self.pending[to] {
            Some(sums) => rowwise::add(sums, &gradient),
            none => *none = Some(gradient),
        }
    }
}
