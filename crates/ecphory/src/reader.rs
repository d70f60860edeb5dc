//! Reading a collection: a snapshot that is searched by pipelines.

use ecphory_core::{DocAddress, Document, Progress, Scored, Silent};
use ecphory_index::{ChannelKind, ComponentSize, Coverage, Schema, Snapshot};
use ecphory_model::{Role, SparseVector};
use rayon::prelude::*;

use crate::channel::{ChannelRequest, RequestKind};
use crate::pipeline::{self, PipelineError};
use crate::search::{
    Cue, Encoded, Execution, HITS_MAX, Hit, Plan, QueryEncoder, Ran, Response, SearchOptions,
    Source, SourceKind, Stopwatch, resolve,
};
use crate::{Engine, Error, Pipeline, Result};

/// Queries that are answered by one pipeline, and how deep.
#[derive(Clone, Copy)]
pub(crate) struct Each<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) queries: &'a [&'a str],
    pub(crate) k: usize,
}

/// The ranking of one query.
pub(crate) struct Ranked {
    pub(crate) hits: Vec<Scored<DocAddress>>,
    pub(crate) notes: Vec<String>,
}

/// A view of one commit of a collection, which never changes.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(crate) engine: Engine,
    pub(crate) snapshot: Snapshot,
}

impl Reader {
    pub(crate) fn new(engine: Engine, snapshot: Snapshot) -> Self {
        Self { engine, snapshot }
    }

    /// Parses a pipeline and resolves its names: each has to be a channel of the collection, or
    /// `hybrid`, which becomes the default fusion of all channels.
    ///
    /// # Errors
    /// With a caret under the place that is wrong, and the nearest name for an unknown one.
    pub fn pipeline(&self, text: &str) -> Result<Pipeline> {
        let (parsed, names) = pipeline::parse(text)?;
        let resolved = resolve(&parsed, self.snapshot.schema()).map_err(|problem| {
            let offset = match &problem {
                pipeline::PipelineProblem::UnknownChannel { name, .. } => {
                    names.iter().find(|named| named.name == *name).map_or(0, |named| named.offset)
                }
                _ => 0,
            };
            PipelineError::at(text, offset, problem)
        })?;
        Ok(resolved)
    }

    /// Answers one query.
    ///
    /// # Errors
    /// Where `k` is 0, the pipeline names what is not there, a model is missing or is not the one that
    /// filled its channel, or a file is damaged.
    pub fn search(
        &self,
        pipeline: &Pipeline,
        query: &str,
        options: &SearchOptions,
    ) -> Result<Response> {
        let mut responses = self.search_batch(pipeline, &[query], options, &Silent)?;
        Ok(responses.pop().expect("one query has one response"))
    }

    /// Answers many queries: they are encoded in one batch, and searched on all threads.
    ///
    /// The answers are those of [`Reader::search`], in the order of the queries; the time of what was
    /// done once for all is divided evenly.
    ///
    /// # Errors
    /// As [`Reader::search`]; with kind `Interrupted` where the caller asked to stop.
    pub fn search_batch(
        &self,
        pipeline: &Pipeline,
        queries: &[&str],
        options: &SearchOptions,
        progress: &dyn Progress,
    ) -> Result<Vec<Response>> {
        let each = Each { pipeline, queries, k: options.k };
        self.each(each, progress, |execution, watch| self.respond(execution, options, watch))
    }

    /// Ranks documents for many queries, without turning addresses into hits.
    ///
    /// # Errors
    /// As [`Reader::search_batch`].
    pub(crate) fn rankings(&self, each: Each<'_>, progress: &dyn Progress) -> Result<Vec<Ranked>> {
        self.each(each, progress, |mut execution, mut watch| {
            let ran = execution.run(each.k, &mut watch)?;
            Ok(Ranked { hits: ran.hits, notes: execution.notes })
        })
    }

    /// Plans once, encodes the queries in one batch, and lets `answer` run the plan for each on all threads.
    fn each<T: Send>(
        &self,
        Each { pipeline, queries, k }: Each<'_>,
        progress: &dyn Progress,
        answer: impl Fn(Execution<'_, '_>, Stopwatch<'_>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        if k == 0 || k > HITS_MAX {
            return Err(Error::Hits { k, max: HITS_MAX });
        }
        let clock = self.engine.clock();
        let mut shared = Stopwatch::new(clock);
        let mut plan = shared.time("plan", || Plan::new(self, pipeline))?;
        plan.progress = progress;
        let vectors = self.encode_queries(&plan, queries, &mut shared, progress)?;
        let shared = shared.shares(queries.len());
        progress.begin("searching", queries.len() as u64);
        let answer = |(number, query): (usize, &&str)| {
            if progress.cancelled() {
                return Err(Error::Interrupted { doing: "searching" });
            }
            let cues = cues(&plan, query, number, &vectors);
            let mut watch = Stopwatch::new(clock);
            for (stage, took) in &shared {
                watch.add(stage, *took);
            }
            let notes = plan.notes.clone();
            let answered = answer(Execution { plan: &plan, cues: &cues, notes }, watch);
            progress.advance(1);
            answered
        };
        // A model reads the documents of one query on all threads.
        let answers = if queries.len() == 1 || plan.has_reranker() {
            queries.iter().enumerate().map(answer).collect()
        } else {
            self.engine.pool().install(|| queries.par_iter().enumerate().map(answer).collect())
        };
        progress.end();
        answers
    }

    /// Encodes all queries for each channel of the plan that has an encoder and anything to compare with.
    pub(crate) fn encode_queries(
        &self,
        plan: &Plan<'_>,
        queries: &[&str],
        watch: &mut Stopwatch<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Encoded>> {
        let mut encoded: Vec<Encoded> = Vec::with_capacity(plan.channels.len());
        for (i, source) in plan.channels.iter().enumerate() {
            let Some(encoder) = source.encoder() else {
                encoded.push(Encoded::Nothing);
                continue;
            };
            // Two channels of one model, say over title and text, share the query's vector.
            let same = |other: &Source<'_>| other.encoder().is_some_and(|other| other == encoder);
            let known = plan.channels[..i].iter().position(same);
            encoded.push(match known {
                Some(known) => encoded[known].clone(),
                None => watch.time(&format!("encode query with {}", encoder.name()), || {
                    self.encode_with(encoder, queries, progress)
                })?,
            });
        }
        Ok(encoded)
    }

    fn encode_with(
        &self,
        encoder: QueryEncoder<'_>,
        queries: &[&str],
        progress: &dyn Progress,
    ) -> Result<Encoded> {
        Ok(match encoder {
            QueryEncoder::Dense(encoder) => {
                Encoded::Dense(self.engine.encode(encoder, queries, Role::Query, progress)?)
            }
            QueryEncoder::Sparse(encoder) => {
                let made = self.engine.encode_sparse(encoder, queries, Role::Query, progress)?;
                let pairs = |vector: SparseVector| {
                    vector.terms.into_iter().zip(vector.weights).collect::<Vec<(u32, f32)>>()
                };
                Encoded::Sparse(made.into_iter().map(pairs).collect())
            }
        })
    }

    /// Runs the plan for one query and turns addresses into hits.
    fn respond(
        &self,
        mut execution: Execution<'_, '_>,
        options: &SearchOptions,
        mut watch: Stopwatch<'_>,
    ) -> Result<Response> {
        let ran = execution.run(options.k, &mut watch)?;
        let hits = self.hits(&execution, &ran, options, &mut watch)?;
        Ok(Response { hits, timings: watch.finish(), notes: execution.notes })
    }

    fn hits(
        &self,
        execution: &Execution<'_, '_>,
        ran: &Ran,
        options: &SearchOptions,
        watch: &mut Stopwatch<'_>,
    ) -> Result<Vec<Hit>> {
        let mut hits = Vec::with_capacity(ran.hits.len());
        for found in &ran.hits {
            let explanation = if options.explain {
                Some(watch.time("explain", || execution.explain(self, ran, found.item))?)
            } else {
                None
            };
            let document = if options.documents {
                Some(watch.time("read documents", || self.snapshot.document(found.item))?)
            } else {
                None
            };
            let id = self.snapshot.id(found.item)?.to_owned();
            hits.push(Hit { id, score: found.score, document, explanation });
        }
        Ok(hits)
    }

    /// Returns the channels, as they would be asked for.
    pub fn channels(&self) -> Vec<ChannelRequest> {
        self.snapshot.schema().channels.iter().map(ChannelRequest::from).collect()
    }

    /// Returns the names of the channels that an encoder fills: the dense and the sparse ones.
    pub fn encoded_channels(&self) -> Vec<String> {
        let encoded = |request: &ChannelRequest| !matches!(request.kind, RequestKind::Bm25 { .. });
        self.channels().into_iter().filter(encoded).map(|request| request.name).collect()
    }

    /// Returns how many documents a channel covers; a lexical one covers all.
    ///
    /// # Errors
    /// Where there is no such channel; the nearest name is given.
    pub fn coverage(&self, channel: &str) -> Result<Coverage> {
        let channels = &self.snapshot.schema().channels;
        match channels.iter().find(|known| known.name == channel).map(|known| &known.kind) {
            Some(ChannelKind::Bm25(_)) => {
                Ok(Coverage { covered: self.documents(), total: self.documents() })
            }
            _ => Ok(self.snapshot.coverage(channel)?),
        }
    }

    /// Returns how many documents there are.
    pub fn documents(&self) -> u64 {
        self.snapshot.documents()
    }

    /// Returns the document with this id, if there is one.
    ///
    /// # Errors
    /// Where a file is damaged.
    pub fn document(&self, id: &str) -> Result<Option<Document>> {
        match self.snapshot.find(id)? {
            Some(address) => Ok(Some(self.snapshot.document(address)?)),
            None => Ok(None),
        }
    }

    /// Returns how many segments there are.
    pub fn segments(&self) -> usize {
        self.snapshot.segments()
    }

    /// Returns the number of the commit; a later one has a larger number.
    pub fn generation(&self) -> u64 {
        self.snapshot.generation()
    }

    /// Returns how many documents were deleted or replaced and still take up space, which merging gives back.
    pub fn deleted_documents(&self) -> u64 {
        self.snapshot.dead()
    }

    /// Returns how many documents are in the log and in memory, but in no segment on disk yet.
    pub fn tail_documents(&self) -> u64 {
        self.snapshot.tail_documents()
    }

    /// Returns the bytes of each component on disk and in memory.
    pub fn sizes(&self) -> Vec<ComponentSize> {
        self.snapshot.sizes()
    }

    /// Returns the schema.
    pub fn schema(&self) -> &Schema {
        self.snapshot.schema()
    }
}

/// Returns the query as each channel of the plan sees it.
pub(crate) fn cues(plan: &Plan<'_>, query: &str, number: usize, encoded: &[Encoded]) -> Vec<Cue> {
    plan.channels
        .iter()
        .zip(encoded)
        .map(|(source, encoded)| match (&source.kind, encoded) {
            (SourceKind::Bm25(bm25), _) => Cue::Terms(bm25.analyze(query)),
            (SourceKind::Dense(dense), Encoded::Dense(vectors)) => {
                let dimensions = dense.dense.dimensions();
                Cue::Vector(vectors[number * dimensions..][..dimensions].to_vec())
            }
            (SourceKind::Sparse(_), Encoded::Sparse(vectors)) => {
                Cue::Weights(vectors[number].clone())
            }
            (SourceKind::Dense(_) | SourceKind::Sparse(_), _) => Cue::Nothing,
            (SourceKind::Model(_), _) => Cue::Text(query.to_owned()),
        })
        .collect()
}
