//! What training computes, against the numbers of PyTorch.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cross_steps;
mod losses;
mod steps;
mod vectors;
