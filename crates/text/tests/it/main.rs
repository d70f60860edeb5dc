//! Goldens against reference packages, and measurements on real text.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test code; clippy spares only the functions marked as tests"
)]

mod data;
mod identification;
mod retrieval;
mod stems;
mod subwords;
mod wording;
