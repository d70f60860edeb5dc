//! The round trip of Dai et al. 2023 (Promptagator): a pair is kept if its query finds its document.
//!
//! Meant for generated queries. The searcher should not be trained on the very pairs it judges, or it confirms itself; and
//! where a collection has near duplicates, a `k` of 1 drops good pairs.

use ecphory_core::Progress;

use super::{Positives, Rankings, Searcher};
use crate::error::{Error, Result};

/// Which pairs came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundTrip {
    /// Query and document of the pairs whose document is among the first `k`.
    pub kept: Vec<(u32, u32)>,
    /// The others.
    pub dropped: Vec<(u32, u32)>,
}

/// Keeps a pair where its document is among the first `k` of its query.
///
/// # Errors
/// Where `k` is 0, the search fails, or the work was cancelled.
pub fn round_trip(
    searcher: &dyn Searcher,
    pairs: &Positives,
    k: usize,
    progress: &dyn Progress,
) -> Result<RoundTrip> {
    if k == 0 {
        let (setting, expected) = ("depth of the round trip", "at least 1");
        return Err(Error::Setting { setting, expected, got: "0".to_owned() });
    }
    let mut result = RoundTrip::default();
    let rankings = Rankings { task: "round trip", searcher, depth: k };
    rankings.for_each(pairs, progress, &mut |query, documents, ranking| {
        for &document in documents {
            let found = ranking.iter().any(|candidate| candidate.document == document);
            let list = if found { &mut result.kept } else { &mut result.dropped };
            list.push((query, document));
        }
        Ok(())
    })?;
    Ok(result)
}
