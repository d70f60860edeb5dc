//! Tests of collections through the public interface.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod corruption;
mod crashes;
mod dense;
mod facets;
mod faults;
mod filters;
#[path = "../../../../fuzz/src/index/mod.rs"]
mod fuzz;
mod fuzz_corpus;
mod golden;
mod lexical;
mod operations;
mod scale;
mod sparse;
mod support;
mod transactions;
mod words;
