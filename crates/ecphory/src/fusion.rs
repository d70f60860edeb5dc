//! The arithmetic of fusion, for pipelines and for run files alike.
//!
//! Reciprocal ranks: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and
//! individual rank learning methods", SIGIR 2009. Weighted sums of scores that are scaled between the
//! least a system can give and the best it gave for the query: Bruch, Gai and Ingber, "An Analysis of
//! Fusion Functions for Hybrid Retrieval", TOIS 2023 (there TM2C2). Both cost a sort of all entries.

use ecphory_eval::Run;

use crate::Error;
use crate::pipeline::{PipelineProblem, RRF_K};

/// The range by which a list's scores for one query become 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    /// The score that becomes 0.
    pub(crate) least: f64,
    /// The score that becomes 1.
    pub(crate) most: f64,
}

impl Scale {
    /// Leaves scores as they are.
    pub(crate) const IDENTITY: Scale = Scale { least: 0.0, most: 1.0 };

    /// Scales one score. A list whose scores are all the least counts them as the best.
    pub(crate) fn apply(self, score: f64) -> f64 {
        let range = self.most - self.least;
        if range > 0.0 {
            return (score - self.least) / range;
        }
        f64::from(u8::from(score >= self.most))
    }
}

/// One operand of a weighted sum.
#[derive(Clone, Debug)]
pub(crate) struct Weighted<T> {
    pub(crate) weight: f64,
    pub(crate) scale: Scale,
    pub(crate) scores: Vec<(T, f64)>,
}

/// Returns what a rank, from 1, adds to a document's score.
pub(crate) fn reciprocal(weight: f64, k: f64, rank: usize) -> f64 {
    weight / (k + rank as f64)
}

/// Sums `weight / (k + rank)` for each item over the lists; the items come back sorted.
pub(crate) fn reciprocal_ranks<T: Ord + Clone>(
    lists: &[Vec<T>],
    k: f64,
    weights: Option<&[f64]>,
) -> Vec<(T, f64)> {
    let mut entries = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    for (i, list) in lists.iter().enumerate() {
        let weight = weights.map_or(1.0, |weights| weights[i]);
        for (position, item) in list.iter().enumerate() {
            entries.push((item.clone(), reciprocal(weight, k, position + 1)));
        }
    }
    summed(entries)
}

/// Sums `weight * scaled score` for each item over the lists; the items come back sorted.
///
/// A list that is empty, or has no entry for an item, adds nothing.
pub(crate) fn weighted_sums<T: Ord + Clone>(lists: &[Weighted<T>]) -> Vec<(T, f64)> {
    let mut entries = Vec::with_capacity(lists.iter().map(|list| list.scores.len()).sum());
    for list in lists {
        for (item, score) in &list.scores {
            entries.push((item.clone(), list.weight * list.scale.apply(*score)));
        }
    }
    summed(entries)
}

/// Adds up the entries of each item, in the order in which they came.
fn summed<T: Ord>(mut entries: Vec<(T, f64)>) -> Vec<(T, f64)> {
    // A stable sort keeps the lists' order within an item, so that sums do not depend on anything else.
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    entries
}

/// How to fuse run files.
#[derive(Clone, Debug, PartialEq)]
pub enum FusionMethod {
    /// Reciprocal ranks.
    Rrf {
        /// What is added to every rank; usually 60.
        k: f64,
        /// One weight for each run; all 1 where empty.
        weights: Vec<f64>,
    },
    /// A weighted sum of scores, scaled for each query between the lowest and the highest in the run.
    ///
    /// A run file does not say which score its system could give at least, so the lowest stands for it.
    Cc {
        /// One weight for each run; all the same where empty. They are divided by their sum.
        weights: Vec<f64>,
    },
}

impl Default for FusionMethod {
    fn default() -> Self {
        FusionMethod::Rrf { k: RRF_K, weights: Vec::new() }
    }
}

impl FusionMethod {
    fn weights(&self) -> &[f64] {
        match self {
            FusionMethod::Rrf { weights, .. } | FusionMethod::Cc { weights } => weights,
        }
    }

    fn check(&self, runs: usize) -> Result<(), PipelineProblem> {
        if runs == 0 {
            return Err(PipelineProblem::Operands {
                of: "fuse",
                expected: "one or more",
                found: 0,
            });
        }
        let weights = self.weights();
        if !weights.is_empty() {
            crate::pipeline::check_weights(runs, weights)?;
        }
        match self {
            FusionMethod::Rrf { k, .. } => crate::pipeline::check_number("k", *k),
            FusionMethod::Cc { .. } => Ok(()),
        }
    }
}

/// Fuses runs into one with the `k` best documents of each query that any of them has.
///
/// Ranks and ties follow the order of `trec_eval`, in which a [`Run`] keeps its hits.
///
/// # Errors
/// Where there is no run, `k` is 0, or weights do not fit.
pub fn fuse_runs(runs: &[Run], method: &FusionMethod, k: usize) -> Result<Run, Error> {
    method.check(runs.len()).map_err(|problem| Error::Fusion { problem })?;
    if k == 0 {
        return Err(Error::Hits { k, max: usize::MAX });
    }
    let mut queries: Vec<&String> = runs.iter().flat_map(|run| run.queries.keys()).collect();
    queries.sort();
    queries.dedup();
    let mut fused = Run::new("fused");
    for query in queries {
        let lists: Vec<&[(String, f64)]> =
            runs.iter().map(|run| run.queries.get(query).map_or(&[][..], Vec::as_slice)).collect();
        let hits = fuse_lists(&lists, method);
        fused.insert(query.clone(), hits)?;
        if let Some(hits) = fused.queries.get_mut(query) {
            hits.truncate(k);
        }
    }
    Ok(fused)
}

fn fuse_lists(lists: &[&[(String, f64)]], method: &FusionMethod) -> Vec<(String, f64)> {
    let mut ranked: Vec<Vec<(&str, f64)>> = Vec::with_capacity(lists.len());
    for list in lists {
        let mut list: Vec<&(String, f64)> = list.iter().collect();
        list.sort_by(|a, b| ecphory_eval::rank_order(a, b));
        ranked.push(list.into_iter().map(|(id, score)| (id.as_str(), *score)).collect());
    }
    let fused = match method {
        FusionMethod::Rrf { k, weights } => {
            let items: Vec<Vec<&str>> =
                ranked.iter().map(|list| list.iter().map(|(id, _)| *id).collect()).collect();
            let weights = (!weights.is_empty()).then_some(weights.as_slice());
            reciprocal_ranks(&items, *k, weights)
        }
        FusionMethod::Cc { weights } => {
            let total: f64 =
                if weights.is_empty() { ranked.len() as f64 } else { weights.iter().sum() };
            let scaled: Vec<_> = ranked
                .into_iter()
                .enumerate()
                .map(|(i, list)| {
                    let weight = weights.get(i).copied().unwrap_or(1.0) / total;
                    let scale = Scale {
                        least: list.last().map_or(0.0, |hit| hit.1),
                        most: list.first().map_or(0.0, |hit| hit.1),
                    };
                    Weighted { weight, scale, scores: list }
                })
                .collect();
            weighted_sums(&scaled)
        }
    };
    fused.into_iter().map(|(id, score)| (id.to_owned(), score)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(hits: &[(&str, f64)]) -> Run {
        let mut run = Run::new("t");
        run.insert("q", hits.iter().map(|(id, s)| ((*id).to_owned(), *s)).collect()).unwrap();
        run
    }

    fn close(run: &Run, expect: &[(&str, f64)]) {
        let got = &run.queries["q"];
        assert_eq!(got.len(), expect.len(), "{got:?}");
        for ((id, score), (id_expected, expected)) in got.iter().zip(expect) {
            assert_eq!(id, id_expected, "{got:?}");
            assert!((score - expected).abs() < 1e-12, "{id}: {score}, expected {expected}");
        }
    }

    #[test]
    fn reciprocal_ranks_by_hand() {
        let runs = [run(&[("a", 3.0), ("b", 2.0)]), run(&[("b", 0.9), ("c", 0.8), ("a", 0.1)])];
        let method = FusionMethod::default();
        let fused = fuse_runs(&runs, &method, 10).unwrap();
        close(
            &fused,
            &[("b", 1.0 / 62.0 + 1.0 / 61.0), ("a", 1.0 / 61.0 + 1.0 / 63.0), ("c", 1.0 / 62.0)],
        );
        let method = FusionMethod::Rrf { k: 1.0, weights: vec![2.0, 0.0] };
        close(&fuse_runs(&runs, &method, 2).unwrap(), &[("a", 1.0), ("b", 2.0 / 3.0)]);
    }

    #[test]
    fn convex_combination_by_hand() {
        let runs = [run(&[("a", 30.0), ("b", 20.0), ("d", 10.0)]), run(&[("b", 0.9), ("c", 0.5)])];
        let fused = fuse_runs(&runs, &FusionMethod::Cc { weights: vec![3.0, 1.0] }, 10).unwrap();
        // `c` and `d` both come to 0; of equal scores the greater id stands first, as in `trec_eval`.
        close(&fused, &[("a", 0.75), ("b", 0.375 + 0.25), ("d", 0.0), ("c", 0.0)]);
    }

    #[test]
    fn a_single_hit_counts_as_the_best() {
        let runs = [run(&[("a", 3.0)]), run(&[("b", 0.2), ("a", 0.1)])];
        let fused = fuse_runs(&runs, &FusionMethod::Cc { weights: Vec::new() }, 10).unwrap();
        close(&fused, &[("b", 0.5), ("a", 0.5)]);
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let runs = [run(&[("a", 3.0)])];
        let refuse = |method, expect: &str| {
            let error = fuse_runs(&runs, &method, 10).unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
            assert_eq!(error.kind(), ecphory_core::ErrorKind::Usage);
        };
        refuse(FusionMethod::Cc { weights: vec![1.0, 2.0] }, "1 operands have 2 weights");
        refuse(FusionMethod::Cc { weights: vec![0.0] }, "every weight is 0");
        refuse(FusionMethod::Rrf { k: f64::NAN, weights: vec![] }, "k has to be a finite number");
        assert!(fuse_runs(&[], &FusionMethod::default(), 10).is_err());
        assert!(fuse_runs(&runs, &FusionMethod::default(), 0).is_err());
    }
}
