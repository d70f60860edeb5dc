//! A matching function over some of the terms of a vocabulary: where only a ranking is wanted, the others weigh nothing in it.

use super::{Branch, Matching, Represented};
use crate::head::{Chain, Lexical, Stage};
use crate::ragged::Ragged;

impl Matching {
    /// Copies it with heads of documents that weigh some terms only, in the order in which they are given. Scores of queries that
    /// weigh no others are the same. `None` where documents are no weights of terms.
    ///
    /// # Panics
    /// Where there is no such term.
    pub(crate) fn narrowed(&self, terms: &[u32]) -> Option<Self> {
        let narrowed = |branch: &Branch| {
            let Branch { query, document, comparison } = branch;
            let (last, before) = document.stages.split_last()?;
            let Stage::Lexical(last) = last else { return None };
            let document = Chain { stages: before.to_vec() }.then(Lexical::narrowed(last, terms));
            Some(Branch { query: query.clone(), document, comparison: *comparison })
        };
        let branches = self.branches.iter().map(narrowed).collect::<Option<_>>()?;
        Some(Self { branches, balance: self.balance.clone() })
    }
}

impl Represented {
    /// Copies the weights of some terms, in the order in which they are given.
    ///
    /// # Panics
    /// Where there is no such term.
    pub(crate) fn narrowed(&self, terms: &[u32]) -> Self {
        let of = |weights: &Ragged| {
            let rows = weights.values.chunks_exact(weights.columns);
            let kept = rows.flat_map(|row| terms.iter().map(|&term| row[term as usize]));
            Ragged::vectors(kept.collect(), terms.len())
        };
        Self { branches: self.branches.iter().map(of).collect() }
    }
}
