//! Claims: what papers say, as experiments with a verdict.
//!
//! Each claim has a file of its own, with its arms, the contrast that decides, and what should be seen on the way. The protocol is that
//! of a [`study`](crate::study): the same folds, seeds, steps and choice of rates for all arms, and a paired randomisation
//! test. Collections, model and budgets are those of a small machine: a verdict says what was found here, and not that a paper is right or
//! wrong. Nothing is tuned until a claim passes.

mod ar2;
mod cet;
mod colberter;
mod contriever;
mod inference_free;
mod interpolation;
mod jacolbert25;
mod tas_b;
#[cfg(test)]
mod toy;

use std::collections::BTreeMap;

use ecphory_core::Progress;
use ecphory_core::nearest::nearest;
use ecphory_eval::Metric;

use crate::error::{Error, Result};
use crate::study::{
    Arm, ArmReport, Budget, Contrast, Mechanism, Outcome, Report, Runner, Subject, Task, Verdict,
    contrast,
};

/// A claim of a paper.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Its name, which is that of the recipe where there is one.
    pub name: &'static str,
    /// Where it was made.
    pub paper: &'static str,
    /// What it says, of the arms here.
    pub says: &'static str,
    /// What is measured, as a metric's name.
    pub metric: &'static str,
    /// Which tiers it needs: `T0`, `T1` or `S`.
    pub tier: &'static str,
    /// What its subjects have beside vectors and lexical scores.
    pub inputs: Inputs,
    /// The rates that every arm chooses from.
    rates: &'static [f32],
    examine: fn(&Examination<'_>) -> Result<Findings>,
}

/// What the subjects of a claim have beside vectors and lexical scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Nothing.
    Vectors,
    /// The states of tokens.
    States,
    /// The same, with the terms of the collection's vocabulary.
    Terms,
    /// The texts in word pieces: what is trained from scratch begins with them.
    Pieces,
}

/// All claims that can be examined.
pub const CLAIMS: &[Claim] = &[
    tas_b::CLAIM,
    cet::CLAIM,
    ar2::CLAIM,
    interpolation::CLAIM,
    jacolbert25::CLAIM,
    colberter::CLAIM,
    inference_free::CLAIM,
    contriever::CLAIM,
];

impl Claim {
    /// Finds a claim.
    ///
    /// # Errors
    /// Where none has this name.
    pub fn named(name: &str) -> Result<&'static Self> {
        let found = CLAIMS.iter().find(|claim| claim.name == name);
        found.ok_or_else(|| {
            let names = CLAIMS.iter().map(|claim| claim.name);
            let nearest = nearest(name, names).map(str::to_owned);
            Error::UnknownClaim { name: name.to_owned(), nearest }
        })
    }

    /// Runs the experiment on the current pool.
    ///
    /// # Errors
    /// What training and judging say; `Interrupted`.
    pub fn examine(
        &self,
        subjects: &[Subject<'_>],
        budget: &Budget,
        progress: &dyn Progress,
    ) -> Result<Report> {
        let metric: Metric = self.metric.parse()?;
        let mut budget = budget.clone();
        if budget.rates.is_empty() {
            budget.rates = self.rates.to_vec();
        }
        let examination = Examination { subjects, budget: &budget, metric: &metric, progress };
        let found = (self.examine)(&examination)?;
        let seeds: Vec<String> = budget.seeds.iter().map(u64::to_string).collect();
        Ok(Report {
            claim: self.name.to_owned(),
            paper: self.paper.to_owned(),
            says: self.says.to_owned(),
            verdict: Verdict::of(&found.contrasts, &found.mechanisms),
            metric: self.metric.to_owned(),
            runs: format!(
                "folds {} of {}, seeds {}",
                budget.folds_run.min(budget.folds),
                budget.folds,
                seeds.join(" ")
            ),
            arms: found.arms,
            contrasts: found.contrasts,
            others: found.others,
            mechanisms: found.mechanisms,
        })
    }
}

/// What a claim is examined with.
pub(crate) struct Examination<'e> {
    pub(crate) subjects: &'e [Subject<'e>],
    pub(crate) budget: &'e Budget,
    pub(crate) metric: &'e Metric,
    pub(crate) progress: &'e dyn Progress,
}

impl Examination<'_> {
    /// Runs arms on a subject.
    pub(crate) fn run<'a>(
        &self,
        subject: &Subject<'_>,
        arms: impl IntoIterator<Item = &'a Arm>,
        runner: &Runner<'_>,
    ) -> Result<Outcomes> {
        let (metric, progress) = (self.metric, self.progress);
        let outcome = |arm: &Arm| {
            let found = Task { subject, arm, metric, runner, progress }.run(self.budget)?;
            Ok((arm.name.clone(), found))
        };
        arms.into_iter().map(outcome).collect()
    }
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    pub(crate) arms: Vec<ArmReport>,
    pub(crate) contrasts: Vec<Contrast>,
    pub(crate) others: Vec<Contrast>,
    pub(crate) mechanisms: Vec<Mechanism>,
}

/// The outcomes of a subject's arms, by name.
pub(crate) type Outcomes = BTreeMap<String, Outcome>;

/// An experiment whose arms are recipes.
pub(crate) struct Plan<'p> {
    /// The first is the one that the others are compared with in the table.
    pub(crate) arms: Vec<Arm>,
    /// The arm that should do better, and the one that should do worse.
    pub(crate) deciding: (&'p str, &'p str),
    /// Other contrasts.
    pub(crate) others: &'p [(&'p str, &'p str)],
    /// What should be seen on the way.
    pub(crate) mechanisms: &'p dyn Fn(&Subject<'_>, &Outcomes) -> Result<Vec<Mechanism>>,
}

impl Plan<'_> {
    /// Runs all arms on all subjects.
    pub(crate) fn run(&self, examination: &Examination<'_>) -> Result<Findings> {
        let mut findings = Findings::default();
        for subject in examination.subjects {
            self.run_on(examination, subject, &|trial| trial.run(), &mut findings)?;
        }
        Ok(findings)
    }

    /// Runs all arms on a subject, and adds what was found.
    pub(crate) fn run_on(
        &self,
        examination: &Examination<'_>,
        subject: &Subject<'_>,
        runner: &Runner<'_>,
        findings: &mut Findings,
    ) -> Result<()> {
        let outcomes = &examination.run(subject, &self.arms, runner)?;
        let names: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
        add_arms(subject, &names, outcomes, &mut findings.arms)?;
        let compare = |(better, worse): (&str, &str)| {
            contrast(subject, (better, &outcomes[better]), (worse, &outcomes[worse]))
        };
        findings.contrasts.push(compare(self.deciding)?);
        for &pair in self.others {
            findings.others.push(compare(pair)?);
        }
        findings.mechanisms.extend((self.mechanisms)(subject, outcomes)?);
        Ok(())
    }
}

/// Adds a subject's means, p-values against the first arm, and notes.
pub(crate) fn add_arms(
    subject: &Subject<'_>,
    names: &[&str],
    outcomes: &Outcomes,
    arms: &mut Vec<ArmReport>,
) -> Result<()> {
    for &name in names {
        if !arms.iter().any(|arm| arm.name == name) {
            arms.push(ArmReport {
                name: name.to_owned(),
                metric: BTreeMap::new(),
                p_values: BTreeMap::new(),
                notes: BTreeMap::new(),
            });
        }
        let Some(arm) = arms.iter_mut().find(|arm| arm.name == name) else { continue };
        let (outcome, collection) = (&outcomes[name], subject.name().to_owned());
        arm.metric.insert(collection.clone(), outcome.mean());
        let notes = outcome.notes.iter().map(|(name, &note)| ((*name).to_owned(), note));
        arm.notes.insert(collection.clone(), notes.collect());
        if name != names[0] {
            let first = (names[0], &outcomes[names[0]]);
            let found = contrast(subject, (name, outcome), first)?;
            arm.p_values.insert(collection, found.p_value);
        }
    }
    Ok(())
}

/// A mechanism that says that a note, or the metric, is greater in one arm than in another.
pub(crate) fn greater(
    subject: &Subject<'_>,
    what: &str,
    (more, of_more): (&str, f64),
    (less, of_less): (&str, f64),
) -> Mechanism {
    Mechanism {
        collection: subject.name().to_owned(),
        says: format!("{what}: {more} above {less}"),
        seen: format!("{of_more:.4} against {of_less:.4}"),
        asserted: true,
        holds: of_more > of_less,
    }
}
