//! The command as a real process: what a script relies on.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and says what it skips"
)]

mod bad_input;
mod care;
mod encode;
mod judge;
mod kill;
mod main_job;
mod mine;
mod sparse;
mod support;
#[path = "../../../ecphory/tests/it/tiny_model.rs"]
mod tiny_model;
mod train;
mod writing;
