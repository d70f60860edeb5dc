//! What a forward pass leaves behind.

use std::ops::Range;
use std::sync::Arc;

use super::backward::Backward;
use super::gradients::Gradients;
use super::node::{Node, Traced};
use super::{Store, Tape};

/// The states of a batch, or what a head made of them, and what their gradient needs.
///
/// It belongs to the parameters as they were: once they have moved it is of no use but for its states.
pub struct Recording {
    nodes: Vec<Node>,
    states: Arc<Vec<f32>>,
    columns: usize,
    /// The operation that made the states; `None` where all parameters are frozen.
    origin: Option<usize>,
    spans: Vec<Range<usize>>,
    /// That of the store.
    version: u64,
}

impl Recording {
    /// Ends a tape with the last states.
    pub(crate) fn new(tape: Tape, states: Traced, spans: Vec<Range<usize>>) -> Self {
        let Traced { values, columns, origin } = states;
        let version = tape.store.version();
        Self { nodes: tape.nodes, states: values, columns, origin, spans, version }
    }

    /// Returns the states of the last layer, one row for each token, sequence after sequence; of a cross-encoder the
    /// logits, one for each pair.
    pub fn states(&self) -> &[f32] {
        &self.states
    }

    /// Returns how many values a row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the rows of each sequence.
    pub fn spans(&self) -> &[Range<usize>] {
        &self.spans
    }

    /// Returns how many operations were recorded.
    #[cfg(test)]
    pub(super) fn operations(&self) -> usize {
        self.nodes.len()
    }

    /// Adds the gradients of the parameters, given that of the states.
    ///
    /// # Panics
    /// Where the parameters may have moved since, or there is not one gradient a value.
    pub(crate) fn backward(self, tape: Tape, d_states: &[f32], gradients: &mut Gradients) {
        let Tape { store, level, .. } = tape;
        let store: &Store = &store;
        assert_eq!(self.version, store.version(), "the parameters have moved since the recording");
        assert_eq!(self.states.len(), d_states.len(), "one gradient for each value of the states");
        assert_eq!(gradients.len(), store.parameters().len(), "one gradient a parameter");
        let Some(last) = self.origin else { return };
        drop(self.states);
        let way = Backward::new(level, store, self.nodes.len(), gradients);
        way.run(self.nodes, last, d_states.to_vec());
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("sequences", &self.spans.len())
            .field("operations", &self.nodes.len())
            .finish_non_exhaustive()
    }
}
