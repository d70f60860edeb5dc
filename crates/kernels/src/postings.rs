//! Accumulation of posting lists into score arrays.
