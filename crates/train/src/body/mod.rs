//! Bodies: what turns the texts of a batch into states, and takes the derivatives by them.
//!
//! [`Live`] is an encoder that runs and learns. [`Held`] reads states that were computed before, which makes a step of a small
//! head cost milliseconds: single vectors, or the states of tokens. Cached states have seen their whole text, so
//! nothing may be cut out of them. [`Bag`] is a table of word pieces that learns: no piece sees another, and views may be
//! cut as one likes.

mod bag;
mod cached;
mod held;
mod live;
mod pieces;

pub use bag::Bag;
pub(crate) use bag::TABLE;
pub use cached::CachedTexts;
pub use held::{Held, States};
pub(crate) use held::{Revised, rows};
pub use live::Live;
pub use pieces::{PieceText, PieceTexts};

use std::path::Path;

use ecphory_model::{Role, TermHead};

use crate::error::{Error, Result};
use crate::matching::StateSlopes;
use crate::optimiser::{Slot, Tensors, Update};
use crate::ragged::Ragged;
use crate::vocabulary::Vocabulary;

/// The states of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides {
    /// An item for each query.
    pub queries: Ragged,
    /// An item for each document.
    pub documents: Ragged,
}

/// Gives the states of queries and documents by their numbers.
pub trait Body {
    /// Returns how many values a state has.
    fn columns(&self) -> usize;

    /// Returns the vocabulary whose terms rows of states have; `None` where they have none.
    fn vocabulary(&self) -> Option<&Vocabulary> {
        None
    }

    /// Computes states from which nothing will be learned.
    ///
    /// # Errors
    /// What reading and encoding say.
    fn read(&self, role: Role, numbers: &[u32]) -> Result<Ragged>;

    /// Computes the states of a batch.
    ///
    /// # Errors
    /// As [`Body::read`].
    fn forward(&mut self, queries: &[u32], documents: &[u32]) -> Result<Sides>;

    /// Takes the derivatives by the states of the batch of the last [`Body::forward`].
    ///
    /// # Errors
    /// Where there was none.
    fn backward(&mut self, slopes: StateSlopes) -> Result<()>;

    /// Returns the parameters that move.
    fn slots(&self, decay: f32) -> Vec<Slot> {
        let _ = decay;
        Vec::new()
    }

    /// Returns the parameters that move with the derivatives by them.
    fn updates(&mut self) -> Vec<Update<'_>> {
        Vec::new()
    }

    /// Copies the parameters that move.
    fn values(&self) -> Tensors {
        Tensors::new()
    }

    /// Sets the parameters that move.
    ///
    /// # Errors
    /// Where one is missing or has another length.
    fn set(&mut self, values: &Tensors) -> Result<()> {
        let _ = values;
        Ok(())
    }

    /// Writes the encoder with its parameters as they are to a new directory.
    ///
    /// # Errors
    /// What reading and writing say.
    fn save(&self, directory: &Path) -> Result<()>;

    /// Writes the encoder with a head over words to a new directory.
    ///
    /// # Errors
    /// What reading and writing say; `Nothing` for a body that has no such head.
    fn save_with_terms(&self, directory: &Path, head: &TermHead<'_>) -> Result<()> {
        let _ = (directory, head);
        Err(Error::Nothing { what: "heads over words for this body" })
    }
}
