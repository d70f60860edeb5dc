//! What a study is about: a collection with its judgments, vectors, states and rankings.

use std::path::Path;

use ecphory_kernels::Level;
use ecphory_model::Role;
use rayon::prelude::*;

use crate::body::{Body, Held, PieceTexts, States};
use crate::data::TrainingData;
use crate::error::{Error, Result};
use crate::matching::{Matching, MatchingSpec, Materials};
use crate::recipe::DENSE;
use crate::score::{Layout, put_columns};
use crate::source::{ScoreMatrix, Sources};
use crate::vectors::Vectors;

/// What a subject is made of.
#[derive(Clone, Copy)]
pub struct SubjectParts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Documents, queries and positives.
    pub data: &'a TrainingData,
    /// The directory of the model that vectors and states are of.
    pub init: &'a Path,
    /// The model's vectors of all queries, end to end.
    pub queries: &'a [f32],
    /// Those of all documents.
    pub documents: &'a [f32],
    /// How long a vector is.
    pub columns: usize,
    /// The scores of a lexical search.
    pub bm25: &'a ScoreMatrix,
    /// The states of tokens, with words and terms; `None` where no arm needs them.
    pub states: Option<&'a dyn States>,
    /// The texts as word pieces, with the rows of the model's table; `None` where no arm needs them.
    pub pieces: Option<&'a PieceTexts>,
}

/// A collection that arms are compared on.
pub struct Subject<'a> {
    parts: SubjectParts<'a>,
    vectors: (Vectors<'a>, Vectors<'a>),
    dense: ScoreMatrix,
    maxsim: Option<ScoreMatrix>,
}

/// Documents whose token states are compared with queries at a time.
const DOCUMENTS: usize = 32;

impl<'a> Subject<'a> {
    /// Scores all pairs with the vectors, and with the states where there are some (late interaction of the model as it is).
    ///
    /// # Errors
    /// Vectors that do not fit the data, and what reading states says.
    pub fn new(parts: SubjectParts<'a>) -> Result<Self> {
        let queries = Vectors::new("vector of query", parts.queries, parts.columns)?;
        let documents = Vectors::new("vector of document", parts.documents, parts.columns)?;
        let pieces = |count: fn(&PieceTexts) -> usize, or: usize| parts.pieces.map_or(or, count);
        for (what, expected, got) in [
            ("vectors of queries", parts.data.queries().len(), queries.count()),
            ("vectors of documents", parts.data.documents().len(), documents.count()),
            ("queries of the lexical search", queries.count(), parts.bm25.queries()),
            ("queries in pieces", queries.count(), pieces(PieceTexts::queries, queries.count())),
            (
                "documents in pieces",
                documents.count(),
                pieces(PieceTexts::documents, documents.count()),
            ),
        ] {
            if expected != got {
                return Err(Error::Shape { what, expected, got });
            }
        }
        let vectors = (queries, documents);
        let dense = all_pairs(&vectors, "cosine(pooled)", parts.init, parts.data)?;
        let maxsim = parts
            .states
            .map(|states| all_pairs(states, "maxsim(unit)", parts.init, parts.data))
            .transpose()?;
        Ok(Self { parts, vectors, dense, maxsim })
    }

    /// Returns its name.
    pub fn name(&self) -> &'a str {
        self.parts.name
    }

    /// Returns its documents, queries and positives.
    pub fn data(&self) -> &'a TrainingData {
        self.parts.data
    }

    /// Returns what it is made of.
    pub fn parts(&self) -> &SubjectParts<'a> {
        &self.parts
    }

    /// Returns the rankers that arms mine and learn from: `dense`, `bm25`, and `maxsim` where there are states.
    pub(crate) fn sources(&self) -> Sources<'_> {
        let sources = Sources::default().with("bm25", self.parts.bm25.source());
        let sources = sources.with(DENSE, self.dense.source());
        match &self.maxsim {
            Some(maxsim) => sources.with("maxsim", maxsim.source()),
            None => sources,
        }
    }

    /// Returns the vectors of queries and of documents.
    pub(crate) fn vectors(&self) -> &(Vectors<'a>, Vectors<'a>) {
        &self.vectors
    }
}

/// Scores all pairs of a data set with a matching function that learns nothing.
fn all_pairs(
    states: &dyn States,
    spec: &str,
    init: &Path,
    data: &TrainingData,
) -> Result<ScoreMatrix> {
    let body = Held::new(states, init);
    let materials = Materials::without_terms(body.columns(), None, 0);
    let matching = spec.parse::<MatchingSpec>()?.build(&materials)?;
    ScoreMatrix::new(data.documents().len(), all_scores(&body, &matching, data)?)
}

/// Returns the scores of all documents for all queries, row by row, with the parameters as they are; documents go to the current pool.
pub(crate) fn all_scores(
    body: &(impl Body + Sync),
    matching: &Matching,
    data: &TrainingData,
) -> Result<Vec<f32>> {
    let level = Level::detect();
    let numbers = |count: usize| (0..count as u32).collect::<Vec<u32>>();
    let (queries, documents) = (numbers(data.queries().len()), numbers(data.documents().len()));
    let queries = matching.queries(level, &body.read(Role::Query, &queries)?)?;
    let blocks: Vec<Vec<f32>> = documents
        .par_chunks(DOCUMENTS)
        .map(|documents| {
            let documents = body.read(Role::Document, documents)?;
            let documents = matching.documents(level, &documents)?;
            Ok(matching.compare(level, &queries, &documents, Layout::Shared)?)
        })
        .collect::<Result<_>>()?;
    let (rows, columns) = (data.queries().len(), documents.len());
    let mut scores = vec![0.0; rows * columns];
    for (block, found) in blocks.iter().enumerate() {
        put_columns(found, (block * DOCUMENTS, found.len() / rows), &mut scores, columns);
    }
    Ok(scores)
}
