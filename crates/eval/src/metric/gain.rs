//! Measures of gain: nDCG and its kin, G, and rank-biased precision.
//!
//! The discount is `1 / log2(rank + 1)` from the first rank on.

use crate::metric::{Dcg, Gains, Measure, Metric};
use crate::ranking::Ranking;

/// Returns the value over the labels seen; 0 where the ideal ranking gains nothing.
pub(super) fn value(metric: &Metric, ranking: &Ranking, seen: &[i32]) -> f64 {
    match &metric.measure {
        Measure::Ndcg { dcg, gains } => {
            let gain = |level: i32| of_judgment(*dcg, gains, level);
            let ideal = ideal(ranking, &gain);
            let depth = metric.cutoff.unwrap_or(ideal.len()).min(ideal.len());
            ratio(
                discounted(seen.iter().map(|&l| of_label(&gain, l))),
                discounted(ideal[..depth].iter().copied()),
            )
        }
        Measure::NdcgRel { gains } => {
            ndcg_rel(&results(gains, seen), &ideal(ranking, &|l| gains.of(l)))
        }
        Measure::Rndcg { gains } => {
            r_ndcg(&results(gains, seen), &ideal(ranking, &|l| gains.of(l)))
        }
        Measure::Gain { gains } => g(&results(gains, seen), &ideal(ranking, &|l| gains.of(l))),
        Measure::RankBiased { p, graded } => {
            // Grades are scaled only where they go beyond 1.
            let highest =
                ranking.levels().last().map_or(1.0, |(level, _)| f64::from(*level).max(1.0));
            let gain = |level: i32| match graded {
                true => f64::from(level) / highest,
                false => f64::from(u8::from(level >= metric.rel)),
            };
            rank_biased(seen.iter().map(|&l| of_label(&gain, l)), *p)
        }
        _ => unreachable!("only measures of gain come here"),
    }
}

fn of_judgment(dcg: Dcg, gains: &Gains, level: i32) -> f64 {
    match dcg {
        Dcg::Log2 => gains.of(level),
        Dcg::ExpLog2 => gains.of(level).exp2() - 1.0,
    }
}

/// A document without judgment gains nothing.
fn of_label(gain: &dyn Fn(i32) -> f64, label: i32) -> f64 {
    if label >= 0 { gain(label) } else { 0.0 }
}

fn results(gains: &Gains, seen: &[i32]) -> Vec<f64> {
    seen.iter().map(|&label| of_label(&|level| gains.of(level), label)).collect()
}

/// Returns the gains of the best possible ranking, which holds only documents that gain something.
fn ideal(ranking: &Ranking, gain: &dyn Fn(i32) -> f64) -> Vec<f64> {
    let mut levels: Vec<(f64, u32)> =
        ranking.levels().iter().map(|(level, count)| (gain(*level), *count)).collect();
    levels.retain(|(gain, _)| *gain > 0.0);
    levels.sort_by(|left, right| right.0.total_cmp(&left.0));
    levels.iter().flat_map(|(gain, count)| std::iter::repeat_n(*gain, *count as usize)).collect()
}

fn ratio(value: f64, best: f64) -> f64 {
    if best > 0.0 { value / best } else { 0.0 }
}

fn discount(rank: usize) -> f64 {
    ((rank + 2) as f64).log2()
}

fn discounted(gains: impl Iterator<Item = f64>) -> f64 {
    // Most ranks gain nothing, and the logarithm is what costs.
    gains.enumerate().filter(|(_, g)| *g != 0.0).map(|(rank, g)| g / discount(rank)).sum()
}

/// Returns the discounted cumulative gain after each rank.
fn cumulated(gains: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let terms = gains.iter().enumerate().map(|(rank, g)| g / discount(rank));
    terms
        .map(|term| {
            sum += term;
            sum
        })
        .collect()
}

/// Averages nDCG over the ranks of the relevant documents; one that was not retrieved counts with
/// the nDCG of the whole ranking.
fn ndcg_rel(results: &[f64], ideal: &[f64]) -> f64 {
    let (dcg, best) = (cumulated(results), cumulated(ideal));
    let Some(&best_all) = best.last() else { return 0.0 };
    let (mut sum, mut found) = (0.0, 0.0);
    for rank in (0..results.len()).filter(|&rank| results[rank] > 0.0) {
        sum += dcg[rank] / best[rank.min(best.len() - 1)];
        found += 1.0;
    }
    let missed = ideal.len() as f64 - found;
    (sum + missed * dcg.last().unwrap_or(&0.0) / best_all) / ideal.len() as f64
}

/// Averages nDCG over the depths at which the gain of the ideal ranking changes, and the end of the ranking.
fn r_ndcg(results: &[f64], ideal: &[f64]) -> f64 {
    let (dcg, best) = (cumulated(results), cumulated(ideal));
    let Some(&best_all) = best.last() else { return 0.0 };
    let dcg_at = |depth: usize| match depth.min(dcg.len()) {
        0 => 0.0,
        depth => dcg[depth - 1],
    };
    let changes = (1..=ideal.len()).filter(|&depth| ideal.get(depth) != Some(&ideal[depth - 1]));
    let mut values: Vec<f64> = changes.map(|depth| dcg_at(depth) / best[depth - 1]).collect();
    if results.len() > ideal.len() + 1 {
        values.push(dcg_at(results.len()) / best_all);
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// Buckley's G of 2008: a document's gain is divided by the logarithm of what the ranking so far fell
/// short of the ideal; each rank costs at least 1.
fn g(results: &[f64], ideal: &[f64]) -> f64 {
    let (mut cost, mut gained, mut sum) = (0.0, 0.0, 0.0);
    for (rank, &gain) in results.iter().enumerate() {
        cost += ideal.get(rank).map_or(1.0, |best| best.max(1.0));
        gained += gain;
        if gain != 0.0 {
            sum += gain / (2.0 + cost - gained).log2();
        }
    }
    ratio(sum, ideal.iter().sum())
}

/// Moffat and Zobel 2008.
fn rank_biased(gains: impl Iterator<Item = f64>, p: f64) -> f64 {
    let mut weight = 1.0 - p;
    let mut sum = 0.0;
    for gain in gains {
        sum += weight * gain;
        weight *= p;
    }
    sum
}

/// Returns nDCG at depth 1, 2, ... up to `depths`, with judgments as gains.
pub(crate) fn ndcg_by_depth(ranking: &Ranking, depths: usize) -> Vec<f64> {
    let gain = |level: i32| f64::from(level);
    let seen: Vec<f64> = ranking.labels.iter().take(depths).map(|&l| of_label(&gain, l)).collect();
    let (dcg, best) = (cumulated(&seen), cumulated(&ideal(ranking, &gain)));
    let at = |sums: &[f64], depth: usize| sums.get(depth).or(sums.last()).copied().unwrap_or(0.0);
    (0..depths).map(|depth| ratio(at(&dcg, depth), at(&best, depth))).collect()
}
