//! Exact search of a dense channel: every row, by dot product.
//!
//! A document with several rows scores as its best one. A scan runs at the speed of the memory: 1,536
//! bytes for a row of 384 dimensions. Documents that have no rows yet are never returned.

use std::ops::Range;

use ecphory_core::{DocAddress, DocNo, Scored, TopK};
use ecphory_kernels::{Level, dot};

use crate::error::VectorFault;
use crate::schema::ChannelKind;
use crate::segment::rows::{RowRange, RowTable, Shape, check_row};
use crate::snapshot::Snapshot;
use crate::{Error, Result, Selection};

/// How many rows go to the kernel at once: the scores of a block stay in the first-level cache.
const BLOCK_ROWS: usize = 256;

/// A dense channel of a snapshot.
#[derive(Clone, Debug)]
pub struct Dense<'a> {
    snapshot: &'a Snapshot,
    channel: usize,
    dimensions: u32,
    level: Level,
}

impl<'a> Dense<'a> {
    pub(crate) fn open(snapshot: &'a Snapshot, name: &str) -> Result<Self> {
        let channel = snapshot.schema().position(name)?;
        let kind = &snapshot.schema().channels[channel].kind;
        let ChannelKind::Dense(settings) = kind else {
            let (expected, found) = ("a dense channel", kind.described());
            return Err(Error::ChannelKind { name: name.to_owned(), expected, found });
        };
        let dimensions = settings.dimensions;
        Ok(Self { snapshot, channel, dimensions, level: Level::detect() })
    }

    /// Returns the length of every vector.
    pub fn dimensions(&self) -> usize {
        self.dimensions as usize
    }

    fn shape(&self) -> Shape {
        Shape::Dense { dimensions: self.dimensions }
    }

    /// Returns the `k` documents whose best row has the largest dot product with `query`, best first, of
    /// those that are covered and (where given) selected.
    ///
    /// # Errors
    /// [`Error::Vector`] for a query of the wrong length or with NaN, [`Error::ForeignSelection`], [`Error::Corrupt`].
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        selection: Option<&Selection>,
    ) -> Result<Vec<Scored<DocAddress>>> {
        self.check_query(query)?;
        self.snapshot.check_selection(selection)?;
        let mut top = TopK::new(k);
        let mut scores = Vec::new();
        for (segment, number) in self.snapshot.open_segments().iter().zip(0..) {
            let selected = selection.and_then(|selection| selection.segment(number as usize));
            let wanted = |doc: u32| {
                !segment.dead.contains(doc) && selected.is_none_or(|set| set.contains(DocNo(doc)))
            };
            for range in &segment.rows[self.channel] {
                let part = range.table_of(self.shape())?;
                let mut documents = 0..0;
                while let Some(run) = next_run(range, part, &wanted, documents.end) {
                    documents = run;
                    self.score_rows(range, query, part.rows_of(documents.clone()), &mut scores)?;
                    let first_row = part.rows_of(documents.clone()).start;
                    for doc in documents.clone() {
                        let rows = part.rows_of(doc..doc + 1);
                        let best = best(&scores[rows.start - first_row..rows.end - first_row]);
                        if let Some((_, score)) = best {
                            let doc = DocNo(range.first + doc as u32);
                            top.offer(score, DocAddress { segment: number, doc });
                        }
                    }
                }
            }
        }
        Ok(top.into_sorted())
    }

    /// Scores given documents: `None` for one that has no rows (not covered yet, or without text). Equals
    /// the score of [`Dense::search`] bit for bit.
    ///
    /// # Errors
    /// As [`Dense::search`], and [`Error::Address`].
    pub fn score(&self, query: &[f32], docs: &[DocAddress]) -> Result<Vec<Option<f32>>> {
        self.check_query(query)?;
        let best = docs.iter().map(|&doc| Ok(self.best_of(query, doc)?.map(|(_, score)| score)));
        best.collect()
    }

    /// Returns which of a document's rows is the best, and its score; `None` as in [`Dense::score`].
    ///
    /// # Errors
    /// As [`Dense::score`].
    pub fn best_row(&self, query: &[f32], doc: DocAddress) -> Result<Option<(u32, f32)>> {
        self.check_query(query)?;
        self.best_of(query, doc)
    }

    fn best_of(&self, query: &[f32], at: DocAddress) -> Result<Option<(u32, f32)>> {
        self.snapshot.check_address(at)?;
        let segment = &self.snapshot.open_segments()[at.segment as usize];
        let Some(range) = segment.range_of(self.channel, at.doc.0) else { return Ok(None) };
        let part = range.table_of(self.shape())?;
        let doc = (at.doc.0 - range.first) as usize;
        let mut scores = Vec::new();
        self.score_rows(range, query, part.rows_of(doc..doc + 1), &mut scores)?;
        // Adding zero turns −0 into +0, as the collector of a search does.
        Ok(best(&scores).map(|(row, score)| (row, score + 0.0)))
    }

    fn score_rows(
        &self,
        range: &RowRange,
        query: &[f32],
        rows: Range<usize>,
        scores: &mut Vec<f32>,
    ) -> Result<()> {
        scores.clear();
        scores.resize(rows.len(), 0.0);
        dot::dot_rows(self.level, query, &range.table_of(self.shape())?.values(rows), scores);
        // Rows are checked when they come in; on the way out this is what can be seen of them for free.
        if scores.iter().all(|score| score.is_finite()) {
            return Ok(());
        }
        Err(Error::corrupt(&range.part.file().name, 0, "a row has a value that is not finite"))
    }

    fn check_query(&self, query: &[f32]) -> Result<()> {
        let fault = if query.len() == self.dimensions() {
            check_row(query)
        } else {
            let (expected, got) = (u64::from(self.dimensions), query.len() as u64);
            Err(VectorFault::Length { expected, got })
        };
        fault.map_err(|fault| Error::Vector {
            channel: self.snapshot.schema().channels[self.channel].name.clone(),
            subject: "the query".to_owned(),
            fault,
        })
    }
}

/// Returns the next run of consecutive selected documents of a part, from `from` on, with at most
/// [`BLOCK_ROWS`] rows (or one document, where it has more).
fn next_run(
    range: &RowRange,
    part: &RowTable,
    wanted: &dyn Fn(u32) -> bool,
    from: usize,
) -> Option<Range<usize>> {
    let wanted = |doc: usize| wanted(range.first + doc as u32);
    let documents = range.documents as usize;
    let start = (from..documents).find(|&doc| wanted(doc))?;
    let mut end = start + 1;
    while end < documents && wanted(end) && part.rows_of(start..end + 1).len() <= BLOCK_ROWS {
        end += 1;
    }
    Some(start..end)
}

/// Returns the first of the largest scores.
fn best(scores: &[f32]) -> Option<(u32, f32)> {
    let mut best: Option<(u32, f32)> = None;
    for (&score, row) in scores.iter().zip(0..) {
        if best.is_none_or(|(_, so_far)| score > so_far) {
            best = Some((row, score));
        }
    }
    best
}
