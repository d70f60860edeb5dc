//! From impacts to the best documents: sums of impacts bound scores, and what may be among the best is scored exactly.
//!
//! A search goes chunk by chunk. A query's weight of a term times the unit of a list is a factor; `factor · impact` bounds what the
//! term adds to a score. Factors become 16-bit weights of one scale, so that all postings of a chunk add up to at most the
//! largest 16-bit sum. The scale is as large as that allows: with 40 terms a sum is at most 80 of 65,535 above the bound
//! that the impacts give.
//!
//! Once k documents are known, the lists that cannot lift a document above the k-th by themselves, all together, are not added up
//! (`MaxScore`, Turtle and Flood 1995): only documents of the other lists are candidates, and are looked up in them. A chunk whose
//! lists are all of that kind is passed over. In the first chunk the k-th largest of the maxima of 16 neighbours tells which sums are
//! worth scoring.

use ecphory_core::{DocAddress, DocNo, DocSet, TopK};
use ecphory_kernels::Level;
use ecphory_kernels::impacts::{add, at_least, block_maxima, contribution, count_at_least};
use ecphory_kernels::postings::CHUNK;

use super::intersect::shared;
use super::{Found, Work};
use crate::Result;
use crate::segment::impacts::ImpactPostings;
use crate::segment::tombstones::Tombstones;
use crate::snapshot::SumArray;

/// How many sums are searched at once for candidates: their positions stay in the first-level cache.
const SCAN: usize = 4096;
/// With fewer postings than this in a chunk, the postings are walked again instead of all 65,536 sums.
const FEW_POSTINGS: usize = 4096;
/// To look a document up in a list is taken to cost as much as to add up so many of its postings.
const LOOK_UP: usize = 80;
/// How many documents are scored before it is asked again what a score has to be.
const BATCH: usize = 64;
/// To bring more candidates into the order of their sums costs more than is won by it.
const FEW_CANDIDATES: usize = 1024;

/// A document of a chunk that may be among the best: its sum, and its number in the chunk.
type Candidate = (u16, u16);

/// Scores documents of a chunk, which are in increasing order, exactly: one score for each. Without it, the bounds that impacts give are
/// the scores.
pub(super) type Exact<'e> = Option<&'e mut dyn FnMut(&[u16], &mut Vec<f32>) -> Result<()>>;

/// One term's postings in one chunk, with what the query makes of them.
#[derive(Debug)]
pub(super) struct List<'a> {
    postings: ImpactPostings<'a>,
    factor: f64,
    /// The factor in the scale of the chunk.
    weight: u16,
    /// The most that a posting adds to a sum.
    bound: u16,
}

/// Neighbouring documents that are searched: those of a part, or of one of its chunks.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The first document.
    pub first: DocAddress,
    /// How many there are.
    pub documents: usize,
    /// The segment's dead documents.
    pub dead: &'a Tombstones,
    /// Where not all documents are wanted, those that are.
    pub selected: Option<&'a DocSet>,
}

/// A search on its way from chunk to chunk.
pub(super) struct Steering {
    level: Level,
    k: usize,
    top: TopK<DocAddress>,
    work: Work,
    sums: SumArray,
    candidates: Vec<Candidate>,
    docs: Vec<u16>,
    scores: Vec<f32>,
}

impl<'a> List<'a> {
    /// Takes a term that has this weight in the query.
    pub fn new(weight: f32, postings: ImpactPostings<'a>) -> Self {
        let factor = f64::from(weight) * f64::from(postings.unit);
        Self { postings, factor, weight: 0, bound: 0 }
    }

    fn postings(&self) -> usize {
        self.postings.docs.len()
    }
}

impl Scope<'_> {
    /// Returns the documents of one chunk of these.
    pub fn chunk(self, chunk: usize) -> Self {
        let before = chunk * CHUNK;
        let doc = DocNo(self.first.doc.0 + before as u32);
        let first = DocAddress { doc, ..self.first };
        Self { first, documents: (self.documents - before).min(CHUNK), ..self }
    }

    fn wants(&self, doc: u16) -> bool {
        let doc = self.first.doc.0 + u32::from(doc);
        !self.dead.contains(doc) && self.selected.is_none_or(|set| set.contains(DocNo(doc)))
    }

    fn address(&self, doc: u16) -> DocAddress {
        DocAddress { segment: self.first.segment, doc: DocNo(self.first.doc.0 + u32::from(doc)) }
    }
}

impl Steering {
    /// Begins a search for the `k` best documents, with sums that are all zero.
    pub fn new(sums: SumArray, k: usize) -> Self {
        Self {
            level: Level::detect(),
            k,
            top: TopK::new(k),
            work: Work::default(),
            sums,
            candidates: Vec::new(),
            docs: Vec::new(),
            scores: Vec::new(),
        }
    }

    /// Ends the search, and gives back the sums, which are all zero again.
    pub fn finish(self) -> (Found, SumArray) {
        (Found { hits: self.top.into_sorted(), work: self.work }, self.sums)
    }

    /// Searches a chunk, in which the terms of the query have these lists.
    pub fn search(
        &mut self,
        lists: &mut [List<'_>],
        scope: &Scope<'_>,
        exact: &mut Exact<'_>,
    ) -> Result<()> {
        if lists.is_empty() || self.k == 0 {
            return Ok(());
        }
        let scale = Scale::new(lists.iter().map(|list| list.factor));
        let least = scale.least(self.top.threshold());
        let (rest, essential) = divide(lists, scale, least);
        let (added, skipped) = (count(essential), count(rest));
        self.work.skipped += skipped as u64;
        if added == 0 {
            return Ok(());
        }
        self.add(essential);
        // A document that is in none of the rest has at most this less.
        let floor = least - rest.iter().map(|list| list.bound).sum::<u16>();
        let few = added < FEW_POSTINGS;
        let start = if few { floor } else { floor.max(self.start(scope)) };
        let promising = if few {
            self.walk(essential, floor, scope, !rest.is_empty());
            self.candidates.len()
        } else if rest.is_empty() {
            0
        } else {
            count_at_least(self.level, &self.sums[..scope.documents], floor)
        };
        let looked_up = promising * LOOK_UP * rest.len() < skipped;
        if !looked_up && !rest.is_empty() {
            self.work.skipped -= skipped as u64;
            self.add(rest);
            self.scan(least..=u16::MAX, scope);
        } else {
            if !few {
                self.scan(start..=u16::MAX, scope);
            }
            self.complete(rest, least);
        }
        self.offer_best(scale, scope, exact)?;
        let least = scale.least(self.top.threshold());
        if floor < start && least < start {
            self.scan(least..=start - 1, scope);
            self.offer_best(scale, scope, exact)?;
        }
        if few && rest.is_empty() {
            return Ok(());
        }
        if few && looked_up {
            self.clear(essential);
        } else {
            self.sums[..scope.documents].fill(0);
        }
        Ok(())
    }

    /// Leaves zeros where lists of a few postings have left sums.
    fn clear(&mut self, lists: &[List<'_>]) {
        for &doc in lists.iter().flat_map(|list| list.postings.docs) {
            self.sums[usize::from(u16::from_le_bytes(doc))] = 0;
        }
    }

    /// Adds the postings of lists to the sums.
    fn add(&mut self, lists: &[List<'_>]) {
        for list in lists {
            let (docs, impacts) = (list.postings.docs, list.postings.impacts);
            add(self.level, list.weight, (docs, impacts), &mut self.sums);
        }
        self.work.postings += count(lists) as u64;
    }

    /// Returns a sum that at least k documents reach which nothing is known of yet, or 1; where k documents are known, 1.
    fn start(&self, scope: &Scope<'_>) -> u16 {
        if self.top.threshold() > f32::NEG_INFINITY || scope.selected.is_some() {
            return 1;
        }
        let mut maxima = block_maxima(self.level, &self.sums[..scope.documents]);
        // So many of the largest may be of dead documents.
        let enough = self.k.saturating_add(scope.dead.count() as usize);
        if enough > maxima.len() {
            return 1;
        }
        let (_, least, _) = maxima.select_nth_unstable_by(enough - 1, |a, b| b.cmp(a));
        (*least).max(1)
    }

    /// Takes the documents of a few postings whose sums are at least `floor`; leaves zeros behind, or with `again`, where the sums are
    /// needed again, the sums, and brings the documents into order.
    fn walk(&mut self, lists: &[List<'_>], floor: u16, scope: &Scope<'_>, again: bool) {
        self.candidates.clear();
        for &doc in lists.iter().flat_map(|list| list.postings.docs) {
            let doc = u16::from_le_bytes(doc);
            let place = &mut self.sums[usize::from(doc)];
            // A document that was taken already has the sum 0.
            let sum = if again { *place } else { std::mem::take(place) };
            if sum >= floor && scope.wants(doc) {
                self.candidates.push((sum, doc));
            }
        }
        if again && lists.len() > 1 {
            // A document of several lists was met several times.
            self.candidates.sort_unstable_by_key(|candidate| candidate.1);
            self.candidates.dedup();
        }
    }

    /// Takes the documents of the chunk whose sums are in a range, in order.
    fn scan(&mut self, range: std::ops::RangeInclusive<u16>, scope: &Scope<'_>) {
        self.candidates.clear();
        let mut found = Vec::with_capacity(SCAN);
        let blocks = self.sums[..scope.documents].chunks(SCAN);
        for (block, first) in blocks.zip((0u16..).step_by(SCAN)) {
            found.clear();
            at_least(self.level, block, *range.start(), &mut found);
            for &place in &found {
                let sum = block[usize::from(place)];
                if sum <= *range.end() && scope.wants(first + place) {
                    self.candidates.push((sum, first + place));
                }
            }
        }
    }

    /// Adds to the candidates' sums what the rest of the lists have of them, and lets go of those that stay below `least`.
    fn complete(&mut self, rest: &[List<'_>], least: u16) {
        let mut bound = rest.iter().map(|list| list.bound).sum::<u16>();
        // The lists that promise most come last, and tell most.
        for list in rest.iter().rev() {
            self.docs.clear();
            self.docs.extend(self.candidates.iter().map(|candidate| candidate.1));
            let (weight, impacts) = (list.weight, list.postings.impacts);
            shared(list.postings.docs, &self.docs, |place, i| {
                let sum = &mut self.candidates[i].0;
                *sum = sum.saturating_add(contribution(weight, impacts[place]));
            });
            bound -= list.bound;
            self.candidates.retain(|candidate| candidate.0 >= least.saturating_sub(bound));
        }
    }

    /// Offers the candidates' scores: first those of the k with the largest sums, which nearly always tell the others apart, then
    /// those of the others that may still be among the best.
    fn offer_best(&mut self, scale: Scale, scope: &Scope<'_>, exact: &mut Exact<'_>) -> Result<()> {
        let mut rest = std::mem::take(&mut self.candidates);
        let first = take_largest(&mut rest, self.k);
        if self.top.threshold() == f32::NEG_INFINITY {
            self.offer(&first, scale, scope, exact)?;
        } else {
            self.offer_promising(first, scale, scope, exact)?;
        }
        self.offer_promising(rest, scale, scope, exact)
    }

    /// Offers the scores of candidates that may be among the best; of a few the most promising first, until no other can be.
    fn offer_promising(
        &mut self,
        mut candidates: Vec<Candidate>,
        scale: Scale,
        scope: &Scope<'_>,
        exact: &mut Exact<'_>,
    ) -> Result<()> {
        let least = scale.least(self.top.threshold());
        candidates.retain(|candidate| candidate.0 >= least);
        if candidates.len() > FEW_CANDIDATES {
            return self.offer(&candidates, scale, scope, exact);
        }
        candidates.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for batch in candidates.chunks(BATCH) {
            if batch[0].0 < scale.least(self.top.threshold()) {
                break;
            }
            self.offer(batch, scale, scope, exact)?;
        }
        Ok(())
    }

    /// Scores documents and offers them.
    fn offer(
        &mut self,
        batch: &[Candidate],
        scale: Scale,
        scope: &Scope<'_>,
        exact: &mut Exact<'_>,
    ) -> Result<()> {
        let Some(exact) = exact else {
            for &(sum, doc) in batch {
                self.top.offer(scale.bound(sum), scope.address(doc));
            }
            return Ok(());
        };
        self.docs.clear();
        self.docs.extend(batch.iter().map(|candidate| candidate.1));
        self.docs.sort_unstable();
        self.scores.clear();
        exact(&self.docs, &mut self.scores)?;
        for (&doc, &score) in self.docs.iter().zip(&self.scores) {
            self.top.offer(score, scope.address(doc));
        }
        self.work.scored += batch.len() as u64;
        Ok(())
    }
}

/// Takes the `k` candidates with the largest sums out of others, of equal ones the first; all stay in order.
fn take_largest(candidates: &mut Vec<Candidate>, k: usize) -> Vec<Candidate> {
    if candidates.len() <= k {
        return std::mem::take(candidates);
    }
    let mut sums: Vec<u16> = candidates.iter().map(|candidate| candidate.0).collect();
    let (larger, &mut least, _) = sums.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    let mut equal = k - larger.iter().filter(|&&sum| sum > least).count();
    let taken = candidates.extract_if(.., |candidate| {
        let tie = candidate.0 == least && equal > 0;
        equal -= usize::from(tie);
        tie || candidate.0 > least
    });
    taken.collect()
}

/// Divides the lists of a chunk, the least promising first, into those that no document reaches `least` with, even if it is in all of
/// them, and the others.
fn divide<'l, 'a>(
    lists: &'l mut [List<'a>],
    scale: Scale,
    least: u16,
) -> (&'l [List<'a>], &'l [List<'a>]) {
    for list in &mut *lists {
        list.weight = scale.weight(list.factor);
        list.bound = contribution(list.weight, list.postings.largest);
    }
    lists.sort_by_key(|list| list.bound);
    let mut sum = 0u16;
    let rest = lists.iter().take_while(|list| {
        sum = sum.saturating_add(list.bound);
        sum < least
    });
    let rest = rest.count();
    lists.split_at(rest)
}

fn count(lists: &[List<'_>]) -> usize {
    lists.iter().map(List::postings).sum()
}

/// What sums mean: a score is less than its document's sum divided by `steps`.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// How many steps of a sum the score 1 has.
    steps: f64,
    terms: usize,
}

impl Scale {
    /// Chooses the scale for the factors of a chunk's lists.
    fn new(factors: impl ExactSizeIterator<Item = f64>) -> Self {
        let terms = factors.len();
        // Both the rounding of a weight and that of its postings take up to 1. A query of so many terms that nothing else
        // is left gets half: its sums may stop at the largest number, which passes every threshold.
        let most = f64::from(u16::MAX);
        let room = (most - 2.0 * terms as f64).max(most / 2.0);
        let sum: f64 = factors.sum();
        Self { steps: room / (sum * 256.0), terms }
    }

    /// Returns the weight of a factor. A posting adds more than `weight · impact / 256`, by at least 1/256, which is far more
    /// than the rounding of this product loses.
    fn weight(self, factor: f64) -> u16 {
        (factor * 256.0 * self.steps).ceil() as u16
    }

    /// Returns what a score with this sum is below.
    fn bound(self, sum: u16) -> f32 {
        (f64::from(sum) / self.steps) as f32
    }

    /// Returns the smallest sum of a document whose score may be at least `score`.
    fn least(self, score: f32) -> u16 {
        if score == f32::NEG_INFINITY {
            return 1;
        }
        // A score is rounded once for each product and each addition: by half of this, or where numbers are no longer
        // normal by the smallest of them at most.
        let terms = self.terms as f64;
        let relative = 1.0 + (terms + 1.0) * f64::from(f32::EPSILON);
        let absolute = terms * f64::from(f32::from_bits(1));
        // A conversion from a float stops at the least and the largest number.
        (((f64::from(score) - absolute) * self.steps / relative).floor() as u16).max(1)
    }
}

#[cfg(test)]
mod tests;
