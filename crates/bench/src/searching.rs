//! What our sides do with a channel of postings, whatever its kind.

use std::time::Instant;

use anyhow::Result;
use ecphory_core::{DocAddress, Scored};
use ecphory_index::Snapshot;
use serde_json::{Value, json};

use crate::threads;

/// The hits of one query.
type Hits = Vec<Scored<DocAddress>>;

/// Times a search for every query, split over the threads of the pool.
pub fn timed<Q: Sync>(
    pool: &rayon::ThreadPool,
    queries: &[Q],
    search: impl Fn(&Q) -> Result<Hits> + Sync,
) -> Result<Value> {
    let start = Instant::now();
    let hits = threads::sum(pool.current_num_threads(), queries, |query| Ok(search(query)?.len()))?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({ "seconds": seconds, "queries": queries.len(), "hits": hits }))
}

/// Lists what every query finds: documents, whose ids are numbers, with their scores.
pub fn listed<Q>(
    snapshot: &Snapshot,
    queries: &[Q],
    search: impl Fn(&Q) -> Result<Hits>,
) -> Result<Value> {
    let mut results = Vec::with_capacity(queries.len());
    for query in queries {
        let mut hits = Vec::new();
        for hit in search(query)? {
            let number: u32 = snapshot.id(hit.item)?.parse()?;
            hits.push((number, hit.score));
        }
        results.push(hits);
    }
    Ok(json!({ "results": results }))
}
