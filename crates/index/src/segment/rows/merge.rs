//! Merging the rows of neighbouring segments: they are copied as they are, those of dead documents left out.
//!
//! What no segment has rows for stays a hole: neighbours that are covered join into one part, a hole begins
//! a new one.

use std::ops::Range;

use super::{RowRun, RowTable};
use crate::segment::survivors::Survivors;

/// Joins ranges, which are in order: each with the number of its first document in its segment, and what
/// survives of that segment.
pub(crate) fn merge_ranges<'a>(
    ranges: impl Iterator<Item = (u32, &'a RowTable, &'a Survivors)>,
) -> Vec<RowRun<'a>> {
    let mut runs: Vec<RowRun<'a>> = Vec::new();
    for (first, table, survivors) in ranges {
        for alive in alive_runs(first, table.documents() as u32, survivors) {
            let Some(new) = survivors.new_number(first + alive.start) else { continue };
            if runs.last().is_none_or(|run| run.end() != new) {
                runs.push(RowRun { first: new, ..RowRun::default() });
            }
            if let Some(run) = runs.last_mut() {
                run.push(table, alive.start as usize..alive.end as usize);
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
