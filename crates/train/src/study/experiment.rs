//! What decides the numbers of a report, as a value that can be kept and compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Budget;

/// Everything that decides the numbers of reports: two that are equal give the same ones, bit for bit on one kind of processor.
///
/// Recipes and protocols of claims come with the version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The version of this crate.
    pub version: String,
    /// The claims, in their order.
    pub claims: Vec<String>,
    /// The fingerprint of the model that arms begin from.
    pub init: String,
    /// The collections by name, each with a SHA-256 digest of its documents, queries and answers.
    pub collections: BTreeMap<String, String>,
    /// Into how many folds queries are dealt.
    pub folds: usize,
    /// How many of them are run.
    pub folds_run: usize,
    /// The seeds.
    pub seeds: Vec<u64>,
}

impl Experiment {
    /// Describes claims that are examined with a budget.
    pub fn new(
        claims: Vec<String>,
        init: String,
        collections: BTreeMap<String, String>,
        budget: &Budget,
    ) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            claims,
            init,
            collections,
            folds: budget.folds,
            folds_run: budget.folds_run.min(budget.folds),
            seeds: budget.seeds.clone(),
        }
    }

    /// Returns where this differs from another one, a line for each, as `what: THEIRS, here OURS`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, theirs: String, ours: String| {
            if theirs != ours {
                found.push(format!("{what}: {theirs}, here {ours}"));
            }
        };
        compare("version", other.version.clone(), self.version.clone());
        compare("claims", other.claims.join(" "), self.claims.join(" "));
        compare("model", other.init.clone(), self.init.clone());
        let none = "none".to_owned();
        let names = other.collections.keys().chain(self.collections.keys());
        for name in names.collect::<BTreeSet<_>>() {
            let of = |one: &Self| one.collections.get(name).unwrap_or(&none).clone();
            compare(&format!("collection {name}"), of(other), of(self));
        }
        let runs = |one: &Self| format!("{} of {}", one.folds_run, one.folds);
        compare("folds", runs(other), runs(self));
        let seeds = |one: &Self| format!("{:?}", one.seeds);
        compare("seeds", seeds(other), seeds(self));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let collections = |digest: &str| BTreeMap::from([("set".to_owned(), digest.to_owned())]);
        let claims = |name: &str| vec![name.to_owned()];
        let full = Budget::full();
        let one = Experiment::new(claims("a"), "m".to_owned(), collections("x"), &full);
        assert!(one.differences(&one.clone()).is_empty());
        let seeds = Budget { seeds: vec![4], ..Budget::full() };
        let other = Experiment { version: "0".to_owned(), ..one.clone() };
        for (other, what) in [
            (other, "version: 0, here "),
            (
                Experiment::new(claims("b"), "m".into(), collections("x"), &full),
                "claims: b, here a",
            ),
            (Experiment::new(claims("a"), "n".into(), collections("x"), &full), "model: n, here m"),
            (
                Experiment::new(claims("a"), "m".into(), collections("y"), &full),
                "collection set: y, here x",
            ),
            (
                Experiment::new(claims("a"), "m".into(), BTreeMap::new(), &full),
                "collection set: none, here x",
            ),
            (
                Experiment::new(claims("a"), "m".into(), collections("x"), &seeds),
                "seeds: [4], here [1, 2, 3]",
            ),
        ] {
            let found = one.differences(&other);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(what), "{found:?}");
        }
        let small = Experiment::new(claims("a"), "m".into(), collections("x"), &Budget::small());
        assert_eq!(one.differences(&small).len(), 2, "folds and seeds");
    }
}
