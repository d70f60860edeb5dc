//! Training of retrievers: views of text, an encoder's states, a head, a block of scores and a loss over it.
//!
//! Everything that can be trained is one chain of four joints. *Views* of texts become an *encoder's* states, a
//! *head* makes vectors of them, and vectors make a *block of scores* of some queries against some
//! candidates; a *loss* looks at nothing but the block and says how each score should move. This crate prints
//! nothing, reads no environment, starts no threads and never opens an index.

pub mod cluster;
mod error;
pub mod ids;
mod lines;
pub mod miner;
pub mod optimiser;
mod random;
pub mod sampler;
pub mod schedule;
mod spec;
pub mod teacher;
mod vectors;

pub use error::{Error, Result};
pub use ids::Ids;
pub use lines::LineError;
pub use vectors::Vectors;
