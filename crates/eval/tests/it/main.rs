//! Integration tests: the reference outputs of `trec_eval`, `ir_measures` and scipy.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod data;
mod datasets;
mod reference;
mod trec_eval;
