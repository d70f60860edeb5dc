//! From a pipeline to hits: planned once, then run for each query, then explained on request.

mod execute;
mod explain;
mod feedback;
mod plan;
mod reranker;
mod stopwatch;

pub(crate) use execute::{Cue, Execution, Ran};
pub(crate) use plan::{Encoded, Plan, QueryEncoder, Source, SourceKind, resolve};
pub(crate) use stopwatch::Stopwatch;

use ecphory_core::Document;
use ecphory_index::Work;

use crate::Explanation;

/// How deep each list under a fusion or a rescoring is read at least, where a pipeline does not say.
///
/// The depth is the larger of this and the number of hits asked for.
pub const CANDIDATES_MIN: usize = 100;

/// The largest number of hits that can be asked for.
pub const HITS_MAX: usize = 1 << 24;

/// What a search returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchOptions {
    /// How many hits at most.
    pub k: usize,
    /// Whether each hit says why it has its score.
    pub explain: bool,
    /// Whether each hit carries its document.
    pub documents: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { k: 10, explain: false, documents: false }
    }
}

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The document's id.
    pub id: String,
    /// The score; what it means depends on the pipeline.
    pub score: f32,
    /// The document, where asked for.
    pub document: Option<Document>,
    /// Why the score is what it is, where asked for.
    pub explanation: Option<Explanation>,
}

/// The answer to one query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The hits, best first; equal scores in the order in which the documents were added.
    pub hits: Vec<Hit>,
    /// How long each stage took.
    pub timings: Vec<Stage>,
    /// What the user should know, such as a channel that does not cover all documents yet.
    pub notes: Vec<String>,
}

/// A stage of a search with the time it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What was done.
    pub name: String,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// What it read, where it was a search of postings.
    pub work: Option<Work>,
}
