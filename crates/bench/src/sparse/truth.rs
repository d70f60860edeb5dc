//! What a search has to find: every query scored against every document, one posting after the other.

use std::path::Path;

use anyhow::{Result, ensure};

use super::vectors::Reader;
use super::{DEPTHS, Hits};

/// Documents that are read at a time.
const BLOCK: usize = 4096;

/// The best documents of each query, best first and equal ones in their order, down to the largest depth and whatever
/// scores the same as the last of those.
pub struct Truth {
    queries: Vec<Hits>,
}

/// The postings of each term, in the order of the vectors.
struct Lists {
    starts: Vec<usize>,
    postings: Vec<(u32, f32)>,
    vectors: usize,
}

impl Lists {
    fn read(folder: &Path, terms: usize) -> Result<Self> {
        let mut starts = vec![0; terms + 1];
        let mut reader = Reader::open(folder)?;
        let vectors = reader.documents();
        for first in (0..vectors).step_by(BLOCK) {
            for term in reader.read(BLOCK)?.terms {
                ensure!((term as usize) < terms, "vector after {first} has the term {term}");
                starts[term as usize + 1] += 1;
            }
        }
        for term in 0..terms {
            starts[term + 1] += starts[term];
        }
        let mut ends = starts.clone();
        let mut postings = vec![(0, 0.0); starts[terms]];
        let mut reader = Reader::open(folder)?;
        for first in (0..vectors).step_by(BLOCK) {
            for (vector, (terms, weights)) in (first as u32..).zip(reader.read(BLOCK)?.iter()) {
                for (&term, &weight) in terms.iter().zip(weights) {
                    postings[ends[term as usize]] = (vector, weight);
                    ends[term as usize] += 1;
                }
            }
        }
        Ok(Self { starts, postings, vectors })
    }

    /// The scores of all vectors: f32, in the order of the terms, as every side adds them up.
    fn score(&self, terms: &[u32], weights: &[f32], scores: &mut Vec<f32>) {
        scores.clear();
        scores.resize(self.vectors, 0.0);
        for (&term, &weight) in terms.iter().zip(weights) {
            let term = term as usize;
            for &(vector, own) in &self.postings[self.starts[term]..self.starts[term + 1]] {
                scores[vector as usize] += weight * own;
            }
        }
    }
}

impl Truth {
    /// Scores the queries of one folder against a collection of the vectors of another.
    pub fn find(vectors: &Path, queries: &Path, terms: usize) -> Result<Self> {
        let lists = Lists::read(vectors, terms)?;
        let mut reader = Reader::open(queries)?;
        let (mut scores, mut found) = (Vec::new(), Vec::new());
        let mut by_query = Vec::new();
        for _ in 0..reader.documents() {
            let query = reader.read(1)?;
            lists.score(&query.terms, &query.weights, &mut scores);
            found.clear();
            let matched = scores.iter().copied().enumerate().filter(|hit| hit.1 > 0.0);
            found.extend(matched);
            by_query.push(best(&mut found));
        }
        Ok(Self { queries: by_query })
    }

    /// The share of the `k` best documents that were found, over all queries. Of documents that score the same as the
    /// last, each is as good.
    pub fn recall(&self, found: &[Hits], k: usize) -> f64 {
        let (mut shared, mut all) = (0, 0);
        for (truth, found) in self.queries.iter().zip(found) {
            let wanted = k.min(truth.len());
            let Some(last) = wanted.checked_sub(1).map(|last| truth[last].1) else { continue };
            let good: std::collections::BTreeSet<usize> =
                truth.iter().filter(|hit| hit.1 >= last).map(|hit| hit.0).collect();
            let hits = found.iter().take(k).filter(|hit| good.contains(&hit.0)).count();
            shared += hits.min(wanted);
            all += wanted;
        }
        shared as f64 / all.max(1) as f64
    }

    /// Fails where anything but the `k` best documents was found, with other scores or in another order.
    pub fn check(&self, found: &[Hits], k: usize) -> Result<()> {
        ensure!(found.len() == self.queries.len(), "{} queries have results", found.len());
        for (query, (truth, found)) in self.queries.iter().zip(found).enumerate() {
            let wanted = &truth[..k.min(truth.len())];
            ensure!(found == wanted, "query {query}: found {found:?}, wanted {wanted:?}");
        }
        Ok(())
    }
}

/// Sorts hits and drops those that are below the largest depth.
fn best(found: &mut Hits) -> Hits {
    let order = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let deepest = DEPTHS.iter().copied().max().unwrap_or(0);
    if found.len() > deepest {
        let last = found.select_nth_unstable_by(deepest - 1, order).1.1;
        found.retain(|hit| hit.1 >= last);
    }
    found.sort_unstable_by(order);
    found.clone()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::tests::write;
    use super::*;

    #[test]
    fn the_best_are_found_and_others_are_told_from_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let three: [&[(u32, f32)]; 3] = [&[(0, 1.0), (2, 1.0)], &[(2, 3.0)], &[(1, 9.0)]];
        write(&path("d"), &[three, three].concat());
        write(&path("q"), &[&[(0, 2.0), (2, 1.0)], &[(3, 1.0)]]);
        let truth = Truth::find(&path("d"), &path("q"), 4).unwrap();
        let all = vec![(0, 3.0), (1, 3.0), (3, 3.0), (4, 3.0)];
        truth.check(&[all.clone(), vec![]], 10).unwrap();
        truth.check(&[all[..2].to_vec(), vec![]], 2).unwrap();
        assert!(truth.check(&[vec![(1, 3.0), (0, 3.0)], vec![]], 2).is_err());
        assert!(truth.check(std::slice::from_ref(&all), 10).is_err());
        assert_eq!(truth.recall(&[vec![(4, 3.1), (3, 3.0)], vec![]], 2), 1.0);
        assert_eq!(truth.recall(&[vec![(4, 3.1), (2, 3.0)], vec![]], 2), 0.5);
        assert!(Truth::find(&path("d"), &path("q"), 2).is_err());
    }
}
