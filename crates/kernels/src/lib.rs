//! The arithmetic of Ecphory: dot products, posting accumulation, the products and activations of encoders.
//!
//! Every kernel is a free function over slices that takes a [`Level`], does a whole block of work, and
//! has a portable form. `Level::Avx2` is chosen at run time; nothing needs a compiler flag. Integer
//! kernels give equal bits on every level; floating-point ones agree to within the bound each states.
//! This crate (with the memory map in `ecphory-core`) is the only home of `unsafe`.

#![allow(unsafe_code, reason = "SIMD loads and the calls into target-feature functions live here")]

pub mod dot;
pub mod half_float;
pub mod impacts;
mod level;
pub mod nn;
pub mod peak;
pub mod postings;

pub use level::Level;
