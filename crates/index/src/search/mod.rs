//! The search of each kind of channel, and what is counted and sorted by fields.

pub mod bm25;
pub mod dense;
mod facets;
pub mod sparse;
mod steering;
