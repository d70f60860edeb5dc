//! What a tape keeps of each operation.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use ecphory_kernels::Level;
use ecphory_kernels::nn::Activation;

use super::rowwise;
use super::store::Store;
use crate::attention::Attention;
use crate::executor::{NormKind, Summary};

/// A norm whose parameters are in a [`Store`].
#[derive(Clone, Copy)]
pub(crate) struct Norm {
    pub(super) kind: NormKind,
    pub(super) weight: usize,
    pub(super) bias: Option<usize>,
    pub(super) epsilon: f32,
}

/// A linear map whose parameters are in a [`Store`].
#[derive(Clone)]
pub(crate) struct Linear {
    pub(super) parts: Arc<[Part]>,
    pub(super) activation: Activation,
    /// The values of a row before the map.
    pub(super) depth: usize,
    /// The values of a row after it.
    pub(super) width: usize,
}

/// One of the maps whose results stand side by side.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) weight: usize,
    pub(super) bias: Option<usize>,
    pub(super) width: usize,
}

/// States, and the operation that made them where it is recorded.
pub(crate) struct Traced {
    pub(super) values: Arc<Vec<f32>>,
    pub(super) columns: usize,
    pub(super) origin: Option<usize>,
}

/// One operation. `from` is the operation that made its input, where a gradient is wanted there.
pub(super) enum Node {
    Embed {
        lookups: Vec<(usize, Vec<u32>)>,
    },
    Norm {
        norm: Norm,
        input: Arc<Vec<f32>>,
        from: Option<usize>,
    },
    Linear(LinearNode),
    Gate {
        joint: Arc<Vec<f32>>,
        columns: usize,
        activation: Activation,
        from: Option<usize>,
    },
    Attend {
        /// Queries and keys have been turned.
        joint: Vec<f32>,
        attention: Attention,
        spans: Arc<[Range<usize>]>,
        from: Option<usize>,
    },
    Summarize {
        summary: Summary,
        columns: usize,
        spans: Arc<[Range<usize>]>,
        from: Option<usize>,
    },
}

pub(super) struct LinearNode {
    pub(super) linear: Linear,
    /// `None` where no weight gets a gradient.
    pub(super) input: Option<Kept>,
    /// What the activation was applied to, where there is one.
    pub(super) inner: Option<Arc<Vec<f32>>>,
    pub(super) from: Option<usize>,
    pub(super) residual: Option<usize>,
}

/// The input of an operation.
pub(super) enum Kept {
    Values(Arc<Vec<f32>>),
    /// What an earlier operation computes again of what it keeps itself.
    ResultOf(usize),
}

impl Traced {
    /// Returns the values to be changed, without a copy where nothing else holds them.
    pub(super) fn into_values(self) -> Vec<f32> {
        Arc::unwrap_or_clone(self.values)
    }

    /// Returns what an operation has to keep of its input: nothing more where it can be computed again at the cost of
    /// one pass.
    pub(super) fn kept(&self, nodes: &[Node]) -> Kept {
        match self.origin {
            Some(origin) if nodes[origin].is_cheap() => Kept::ResultOf(origin),
            _ => Kept::Values(Arc::clone(&self.values)),
        }
    }
}

impl Node {
    /// Returns whether the result follows from what is kept without a product.
    fn is_cheap(&self) -> bool {
        match self {
            Node::Norm { .. } | Node::Gate { .. } => true,
            Node::Linear(node) => node.inner.is_some(),
            Node::Embed { .. } | Node::Attend { .. } | Node::Summarize { .. } => false,
        }
    }

    /// Computes the result again.
    fn result(&self, level: Level, store: &Store) -> Vec<f32> {
        match self {
            Node::Norm { norm, input, .. } => rowwise::normed(level, store, norm, input),
            Node::Gate { joint, columns, activation, .. } => {
                rowwise::gated(level, *activation, joint, *columns)
            }
            Node::Linear(LinearNode { linear, inner: Some(inner), .. }) => {
                rowwise::activated(level, linear.activation, inner)
            }
            _ => unreachable!("only cheap results are computed again"),
        }
    }
}

impl Kept {
    /// Returns the values.
    pub(super) fn values(&self, level: Level, store: &Store, nodes: &[Node]) -> Cow<'_, [f32]> {
        match self {
            Kept::Values(values) => Cow::Borrowed(values),
            Kept::ResultOf(node) => Cow::Owned(nodes[*node].result(level, store)),
        }
    }
}
