//! Tests of encoders and of the model store through their public interface.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod cache;
mod convert;
mod damage;
mod decoders;
mod gguf_damage;
mod heads;
mod late;
mod me5;
mod minilm;
#[cfg(feature = "onnx")]
mod onnx;
mod pieces;
mod precision;
mod smollm2;
mod sparse;
mod states;
mod support;
mod tiny;
mod trainable;
mod trainable_cross;
