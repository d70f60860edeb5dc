//! Merging the rows of neighbouring segments: they are copied as they are, those of dead documents left out.
//!
//! What no segment has rows for stays a hole: neighbours that are covered join into one part, a hole begins
//! a new one.

use std::ops::Range;

use super::DensePart;
use crate::segment::survivors::Survivors;

/// Rows of consecutive documents of the merged segment.
#[derive(Debug, Default)]
pub(crate) struct RowRun<'a> {
    /// The first document's new number.
    pub first: u32,
    /// How many rows each document has.
    pub counts: Vec<u32>,
    /// The rows, in pieces.
    pub pieces: Vec<&'a [u8]>,
}

impl RowRun<'_> {
    fn end(&self) -> u32 {
        self.first + self.counts.len() as u32
    }
}

/// Joins ranges, which are in order: each with the number of its first document in its segment, and what
/// survives of that segment.
pub(crate) fn merge_ranges<'a>(
    ranges: impl Iterator<Item = (u32, &'a DensePart, &'a Survivors)>,
) -> Vec<RowRun<'a>> {
    let mut runs: Vec<RowRun<'a>> = Vec::new();
    for (first, part, survivors) in ranges {
        let counts: Vec<u32> = part.counts().collect();
        for alive in alive_runs(first, counts.len() as u32, survivors) {
            let Some(new) = survivors.new_number(first + alive.start) else { continue };
            if runs.last().is_none_or(|run| run.end() != new) {
                runs.push(RowRun { first: new, ..RowRun::default() });
            }
            let documents = alive.start as usize..alive.end as usize;
            if let Some(run) = runs.last_mut() {
                run.counts.extend_from_slice(&counts[documents.clone()]);
                run.pieces.push(part.bytes_of(part.rows_of(documents)));
            }
        }
    }
    runs
}

/// Returns the runs of living documents among `count` from `first` on, counted from there.
fn alive_runs(first: u32, count: u32, survivors: &Survivors) -> Vec<Range<u32>> {
    if survivors.all() {
        return std::iter::once(0..count).collect();
    }
    let mut runs: Vec<Range<u32>> = Vec::new();
    for doc in (0..count).filter(|doc| survivors.new_number(first + doc).is_some()) {
        match runs.last_mut() {
            Some(run) if run.end == doc => run.end = doc + 1,
            _ => runs.push(doc..doc + 1),
        }
    }
    runs
}
