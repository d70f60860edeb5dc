//! Tests of collections through the public interface.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod corruption;
mod dense;
mod faults;
mod filters;
mod golden;
mod lexical;
mod scale;
mod support;
mod transactions;
