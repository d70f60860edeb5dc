//! Search of a BM25 channel: exact, steered by impacts.
//!
//! Lucene's formula, `idf · tf / (tf + k1 (1 − b + b · length / average))` with
//! `idf = ln(1 + (N − df + 0.5) / (df + 0.5))`, where `N` (documents with at least one term), `df` and the
//! average length are those of the whole snapshot's living documents. Terms are added in the order of their bytes, so a
//! score has the same bits whatever the segments, and the same as that of scoring every document. Cost: half a nanosecond for each
//! posting that is read, and some ten nanoseconds for each term of a document that is scored.

use std::sync::Arc;

use ecphory_core::{DocAddress, DocNo, DocSet};
use ecphory_kernels::postings::Saturation;

use super::Found;
use super::intersect::shared;
use super::steering::{Exact, List, Scope, Steering};
use crate::schema::{Bm25Settings, ChannelKind};
use crate::segment::bm25::{Bm25Part, ChunkPostings, TermImpacts, TermPostings};
use crate::segment::rows::MAX_WEIGHT;
use crate::snapshot::Snapshot;
use crate::{Error, Result, Selection};

/// A BM25 channel of a snapshot.
#[derive(Clone, Debug)]
pub struct Bm25<'a> {
    snapshot: &'a Snapshot,
    channel: usize,
    settings: &'a Bm25Settings,
    /// One for each segment.
    parts: Vec<&'a Bm25Part>,
    /// Documents with at least one term.
    documents: u64,
    average_length: f64,
    saturation: Saturation,
    by_impacts: bool,
}

/// A term of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTerm {
    /// The term as the analyser gives it.
    pub term: String,
    /// What its idf is multiplied by: how often the query has it, or what an expansion made of that. Finite and not
    /// below 0; with 0 it is as if the query did not have it.
    pub weight: f32,
}

/// What one term adds to a document's score.
#[derive(Clone, Debug, PartialEq)]
pub struct TermScore {
    /// The term.
    pub term: String,
    /// Its inverse document frequency in the snapshot.
    pub idf: f32,
    /// How often the document has it.
    pub tf: u32,
    /// How many documents of the snapshot have it.
    pub df: u64,
    /// Its weight in the query.
    pub weight: f32,
    /// The document's length in terms.
    pub length: u32,
    /// The average length of documents with at least one term.
    pub average_length: f32,
    /// What it adds.
    pub score: f32,
}

/// A term with its weight and its postings in each segment.
struct Weighted<'a> {
    term: &'a str,
    /// What the query gives it.
    asked: f32,
    df: u64,
    idf: f32,
    /// `idf · asked`.
    weight: f32,
    postings: Vec<Option<TermPostings<'a>>>,
}

/// A term of the query in one segment.
struct InSegment<'a> {
    weight: f32,
    postings: TermPostings<'a>,
    impacts: Arc<TermImpacts>,
}

impl<'a> Bm25<'a> {
    pub(crate) fn open(snapshot: &'a Snapshot, name: &str) -> Result<Self> {
        let channel = snapshot.schema().position(name)?;
        let kind = &snapshot.schema().channels[channel].kind;
        let ChannelKind::Bm25(settings) = kind else {
            let (expected, found) = ("a bm25 channel", kind.described());
            return Err(Error::ChannelKind { name: name.to_owned(), expected, found });
        };
        let mut parts = Vec::with_capacity(snapshot.segments());
        for segment in snapshot.open_segments() {
            let part = segment.bm25[channel].as_ref();
            parts.push(part.expect("a decoded manifest has a part for every segment").get()?);
        }
        let (mut documents, mut length) = (0, 0);
        for (part, segment) in parts.iter().zip(snapshot.open_segments()) {
            let lost = segment.dead.lost(channel, part);
            documents += part.documents_with_terms - lost.documents;
            length += part.length - lost.length;
        }
        let average_length = if documents == 0 { 1.0 } else { length as f64 / documents as f64 };
        let saturation = settings.saturation(average_length);
        Ok(Self {
            snapshot,
            channel,
            settings,
            parts,
            documents,
            average_length,
            saturation,
            by_impacts: false,
        })
    }

    /// Lets searches take the bounds that impacts give for scores: no document is scored exactly. A score is above the exact one,
    /// by up to a 255th of each term's weight; what is asked of [`Bm25::score`] and [`Bm25::explain`] stays exact.
    #[must_use]
    pub fn by_impacts(self) -> Self {
        Self { by_impacts: true, ..self }
    }

    /// Turns a query into terms by the channel's own analyser, in order of first appearance.
    pub fn analyze(&self, query: &str) -> Vec<QueryTerm> {
        let analyzer = self.snapshot.settings().analyzers[self.channel].as_ref();
        let analyzer = analyzer.expect("a bm25 channel has an analyser");
        let mut terms: Vec<QueryTerm> = Vec::new();
        analyzer.for_each_term(query, &mut |term| match terms
            .iter_mut()
            .find(|known| known.term == term)
        {
            Some(known) => known.weight += 1.0,
            None => terms.push(QueryTerm { term: term.to_owned(), weight: 1.0 }),
        });
        terms
    }

    /// Returns the terms of a document with their frequencies, by what is stored of it: as [`Bm25::analyze`] of its fields.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Corrupt`].
    pub fn terms(&self, doc: DocAddress) -> Result<Vec<QueryTerm>> {
        let fields = &self.snapshot.schema().channels[self.channel].fields;
        Ok(self.analyze(&self.snapshot.document(doc)?.joined_text(fields)))
    }

    /// Returns the `k` documents with the highest scores, best first, of those that have at least one of
    /// the terms and (where given) are selected.
    ///
    /// # Errors
    /// [`Error::ForeignSelection`], [`Error::TermWeight`].
    pub fn search(
        &self,
        terms: &[QueryTerm],
        k: usize,
        selection: Option<&Selection>,
    ) -> Result<Found> {
        self.snapshot.check_selection(selection)?;
        let terms = self.weigh(terms)?;
        let mut steering = Steering::new(self.snapshot.borrow_sums(), k);
        for (segment, part) in self.parts.iter().enumerate() {
            let selected = selection.and_then(|selection| selection.segment(segment));
            let own: Vec<InSegment<'_>> = terms
                .iter()
                .filter_map(|term| {
                    let postings = term.postings[segment]?;
                    let impacts = postings.impacts(self.settings);
                    Some(InSegment { weight: term.weight, postings, impacts })
                })
                .collect();
            if !own.is_empty() {
                self.search_segment((segment, part), &own, selected, &mut steering)?;
            }
        }
        let (found, sums) = steering.finish();
        self.snapshot.give_sums_back(sums);
        Ok(found)
    }

    fn search_segment(
        &self,
        (segment, part): (usize, &Bm25Part),
        terms: &[InSegment<'_>],
        selected: Option<&DocSet>,
        steering: &mut Steering,
    ) -> Result<()> {
        let segment_of = &self.snapshot.open_segments()[segment];
        let documents = segment_of.documents as usize;
        let first = DocAddress::new(segment as u32, 0);
        let scope = Scope { first, documents, dead: &segment_of.dead, selected };
        let unit = part.impact_unit(self.average_length);
        let (mut lists, mut frequencies) = (Vec::new(), Vec::new());
        for chunk in 0..part.chunks() {
            lists.clear();
            frequencies.clear();
            for term in terms {
                let Some((position, postings)) = term.postings.chunk(chunk) else { continue };
                let impacts = term.impacts.chunk((position, postings), unit);
                lists.push(List::new(term.weight, impacts));
                frequencies.push((term.weight, postings));
            }
            let scope = scope.chunk(chunk);
            let lengths = part.chunk_lengths(chunk);
            let mut score = |docs: &[u16], scores: &mut Vec<f32>| {
                scores.resize(docs.len(), 0.0);
                for (weight, postings) in &frequencies {
                    self.add(*weight, postings, (docs, scope.first.doc), lengths, scores);
                }
                Ok(())
            };
            let mut exact: Exact<'_> = if self.by_impacts { None } else { Some(&mut score) };
            steering.search(&mut lists, &scope, &mut exact)?;
        }
        Ok(())
    }

    /// Adds what one term adds to the scores of documents of a chunk, which are in order.
    fn add(
        &self,
        weight: f32,
        postings: &ChunkPostings<'_>,
        (docs, first): (&[u16], DocNo),
        lengths: &[[u8; 4]],
        scores: &mut [f32],
    ) {
        let length_of = |doc: u16| u32::from_le_bytes(lengths[usize::from(doc)]);
        shared(postings.docs, docs, |place, i| {
            let tf = u32::from(postings.tfs[place]);
            scores[i] += weight * self.saturation.of(tf, length_of(docs[i]));
        });
        for heavy in postings.heavy {
            let doc = (heavy.doc.get() - first.0) as u16;
            if let Ok(i) = docs.binary_search(&doc) {
                scores[i] += weight * self.saturation.of(heavy.tf.get(), length_of(doc));
            }
        }
    }

    /// Scores given documents; 0 for one with none of the terms. Equals the score of [`Bm25::search`] bit
    /// for bit.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::TermWeight`].
    pub fn score(&self, terms: &[QueryTerm], docs: &[DocAddress]) -> Result<Vec<f32>> {
        let terms = self.weigh(terms)?;
        let mut scores = Vec::with_capacity(docs.len());
        for &at in docs {
            self.snapshot.check_address(at)?;
            let length = self.parts[at.segment as usize].document_length(at.doc);
            let mut score = 0.0;
            for term in &terms {
                score += self.contribution(term, at, length).1;
            }
            scores.push(score);
        }
        Ok(scores)
    }

    /// Explains a document's score: one entry for each term that it has, in the order in which they are
    /// added up, so that their scores sum to the score bit for bit.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::TermWeight`].
    pub fn explain(&self, terms: &[QueryTerm], doc: DocAddress) -> Result<Vec<TermScore>> {
        self.snapshot.check_address(doc)?;
        let length = self.parts[doc.segment as usize].document_length(doc.doc);
        let weighted = self.weigh(terms)?;
        let scores = weighted.iter().map(|term| {
            let (tf, score) = self.contribution(term, doc, length);
            TermScore {
                term: term.term.to_owned(),
                idf: term.idf,
                tf,
                df: term.df,
                weight: term.asked,
                length,
                average_length: self.average_length as f32,
                score,
            }
        });
        Ok(scores.filter(|score| score.tf > 0).collect())
    }

    /// Looks the terms up: once each, in the order of their bytes, without those that no document has.
    fn weigh<'t>(&self, terms: &'t [QueryTerm]) -> Result<Vec<Weighted<'t>>>
    where
        'a: 't,
    {
        let mut sorted: Vec<(&str, f32)> =
            terms.iter().map(|term| (term.term.as_str(), term.weight)).collect();
        if let Some((term, _)) = sorted.iter().find(|term| !(0.0..=MAX_WEIGHT).contains(&term.1)) {
            let channel = self.snapshot.schema().channels[self.channel].name.clone();
            return Err(Error::TermWeight { channel, term: (*term).to_owned() });
        }
        sorted.sort_by_key(|term| term.0);
        sorted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        let mut weighted = Vec::with_capacity(sorted.len());
        for (term, asked) in sorted {
            let postings: Vec<Option<TermPostings<'a>>> =
                self.parts.iter().map(|part| part.postings(term)).collect();
            let living =
                postings.iter().zip(self.snapshot.open_segments()).map(|(list, segment)| {
                    list.map_or(0, |list| u64::from(list.documents - list.dead(&segment.dead)))
                });
            let df = living.sum::<u64>();
            if df == 0 || asked == 0.0 {
                continue;
            }
            let idf = idf(self.documents, df);
            let weight = idf * asked;
            weighted.push(Weighted { term, asked, df, idf, weight, postings });
        }
        Ok(weighted)
    }

    /// Returns a term's frequency in a document and what it adds to the score.
    fn contribution(&self, term: &Weighted<'_>, at: DocAddress, length: u32) -> (u32, f32) {
        let tf = term.postings[at.segment as usize].map_or(0, |list| list.frequency(at.doc));
        (tf, if tf == 0 { 0.0 } else { term.weight * self.saturation.of(tf, length) })
    }
}

/// Returns Lucene's inverse document frequency of a term in `df` of `documents` documents.
fn idf(documents: u64, df: u64) -> f32 {
    let (documents, df) = (documents as f64, df as f64);
    ((documents - df + 0.5) / (df + 0.5)).ln_1p() as f32
}
