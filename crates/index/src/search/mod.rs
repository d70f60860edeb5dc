//! The search of each kind of channel.

pub mod bm25;
pub mod dense;
