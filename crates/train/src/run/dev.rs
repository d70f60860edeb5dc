//! What is held out to judge a training by while it runs.
//!
//! Encoding a whole corpus at every evaluation would cost more than training. So the held-out queries search a pool:
//! their relevant documents, and those that were ranked highest before training. All queries share one pool where documents are
//! encoded alone; where a pair costs as much as a text, each has its own. nDCG@10 over such pools is higher
//! than over the corpus, and comparable from one evaluation to the next only.

use ecphory_core::Progress;
use ecphory_eval::{Metric, Qrels, Run, evaluate};

use crate::data::TrainingData;
use crate::error::Result;
use crate::ranker::Ranker;

/// How many hits count.
const CUTOFF: usize = 10;
/// How many documents of each query's ranking before training are in a pool that all queries share.
const SHARED_DEPTH: usize = 10;
/// How many there are in a query's own pool.
const OWN_DEPTH: usize = 20;

/// How deep held-out queries are searched before training.
pub(super) fn depth(shared: bool) -> usize {
    if shared { SHARED_DEPTH } else { OWN_DEPTH }
}

/// Queries that are not trained on, and the documents they search.
pub(super) struct Dev {
    pools: Vec<Pool>,
    qrels: Qrels,
    metric: Metric,
}

/// Queries and the documents that they search.
struct Pool {
    /// The queries, in ascending order.
    queries: Vec<u32>,
    /// The documents, shorter texts first: such of like length are encoded together.
    documents: Vec<u32>,
}

impl Dev {
    /// Makes pools of what answers the queries and what else each of them found: one for all, or one for each.
    pub(super) fn new(
        data: &TrainingData,
        queries: &[u32],
        found: &[Vec<u32>],
        shared: bool,
    ) -> Result<Self> {
        let mut qrels = Qrels::default();
        let mut pools = Vec::new();
        for (&query, found) in queries.iter().zip(found) {
            let id = &data.queries()[query as usize].id;
            let answers = data.positives(query as usize);
            for &document in answers {
                let document = &data.documents()[document as usize].id;
                qrels.insert(id, document, 1).expect("positives are named once");
            }
            pools.push(Pool { queries: vec![query], documents: [found, answers].concat() });
        }
        if shared {
            let documents = pools.iter().flat_map(|pool| pool.documents.iter().copied()).collect();
            pools = vec![Pool { queries: queries.to_vec(), documents }];
        }
        for Pool { documents, .. } in &mut pools {
            documents.sort_unstable();
            documents.dedup();
            documents.sort_by_key(|&document| data.documents()[document as usize].text.len());
        }
        Ok(Self { pools, qrels, metric: format!("nDCG@{CUTOFF}").parse()? })
    }

    /// Returns how many units of progress an evaluation reports.
    pub(super) fn units(&self, ranker: &dyn Ranker) -> u64 {
        self.pools.iter().map(|pool| ranker.units(pool.queries.len(), pool.documents.len())).sum()
    }

    /// Returns the mean nDCG@10 of a ranker.
    pub(super) fn judge(
        &self,
        data: &TrainingData,
        ranker: &dyn Ranker,
        progress: &dyn Progress,
    ) -> Result<f64> {
        let scores = |pool: &Pool| ranker.scores(&pool.queries, &pool.documents, progress);
        let scores = self.pools.iter().map(scores).collect::<Result<Vec<Vec<f32>>>>()?;
        self.mean(data, &scores)
    }

    /// Returns the mean nDCG@10, given the scores of each pool's documents for each of its queries, row by row.
    fn mean(&self, data: &TrainingData, scores: &[Vec<f32>]) -> Result<f64> {
        let mut run = Run::new("dev");
        for (pool, scores) in self.pools.iter().zip(scores) {
            let rows = scores.chunks_exact(pool.documents.len().max(1));
            for (&query, scores) in pool.queries.iter().zip(rows) {
                let mut hits: Vec<(f32, u32)> =
                    scores.iter().copied().zip(pool.documents.iter().copied()).collect();
                hits.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                let name = |document: u32| data.documents()[document as usize].id.clone();
                let hits = hits.iter().take(CUTOFF);
                let hits = hits.map(|&(score, d)| (name(d), f64::from(score))).collect();
                run.insert(data.queries()[query as usize].id.clone(), hits)?;
            }
        }
        Ok(evaluate(&self.metric, &self.qrels, &run).mean())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Judgment, Text};

    #[test]
    fn judges_by_ndcg_over_the_pool() {
        let text = |id: String| Text { text: format!("text of {id}"), id };
        let documents = (0..6).map(|i| text(format!("d{i}"))).collect();
        let queries = (0..3).map(|i| text(format!("q{i}"))).collect();
        let judged = [("q0", "d0"), ("q1", "d1"), ("q2", "d2")];
        let judged = judged.map(|(query, document)| Judgment { query, document, relevant: true });
        let data = TrainingData::new(documents, queries, judged).unwrap();
        let found = [vec![5, 3], vec![5]];
        let dev = Dev::new(&data, &[0, 2], &found, true).unwrap();
        assert_eq!(dev.pools.len(), 1);
        assert_eq!(dev.pools[0].documents, [0, 2, 3, 5]);
        // The first finds its document first, the second its document second.
        let first = [1.0, 0.2, 0.5, 0.4];
        let ndcg = dev.mean(&data, &[[first, [0.1, 1.0, 0.5, 0.4]].concat()]).unwrap();
        assert!((ndcg - 1.0).abs() < 1e-9, "{ndcg}");
        let ndcg = dev.mean(&data, &[[first, [1.0, 0.5, 0.6, 0.7]].concat()]).unwrap();
        let fourth = 1.0 / 5f64.log2();
        assert!((ndcg - f64::midpoint(1.0, fourth)).abs() < 1e-9, "{ndcg}");
        // Each with its own pool: the second finds its document second of two.
        let dev = Dev::new(&data, &[0, 2], &found, false).unwrap();
        let documents: Vec<&[u32]> = dev.pools.iter().map(|pool| &pool.documents[..]).collect();
        assert_eq!(documents, [&[0, 3, 5][..], &[2, 5]]);
        let ndcg = dev.mean(&data, &[vec![1.0, 0.5, 0.4], vec![0.5, 0.7]]).unwrap();
        let second = 1.0 / 3f64.log2();
        assert!((ndcg - f64::midpoint(1.0, second)).abs() < 1e-9, "{ndcg}");
    }
}
