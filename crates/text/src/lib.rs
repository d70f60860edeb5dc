//! the language of a value.
//!
//! - [`Analyzer`] turns text into terms; a spec string such as `english` names it.
//! - [`Passages`] cuts a long text at sentence boundaries.
//! - [`language`] says in which language a value is written.
//! - [`subword`] gives the token ids of a neural encoder.
//! - [`words`], [`stem`] and [`stop`] are the parts of analysers.
//!
//! The crate opens one kind of file (a tokenizer), keeps no state and starts no threads.
//!
#![doc = include_str!("../../../docs/guide/text.md")]

pub mod analyzer;
pub mod error;
pub mod fold;
pub mod language;
pub mod passages;
mod spec;
pub mod stem;
pub mod stop;
pub mod subword;
pub mod words;

pub use analyzer::Analyzer;
pub use error::{Error, Result, SpecProblem};
pub use language::Language;
pub use passages::{Passages, sentences};
