//! The facade from outside: pipelines against a naive evaluation, filters, filling, writing, models, errors.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod care;
mod collection;
mod encoding;
mod expand;
mod impacts;
mod naive;
mod precision;
mod rerank;
mod search;
mod sparse;
mod support;
mod tiny_model;
mod writing;
