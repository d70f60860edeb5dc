//! Search of a BM25 channel: one term after the other, chunk by chunk, every posting; or by impacts alone.
//!
//! Lucene's formula, `idf · tf / (tf + k1 (1 − b + b · length / average))` with
//! `idf = ln(1 + (N − df + 0.5) / (df + 0.5))`, where `N` (documents with at least one term), `df` and the
//! average length are those of the whole snapshot's living documents. Terms are added in the order of their bytes, so a
//! score has the same bits whatever the segments. Cost: about a nanosecond per posting read. That impacts steer the exact search, as they do
//! that of sparse channels, was slower on a quarter of a million documents (docs/decisions/0003-bm25-impacts.md).

use std::sync::Arc;

use ecphory_core::{DocAddress, DocNo, DocSet, TopK};
use ecphory_kernels::Level;
use ecphory_kernels::impacts::at_least;
use ecphory_kernels::postings::{CHUNK, Saturation, accumulate};

use super::steering::{List, Scope, Steering};
use super::{Found, Work};
use crate::schema::{Bm25Settings, ChannelKind};
use crate::segment::bm25::{Bm25Part, ChunkPostings, TermImpacts, TermPostings};
use crate::segment::rows::MAX_WEIGHT;
use crate::snapshot::Snapshot;
use crate::{Error, Result, Selection};

/// How many scores are searched at once for candidates; after each, the threshold is read anew.
const SCAN: usize = 4096;
/// With fewer postings than this in a chunk, the postings are walked again instead of all 65,536 scores:
/// a scan with its clearing takes about 10 µs, a posting about 2 ns.
const FEW_POSTINGS: usize = 4096;

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
        if self.by_impacts {
            return self.search_impacts(&terms, k, selection);
        }
        let (mut top, mut work) = (TopK::new(k), Work::default());
        let mut scores = self.snapshot.borrow_scores();
        let mut lists = Vec::with_capacity(terms.len());
        for (segment, part) in self.parts.iter().enumerate() {
            let selected = selection.and_then(|selection| selection.segment(segment));
            let dead = &*self.snapshot.open_segments()[segment].dead;
            for chunk in 0..part.chunks() {
                lists.clear();
                for term in &terms {
                    let postings = term.postings[segment].and_then(|list| list.chunk(chunk));
                    lists.extend(postings.map(|(_, postings)| (term.weight, postings)));
                }
                if lists.is_empty() {
                    continue;
                }
                let first = DocAddress::new(segment as u32, (chunk * CHUNK) as u32);
                self.add_chunk(&lists, part.chunk_lengths(chunk), first.doc, &mut scores);
                let dead = dead.chunk(chunk);
                let mut harvest = Harvest { first, dead, selected, top: &mut top, scored: 0 };
                let postings: usize = lists.iter().map(|(_, p)| p.docs.len() + p.heavy.len()).sum();
                if postings < FEW_POSTINGS {
                    harvest.walk(&lists, &mut scores);
                } else {
                    let documents = part.chunk_lengths(chunk).len();
                    harvest.scan(Level::detect(), &mut scores[..documents]);
                }
                work += Work { postings: postings as u64, skipped: 0, scored: harvest.scored };
            }
        }
        self.snapshot.give_back(scores);
        Ok(Found { hits: top.into_sorted(), work })
    }

    /// Adds the postings of all terms in one chunk, term by term.
    fn add_chunk(
        &self,
        lists: &[(f32, ChunkPostings<'_>)],
        lengths: &[[u8; 4]],
        first: DocNo,
        scores: &mut [f32; CHUNK],
    ) {
        for (weight, postings) in lists {
            let (term, own) = ((*weight, self.saturation), (postings.docs, postings.tfs));
            accumulate(Level::detect(), term, own, lengths, scores);
            for heavy in postings.heavy {
                let doc = heavy.doc.get() as usize - first.index();
                let length = u32::from_le_bytes(lengths[doc]);
                scores[doc] += weight * self.saturation.of(heavy.tf.get(), length);
            }
        }
    }

    /// Searches by impacts alone.
    fn search_impacts(
        &self,
        terms: &[Weighted<'_>],
        k: usize,
        selection: Option<&Selection>,
    ) -> Result<Found> {
        let mut steering = Steering::new(self.snapshot.borrow_sums(), k);
        for (segment, part) in self.parts.iter().enumerate() {
            let selected = selection.and_then(|selection| selection.segment(segment));
            let segment_of = &self.snapshot.open_segments()[segment];
            let (documents, dead) = (segment_of.documents as usize, &*segment_of.dead);
            let first = DocAddress::new(segment as u32, 0);
            let scope = Scope { first, documents, dead, selected };
            let unit = part.impact_unit(self.average_length);
            let own = terms.iter().filter_map(|term| {
                let postings = term.postings[segment]?;
                Some((term.weight, postings, postings.impacts(self.settings)))
            });
            let own: Vec<(f32, TermPostings<'_>, Arc<TermImpacts>)> = own.collect();
            for chunk in 0..part.chunks() {
                let lists = own.iter().filter_map(|(weight, postings, impacts)| {
                    Some(List::new(*weight, impacts.chunk(postings.chunk(chunk)?, unit)))
                });
                let mut lists: Vec<List<'_>> = lists.collect();
                steering.search(&mut lists, &scope.chunk(chunk), &mut None)?;
            }
        }
        let (found, sums) = steering.finish();
        self.snapshot.give_sums_back(sums);
        Ok(found)
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

/// Takes the scores of a chunk into the collector and leaves zeros behind.
struct Harvest<'a> {
    first: DocAddress,
    /// The bits of the chunk's dead documents, where there are any.
    dead: Option<&'a [u64; CHUNK / 64]>,
    selected: Option<&'a DocSet>,
    top: &'a mut TopK<DocAddress>,
    /// How many scores were offered.
    scored: u64,
}

impl Harvest<'_> {
    /// Walks the postings again; a document that was taken already has the score 0.
    fn walk(&mut self, lists: &[(f32, ChunkPostings<'_>)], scores: &mut [f32; CHUNK]) {
        for (_, postings) in lists {
            let light = postings.docs.iter().map(|&doc| usize::from(u16::from_le_bytes(doc)));
            let first = self.first.doc.index();
            let heavy = postings.heavy.iter().map(|heavy| heavy.doc.get() as usize - first);
            for doc in light.chain(heavy) {
                let score = std::mem::take(&mut scores[doc]);
                if score > 0.0 && score >= self.top.threshold() {
                    self.offer(score, doc);
                }
            }
        }
    }

    /// Scans all scores, a few thousand at a time.
    fn scan(&mut self, level: Level, scores: &mut [f32]) {
        // The smallest positive number: a document with a term has a positive score.
        const ANY: f32 = f32::from_bits(1);
        let mut found = Vec::with_capacity(SCAN);
        for (block, first) in scores.chunks_mut(SCAN).zip((0..).step_by(SCAN)) {
            found.clear();
            at_least(level, block, self.top.threshold().max(ANY), &mut found);
            for &place in &found {
                self.offer(block[usize::from(place)], first + usize::from(place));
            }
            block.fill(0.0);
        }
    }

    fn offer(&mut self, score: f32, doc: usize) {
        if self.dead.is_some_and(|dead| dead[doc / 64] >> (doc % 64) & 1 == 1) {
            return;
        }
        let doc = DocNo(self.first.doc.0 + doc as u32);
        if self.selected.is_none_or(|set| set.contains(doc)) {
            self.scored += 1;
            self.top.offer(score, DocAddress { segment: self.first.segment, doc });
        }
    }
}
