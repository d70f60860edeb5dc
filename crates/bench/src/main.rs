//! Comparisons with peers: the same work, in the same minutes, on the same machine.
//!
//! A workload starts each side as a process of its own (so that peak memory is that side's alone), checks
//! that the results are equal or says how far they differ, and lets the sides take turns, A B A B. Each
//! comparison is printed as one JSON object a line; `cargo xtask bench` shows and records them.
//!
//! Not for tuning a function: that is what micro-benchmarks are for.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints")]

mod bm25;
mod cache;
mod compare;
mod corpus;
mod encode;
mod growth;
mod mine;
mod process;
mod searching;
mod side;
mod sizes;
mod sparse;
mod store;
mod tatoeba;
mod threads;
mod train;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Compares with peers in the same run")]
struct Args {
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
enum Workload {
    /// Lexical indexing and search of the paragraphs of the Linux documentation: tantivy, bm25s.
    Bm25(bm25::Options),
    /// Encoding with the same weights: onnxruntime, sentence-transformers, candle, fastembed, the processor's peak.
    Encode(encode::Options),
    /// How searches of `bm25` and `sparse` slow down as collections grow to a million documents.
    Growth(growth::Options),
    /// Hard negatives of 10,000 queries: sentence-transformers, with faiss and without.
    Mine(mine::Options),
    /// Learned sparse retrieval with SPLADE-tiny: seismic, BMP, a plain scan of postings.
    Sparse(sparse::Options),
    /// The transactional store: searching while writing, rewriting everything, memory, writing.
    Store(store::Options),
    /// Translations found by multilingual-e5-small, against what is published of it.
    Tatoeba(tatoeba::Options),
    /// A step of fine-tuning MiniLM: PyTorch.
    Train(train::Options),
    /// One side of a comparison, spoken to over its standard input and output.
    #[command(hide = true)]
    Side(side::Options),
}

fn main() -> Result<()> {
    match Args::parse().workload {
        Workload::Bm25(options) => bm25::run(&options),
        Workload::Encode(options) => encode::run(&options),
        Workload::Growth(options) => growth::run(&options),
        Workload::Mine(options) => mine::run(&options),
        Workload::Sparse(options) => sparse::run(&options),
        Workload::Store(options) => store::run(&options),
        Workload::Tatoeba(options) => tatoeba::run(&options),
        Workload::Train(options) => train::run(&options),
        Workload::Side(options) => side::run(&options),
    }
}
