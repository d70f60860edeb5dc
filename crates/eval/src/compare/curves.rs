//! What the charts show: interpolated precision by recall, and nDCG by depth.

use crate::evaluate::Judgement;
use crate::metric::{Dcg, Gains, Measure, Metric, ndcg_by_depth};

/// How many depths the nDCG curve has.
const DEPTHS: usize = 100;
/// How many steps of recall the precision curve has.
const STEPS: usize = 20;

/// A system's curves on one collection, each averaged over queries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curves {
    /// Interpolated precision at recall 0, 0.05, ... 1.
    pub precision: Vec<f64>,
    /// nDCG at depth 1, 2, ... 100.
    pub ndcg: Vec<f64>,
}

impl Curves {
    /// Computes both; `rel` is from where up a judgment counts as relevant for precision.
    pub(crate) fn of(judgement: &Judgement<'_>, rel: i32) -> Self {
        let at = |step: usize| {
            let recall = step as f64 / STEPS as f64;
            let mut metric = Metric::new(Measure::InterpolatedPrecision { recall });
            metric.rel = rel;
            let mean = judgement.evaluate(&metric).mean();
            if mean.is_finite() { mean } else { 0.0 }
        };
        let metric = Metric::new(Measure::Ndcg { dcg: Dcg::default(), gains: Gains::default() });
        let mut ndcg = vec![0.0; DEPTHS];
        // Where no query can be averaged over, the curves lie at 0.
        let mut queries = 0.0f64;
        for (_, ranking) in judgement.rankings(&metric) {
            queries += 1.0;
            for (sum, value) in ndcg.iter_mut().zip(ndcg_by_depth(ranking, DEPTHS)) {
                *sum += value;
            }
        }
        for sum in &mut ndcg {
            *sum /= queries.max(1.0);
        }
        Self { precision: (0..=STEPS).map(at).collect(), ndcg }
    }
}
