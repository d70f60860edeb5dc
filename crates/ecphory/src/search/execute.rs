//! Running a plan for one query: gather, fuse, rescore, cut.
//!
//! Every node gives a list in the one order of the engine: score, then address. Scores are added up in
//! 64 bits and kept in 32, and ties are seen after that, so an order never depends on lost digits.

use ecphory_core::{DocAddress, Scored, Unshown};
use ecphory_index::{QueryTerm, Work};
use rustc_hash::FxHashMap;

use super::plan::{Node, Op, Plan, SourceKind};
use super::reranker::Reranker;
use super::{CANDIDATES_MIN, Stopwatch, feedback};
use crate::Result;
use crate::fusion::{Scale, Weighted, reciprocal_ranks, weighted_sums};
use crate::pipeline::Rm3;

/// The query as one channel sees it.
#[derive(Clone, Debug)]
pub(crate) enum Cue {
    /// Its terms.
    Terms(Vec<QueryTerm>),
    /// Its vector.
    Vector(Vec<f32>),
    /// Its terms by a sparse encoder, with their weights.
    Weights(Vec<(u32, f32)>),
    /// Its text, which a model reads.
    Text(String),
    /// The channel has nothing to compare with yet.
    Nothing,
}

/// What a node gave for one query, with what the nodes below it gave.
pub(crate) struct Ran {
    pub(crate) hits: Vec<Scored<DocAddress>>,
    pub(crate) below: Vec<Ran>,
    /// How a blend scaled this list; `None` where the list was empty and counted nothing.
    pub(crate) scale: Option<Scale>,
    /// The query that the node made itself.
    pub(crate) cue: Option<Cue>,
}

/// One query being answered.
pub(crate) struct Execution<'e, 'r> {
    pub(crate) plan: &'e Plan<'r>,
    /// One for each channel of the plan.
    pub(crate) cues: &'e [Cue],
    pub(crate) notes: Vec<String>,
}

/// Which scan: the channel, the selection and the depth.
type Scan = (usize, Option<usize>, usize);

/// What a scan found, and what it read.
type Scanned = (Vec<Scored<DocAddress>>, Option<Work>);

impl Execution<'_, '_> {
    /// Runs the whole plan; the result holds at most `k` hits.
    pub(crate) fn run(&mut self, k: usize, watch: &mut Stopwatch<'_>) -> Result<Ran> {
        let plan = self.plan;
        let mut scans = FxHashMap::default();
        let mut ran = self.node(&plan.root, k, &mut scans, watch)?;
        ran.hits.truncate(k);
        Ok(ran)
    }

    fn node(
        &mut self,
        node: &Node,
        wanted: usize,
        scans: &mut FxHashMap<Scan, Vec<Scored<DocAddress>>>,
        watch: &mut Stopwatch<'_>,
    ) -> Result<Ran> {
        match &node.op {
            Op::Read { channel, selection } => {
                let scan = (*channel, *selection, wanted);
                if let Some(hits) = scans.get(&scan) {
                    return Ok(Ran::leaf(hits.clone()));
                }
                let name = self.plan.channels[*channel].stage_of_search();
                let cue = &self.cues[*channel];
                let (hits, work) = watch.time(&name, || self.scan(scan, cue))?;
                watch.count(&name, work);
                scans.insert(scan, hits.clone());
                Ok(Ran::leaf(hits))
            }
            Op::Cut { of, to } => {
                let below = self.node(of, *to, scans, watch)?;
                let hits = below.hits.iter().take(*to).copied().collect();
                Ok(Ran::of(hits, vec![below]))
            }
            Op::Where { of } => {
                let below = self.node(of, wanted, scans, watch)?;
                Ok(Ran::of(below.hits.clone(), vec![below]))
            }
            Op::Rrf { of, k, weights } => {
                let mut below = Vec::with_capacity(of.len());
                for operand in of {
                    below.push(self.node(operand, wanted.max(CANDIDATES_MIN), scans, watch)?);
                }
                let hits = watch.time("fuse", || {
                    let lists: Vec<Vec<DocAddress>> = below
                        .iter()
                        .map(|ran| ran.hits.iter().map(|hit| hit.item).collect())
                        .collect();
                    sorted(reciprocal_ranks(&lists, *k, weights.as_deref()))
                });
                Ok(Ran::of(hits, below))
            }
            Op::Blend { of } => {
                let mut below = Vec::with_capacity(of.len());
                for (_, operand) in of {
                    below.push(self.node(operand, wanted.max(CANDIDATES_MIN), scans, watch)?);
                }
                watch.time("fuse", || self.blend(of, below))
            }
            Op::Rescore { of, channel } => {
                let below = self.node(of, wanted.max(CANDIDATES_MIN), scans, watch)?;
                let name = self.plan.channels[*channel].stage();
                let hits = watch.time(&name, || self.rescore(*channel, &below.hits))?;
                Ok(Ran::of(hits, vec![below]))
            }
            Op::Expand { of, channel, selection, by } => {
                let below = self.node(of, by.documents as usize, scans, watch)?;
                let cue = watch.time("expand", || self.expand(*channel, &below.hits, by))?;
                let name = self.plan.channels[*channel].stage_of_search();
                let (hits, work) =
                    watch.time(&name, || self.scan((*channel, *selection, wanted), &cue))?;
                watch.count(&name, work);
                Ok(Ran { cue: Some(cue), ..Ran::of(hits, vec![below]) })
            }
        }
    }

    /// Searches a channel; of postings it says what was read.
    fn scan(&self, (channel, selection, depth): Scan, cue: &Cue) -> Result<Scanned> {
        let selection = selection.map(|number| &self.plan.selections[number]);
        match (&self.plan.channels[channel].kind, cue) {
            (SourceKind::Bm25(bm25), Cue::Terms(terms)) => {
                let found = bm25.search(terms, depth, selection)?;
                Ok((found.hits, Some(found.work)))
            }
            (SourceKind::Dense(source), Cue::Vector(vector)) => {
                Ok((source.dense.search(vector, depth, selection)?, None))
            }
            (SourceKind::Sparse(source), Cue::Weights(terms)) => {
                let found = source.sparse.search(terms, depth, selection)?;
                Ok((found.hits, Some(found.work)))
            }
            _ => Ok((Vec::new(), None)),
        }
    }

    /// Makes a query of the words of hits and of those that were asked for.
    fn expand(&self, channel: usize, hits: &[Scored<DocAddress>], by: &Rm3) -> Result<Cue> {
        let (SourceKind::Bm25(bm25), Cue::Terms(asked)) =
            (&self.plan.channels[channel].kind, &self.cues[channel])
        else {
            return Ok(Cue::Nothing);
        };
        let best = hits.iter().take(by.documents as usize);
        let read = best.map(|hit| Ok((f64::from(hit.score), bm25.terms(hit.item)?)));
        let read = read.collect::<Result<Vec<(f64, Vec<QueryTerm>)>>>()?;
        Ok(Cue::Terms(feedback::expand(asked, &read, by)))
    }

    fn blend(&self, of: &[(f64, Node)], mut below: Vec<Ran>) -> Result<Ran> {
        let mut candidates: Vec<DocAddress> =
            below.iter().flat_map(|ran| ran.hits.iter().map(|hit| hit.item)).collect();
        candidates.sort_unstable();
        candidates.dedup();
        let mut lists = Vec::with_capacity(of.len());
        for ((weight, node), ran) in of.iter().zip(&mut below) {
            ran.scale = self.scale(node, ran);
            let Some(scale) = ran.scale else { continue };
            let scores = self.exact(node, ran, &candidates)?;
            let list: Vec<(DocAddress, f64)> = candidates
                .iter()
                .zip(scores)
                .filter_map(|(&doc, score)| score.map(|score| (doc, score)))
                .collect();
            lists.push(Weighted { weight: *weight, scale, scores: list });
        }
        Ok(Ran::of(sorted(weighted_sums(&lists)), below))
    }

    /// Returns how a list's scores become 0 to 1; `None` for an empty list.
    fn scale(&self, node: &Node, ran: &Ran) -> Option<Scale> {
        let best = f64::from(ran.hits.first()?.score);
        if is_blend(node) {
            // A sum inside a sum is made of normalised scores already.
            return Some(Scale::IDENTITY);
        }
        let worst = f64::from(ran.hits.last()?.score);
        Some(Scale { least: self.least(node).unwrap_or(worst), most: best })
    }

    /// Returns the least score that a node can give, where there is one.
    fn least(&self, node: &Node) -> Option<f64> {
        match &node.op {
            Op::Read { channel, .. } | Op::Rescore { channel, .. } | Op::Expand { channel, .. } => {
                self.plan.channels[*channel].least()
            }
            Op::Cut { of, .. } | Op::Where { of } => self.least(of),
            Op::Rrf { .. } | Op::Blend { .. } => Some(0.0),
        }
    }

    /// Returns the score that a node gives each document, whether or not its list reached that far.
    ///
    /// `None` where it gives none: a filter does not let the document through, a channel has no vector
    /// of it, or the node scores by rank and the document is not in a list.
    pub(crate) fn exact(
        &self,
        node: &Node,
        ran: &Ran,
        docs: &[DocAddress],
    ) -> Result<Vec<Option<f64>>> {
        match &node.op {
            Op::Read { channel, selection } | Op::Expand { channel, selection, .. } => {
                let admitted = |doc: &DocAddress| {
                    selection.is_none_or(|number| self.plan.selections[number].contains(*doc))
                };
                let cue = ran.cue.as_ref().unwrap_or(&self.cues[*channel]);
                self.completed((*channel, cue), &ran.hits, docs, admitted)
            }
            Op::Cut { of, .. } | Op::Where { of } => self.exact(of, &ran.below[0], docs),
            Op::Rrf { .. } => {
                let known: FxHashMap<DocAddress, f32> =
                    ran.hits.iter().map(|hit| (hit.item, hit.score)).collect();
                Ok(docs.iter().map(|doc| known.get(doc).copied().map(f64::from)).collect())
            }
            Op::Blend { of } => self.exact_blend(of, ran, docs),
            Op::Rescore { of, channel } => {
                // A hit without a vector has a score all the same, which is not its own.
                let known = match self.plan.channels[*channel].reranking() {
                    Some(_) => &*ran.hits,
                    None => &[],
                };
                let cue = &self.cues[*channel];
                self.completed((*channel, cue), known, docs, |doc| self.admits(of, *doc))
            }
        }
    }

    /// Returns the scores that hits have, and those of the channel for other documents that are admitted.
    fn completed(
        &self,
        (channel, cue): (usize, &Cue),
        hits: &[Scored<DocAddress>],
        docs: &[DocAddress],
        admitted: impl Fn(&DocAddress) -> bool,
    ) -> Result<Vec<Option<f64>>> {
        let known: FxHashMap<DocAddress, f32> =
            hits.iter().map(|hit| (hit.item, hit.score)).collect();
        let missing: Vec<DocAddress> =
            docs.iter().filter(|doc| !known.contains_key(doc) && admitted(doc)).copied().collect();
        let filled = self.channel_scores(channel, cue, &missing)?;
        let filled: FxHashMap<DocAddress, Option<f32>> = missing.into_iter().zip(filled).collect();
        let score = |doc| known.get(doc).copied().or_else(|| *filled.get(doc)?);
        Ok(docs.iter().map(|doc| score(doc).map(f64::from)).collect())
    }

    fn exact_blend(
        &self,
        of: &[(f64, Node)],
        ran: &Ran,
        docs: &[DocAddress],
    ) -> Result<Vec<Option<f64>>> {
        let mut sums: Vec<Option<f64>> = vec![None; docs.len()];
        for ((weight, node), below) in of.iter().zip(&ran.below) {
            let Some(scale) = below.scale else { continue };
            for (sum, score) in sums.iter_mut().zip(self.exact(node, below, docs)?) {
                if let Some(score) = score {
                    *sum = Some(sum.unwrap_or(0.0) + weight * scale.apply(score));
                }
            }
        }
        Ok(sums)
    }

    /// Whether the filters of a node let a document through on at least one way.
    fn admits(&self, node: &Node, doc: DocAddress) -> bool {
        match &node.op {
            Op::Read { selection, .. } | Op::Expand { selection, .. } => {
                selection.is_none_or(|number| self.plan.selections[number].contains(doc))
            }
            Op::Cut { of, .. } | Op::Rescore { of, .. } | Op::Where { of } => self.admits(of, doc),
            Op::Rrf { of, .. } => of.iter().any(|operand| self.admits(operand, doc)),
            Op::Blend { of } => of.iter().any(|(_, operand)| self.admits(operand, doc)),
        }
    }

    pub(crate) fn channel_scores(
        &self,
        channel: usize,
        cue: &Cue,
        docs: &[DocAddress],
    ) -> Result<Vec<Option<f32>>> {
        if docs.is_empty() {
            return Ok(Vec::new());
        }
        match (&self.plan.channels[channel].kind, cue) {
            (SourceKind::Bm25(bm25), Cue::Terms(terms)) => {
                Ok(bm25.score(terms, docs)?.into_iter().map(Some).collect())
            }
            (SourceKind::Dense(source), Cue::Vector(vector)) => {
                Ok(source.dense.score(vector, docs)?)
            }
            (SourceKind::Sparse(source), Cue::Weights(terms)) => {
                Ok(source.sparse.score(terms, docs)?)
            }
            (SourceKind::Model(model), Cue::Text(query)) => {
                Ok(self.read(model, query, docs)?.into_iter().map(Some).collect())
            }
            _ => Ok(vec![None; docs.len()]),
        }
    }

    /// Scores what is stored of documents with a model, on all threads.
    fn read(&self, model: &Reranker, query: &str, docs: &[DocAddress]) -> Result<Vec<f32>> {
        let texts = self.texts(docs)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        // What is shown is how many queries were answered.
        let progress = Unshown(self.plan.progress);
        model.score(&self.plan.reader.engine, query, &texts, &progress)
    }

    /// Returns what the channels read of documents, each field once.
    pub(crate) fn texts(&self, docs: &[DocAddress]) -> Result<Vec<String>> {
        let snapshot = &self.plan.reader.snapshot;
        let mut fields: Vec<String> = Vec::new();
        for field in snapshot.schema().channels.iter().flat_map(|one| &one.fields) {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        }
        let text = |&doc: &DocAddress| Ok(snapshot.document(doc)?.joined_text(&fields));
        docs.iter().map(text).collect()
    }

    /// Scores hits by a channel. Those it has no vector of stand last, with the least score there is.
    fn rescore(
        &mut self,
        channel: usize,
        hits: &[Scored<DocAddress>],
    ) -> Result<Vec<Scored<DocAddress>>> {
        let docs: Vec<DocAddress> = hits.iter().map(|hit| hit.item).collect();
        let scores = self.channel_scores(channel, &self.cues[channel], &docs)?;
        let unknown = scores.iter().filter(|score| score.is_none()).count();
        if unknown > 0 {
            self.notes.push(format!(
                "{unknown} of {} candidates have no vector in `{}` yet and stand last",
                docs.len(),
                self.plan.channels[channel].name
            ));
        }
        let worst = scores.iter().flatten().copied().min_by(f32::total_cmp).map(f64::from);
        let least = self.plan.channels[channel].least().or(worst).unwrap_or(0.0);
        Ok(sorted(
            docs.into_iter()
                .zip(scores)
                .map(|(doc, score)| (doc, score.map_or(least, f64::from)))
                .collect(),
        ))
    }
}

impl Ran {
    fn leaf(hits: Vec<Scored<DocAddress>>) -> Self {
        Self::of(hits, Vec::new())
    }

    fn of(hits: Vec<Scored<DocAddress>>, below: Vec<Ran>) -> Self {
        Self { hits, below, scale: None, cue: None }
    }
}

/// Whether a node's scores are sums of normalised scores.
fn is_blend(node: &Node) -> bool {
    match &node.op {
        Op::Blend { .. } => true,
        Op::Cut { of, .. } | Op::Where { of } => is_blend(of),
        _ => false,
    }
}

fn sorted(scores: Vec<(DocAddress, f64)>) -> Vec<Scored<DocAddress>> {
    let mut hits: Vec<Scored<DocAddress>> =
        // Adding zero turns −0 into +0, so that equal scores are equal in the total order.
        scores.into_iter().map(|(item, score)| Scored { score: score as f32 + 0.0, item }).collect();
    hits.sort_unstable_by(Scored::best_first);
    hits
}
