//! Training without labels: two views of a text should be nearer to each other than to those of other texts.
//!
//! A [`Pretraining`] says how views are made and where the other texts come from: the batch, or a queue of keys that a slow twin of the
//! table made in earlier steps (`MoCo`, as Izacard et al. 2022 use it). What learns is a [`Bag`](crate::body::Bag) of word pieces.

mod course;
mod keys;
#[cfg(test)]
mod tests;

pub use keys::Keys;

pub(crate) use course::{ViewCourse, ViewParts};

use crate::view::ViewSpec;

/// How to learn without labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Pretraining {
    /// How two views of a text are made.
    pub view: ViewSpec,
    /// What the second view is told from.
    pub keys: Keys,
    /// How many batches are seen.
    pub steps: u64,
}
