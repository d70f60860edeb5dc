//! Studies: arms that differ in one thing, on the same folds with the same seeds and the same choice of rates.
//!
//! An [`Arm`] is a recipe. For each fold of a [`Subject`]'s queries the learning rate is chosen on queries that are held out of the
//! training part; then the arm is trained once for each seed and searches with the queries of the fold. A query's value is
//! its mean over seeds, so that every query counts once in a paired test. [`contrast`] compares two arms.
//!
//! Everything runs in memory, over vectors and states that were computed before; arms run side by side on the current pool, and give
//! the same numbers on any number of threads.

mod curve;
mod experiment;
mod fold;
mod report;
mod subject;
mod trial;

pub(crate) use curve::{Curve, common_cost};
pub use experiment::Experiment;
pub use fold::{Budget, Fold};
pub use report::{ArmReport, Contrast, Mechanism, Report, Verdict};
pub(crate) use subject::all_scores;
pub use subject::{Subject, SubjectParts};
pub(crate) use trial::{Setup, Trial, judge};

use std::collections::BTreeMap;

use ecphory_core::Progress;
use ecphory_eval::Metric;
use ecphory_eval::significance::{Randomisation, paired_randomisation_test};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::recipe::Recipe;

/// One way to train.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name in tables.
    pub name: String,
    /// How; `None` where nothing is trained.
    pub recipe: Option<Recipe>,
    /// The source that ranks where nothing is trained.
    pub source: &'static str,
}

/// What an arm did on a subject.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For each query, in the order of their numbers, the mean of its values over seeds; queries of folds that were not run are not
    /// there.
    pub values: BTreeMap<u32, f64>,
    /// The means over runs of what training saw.
    pub notes: BTreeMap<&'static str, f64>,
    /// The learning rate that was chosen for each fold.
    pub rates: Vec<f32>,
}

impl Outcome {
    /// Returns the mean over queries.
    pub fn mean(&self) -> f64 {
        self.values.values().sum::<f64>() / self.values.len().max(1) as f64
    }
}

impl Arm {
    /// Ranks by the vectors of the model as it is.
    pub fn untrained() -> Self {
        Self::ranked_by("untrained", "dense")
    }

    /// Ranks by a source of the subject.
    pub fn ranked_by(name: &str, source: &'static str) -> Self {
        Self { name: name.to_owned(), recipe: None, source }
    }

    /// Changes settings of a recipe.
    ///
    /// # Errors
    /// As [`Recipe::with`].
    pub fn of(name: &str, recipe: &Recipe, changes: &[&str]) -> Result<Self> {
        let recipe = recipe.with(changes.iter().copied())?;
        Ok(Self { name: name.to_owned(), recipe: Some(recipe), source: "dense" })
    }
}

/// How an arm is run on a fold: for those that do more than a recipe says.
pub(crate) type Runner<'r> = dyn Fn(&Trial<'_>) -> Result<Run> + Sync + 'r;

/// What a run measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// A value for each query of the fold.
    pub(crate) values: Vec<(u32, f64)>,
    /// What training saw.
    pub(crate) notes: BTreeMap<&'static str, f64>,
}

/// An arm on a subject.
pub(crate) struct Task<'t> {
    pub(crate) subject: &'t Subject<'t>,
    pub(crate) arm: &'t Arm,
    pub(crate) metric: &'t Metric,
    pub(crate) runner: &'t Runner<'t>,
    pub(crate) progress: &'t dyn Progress,
}

impl Task<'_> {
    /// Chooses a rate on every fold and runs all seeds.
    pub(crate) fn run(&self, budget: &Budget) -> Result<Outcome> {
        let folds = budget.folds(self.subject.data().queries().len());
        let rates = match &self.arm.recipe {
            Some(recipe) if budget.rates.is_empty() => vec![recipe.optimiser.learning_rate],
            Some(_) => budget.rates.clone(),
            None => vec![0.0],
        };
        // A model that learns nothing has no seeds either.
        let seeds = if self.arm.recipe.is_some() { &budget.seeds[..] } else { &[0] };
        let choices = if rates.len() > 1 { rates.len() * folds.len() } else { 0 };
        let task = format!("{}: {}", self.subject.name(), self.arm.name);
        self.progress.begin(&task, (choices + folds.len() * seeds.len()) as u64);
        let ran = self.folds(&folds, &rates, seeds);
        self.progress.end();
        ran
    }

    fn folds(&self, folds: &[Fold], rates: &[f32], seeds: &[u64]) -> Result<Outcome> {
        let first = *seeds.first().ok_or(Error::Nothing { what: "seeds" })?;
        let choose = |fold: &Fold| self.choose(fold, rates, first);
        let chosen = folds.par_iter().map(choose).collect::<Result<Vec<f32>>>()?;
        let tasks: Vec<(usize, u64)> =
            (0..folds.len()).flat_map(|fold| seeds.iter().map(move |&seed| (fold, seed))).collect();
        let runs: Vec<Run> = tasks
            .par_iter()
            .map(|&(fold, seed)| self.one(&folds[fold], chosen[fold], seed))
            .collect::<Result<_>>()?;
        let mut outcome = Outcome { rates: chosen, ..Outcome::default() };
        for run in &runs {
            for &(query, value) in &run.values {
                *outcome.values.entry(query).or_default() += value / seeds.len() as f64;
            }
            for (&name, &note) in &run.notes {
                *outcome.notes.entry(name).or_default() += note / runs.len() as f64;
            }
        }
        Ok(outcome)
    }

    /// The rate that does best on a part of the training queries; of equal ones the first.
    fn choose(&self, fold: &Fold, rates: &[f32], seed: u64) -> Result<f32> {
        if rates.len() == 1 {
            return Ok(rates[0]);
        }
        let inner = fold.inner();
        let sum = |&rate: &f32| {
            let ran = self.one(&inner, rate, seed)?;
            Ok(ran.values.iter().map(|(_, value)| value).sum::<f64>())
        };
        let sums = rates.par_iter().map(sum).collect::<Result<Vec<f64>>>()?;
        let mut best = (f64::NEG_INFINITY, rates[0]);
        for (&rate, &sum) in rates.iter().zip(&sums) {
            if sum > best.0 {
                best = (sum, rate);
            }
        }
        Ok(best.1)
    }

    fn one(&self, fold: &Fold, rate: f32, seed: u64) -> Result<Run> {
        if self.progress.cancelled() {
            return Err(Error::Interrupted);
        }
        let (subject, arm, metric) = (self.subject, self.arm, self.metric);
        let ran = (self.runner)(&Trial { subject, arm, metric, fold, rate, seed });
        self.progress.advance(1);
        ran
    }
}

/// Compares two arms on the queries of a subject with a paired randomisation test.
///
/// # Errors
/// Where the outcomes are of different queries.
pub fn contrast(
    subject: &Subject<'_>,
    (better, of_better): (&str, &Outcome),
    (worse, of_worse): (&str, &Outcome),
) -> Result<Contrast> {
    let values = |outcome: &Outcome| outcome.values.values().copied().collect::<Vec<f64>>();
    let (left, right) = (values(of_better), values(of_worse));
    let test = paired_randomisation_test(&left, &right, &Randomisation::default())?;
    Ok(Contrast {
        collection: subject.name().to_owned(),
        better: better.to_owned(),
        worse: worse.to_owned(),
        difference: of_better.mean() - of_worse.mean(),
        p_value: test.p,
        queries: left.len(),
    })
}

#[cfg(test)]
mod tests;
