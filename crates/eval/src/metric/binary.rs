//! Measures that know relevant and not relevant (and judged and not judged), but no gains.

use crate::metric::{Measure, Metric};
use crate::ranking::{Ranking, UNJUDGED, UNPOOLED};

/// What `infAP` adds to counts so that it never divides by zero (`trec_eval`'s constant).
const INFERRED_EPSILON: f64 = 0.00001;

/// Returns the value over the labels seen. Where a formula would divide by zero, the value is 0.
pub(super) fn value(metric: &Metric, ranking: &Ranking, seen: &[i32]) -> f64 {
    let rel = metric.rel;
    let relevant = ranking.relevant(rel);
    let found = seen.iter().filter(|&&label| label >= rel).count();
    let retrieved = seen.len();
    let ranks = metric.cutoff.unwrap_or(retrieved);
    match &metric.measure {
        Measure::AveragePrecision { .. } => average_precision(seen, rel, relevant),
        Measure::ReciprocalRank => {
            seen.iter().position(|&label| label >= rel).map_or(0.0, |at| 1.0 / (at as f64 + 1.0))
        }
        Measure::Precision { relative: false } => ratio(found, ranks),
        Measure::Precision { relative: true } => ratio(found, ranks.min(relevant)),
        Measure::Recall | Measure::SetRecall => ratio(found, relevant),
        Measure::Success => f64::from(u8::from(found > 0)),
        Measure::Rprec { mult } => r_precision(seen, rel, relevant, *mult),
        Measure::Bpref { .. } => bpref(seen, rel, relevant, ranking.nonrelevant(rel)),
        Measure::InferredAp => inferred_ap(seen, rel, relevant),
        Measure::Judged => {
            ratio(seen.iter().filter(|&&label| label != UNPOOLED).count(), retrieved)
        }
        Measure::Unjudged => ratio(seen.iter().filter(|&&label| label < 0).count(), ranks),
        Measure::NumQ => 1.0,
        Measure::NumRet { relevant: false } => retrieved as f64,
        Measure::NumRet { relevant: true } => found as f64,
        Measure::NumRel => relevant as f64,
        Measure::NumNonRelRet => {
            seen.iter().filter(|&&label| (0..rel).contains(&label)).count() as f64
        }
        Measure::InterpolatedPrecision { recall } => {
            interpolated(&precisions(seen, rel), relevant, *recall)
        }
        Measure::AverageInterpolated { recalls } => {
            let precisions = precisions(seen, rel);
            let sum: f64 = recalls.iter().map(|&r| interpolated(&precisions, relevant, r)).sum();
            sum / recalls.len() as f64
        }
        Measure::SetPrecision { relative: false } => ratio(found, retrieved),
        Measure::SetPrecision { relative: true } => ratio(found, retrieved.min(relevant)),
        Measure::SetF { beta } => {
            let (precision, recall) = (ratio(found, retrieved), ratio(found, relevant));
            let below = beta * precision + recall;
            if below > 0.0 { (beta + 1.0) * precision * recall / below } else { 0.0 }
        }
        Measure::SetAp => ratio(found, retrieved) * ratio(found, relevant),
        Measure::RankBiasedResidual { p } => residual(seen, *p),
        Measure::BinaryGain => binary_gain(seen, rel, relevant),
        Measure::Utility { weights: [hit, noise, miss] } => {
            hit * found as f64
                + noise * (retrieved - found) as f64
                + miss * (relevant - found) as f64
        }
        Measure::Ndcg { .. }
        | Measure::NdcgRel { .. }
        | Measure::Rndcg { .. }
        | Measure::Gain { .. }
        | Measure::RankBiased { .. } => unreachable!("measures of gain are computed elsewhere"),
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Returns the precision at each relevant document that was retrieved, in rank order.
fn precisions(seen: &[i32], rel: i32) -> Vec<f64> {
    let ranks = seen.iter().enumerate().filter(|(_, label)| **label >= rel);
    ranks
        .enumerate()
        .map(|(before, (rank, _))| (before as f64 + 1.0) / (rank as f64 + 1.0))
        .collect()
}

fn average_precision(seen: &[i32], rel: i32, relevant: usize) -> f64 {
    if relevant == 0 {
        return 0.0;
    }
    precisions(seen, rel).iter().sum::<f64>() / relevant as f64
}

/// `trec_eval` rounds `mult · R` up, except where it is less than a tenth above an integer.
fn r_precision(seen: &[i32], rel: i32, relevant: usize, mult: f64) -> f64 {
    let ranks = (mult * relevant as f64 + 0.9) as usize;
    ratio(seen.iter().take(ranks).filter(|&&label| label >= rel).count(), ranks)
}

/// Buckley and Voorhees 2004, in the form of `trec_eval` since version 8: each relevant document counts
/// by how few of the first R nonrelevant ones stand above it.
fn bpref(seen: &[i32], rel: i32, relevant: usize, nonrelevant: usize) -> f64 {
    let bound = relevant.min(nonrelevant) as f64;
    let (mut above, mut sum) = (0usize, 0.0);
    for &label in seen.iter().filter(|&&label| label >= 0) {
        if label < rel {
            above += 1;
        } else if above == 0 {
            sum += 1.0;
        } else {
            sum += 1.0 - above.min(relevant) as f64 / bound;
        }
    }
    if relevant == 0 { 0.0 } else { sum / relevant as f64 }
}

/// Yilmaz and Aslam 2006: expected precision at each relevant document, where documents of the
/// pool without judgment are taken to be as relevant as the judged ones above.
fn inferred_ap(seen: &[i32], rel: i32, relevant: usize) -> f64 {
    let (mut good, mut bad, mut unjudged, mut sum) = (0.0, 0.0, 0.0, 0.0);
    for (rank, &label) in seen.iter().enumerate() {
        match label {
            UNPOOLED => {}
            UNJUDGED => unjudged += 1.0,
            label if label < rel => bad += 1.0,
            _ if rank == 0 => {
                sum += 1.0;
                good += 1.0;
            }
            _ => {
                let above = rank as f64;
                let pooled = (good + bad + unjudged) / above;
                let share = (good + INFERRED_EPSILON) / (good + bad + 2.0 * INFERRED_EPSILON);
                sum += 1.0 / (above + 1.0) + above / (above + 1.0) * pooled * share;
                good += 1.0;
            }
        }
    }
    if relevant == 0 { 0.0 } else { sum / relevant as f64 }
}

/// Returns the best precision from the relevant document on that reaches this recall. The
/// number of documents is rounded to the nearest, as `trec_eval` does since version 10.
fn interpolated(precisions: &[f64], relevant: usize, recall: f64) -> f64 {
    let needed = (recall * relevant as f64).round() as usize;
    if needed > precisions.len() {
        return 0.0;
    }
    precisions[needed.saturating_sub(1)..].iter().copied().fold(0.0, f64::max)
}

/// What unjudged documents and all ranks beyond the last could add; 0 where all are judged, as
/// `trec_eval` has it.
fn residual(seen: &[i32], p: f64) -> f64 {
    let (mut weight, mut sum) = (1.0, 0.0);
    for &label in seen {
        if label < 0 {
            sum += weight;
        }
        weight *= p;
    }
    if sum > 0.0 { weight + (1.0 - p) * sum } else { 0.0 }
}

fn binary_gain(seen: &[i32], rel: i32, relevant: usize) -> f64 {
    let (mut above, mut sum) = (0.0f64, 0.0);
    for &label in seen {
        if label >= rel {
            sum += 1.0 / (2.0 + above).log2();
        } else {
            above += 1.0;
        }
    }
    if relevant == 0 { 0.0 } else { sum / relevant as f64 }
}
