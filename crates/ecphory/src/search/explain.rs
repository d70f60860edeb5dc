//! Explaining a hit: the same arithmetic once more, for one document, with its numbers kept.

use ecphory_core::DocAddress;

use super::execute::{Cue, Execution, Ran};
use super::plan::{DenseSource, Node, Op, SourceKind, SparseSource};
use super::reranker::Reranker;
use crate::fusion::{Scale, reciprocal};
use crate::{Explanation, Reader, Result};

/// How many characters of a passage are shown.
const EXCERPT_CHARS: usize = 80;

impl Execution<'_, '_> {
    /// Explains the score of a document that the plan returned.
    pub(crate) fn explain(
        &self,
        reader: &Reader,
        ran: &Ran,
        doc: DocAddress,
    ) -> Result<Explanation> {
        let plan = self.plan;
        self.node_explained(reader, &plan.root, ran, doc)
    }

    fn node_explained(
        &self,
        reader: &Reader,
        node: &Node,
        ran: &Ran,
        doc: DocAddress,
    ) -> Result<Explanation> {
        match &node.op {
            Op::Read { channel, .. } => self.listed(reader, (node, *channel), (ran, doc)),
            Op::Expand { of, channel, by, .. } => {
                let whole = self.expanded(reader, (node, *channel), (ran, doc))?;
                let learned = ran.below[0].hits.len().min(by.documents as usize);
                let whole = whole.count("documents learned from", learned as u64);
                match rank(&ran.below[0], doc) {
                    Some(_) => {
                        Ok(whole.input(self.node_explained(reader, of, &ran.below[0], doc)?))
                    }
                    None => Ok(whole),
                }
            }
            Op::Cut { of, to } => {
                let inside = self.node_explained(reader, of, &ran.below[0], doc)?;
                Ok(inside.count("of the best", *to as u64))
            }
            Op::Where { of } => {
                let inside = self.node_explained(reader, of, &ran.below[0], doc)?;
                let filter = node.text.rsplit_once(">> ").map_or("", |(_, filter)| filter);
                Ok(inside.text("filter", filter))
            }
            Op::Rrf { of, k, weights } => {
                let mut whole = Explanation::new(node.text.clone(), 0.0);
                for (i, (operand, below)) in of.iter().zip(&ran.below).enumerate() {
                    let weight = weights.as_ref().map_or(1.0, |weights| weights[i]);
                    let Some(rank) = rank(below, doc) else {
                        let what = format!("not in the list of {}", operand.text);
                        whole.parts.push(Explanation::new(what, 0.0));
                        continue;
                    };
                    let what =
                        format!("{weight} / ({k} + {rank}): rank {rank} of {}", operand.text);
                    let input = self.node_explained(reader, operand, below, doc)?;
                    let value = reciprocal(weight, *k, rank);
                    whole.parts.push(Explanation::new(what, value).input(input));
                }
                whole.value = whole.parts.iter().map(|part| part.value).sum();
                Ok(whole)
            }
            Op::Blend { of } => {
                let mut whole = Explanation::new(node.text.clone(), 0.0);
                for ((weight, operand), below) in of.iter().zip(&ran.below) {
                    whole.parts.push(self.share(reader, *weight, operand, (below, doc))?);
                }
                whole.value = whole.parts.iter().map(|part| part.value).sum();
                Ok(whole)
            }
            Op::Rescore { of, channel } => {
                let before = self.node_explained(reader, of, &ran.below[0], doc)?;
                self.rescored(reader, (node, *channel), (ran, doc), before)
            }
        }
    }

    /// Explains the score of a channel's list.
    fn listed(
        &self,
        reader: &Reader,
        (node, channel): (&Node, usize),
        (ran, doc): (&Ran, DocAddress),
    ) -> Result<Explanation> {
        let exact = self.read_explained(reader, channel, &self.cues[channel], doc)?;
        match ran.score(doc) {
            Some(bound) if self.plan.channels[channel].by_impacts => {
                let what = format!("{}, a bound of the exact score", node.text);
                Ok(Explanation::new(what, bound).input(exact))
            }
            _ => Ok(exact),
        }
    }

    /// Explains the score by a query that was expanded.
    fn expanded(
        &self,
        reader: &Reader,
        (node, channel): (&Node, usize),
        (ran, doc): (&Ran, DocAddress),
    ) -> Result<Explanation> {
        let cue = ran.cue.as_ref().unwrap_or(&self.cues[channel]);
        let whole = self.read_explained(reader, channel, cue, doc)?;
        Ok(Explanation { what: node.text.clone(), ..whole })
    }

    /// Explains what a new score changed.
    fn rescored(
        &self,
        reader: &Reader,
        (node, channel): (&Node, usize),
        (ran, doc): (&Ran, DocAddress),
        before: Explanation,
    ) -> Result<Explanation> {
        let score = match (&self.plan.channels[channel].kind, ran.score(doc)) {
            // Reading the pair again would take long and give the same.
            (SourceKind::Model(model), Some(score)) => {
                self.model_explained(channel, model, (doc, score))?
            }
            _ => self.read_explained(reader, channel, &self.cues[channel], doc)?,
        };
        let value = ran.score(doc).unwrap_or(score.value);
        let mut whole =
            Explanation::new(node.text.clone(), value).number("change", value - before.value);
        if let (Some(was), Some(is)) = (rank(&ran.below[0], doc), rank(ran, doc)) {
            whole = whole.count("rank before", was as u64).count("rank now", is as u64);
        }
        // Without a vector the value is the least possible, which is no sum of anything.
        if (score.value - value).abs() <= f64::EPSILON {
            whole.parts.push(score);
        }
        Ok(whole.input(before))
    }

    /// Explains what one operand adds to a weighted sum.
    fn share(
        &self,
        reader: &Reader,
        weight: f64,
        operand: &Node,
        (below, doc): (&Ran, DocAddress),
    ) -> Result<Explanation> {
        let nothing = |why: &str| Explanation::new(format!("{}: {why}", operand.text), 0.0);
        let Some(scale) = below.scale else { return Ok(nothing("found nothing")) };
        let Some(score) = self.exact(operand, below, &[doc])?[0] else {
            return Ok(nothing("does not score this document"));
        };
        let what = if scale == Scale::IDENTITY {
            format!("{weight} * {score:.4}: {}", operand.text)
        } else {
            let Scale { least, most } = scale;
            format!(
                "{weight} * ({score:.4} - {least:.4}) / ({most:.4} - {least:.4}): {}",
                operand.text
            )
        };
        let mut part = Explanation::new(what, weight * scale.apply(score));
        part = match rank(below, doc) {
            Some(rank) => part.count("rank", rank as u64),
            None => {
                part.text("rank", format!("none in its best {}, scored exactly", below.hits.len()))
            }
        };
        Ok(part.input(self.node_explained(reader, operand, below, doc)?))
    }

    fn model_explained(
        &self,
        channel: usize,
        model: &Reranker,
        (doc, score): (DocAddress, f64),
    ) -> Result<Explanation> {
        let query = match &self.cues[channel] {
            Cue::Text(query) => query.as_str(),
            _ => "",
        };
        let text = || Ok(self.texts(&[doc])?.pop().unwrap_or_default());
        model.explain(query, text, score)
    }

    fn read_explained(
        &self,
        reader: &Reader,
        channel: usize,
        cue: &Cue,
        doc: DocAddress,
    ) -> Result<Explanation> {
        let source = &self.plan.channels[channel];
        match (&source.kind, cue) {
            (SourceKind::Bm25(bm25), Cue::Terms(terms)) => {
                let mut whole = Explanation::new(source.name.clone(), 0.0);
                for term in bm25.explain(terms, doc)? {
                    whole.parts.push(
                        Explanation::new(format!("term {}", term.term), f64::from(term.score))
                            .number("idf", f64::from(term.idf))
                            .number("tf", f64::from(term.tf))
                            .number("times", f64::from(term.weight))
                            .count("words", u64::from(term.length))
                            .number("average", f64::from(term.average_length))
                            .count("documents", term.df),
                    );
                }
                whole.value = whole.parts.iter().map(|part| part.value).sum();
                Ok(whole)
            }
            (SourceKind::Dense(dense), Cue::Vector(vector)) => {
                match dense.dense.best_row(vector, doc)? {
                    Some((row, score)) => {
                        let whole = Explanation::new(source.name.clone(), f64::from(score));
                        passage(reader, dense, (row, doc), whole)
                    }
                    None => Ok(Explanation::new(format!("{}: no vector yet", source.name), 0.0)),
                }
            }
            (SourceKind::Sparse(sparse), Cue::Weights(terms)) => {
                terms_explained(&source.name, sparse, terms, doc)
            }
            (SourceKind::Model(model), _) => {
                let score = self.channel_scores(channel, cue, &[doc])?[0].unwrap_or_default();
                self.model_explained(channel, model, (doc, f64::from(score)))
            }
            _ => Ok(Explanation::new(format!("{}: no vector yet", source.name), 0.0)),
        }
    }
}

/// Explains the score of a sparse channel term by term.
fn terms_explained(
    name: &str,
    source: &SparseSource<'_>,
    terms: &[(u32, f32)],
    doc: DocAddress,
) -> Result<Explanation> {
    let Some(parts) = source.sparse.explain(terms, doc)? else {
        return Ok(Explanation::new(format!("{name}: no vector yet"), 0.0));
    };
    let mut whole = Explanation::new(name, 0.0);
    for part in parts {
        let term = source.encoder.as_ref().and_then(|encoder| encoder.term(part.term));
        let term = term.unwrap_or_else(|| format!("number {}", part.term));
        whole.parts.push(
            Explanation::new(format!("term {term}"), f64::from(part.score))
                .number("query", f64::from(part.query))
                .number("document", f64::from(part.document)),
        );
    }
    whole.value = whole.parts.iter().map(|part| part.value).sum();
    Ok(whole)
}

/// Adds which passage of the document was nearest, where the channel splits documents.
fn passage(
    reader: &Reader,
    source: &DenseSource<'_>,
    (row, doc): (u32, DocAddress),
    whole: Explanation,
) -> Result<Explanation> {
    let Some(spec) = &source.passages else { return Ok(whole) };
    let text = reader.snapshot.document(doc)?.joined_text(&source.fields);
    let ranges = spec.parse::<ecphory_text::Passages>()?.split(&text);
    let whole = whole.count("passage", u64::from(row) + 1).count("of", ranges.len() as u64);
    let Some(range) = ranges.get(row as usize) else { return Ok(whole) };
    let excerpt: String = text[range.clone()].chars().take(EXCERPT_CHARS).collect();
    Ok(whole.text("text", format!("{:?}", excerpt.trim())))
}

/// Returns a document's place in a list, from 1.
fn rank(ran: &Ran, doc: DocAddress) -> Option<usize> {
    ran.hits.iter().position(|hit| hit.item == doc).map(|position| position + 1)
}

impl Ran {
    fn score(&self, doc: DocAddress) -> Option<f64> {
        self.hits.iter().find(|hit| hit.item == doc).map(|hit| f64::from(hit.score))
    }
}
