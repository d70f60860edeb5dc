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

use crate::error::{Error, Result};
use crate::recipe::{Algorithm, Recipe};
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

/// How a table follows what its views say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Learning<'a> {
    /// The spec string of a matching function that learns nothing by itself.
    pub(crate) matching: &'a str,
    /// A loss's formula.
    pub(crate) loss: &'a str,
    /// How many documents a batch has; never more than a quarter of the collection.
    pub(crate) documents: usize,
    pub(crate) weight_decay: f32,
    /// The longest gradient; 0 for any length.
    pub(crate) clip: f32,
}

impl<'a> Learning<'a> {
    /// Takes what a recipe of pairs says of these.
    pub(crate) fn of(recipe: &'a Recipe) -> Result<Self> {
        if recipe.optimiser.algorithm != Algorithm::Adamw {
            let (setting, expected) = ("optimiser of views", "adamw");
            return Err(Error::Setting { setting, expected, got: "another".to_owned() });
        }
        Ok(Self {
            matching: &recipe.matching,
            loss: &recipe.loss,
            documents: recipe.batches.queries,
            weight_decay: recipe.optimiser.weight_decay,
            clip: recipe.optimiser.clip,
        })
    }
}
