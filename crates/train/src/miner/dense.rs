//! Exact search over vectors in memory, by inner products.
//!
//! A block of queries is packed once and goes over all documents, block by block: each document's block is read from
//! memory once for 128 queries, and both blocks stay in the second-level cache. Cost: `queries · documents · columns`
//! multiply-adds at the speed of the product kernel. Beyond the vectors a thread holds one packed
//! block of queries, one block of scores and the best of each query: at 384 columns and a depth of 100 about 0.4 MiB.

use ecphory_core::TopK;
use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, Packed, Rows, RowsMut, multiply};
use rayon::prelude::*;

use super::{Candidate, Searcher};
use crate::error::{Error, Result};
use crate::vectors::Vectors;

/// Queries of a block: 192 KiB at 384 columns.
const QUERIES: usize = 128;

/// Documents of a block, for as much.
const DOCUMENTS: usize = 128;

/// Finds the documents with the greatest inner products, on the current pool. Equal for any number of threads.
#[derive(Clone, Copy, Debug)]
pub struct ExactSearcher<'a> {
    level: Level,
    queries: Vectors<'a>,
    documents: Vectors<'a>,
}

impl<'a> ExactSearcher<'a> {
    /// Searches for query `i` by row `i` of `queries`; document `j` is row `j` of `documents`.
    ///
    /// # Errors
    /// Where the rows differ in length.
    pub fn new(level: Level, queries: Vectors<'a>, documents: Vectors<'a>) -> Result<Self> {
        let (expected, got) = (documents.columns(), queries.columns());
        if expected != got {
            return Err(Error::Shape { what: "columns of the queries", expected, got });
        }
        Ok(Self { level, queries, documents })
    }

    fn block(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let columns = self.documents.columns();
        let packed: Packed = Packed::by_columns(columns, queries.len(), |at, out| {
            out.copy_from_slice(self.queries.row(queries[at] as usize));
        });
        let mut best: Vec<Best> = queries.iter().map(|_| Best::new(depth)).collect();
        let mut thresholds = vec![f32::NAN; queries.len()];
        let mut scores = vec![0.0; DOCUMENTS * queries.len()];
        let blocks = self.documents.values().chunks(DOCUMENTS * columns);
        for (block, first) in blocks.zip((0u32..).step_by(DOCUMENTS)) {
            let rows = Rows::dense(block, columns);
            let scores = &mut scores[..rows.count() * queries.len()];
            let out = RowsMut::dense(scores, queries.len());
            multiply(self.level, rows, packed.panels(), Epilogue::default(), out);
            for (document, row) in (first..).zip(scores.chunks_exact(queries.len())) {
                if !promising(row, &thresholds) {
                    continue;
                }
                if let Some(at) = row.iter().position(|score| !score.is_finite()) {
                    let (what, value) = ("scores of query", row[at]);
                    let (row, column) = (queries[at] as usize, document as usize);
                    return Err(Error::NotFinite { what, row, column, value });
                }
                for ((best, threshold), &score) in best.iter_mut().zip(&mut thresholds).zip(row) {
                    *threshold = best.offer(score, document, *threshold);
                }
            }
        }
        Ok(best.into_iter().map(Best::sorted).collect())
    }
}

/// Returns whether any score may enter: it is not at or below its threshold. NaN is at or below nothing.
#[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN has to be true, on both sides")]
#[expect(clippy::needless_bitwise_bool, reason = "a lazy or would end early, lane by lane")]
fn promising(scores: &[f32], thresholds: &[f32]) -> bool {
    // No early end, so that it compiles to comparisons of whole registers.
    scores.iter().zip(thresholds).fold(false, |any, (score, least)| any | !(score <= least))
}

/// The best documents of one query so far.
struct Best {
    top: TopK<u32>,
    missing: usize,
}

impl Best {
    fn new(depth: usize) -> Self {
        Self { top: TopK::new(depth), missing: depth }
    }

    /// Offers a document and returns the score that the next has to exceed; NaN as long as all may enter.
    ///
    /// Documents come in ascending order, so an equal score never displaces anything.
    fn offer(&mut self, score: f32, document: u32, threshold: f32) -> f32 {
        if score <= threshold {
            return threshold;
        }
        self.top.offer(score, document);
        self.missing = self.missing.saturating_sub(1);
        if self.missing == 0 { self.top.threshold() } else { f32::NAN }
    }

    fn sorted(self) -> Vec<Candidate> {
        let candidate = |scored: ecphory_core::Scored<u32>| Candidate {
            document: scored.item,
            score: scored.score,
        };
        self.top.into_sorted().into_iter().map(candidate).collect()
    }
}

impl Searcher for ExactSearcher<'_> {
    fn search(&self, queries: &[u32], depth: usize) -> Result<Vec<Vec<Candidate>>> {
        let count = self.queries.count();
        if let Some(&query) = queries.iter().find(|&&query| query as usize >= count) {
            return Err(Error::Outside { what: "query", number: query.into(), count });
        }
        if depth == 0 {
            return Ok(vec![Vec::new(); queries.len()]);
        }
        let blocks: Vec<_> =
            queries.par_chunks(QUERIES).map(|block| self.block(block, depth)).collect();
        let mut rankings = Vec::with_capacity(queries.len());
        for block in blocks {
            rankings.extend(block?);
        }
        Ok(rankings)
    }
}
