//! A pool as judges saw it: relevant documents that a run did not show are unjudged (after Cai et al. 2022, CET).
//!
//! With deep judgments one can hide what a shallow pool would have missed, mine and train on the rest, and
//! count how many of the hidden ones came back as negatives. A document that is not visible is unjudged, not irrelevant.

use ecphory_core::Progress;
use rustc_hash::FxHashSet;

use super::{MinedSet, Positives, Rankings, Searcher};
use crate::error::{Error, Result};

/// What a pool of some depth shows of the judgments.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Queries with the relevant documents that the run shows; queries without any are not there.
    pub visible: Positives,
    /// Queries and relevant documents that it does not show.
    pub hidden: Vec<(u32, u32)>,
}

/// Hides the relevant documents that are not among the first `depth` of a run.
///
/// # Errors
/// Where the depth is 0, no relevant document is visible, the search fails, or the work was cancelled.
pub fn simulate_pool(
    run: &dyn Searcher,
    relevant: &Positives,
    depth: usize,
    progress: &dyn Progress,
) -> Result<Pool> {
    if depth == 0 {
        let (setting, expected) = ("depth of the pool", "at least 1");
        return Err(Error::Setting { setting, expected, got: "0".to_owned() });
    }
    let mut visible = Vec::new();
    let mut hidden = Vec::new();
    let rankings = Rankings { task: "pool", searcher: run, depth };
    rankings.for_each(relevant, progress, &mut |query, documents, ranking| {
        let shown: FxHashSet<u32> = ranking.iter().map(|candidate| candidate.document).collect();
        let (seen, unseen): (Vec<u32>, Vec<u32>) =
            documents.iter().copied().partition(|document| shown.contains(document));
        hidden.extend(unseen.into_iter().map(|document| (query, document)));
        if !seen.is_empty() {
            visible.push((query, seen));
        }
        Ok(())
    })?;
    if visible.is_empty() {
        return Err(Error::Nothing { what: "relevant documents in the pool" });
    }
    Ok(Pool { visible: Positives::new(visible)?, hidden })
}

impl Pool {
    /// Returns the share of mined negatives that are hidden relevant documents; 0 where there are no negatives.
    pub fn hidden_share(&self, mined: &[MinedSet]) -> f64 {
        let hidden: FxHashSet<(u32, u32)> = self.hidden.iter().copied().collect();
        let mut counts = [0u64; 2];
        for set in mined {
            for negative in &set.negatives {
                let is_hidden = hidden.contains(&(set.query, negative.document));
                counts[usize::from(is_hidden)] += 1;
            }
        }
        counts[1] as f64 / (counts[0] + counts[1]).max(1) as f64
    }
}
