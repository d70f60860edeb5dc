//! What the fuzzers call, as ordinary functions: the tests of the crates include these files too and replay
//! the corpora with them.

pub mod index;
pub mod pipeline;
