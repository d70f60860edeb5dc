//! What a study says.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// A claim's experiment with its verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The claim's name.
    pub claim: String,
    /// Where it was made.
    pub paper: String,
    /// What it says.
    pub says: String,
    /// Whether it held here.
    pub verdict: Verdict,
    /// The metric of all arms and contrasts.
    pub metric: String,
    /// Folds that were run, of how many, with which seeds.
    pub runs: String,
    /// The arms with their means by collection.
    pub arms: Vec<ArmReport>,
    /// The contrast that decides, on each collection.
    pub contrasts: Vec<Contrast>,
    /// Other contrasts, which decide nothing.
    pub others: Vec<Contrast>,
    /// What should be seen on the way to the metric.
    pub mechanisms: Vec<Mechanism>,
}

/// How a claim fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Significantly in the claimed direction on a collection at least, and on none significantly against it.
    #[serde(rename = "reproduced")]
    Reproduced,
    /// What should be seen on the way was seen, and the metric did not follow.
    #[serde(rename = "mechanism only")]
    MechanismOnly,
    /// Neither.
    #[serde(rename = "not reproduced")]
    NotReproduced,
}

/// The means of an arm.
#[derive(Clone, Debug, Serialize)]
pub struct ArmReport {
    /// Its name.
    pub name: String,
    /// The metric by collection.
    pub metric: BTreeMap<String, f64>,
    /// The p-value of its difference from the first arm, by collection.
    pub p_values: BTreeMap<String, f64>,
    /// What training saw, by collection.
    pub notes: BTreeMap<String, BTreeMap<String, f64>>,
}

/// Two arms compared on the queries of a collection.
#[derive(Clone, Debug, Serialize)]
pub struct Contrast {
    /// The collection.
    pub collection: String,
    /// The arm that should do better.
    pub better: String,
    /// The arm that should do worse.
    pub worse: String,
    /// The difference of their means.
    pub difference: f64,
    /// The two-sided p-value of a paired randomisation test.
    pub p_value: f64,
    /// Of how many queries.
    pub queries: usize,
}

/// A quantity that should move as the claim says, whatever the metric does.
#[derive(Clone, Debug, Serialize)]
pub struct Mechanism {
    /// The collection.
    pub collection: String,
    /// What should be seen.
    pub says: String,
    /// What was seen.
    pub seen: String,
    /// Whether it is so on any collection and with any seed, so that a run of one fold can assert it; the verdict counts it either way.
    pub asserted: bool,
    /// Whether that is it.
    pub holds: bool,
}

impl Mechanism {
    /// Leaves it out of what a run of one fold asserts: data or luck decide.
    #[must_use]
    pub fn observed(self) -> Self {
        Self { asserted: false, ..self }
    }
}

/// The p-value below which a difference counts.
pub const SIGNIFICANT: f64 = 0.05;

impl Verdict {
    /// Judges by the deciding contrasts, and by the mechanisms where the metric does not follow.
    pub fn of(contrasts: &[Contrast], mechanisms: &[Mechanism]) -> Self {
        let significant = |sign: f64| {
            let counts = |one: &&Contrast| one.p_value < SIGNIFICANT && one.difference * sign > 0.0;
            contrasts.iter().find(counts).is_some()
        };
        let is_seen = !mechanisms.is_empty() && mechanisms.iter().all(|one| one.holds);
        match (significant(1.0), significant(-1.0)) {
            (true, false) => Self::Reproduced,
            _ if is_seen => Self::MechanismOnly,
            _ => Self::NotReproduced,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reproduced => "reproduced",
            Self::MechanismOnly => "mechanism only",
            Self::NotReproduced => "not reproduced",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_their_rule() {
        let contrast = |difference: f64, p_value: f64| Contrast {
            collection: "c".into(),
            better: "a".into(),
            worse: "b".into(),
            difference,
            p_value,
            queries: 9,
        };
        let mechanism = |holds: bool| Mechanism {
            collection: "c".into(),
            says: "more".into(),
            seen: "less".into(),
            asserted: true,
            holds,
        };
        let of = |contrasts: &[(f64, f64)], holds: &[bool]| {
            let contrasts: Vec<Contrast> =
                contrasts.iter().map(|&(difference, p)| contrast(difference, p)).collect();
            let mechanisms: Vec<Mechanism> = holds.iter().map(|&one| mechanism(one)).collect();
            Verdict::of(&contrasts, &mechanisms)
        };
        assert_eq!(of(&[(0.1, 0.01), (-0.1, 0.2)], &[]), Verdict::Reproduced);
        assert_eq!(of(&[(0.1, 0.01), (-0.1, 0.02)], &[]), Verdict::NotReproduced);
        assert_eq!(of(&[(0.1, 0.01), (-0.1, 0.02)], &[true]), Verdict::MechanismOnly);
        assert_eq!(of(&[(0.1, 0.06)], &[true, true]), Verdict::MechanismOnly);
        assert_eq!(of(&[(0.1, 0.06)], &[true, false]), Verdict::NotReproduced);
        assert_eq!(of(&[], &[]), Verdict::NotReproduced);
    }
}
