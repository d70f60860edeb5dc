//! The model that training begins from, as a search and as a teacher: the source [`DENSE`].

use std::path::Path;

use ecphory_core::Progress;
use ecphory_kernels::Level;
use ecphory_kernels::dot::dot;
use ecphory_model::{Encoder, EncoderOptions, Role};

use crate::data::Text;
use crate::error::Result;
use crate::miner::ExactSearcher;
use crate::recipe::DENSE;
use crate::run::Job;
use crate::source::{Source, Sources};
use crate::teacher::Teacher;
use crate::vectors::Vectors;

/// The vectors of all queries and documents.
pub(super) struct Start {
    queries: Vec<f32>,
    documents: Vec<f32>,
    columns: usize,
}

impl Start {
    /// Encodes all texts, or takes their vectors from the cache; reports a task for queries and for documents.
    pub(super) fn new<R>(
        job: &Job<'_, R>,
        encoders: &[Encoder; 2],
        progress: &dyn Progress,
    ) -> Result<Self> {
        let [of_queries, of_documents] = encoders;
        let queries = encode(job, of_queries, (Role::Query, job.data.queries()), progress)?;
        let documents =
            encode(job, of_documents, (Role::Document, job.data.documents()), progress)?;
        Ok(Self { queries, documents, columns: of_queries.dimensions() })
    }

    /// Views them, checked.
    pub(super) fn vectors(&self) -> Result<StartVectors<'_>> {
        let queries = Vectors::new("vector of query", &self.queries, self.columns)?;
        let documents = Vectors::new("vector of document", &self.documents, self.columns)?;
        StartVectors::new(queries, documents)
    }
}

/// Vectors of queries and documents with what can be done with them.
pub(crate) struct StartVectors<'a> {
    /// Those of queries and of documents.
    pub(crate) sides: (Vectors<'a>, Vectors<'a>),
    searcher: ExactSearcher<'a>,
}

impl<'a> StartVectors<'a> {
    pub(crate) fn new(queries: Vectors<'a>, documents: Vectors<'a>) -> Result<Self> {
        let searcher = ExactSearcher::new(Level::detect(), queries, documents)?;
        Ok(Self { sides: (queries, documents), searcher })
    }

    /// Adds them to sources.
    pub(crate) fn among(&'a self, sources: &Sources<'a>) -> Sources<'a> {
        let source = Source { searcher: Some(&self.searcher), teacher: Some(self) };
        sources.clone().with(DENSE, source)
    }
}

impl Teacher for StartVectors<'_> {
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        let level = Level::detect();
        let query = self.sides.0.row(query as usize);
        let score = |&d: &u32| dot(level, query, self.sides.1.row(d as usize));
        Ok(documents.iter().map(score).collect())
    }
}

/// Opens a model twice, so that it reads at most so many tokens of queries and of documents, and never more than
/// `limit`, which is its own.
///
/// # Errors
/// As [`Encoder::open`].
pub fn encoders_within(init: &Path, limit: usize, tokens: [usize; 2]) -> Result<[Encoder; 2]> {
    let [queries, documents] = tokens.map(|tokens| {
        let max_tokens = Some(tokens.min(limit));
        Encoder::open(init, &EncoderOptions { max_tokens, ..Default::default() })
    });
    Ok([queries?, documents?])
}

fn encode<R>(
    job: &Job<'_, R>,
    encoder: &Encoder,
    (role, texts): (Role, &[Text]),
    progress: &dyn Progress,
) -> Result<Vec<f32>> {
    let texts: Vec<&str> = texts.iter().map(|text| &*text.text).collect();
    match job.cache {
        Some(cache) => Ok(cache.vectors(encoder, &texts, role, job.pool, progress)?.values),
        None => Ok(encoder.encode(&texts, role, job.pool, progress)?),
    }
}
