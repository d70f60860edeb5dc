//! Search of a sparse channel: exact, steered by impacts.
//!
//! Chunk by chunk the impacts of the query's terms are added up, which bounds the score of every document; the
//! documents whose bound reaches the k-th best score so far are scored from their own terms and weights, the most promising
//! first. What is returned, scores and order, is what scoring every document would return: a score is the sum of `query weight · document
//! weight` over the shared terms, in f32, in the order of the terms' numbers. Cost: under a nanosecond for each posting of the
//! query's terms, and about a microsecond for each document that is scored.

use ecphory_core::{DocAddress, DocNo};

use super::Found;
use super::steering::{Exact, List, Scope, Steering};
use crate::schema::ChannelKind;
use crate::segment::Segment;
use crate::segment::rows::{RowRange, RowTable, Shape, check_weighted_terms};
use crate::snapshot::Snapshot;
use crate::{Error, Result, Selection};

/// A sparse channel of a snapshot.
#[derive(Clone, Debug)]
pub struct Sparse<'a> {
    snapshot: &'a Snapshot,
    channel: usize,
    terms: u32,
    by_impacts: bool,
}

/// What one term adds to a document's score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparseTerm {
    /// The term's number.
    pub term: u32,
    /// Its weight in the query.
    pub query: f32,
    /// Its weight in the document.
    pub document: f32,
    /// What it adds: the product.
    pub score: f32,
}

/// A query that was checked.
struct Query {
    /// Its terms with their weights, in order.
    terms: Vec<(u32, f32)>,
    /// The weights by term; 0 for the others.
    weights: Vec<f32>,
}

impl Query {
    /// Scores a document. Terms that are not shared add 0, which changes no bit.
    fn score(&self, terms: &[u32], weights: &[f32]) -> f32 {
        let pairs = terms.iter().zip(weights);
        pairs.fold(0.0, |score, (&term, &weight)| score + self.weights[term as usize] * weight)
    }

    /// Scores a document, which is counted from its segment's first.
    fn score_at(&self, range: &RowRange, table: &RowTable, doc: u32) -> Result<f32> {
        let doc = (doc - range.first) as usize;
        let rows = table.rows_of(doc..doc + 1);
        let score = self.score(&table.terms(rows.clone()), &table.values(rows));
        // Weights are checked when they come in; on the way out this is what can be seen of them for free.
        if score.is_finite() {
            return Ok(score);
        }
        Err(Error::corrupt(&range.part.file().name, 0, "a weight is not a finite number"))
    }
}

impl<'a> Sparse<'a> {
    pub(crate) fn open(snapshot: &'a Snapshot, name: &str) -> Result<Self> {
        let channel = snapshot.schema().position(name)?;
        let kind = &snapshot.schema().channels[channel].kind;
        let ChannelKind::Sparse(settings) = kind else {
            let (expected, found) = ("a sparse channel", kind.described());
            return Err(Error::ChannelKind { name: name.to_owned(), expected, found });
        };
        Ok(Self { snapshot, channel, terms: settings.terms, by_impacts: false })
    }

    /// Lets searches take the bounds that impacts give for scores: no document is scored exactly. A score is above the exact one,
    /// by up to a 255th of each term's largest weight; what is asked of [`Sparse::score`] and [`Sparse::explain`] stays exact.
    #[must_use]
    pub fn by_impacts(self) -> Self {
        Self { by_impacts: true, ..self }
    }

    /// Returns how many terms the vocabulary has.
    pub fn terms(&self) -> u32 {
        self.terms
    }

    /// Returns the `k` documents with the highest scores, best first, of those that share a term with the query and (where
    /// given) are selected. The query is terms with their weights, in any order, each term once.
    ///
    /// # Errors
    /// [`Error::Vector`] for a term that is not in the vocabulary or there twice, or a weight that is no number above 0,
    /// [`Error::ForeignSelection`], [`Error::Corrupt`].
    pub fn search(
        &self,
        query: &[(u32, f32)],
        k: usize,
        selection: Option<&Selection>,
    ) -> Result<Found> {
        let query = self.query(query)?;
        self.snapshot.check_selection(selection)?;
        let mut steering = Steering::new(self.snapshot.borrow_sums(), k);
        for (segment, number) in self.snapshot.open_segments().iter().zip(0..) {
            let selected = selection.and_then(|selection| selection.segment(number as usize));
            for range in &segment.rows[self.channel] {
                let first = DocAddress { segment: number, doc: DocNo(range.first) };
                let (documents, dead) = ((range.end() - range.first) as usize, &*segment.dead);
                let scope = Scope { first, documents, dead, selected };
                self.search_range(&query, range, scope, &mut steering)?;
            }
        }
        let (found, sums) = steering.finish();
        self.snapshot.give_sums_back(sums);
        Ok(found)
    }

    /// Searches the documents of a range, which are those of the scope, chunk by chunk.
    fn search_range(
        &self,
        query: &Query,
        range: &RowRange,
        scope: Scope<'_>,
        steering: &mut Steering,
    ) -> Result<()> {
        let part = range.sparse(self.shape())?;
        let mut lists = Vec::with_capacity(query.terms.len());
        for chunk in 0..part.impacts.chunks() {
            let mut impacts = part.impacts.chunk(chunk);
            lists.clear();
            for &(term, weight) in &query.terms {
                lists.extend(impacts.advance(term).map(|postings| List::new(weight, postings)));
            }
            let scope = scope.chunk(chunk);
            let mut score = |docs: &[u16], scores: &mut Vec<f32>| {
                for &doc in docs {
                    let doc = scope.first.doc.0 + u32::from(doc);
                    scores.push(query.score_at(range, &part.table, doc)?);
                }
                Ok(())
            };
            let mut exact: Exact<'_> = if self.by_impacts { None } else { Some(&mut score) };
            steering.search(&mut lists, &scope, &mut exact)?;
        }
        Ok(())
    }

    /// Scores given documents: 0 for one that shares no term with the query, `None` for one that is not covered
    /// yet. Equals the score of [`Sparse::search`] bit for bit.
    ///
    /// # Errors
    /// As [`Sparse::search`], and [`Error::Address`].
    pub fn score(&self, query: &[(u32, f32)], docs: &[DocAddress]) -> Result<Vec<Option<f32>>> {
        let query = self.query(query)?;
        let mut scores = Vec::with_capacity(docs.len());
        for &at in docs {
            let covered = self.covered(at)?;
            let score = covered.map(|(range, table)| query.score_at(range, table, at.doc.0));
            scores.push(score.transpose()?);
        }
        Ok(scores)
    }

    /// Explains a document's score: one entry for each shared term, in the order in which they are added up, so that
    /// their scores sum to the score bit for bit; `None` as in [`Sparse::score`].
    ///
    /// # Errors
    /// As [`Sparse::score`].
    pub fn explain(
        &self,
        query: &[(u32, f32)],
        doc: DocAddress,
    ) -> Result<Option<Vec<SparseTerm>>> {
        let query = self.query(query)?;
        let Some((range, table)) = self.covered(doc)? else { return Ok(None) };
        let own = (doc.doc.0 - range.first) as usize;
        let rows = table.rows_of(own..own + 1);
        let (terms, weights) = (table.terms(rows.clone()), table.values(rows));
        let mut shared = Vec::new();
        for (&term, &document) in terms.iter().zip(weights.iter()) {
            let weight = query.weights[term as usize];
            if weight > 0.0 {
                let score = weight * document;
                shared.push(SparseTerm { term, query: weight, document, score });
            }
        }
        Ok(Some(shared))
    }

    /// Returns the rows that cover a document.
    fn covered(&self, at: DocAddress) -> Result<Option<(&'a RowRange, &'a RowTable)>> {
        self.snapshot.check_address(at)?;
        let segment: &'a Segment = &self.snapshot.open_segments()[at.segment as usize];
        let range = segment.range_of(self.channel, at.doc.0);
        range.map(|range| Ok((range, range.table_of(self.shape())?))).transpose()
    }

    fn shape(&self) -> Shape {
        Shape::Sparse { terms: self.terms }
    }

    fn query(&self, query: &[(u32, f32)]) -> Result<Query> {
        let mut sorted = query.to_vec();
        sorted.sort_unstable_by_key(|pair| pair.0);
        let (terms, weights): (Vec<u32>, Vec<f32>) = sorted.iter().copied().unzip();
        check_weighted_terms(self.terms, &terms, &weights).map_err(|fault| Error::Vector {
            channel: self.snapshot.schema().channels[self.channel].name.clone(),
            subject: "the query".to_owned(),
            fault,
        })?;
        let mut by_term = vec![0.0; self.terms as usize];
        for &(term, weight) in &sorted {
            by_term[term as usize] = weight;
        }
        Ok(Query { terms: sorted, weights: by_term })
    }
}
