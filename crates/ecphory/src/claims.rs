//! Examining claims of papers on data sets: texts and rankings in, a report with a verdict out.

use std::path::Path;

use ecphory_core::Progress;
use ecphory_eval::Dataset;
use ecphory_model::{Encoder, EncoderOptions, EncodingCache, Role, WordPieces};
use ecphory_train::body::{CachedTexts, PieceTexts, States};
use ecphory_train::claim::{Claim, Inputs};
use ecphory_train::study::{Budget, Experiment, Report, Subject, SubjectParts};
use ecphory_train::{
    Error as TrainError, Ids, Judgment, ScoreMatrix, Text, TrainingData, encoders_within,
};
use rustc_hash::FxHashSet;

use crate::mining::PipelineSearcher;
use crate::read::{self, TextOptions};
use crate::{Engine, Error, Pipeline, Reader, Result};

/// Where queries are cut.
const QUERY_TOKENS: usize = 64;
/// Where documents are cut: what a small machine encodes in minutes.
const DOCUMENT_TOKENS: usize = 128;
/// Where documents are cut of which no token is encoded: Contriever's.
const DOCUMENT_PIECES: usize = 256;
/// The most terms of a vocabulary: a head over all of a large collection's costs as much as the encoder, which heads over cached
/// states are there to save.
const TERMS_MAX: usize = 4096;

/// A collection to examine a claim on.
#[derive(Clone, Debug)]
pub struct ClaimCollection {
    /// The data set, once for each of its splits: all judged queries take part.
    pub splits: Vec<Dataset>,
    /// The same documents with a channel `bm25`.
    pub reader: Reader,
}

/// What to examine, and with what.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The claims, in their order.
    pub claims: Vec<&'static Claim>,
    /// The model that arms begin from: a name that was pulled, or a directory.
    pub init: String,
    /// How much work is done.
    pub budget: Budget,
}

/// What is heard of an examination.
#[derive(Clone, Debug)]
pub enum Examined {
    /// What decides the numbers, before anything is trained.
    Begun(Experiment),
    /// What was found of a claim.
    Found(Box<Report>),
}

/// A collection with everything that a study wants to know of it.
struct Read {
    name: String,
    data: TrainingData,
    vectors: [Vec<f32>; 2],
    bm25: ScoreMatrix,
}

impl Engine {
    /// Examines claims on collections, on the engine's threads; `hear` is told what decides the numbers before anything is trained, and
    /// of every report as it is there. An error of it ends the examination.
    ///
    /// Vectors and states of tokens are taken from the cache, and computed and kept there where it lacks them. Memory: 12
    /// bytes for each pair of a query and a document of a collection.
    ///
    /// # Errors
    /// Where a data set cannot be read or has no judged query with an answer; what encoding, searching and training say; `Interrupted`.
    pub fn examine<E: From<Error>>(
        &self,
        request: &ClaimRequest,
        collections: &[ClaimCollection],
        cache: &EncodingCache,
        progress: &dyn Progress,
        hear: &mut dyn FnMut(Examined) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let init = self.models().resolve(&request.init).map_err(Error::from)?;
        let whole = Encoder::open(&init, &EncoderOptions::default()).map_err(Error::from)?;
        let lengths = [QUERY_TOKENS, DOCUMENT_TOKENS];
        let encoders = encoders_within(&init, whole.max_tokens(), lengths).map_err(Error::from)?;
        let mut all = Vec::new();
        for collection in collections {
            all.push(self.read_collection(collection, &encoders, cache, progress)?);
        }
        let digests = all.iter().map(|one| (one.name.clone(), one.data.digest())).collect();
        let names = request.claims.iter().map(|claim| claim.name.to_owned()).collect();
        let fingerprint = whole.fingerprint().to_owned();
        hear(Examined::Begun(Experiment::new(names, fingerprint, digests, &request.budget)))?;
        let asked = |inputs| request.claims.iter().any(|claim| claim.inputs == inputs);
        let (mut states, mut pieces) = (Vec::new(), Vec::new());
        for one in &all {
            if asked(Inputs::States) || asked(Inputs::Terms) {
                let texts = CachedTexts::new(&one.data, &encoders, cache, self.pool(), progress);
                let texts = texts.map_err(Error::from)?;
                let needs_terms = asked(Inputs::Terms);
                states.push(if needs_terms {
                    texts.with_terms(&init, TERMS_MAX).map_err(Error::from)?
                } else {
                    texts
                });
            }
            if asked(Inputs::Pieces) {
                let found = || -> ecphory_train::Result<PieceTexts> {
                    let queries = (one.data.queries(), QUERY_TOKENS);
                    let documents = (one.data.documents(), DOCUMENT_PIECES);
                    let pieces = WordPieces::open(&init)?;
                    PieceTexts::read(queries, documents, &pieces, progress)
                };
                pieces.push(self.pool().install(found).map_err(Error::from)?);
            }
        }
        let columns = encoders[0].dimensions();
        let subjects = self.pool().install(|| {
            let subject = |(number, one)| {
                let states = states.get(number).map(|states| states as &dyn States);
                subject(one, (states, pieces.get(number)), &init, columns)
            };
            all.iter().enumerate().map(subject).collect::<Result<Vec<Subject<'_>>>>()
        })?;
        for claim in &request.claims {
            let report =
                self.pool().install(|| claim.examine(&subjects, &request.budget, progress));
            hear(Examined::Found(Box::new(report.map_err(Error::from)?)))?;
        }
        Ok(())
    }

    fn read_collection(
        &self,
        collection: &ClaimCollection,
        encoders: &[Encoder; 2],
        cache: &EncodingCache,
        progress: &dyn Progress,
    ) -> Result<Read> {
        let (name, data) = training_data(&collection.splits, progress)?;
        let [queries, documents] = [data.queries(), data.documents()]
            .map(|all| all.iter().map(|text| &*text.text).collect::<Vec<&str>>());
        let of_queries =
            cache.vectors(&encoders[0], &queries, Role::Query, self.pool(), progress)?;
        let of_documents =
            cache.vectors(&encoders[1], &documents, Role::Document, self.pool(), progress)?;
        let ids = Ids::of_documents(data.documents().iter().map(|text| &text.id))?;
        let pipeline = Pipeline::channel("bm25");
        let searcher =
            PipelineSearcher::new(&collection.reader, &pipeline, &queries, &ids, progress)?;
        // A document without a word of the query scores nothing.
        let bm25 = ScoreMatrix::of_searcher(&searcher, queries.len(), documents.len(), 0.0)?;
        Ok(Read { name, data, vectors: [of_queries.values, of_documents.values], bm25 })
    }
}

fn subject<'a>(
    one: &'a Read,
    (states, pieces): (Option<&'a dyn States>, Option<&'a PieceTexts>),
    init: &'a Path,
    columns: usize,
) -> Result<Subject<'a>> {
    let [queries, documents] = &one.vectors;
    Ok(Subject::new(SubjectParts {
        name: &one.name,
        data: &one.data,
        init,
        queries,
        documents,
        columns,
        bm25: &one.bm25,
        states,
        pieces,
    })?)
}

/// Joins the documents of a data set with the judged queries of all its splits. Documents without text and
/// queries without an answer that has one are left out.
fn training_data(splits: &[Dataset], progress: &dyn Progress) -> Result<(String, TrainingData)> {
    let Some(first) = splits.first() else {
        return Err(TrainError::Nothing { what: "splits of a data set" }.into());
    };
    let mut documents = Vec::new();
    let options = TextOptions { skip_bad: true, ..TextOptions::default() };
    read::texts(&first.corpus, &options, progress, &mut |id, text, _| {
        documents.push(Text { id, text });
        Ok(())
    })?;
    let kept: FxHashSet<&str> = documents.iter().map(|document| &*document.id).collect();
    let (mut queries, mut judgments) = (Vec::new(), Vec::new());
    let mut seen = FxHashSet::default();
    for split in splits {
        for query in &split.queries {
            let judged = split.qrels.queries.get(&query.id).into_iter().flatten();
            let answers: Vec<&String> = judged
                .filter(|(document, grade)| **grade > 0 && kept.contains(document.as_str()))
                .map(|(document, _)| document)
                .collect();
            if !answers.is_empty() && seen.insert(query.id.clone()) {
                queries.push(Text { id: query.id.clone(), text: query.text.clone() });
                judgments.extend(answers.into_iter().map(|document| (query.id.clone(), document)));
            }
        }
    }
    let judgments: Vec<(String, String)> =
        judgments.into_iter().map(|(query, document)| (query, document.clone())).collect();
    let judged =
        judgments.iter().map(|(query, document)| Judgment { query, document, relevant: true });
    Ok((first.name.clone(), TrainingData::new(documents, queries, judged)?))
}
