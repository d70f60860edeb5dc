//! Training of retrievers: views of text, an encoder's states, a head, a block of scores and a loss over it.
//!
//! Everything that can be trained is one chain of four joints. *Views* of texts become an *encoder's* states, a
//! *head* makes vectors of them, and vectors make a *block of scores* of some queries against some
//! candidates; a *loss* looks at nothing but the block and says how each score should move. This crate prints
//! nothing, reads no environment, starts no threads and never opens an index.

pub mod block;
#[cfg(test)]
mod draws;
mod error;
pub mod head;
pub mod loss;
pub mod ragged;
pub mod regulariser;
pub mod score;
pub mod unit;

pub use error::{Error, Result};
