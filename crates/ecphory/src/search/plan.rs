//! Planning: names become channels, filters become sets of documents that reach every scan below them.
//!
//! A plan is made once for a pipeline on a snapshot and serves any number of queries, also at once.

use std::sync::Arc;

use ecphory_core::{Progress, Silent};
use ecphory_index::{Bm25, ChannelKind, ChannelSchema, Dense, Schema, Selection, Sparse};
use ecphory_model::{Encoder, SparseEncoder};

use super::reranker::Reranker;
use crate::pipeline::{HYBRID, HYBRID_LEXICAL, PipelineError, PipelineProblem, Reranking, Rm3};
use crate::{Pipeline, Reader, Result};
use ecphory_core::nearest::nearest;

/// A pipeline whose names are resolved.
pub(crate) struct Plan<'r> {
    pub(crate) root: Node,
    pub(crate) reader: &'r Reader,
    /// Who can stop what takes long.
    pub(crate) progress: &'r dyn Progress,
    pub(crate) channels: Vec<Source<'r>>,
    pub(crate) selections: Vec<Selection>,
    pub(crate) notes: Vec<String>,
}

/// A node of the plan, with the expression it stands for.
pub(crate) struct Node {
    pub(crate) text: String,
    pub(crate) op: Op,
}

/// What a node does.
pub(crate) enum Op {
    /// Reads a channel, through a selection (by its number in the plan).
    Read { channel: usize, selection: Option<usize> },
    /// Keeps the best.
    Cut { of: Box<Node>, to: usize },
    /// Sums reciprocal ranks.
    Rrf { of: Vec<Node>, k: f64, weights: Option<Vec<f64>> },
    /// Sums weighted normalised scores: `cc`, `+` and `*`.
    Blend { of: Vec<(f64, Node)> },
    /// Replaces scores by those of a channel or a model.
    Rescore { of: Box<Node>, channel: usize },
    /// Reads a channel once more, as it was read below, with words of what was found there.
    Expand { of: Box<Node>, channel: usize, selection: Option<usize>, by: Rm3 },
    /// Lets through what a filter selects; the reads below it apply it, so that nothing is left to do.
    Where { of: Box<Node> },
}

/// A channel that the plan reads, or a model that it scores with.
pub(crate) struct Source<'r> {
    pub(crate) name: String,
    pub(crate) kind: SourceKind<'r>,
    /// Whether scores of its lists are bounds instead of the exact ones.
    pub(crate) by_impacts: bool,
}

pub(crate) enum SourceKind<'r> {
    Bm25(Bm25<'r>),
    Dense(DenseSource<'r>),
    Sparse(SparseSource<'r>),
    Model(Reranker),
}

pub(crate) struct SparseSource<'r> {
    pub(crate) sparse: Sparse<'r>,
    /// `None` where the channel holds no document yet, so that no query has to be encoded.
    pub(crate) encoder: Option<Arc<SparseEncoder>>,
}

/// What encodes queries for a channel.
#[derive(Clone, Copy)]
pub(crate) enum QueryEncoder<'p> {
    Dense(&'p Arc<Encoder>),
    Sparse(&'p Arc<SparseEncoder>),
}

impl QueryEncoder<'_> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Dense(encoder) => encoder.name(),
            Self::Sparse(encoder) => encoder.name(),
        }
    }
}

impl PartialEq for QueryEncoder<'_> {
    /// Whether both are the same opened model.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dense(one), Self::Dense(other)) => Arc::ptr_eq(one, other),
            (Self::Sparse(one), Self::Sparse(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

/// Queries as the encoder of a channel makes them.
#[derive(Clone)]
pub(crate) enum Encoded {
    /// There is no encoder, or nothing to compare with.
    Nothing,
    /// Vectors, one after the other.
    Dense(Vec<f32>),
    /// The weighted terms of each.
    Sparse(Vec<Vec<(u32, f32)>>),
}

pub(crate) struct DenseSource<'r> {
    pub(crate) dense: Dense<'r>,
    pub(crate) fields: Vec<String>,
    pub(crate) passages: Option<String>,
    /// `None` where the channel holds no vector yet, so that no query has to be encoded.
    pub(crate) encoder: Option<Arc<Encoder>>,
    /// Whether vectors have length one, so that no score is below −1.
    pub(crate) normalized: bool,
}

impl Source<'_> {
    /// Returns what scoring with it is called among the times of stages.
    pub(crate) fn stage(&self) -> String {
        match &self.kind {
            SourceKind::Model(model) => format!("{} {}", model.kind().name(), model.name()),
            _ => format!("rescore {}", self.name),
        }
    }

    /// Returns what a search of it is called among the times of stages.
    pub(crate) fn stage_of_search(&self) -> String {
        format!("search {}", self.name)
    }

    /// Returns how it reads texts; `None` for a channel.
    pub(crate) fn reranking(&self) -> Option<Reranking> {
        match &self.kind {
            SourceKind::Model(model) => Some(model.kind()),
            SourceKind::Bm25(_) | SourceKind::Dense(_) | SourceKind::Sparse(_) => None,
        }
    }

    /// Returns what encodes queries for it.
    pub(crate) fn encoder(&self) -> Option<QueryEncoder<'_>> {
        match &self.kind {
            SourceKind::Dense(source) => source.encoder.as_ref().map(QueryEncoder::Dense),
            SourceKind::Sparse(source) => source.encoder.as_ref().map(QueryEncoder::Sparse),
            SourceKind::Bm25(_) | SourceKind::Model(_) => None,
        }
    }

    /// Returns the least score that the channel can give, where there is one.
    pub(crate) fn least(&self) -> Option<f64> {
        match &self.kind {
            SourceKind::Bm25(_) | SourceKind::Sparse(_) => Some(0.0),
            SourceKind::Dense(source) => source.normalized.then_some(-1.0),
            SourceKind::Model(model) => model.least(),
        }
    }
}

/// Replaces `hybrid` by the default fusion, and checks that every name is that of a channel.
pub(crate) fn resolve(
    pipeline: &Pipeline,
    schema: &Schema,
) -> std::result::Result<Pipeline, PipelineProblem> {
    pipeline.check()?;
    let names: Vec<String> = schema.channels.iter().map(|channel| channel.name.clone()).collect();
    let resolved = replace_hybrid(pipeline, schema);
    for name in resolved.channels() {
        if !names.iter().any(|known| known == name) {
            let candidates = names.iter().map(String::as_str).chain([HYBRID]);
            return Err(PipelineProblem::UnknownChannel {
                name: name.to_owned(),
                nearest: nearest(name, candidates).map(str::to_owned),
                channels: names,
            });
        }
    }
    resolved.check()?;
    Ok(resolved)
}

/// Copies the tree; its depth is limited, which the caller has checked.
fn replace_hybrid(pipeline: &Pipeline, schema: &Schema) -> Pipeline {
    let again = |of: &Pipeline| replace_hybrid(of, schema);
    let named = |name: &str| schema.channels.iter().any(|channel| channel.name == name);
    match pipeline {
        Pipeline::Channel(name) if name == HYBRID && !named(name) => default_fusion(schema),
        Pipeline::Channel(_) | Pipeline::Impacts(_) => pipeline.clone(),
        Pipeline::Cut { of, to } => again(of).top(*to),
        Pipeline::Rrf { of, k, weights } => {
            Pipeline::Rrf { of: of.iter().map(again).collect(), k: *k, weights: weights.clone() }
        }
        Pipeline::Cc { of, alpha } => Pipeline::cc(again(&of[0]), again(&of[1]), *alpha),
        Pipeline::Sum(parts) => Pipeline::sum(parts.iter().map(|(w, part)| (*w, again(part)))),
        Pipeline::Rescore { of, by } => again(of).rescore(by.clone()),
        Pipeline::Rerank { of, by, model } => again(of).rerank(*by, model.clone()),
        Pipeline::Expand { of, channel, by } => {
            Pipeline::Expand { of: Box::new(again(of)), channel: channel.clone(), by: *by }
        }
        Pipeline::Where { of, filter } => again(of).filter(filter.clone()),
    }
}

/// Returns what `hybrid` stands for: the one channel there is, or all of them, where those that score terms (the sparse
/// ones too) share [`HYBRID_LEXICAL`] and the dense ones the rest.
///
/// Why this fusion and not another: docs/decisions/0001-default-hybrid.md.
fn default_fusion(schema: &Schema) -> Pipeline {
    let (lexical, dense): (Vec<&ChannelSchema>, Vec<&ChannelSchema>) =
        schema.channels.iter().partition(|channel| !matches!(channel.kind, ChannelKind::Dense(_)));
    let share = if dense.is_empty() {
        1.0
    } else if lexical.is_empty() {
        0.0
    } else {
        HYBRID_LEXICAL
    };
    let channel = |channel: &ChannelSchema| Pipeline::channel(channel.name.clone());
    match (lexical.as_slice(), dense.as_slice()) {
        ([only], []) | ([], [only]) => channel(only),
        ([first, second], []) | ([], [first, second]) => {
            Pipeline::cc(channel(first), channel(second), 0.5)
        }
        ([lexical], [dense]) => Pipeline::cc(channel(lexical), channel(dense), share),
        _ => {
            let weigh = |channels: &[&ChannelSchema], share: f64| {
                let weight = share / channels.len() as f64;
                channels.iter().map(|known| (weight, channel(known))).collect::<Vec<_>>()
            };
            Pipeline::sum([weigh(&lexical, share), weigh(&dense, 1.0 - share)].concat())
        }
    }
}

impl<'r> Plan<'r> {
    /// Plans a pipeline on the reader's snapshot.
    pub(crate) fn new(reader: &'r Reader, pipeline: &Pipeline) -> Result<Self> {
        let schema = reader.snapshot.schema();
        let resolved = resolve(pipeline, schema)
            .map_err(|problem| PipelineError::at(&pipeline.to_string(), 0, problem))?;
        let root =
            Node { text: String::new(), op: Op::Rrf { of: Vec::new(), k: 0.0, weights: None } };
        let mut plan = Plan {
            root,
            reader,
            progress: &Silent,
            channels: Vec::new(),
            selections: Vec::new(),
            notes: Vec::new(),
        };
        plan.root = plan.node(reader, &resolved, None)?;
        Ok(plan)
    }

    /// Plans one node; `above` is the selection of the conditions around it.
    fn node(
        &mut self,
        reader: &'r Reader,
        pipeline: &Pipeline,
        above: Option<usize>,
    ) -> Result<Node> {
        let op = match pipeline {
            Pipeline::Channel(name) => {
                Op::Read { channel: self.channel(reader, name)?, selection: above }
            }
            Pipeline::Impacts(name) => {
                Op::Read { channel: self.impacts(reader, name)?, selection: above }
            }
            Pipeline::Cut { of, to } => {
                Op::Cut { of: Box::new(self.node(reader, of, above)?), to: *to as usize }
            }
            Pipeline::Rrf { of, k, weights } => {
                let mut nodes = Vec::with_capacity(of.len());
                for operand in of {
                    nodes.push(self.node(reader, operand, above)?);
                }
                Op::Rrf { of: nodes, k: *k, weights: weights.clone() }
            }
            Pipeline::Cc { of, alpha } => {
                let first = self.node(reader, &of[0], above)?;
                let second = self.node(reader, &of[1], above)?;
                Op::Blend { of: vec![(*alpha, first), (1.0 - alpha, second)] }
            }
            Pipeline::Sum(parts) => {
                let mut nodes = Vec::with_capacity(parts.len());
                for (weight, operand) in parts {
                    nodes.push((*weight, self.node(reader, operand, above)?));
                }
                Op::Blend { of: nodes }
            }
            Pipeline::Rescore { of, by } => {
                let of = Box::new(self.node(reader, of, above)?);
                Op::Rescore { of, channel: self.channel(reader, by)? }
            }
            Pipeline::Rerank { of, by, model } => {
                let of = Box::new(self.node(reader, of, above)?);
                Op::Rescore { of, channel: self.reranker(reader, *by, model)? }
            }
            Pipeline::Expand { of, channel, by } => {
                let of = Box::new(self.node(reader, of, above)?);
                let read = self.lexical_read(&of, channel.as_deref()).ok_or_else(|| {
                    let problem = PipelineProblem::ExpandWithoutWords { found: channel.clone() };
                    PipelineError::at(&pipeline.to_string(), 0, problem)
                })?;
                let (channel, selection) = read;
                Op::Expand { of, channel, selection, by: *by }
            }
            Pipeline::Where { of, filter } => {
                let mut all = reader.snapshot.select(filter)?;
                if let Some(above) = above {
                    all.intersect(&self.selections[above]);
                }
                self.selections.push(all);
                let selection = self.selections.len() - 1;
                Op::Where { of: Box::new(self.node(reader, of, Some(selection))?) }
            }
        };
        Ok(Node { text: pipeline.to_string(), op })
    }

    /// Returns the first BM25 channel (of this name, where there is one) that a node reads, and through which selection.
    fn lexical_read(&self, node: &Node, name: Option<&str>) -> Option<(usize, Option<usize>)> {
        match &node.op {
            Op::Read { channel, selection } => {
                let source = &self.channels[*channel];
                let lexical = matches!(source.kind, SourceKind::Bm25(_));
                let named = name.is_none_or(|name| name == source.name);
                (lexical && named).then_some((*channel, *selection))
            }
            Op::Cut { of, .. }
            | Op::Rescore { of, .. }
            | Op::Expand { of, .. }
            | Op::Where { of } => self.lexical_read(of, name),
            Op::Rrf { of, .. } => of.iter().find_map(|operand| self.lexical_read(operand, name)),
            Op::Blend { of } => of.iter().find_map(|(_, operand)| self.lexical_read(operand, name)),
        }
    }

    /// Whether a query takes all threads by itself.
    pub(crate) fn has_reranker(&self) -> bool {
        self.channels.iter().any(|source| source.reranking().is_some())
    }

    /// Finds what was planned before; a model may have the name of a channel.
    fn planned(&self, name: &str, by: Option<Reranking>) -> Option<usize> {
        self.channels.iter().position(|source| source.name == name && source.reranking() == by)
    }

    fn reranker(&mut self, reader: &'r Reader, by: Reranking, model: &str) -> Result<usize> {
        if let Some(known) = self.planned(model, Some(by)) {
            return Ok(known);
        }
        let kind = SourceKind::Model(Reranker::open(&reader.engine, by, model)?);
        self.channels.push(Source { name: model.to_owned(), kind, by_impacts: false });
        Ok(self.channels.len() - 1)
    }

    /// Plans a channel that is read by its impacts alone; as a source it has the name of the expression.
    fn impacts(&mut self, reader: &'r Reader, name: &str) -> Result<usize> {
        let text = Pipeline::Impacts(name.to_owned()).to_string();
        if let Some(known) = self.planned(&text, None) {
            return Ok(known);
        }
        let exact = self.channel(reader, name)?;
        let kind = match &self.channels[exact].kind {
            SourceKind::Bm25(bm25) => SourceKind::Bm25(bm25.clone().by_impacts()),
            SourceKind::Sparse(SparseSource { sparse, encoder }) => {
                SourceKind::Sparse(SparseSource {
                    sparse: sparse.clone().by_impacts(),
                    encoder: encoder.clone(),
                })
            }
            SourceKind::Dense(_) | SourceKind::Model(_) => {
                let problem = PipelineProblem::NoImpacts { name: name.to_owned() };
                return Err(PipelineError::at(&text, 0, problem).into());
            }
        };
        self.channels.push(Source { name: text, kind, by_impacts: true });
        Ok(self.channels.len() - 1)
    }

    fn channel(&mut self, reader: &'r Reader, name: &str) -> Result<usize> {
        if let Some(known) = self.planned(name, None) {
            return Ok(known);
        }
        let schema = reader.snapshot.schema();
        let channel = schema
            .channels
            .iter()
            .find(|channel| channel.name == name)
            .expect("names were checked against the same schema");
        let kind = match &channel.kind {
            ChannelKind::Bm25(_) => SourceKind::Bm25(reader.snapshot.bm25(name)?),
            ChannelKind::Dense(settings) => {
                let encoder = match self.covered(reader, name)? {
                    0 => None,
                    _ => Some(reader.engine.channel_encoder(name, settings)?),
                };
                SourceKind::Dense(DenseSource {
                    dense: reader.snapshot.dense(name)?,
                    fields: channel.fields.clone(),
                    passages: settings.passages.clone(),
                    normalized: encoder.as_ref().is_some_and(|encoder| encoder.normalized()),
                    encoder,
                })
            }
            ChannelKind::Sparse(settings) => {
                let encoder = match self.covered(reader, name)? {
                    0 => None,
                    _ => Some(reader.engine.channel_sparse_encoder(name, settings)?),
                };
                let sparse = reader.snapshot.sparse(name)?;
                SourceKind::Sparse(SparseSource { sparse, encoder })
            }
        };
        self.channels.push(Source { name: name.to_owned(), kind, by_impacts: false });
        Ok(self.channels.len() - 1)
    }

    /// Returns how many documents a channel covers, and notes where some are missing.
    fn covered(&mut self, reader: &Reader, name: &str) -> Result<u64> {
        let coverage = reader.snapshot.coverage(name)?;
        if coverage.covered < coverage.total {
            self.notes.push(format!(
                "channel `{name}` covers {} of {} documents so far",
                coverage.covered, coverage.total
            ));
        }
        Ok(coverage.covered)
    }
}
