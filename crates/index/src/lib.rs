//! A collection on a [`Storage`](ecphory_core::storage::Storage): stored documents, BM25, dense and sparse channels, filters, snapshots.
//!
//! Files are immutable and checksummed; a manifest, replaced by rename, says which of them make up the
//! collection, and a write-ahead log holds what came after. One [`Writer`] puts batches, seals, merges and
//! commits; any number of [`Snapshot`]s search, each of them over the documents of one moment. `docs/format.md` has the byte layout of every file.
//!
//! The crate never runs a neural network (vectors come in as arrays), never starts a thread (a pool is
//! handed in), never reads the environment and never prints.

mod backup;
mod check;
mod collection;
mod date;
mod dump;
mod error;
pub mod filter;
pub mod format;
mod merging;
mod schema;
mod search;
mod segment;
mod selection;
mod snapshot;
mod tail;
mod view;
mod wal;
mod writer;

pub use backup::BackedUp;
pub use collection::Collection;
pub use error::{Error, Result};
pub use filter::Filter;
pub use schema::{
    Bm25Settings, ChannelKind, ChannelSchema, DenseSettings, FieldKind, FieldSchema, Schema,
    SparseSettings,
};
pub use search::bm25::{Bm25, QueryTerm, TermScore};
pub use search::dense::Dense;
pub use search::sparse::{Sparse, SparseTerm};
pub use search::{Found, Work};
pub use segment::rows::Rows;
pub use selection::Selection;
pub use snapshot::{ComponentSize, Coverage, Snapshot};
pub use writer::{Batch, Durability, Gap, Writer, WriterOptions, Written};
