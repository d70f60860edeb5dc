//! What is held out to judge a training by while it runs.
//!
//! Encoding a whole corpus at every evaluation would cost more than training. So the held-out queries search a pool:
//! their relevant documents, and those that the model ranked highest before training. nDCG@10 over such a pool is higher
//! than over the corpus, and comparable from one evaluation to the next only.

use std::collections::BTreeSet;

use ecphory_eval::{Metric, Qrels, Run, evaluate};

use crate::data::TrainingData;
use crate::error::Result;

/// How many hits count.
const CUTOFF: usize = 10;
/// How many documents of each query's ranking before training are in the pool.
pub(super) const DEPTH: usize = 10;

/// Queries that are not trained on, and the documents they search.
pub(super) struct Dev {
    /// The queries, in ascending order.
    pub(super) queries: Vec<u32>,
    /// The documents, shorter texts first: such of like length are encoded together.
    pub(super) documents: Vec<u32>,
    qrels: Qrels,
    metric: Metric,
}

impl Dev {
    /// Makes a pool of what answers the queries and what else they found.
    pub(super) fn new<'a>(
        data: &TrainingData,
        queries: &[u32],
        found: impl IntoIterator<Item = &'a u32>,
    ) -> Result<Self> {
        let mut documents: BTreeSet<u32> = found.into_iter().copied().collect();
        let mut qrels = Qrels::default();
        for &query in queries {
            let id = &data.queries()[query as usize].id;
            for &document in data.positives(query as usize) {
                documents.insert(document);
                let document = &data.documents()[document as usize].id;
                qrels.insert(id, document, 1).expect("positives are named once");
            }
        }
        let mut documents: Vec<u32> = documents.into_iter().collect();
        documents.sort_by_key(|&document| data.documents()[document as usize].text.len());
        Ok(Self {
            queries: queries.to_vec(),
            documents,
            qrels,
            metric: format!("nDCG@{CUTOFF}").parse()?,
        })
    }

    /// Returns the mean nDCG@10, given the scores of the documents for each query, row by row.
    pub(super) fn judge(&self, data: &TrainingData, scores: &[f32]) -> Result<f64> {
        let mut run = Run::new("dev");
        let rows = scores.chunks_exact(self.documents.len().max(1));
        for (&query, scores) in self.queries.iter().zip(rows) {
            let mut hits: Vec<(f32, u32)> =
                scores.iter().copied().zip(self.documents.iter().copied()).collect();
            hits.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let name = |document: u32| data.documents()[document as usize].id.clone();
            let hits = hits.iter().take(CUTOFF).map(|&(score, d)| (name(d), f64::from(score)));
            run.insert(data.queries()[query as usize].id.clone(), hits.collect())?;
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
        let dev = Dev::new(&data, &[0, 2], &[5, 3, 5]).unwrap();
        assert_eq!(dev.documents, [0, 2, 3, 5]);
        // The first finds its document first, the second its document second.
        let first = [1.0, 0.2, 0.5, 0.4];
        let ndcg = dev.judge(&data, &[first, [0.1, 1.0, 0.5, 0.4]].concat()).unwrap();
        assert!((ndcg - 1.0).abs() < 1e-9, "{ndcg}");
        let ndcg = dev.judge(&data, &[first, [1.0, 0.5, 0.6, 0.7]].concat()).unwrap();
        let fourth = 1.0 / 5f64.log2();
        assert!((ndcg - f64::midpoint(1.0, fourth)).abs() < 1e-9, "{ndcg}");
    }
}
