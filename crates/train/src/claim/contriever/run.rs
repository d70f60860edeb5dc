//! What the arms do: learn from views once for each rate and seed, for all folds, and from a few labels on each of them.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::body::{Bag, PieceTexts};
use crate::claim::Examination;
use crate::error::{Error, Result};
use crate::matching::{MatchingSpec, Materials};
use crate::pretraining::{Learning, Pretraining, ViewCourse, ViewParts};
use crate::random::{Purpose, Random};
use crate::recipe::Recipe;
use crate::schedule::Rate;
use crate::study::{Fold, Run, Setup, Subject, Trial, all_scores, judge};

/// How many labelled queries the arms with labels see.
const LABELS: usize = 50;
/// How many documents views are compared on, before and after.
const OBSERVED: usize = 256;

pub(super) const APART_BEFORE: &str = "views told apart before";
pub(super) const APART_AFTER: &str = "views told apart after";
pub(super) const SHARED: &str = "pieces shared by views";
pub(super) const OWN: &str = "keys of own documents";
pub(super) const OWN_COUNTED: &str = "keys of own documents that counted";

/// What learning from views came to on a subject.
pub(super) struct Pretrained {
    runs: BTreeMap<Key, Learned>,
    /// For every query, its value with the table as it is.
    untrained: Vec<(u32, f64)>,
}

/// An arm's name, the bits of a rate, and a seed.
type Key = (String, u32, u64);

/// One run, judged with all queries.
struct Learned {
    run: Run,
    /// The table, of the arm that others begin from.
    table: Option<Vec<f32>>,
}

/// What a run is of.
struct Job<'j> {
    subject: &'j Subject<'j>,
    recipe: &'j Recipe,
    plan: &'j Pretraining,
    rate: f32,
    seed: u64,
}

impl Pretrained {
    /// Runs all plans with all rates and seeds, and keeps the tables of one of them.
    pub(super) fn new(
        examination: &Examination<'_>,
        subject: &Subject<'_>,
        recipe: &Recipe,
        plans: &[(&'static str, Pretraining)],
        kept: &str,
    ) -> Result<Self> {
        let Examination { budget, progress, .. } = *examination;
        let mut jobs: Vec<(Key, &Pretraining)> = Vec::new();
        for (name, plan) in plans {
            for &rate in &budget.rates {
                let seeds = budget.seeds.iter();
                jobs.extend(seeds.map(|&seed| (((*name).to_owned(), rate.to_bits(), seed), plan)));
            }
        }
        progress.begin(&format!("{}: views", subject.name()), jobs.len() as u64);
        let ran: Result<BTreeMap<Key, Learned>> = jobs
            .into_par_iter()
            .map(|(key, plan)| {
                let (rate, seed) = (f32::from_bits(key.1), key.2);
                let job = Job { subject, recipe, plan, rate, seed };
                let learned = job.run(examination, key.0 == kept)?;
                progress.advance(1);
                Ok((key, learned))
            })
            .collect();
        progress.end();
        let bag = Bag::new(pieces(subject)?, subject.parts().init);
        let untrained = judged(examination, subject, &bag, recipe)?;
        Ok(Self { runs: ran?, untrained })
    }

    /// Returns what an arm found for the queries of a fold.
    pub(super) fn run(&self, arm: &str, trial: &Trial<'_>) -> Result<Run> {
        let Run { values, notes } = &self.learned(arm, trial)?.run;
        Ok(Run { values: of_fold(values, trial.fold), notes: notes.clone() })
    }

    /// Returns what the table as it is found for the queries of a fold.
    pub(super) fn untrained(&self, trial: &Trial<'_>) -> Run {
        Run { values: of_fold(&self.untrained, trial.fold), ..Run::default() }
    }

    /// Returns the table that an arm learned.
    pub(super) fn table(&self, arm: &str, trial: &Trial<'_>) -> Result<&[f32]> {
        let table = self.learned(arm, trial)?.table.as_deref();
        table.ok_or(Error::Nothing { what: "tables that were kept" })
    }

    fn learned(&self, arm: &str, trial: &Trial<'_>) -> Result<&Learned> {
        let key = (arm.to_owned(), trial.rate.to_bits(), trial.seed);
        self.runs.get(&key).ok_or(Error::Nothing { what: "runs of this arm" })
    }
}

impl Job<'_> {
    fn run(&self, examination: &Examination<'_>, keeps_table: bool) -> Result<Learned> {
        let (texts, init) = (pieces(self.subject)?, self.subject.parts().init);
        let Self { subject, recipe, plan, seed, .. } = *self;
        let learning = Learning::of(recipe)?;
        let mut course = ViewCourse::new(ViewParts { texts, init, plan, learning, seed })?;
        let mut run = Run::default();
        run.notes.insert(APART_BEFORE, course.told_apart(OBSERVED)?);
        run.notes.insert(SHARED, course.shared(OBSERVED));
        let rate = Rate::new(recipe.optimiser.schedule.parse()?, plan.steps)?;
        for step in 0..plan.steps {
            if examination.progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let Some(seen) = course.step(step, self.rate * rate.factor(step) as f32)? else {
                continue;
            };
            *run.notes.entry("loss").or_default() += seen.loss / plan.steps as f64;
            *run.notes.entry(OWN).or_default() += seen.own as f64;
            *run.notes.entry(OWN_COUNTED).or_default() += seen.own_counted as f64;
        }
        run.notes.insert(APART_AFTER, course.told_apart(OBSERVED)?);
        run.values = judged(examination, subject, &course.bag, recipe)?;
        let table = keeps_table.then(|| course.bag.table().to_vec());
        Ok(Learned { run, table })
    }
}

/// Learns from a few labelled queries of the fold's training part, from a table on or from the model's.
pub(super) fn few_shot(trial: &Trial<'_>, table: Option<&[f32]>) -> Result<Run> {
    let recipe = trial.arm.recipe.as_ref().ok_or(Error::Nothing { what: "recipes" })?;
    let mut train = trial.fold.train.clone();
    let mut random = Random::new(trial.seed, Purpose::Fold, [train.len() as u64, 2]);
    random.shuffle_first(&mut train, LABELS);
    train.truncate(LABELS);
    train.sort_unstable();
    let subject = trial.subject;
    let mut bag = Bag::new(pieces(subject)?, subject.parts().init);
    if let Some(table) = table {
        bag = bag.with_table(table.to_vec())?;
    }
    let sources = subject.sources();
    let setup = Setup { subject, train: &train, seed: trial.seed };
    let mined = setup.mined(recipe, &sources)?;
    let mut course = setup.course_of(recipe, (&mined, &sources), Box::new(bag), None)?;
    let mut run = trial.trained(&mut course, recipe)?;
    run.values = trial.judged(&mut course)?;
    Ok(run)
}

/// Searches with all queries.
fn judged(
    examination: &Examination<'_>,
    subject: &Subject<'_>,
    bag: &Bag<'_>,
    recipe: &Recipe,
) -> Result<Vec<(u32, f64)>> {
    let materials = Materials::without_terms(pieces(subject)?.columns(), None, 0);
    let matching = recipe.matching.parse::<MatchingSpec>()?.build(&materials)?;
    let scores = all_scores(bag, &matching, subject.data())?;
    let queries: Vec<u32> = (0..subject.data().queries().len() as u32).collect();
    judge(subject, examination.metric, &queries, &scores)
}

fn pieces<'a>(subject: &Subject<'a>) -> Result<&'a PieceTexts> {
    subject.parts().pieces.ok_or(Error::Nothing { what: "texts in word pieces" })
}

fn of_fold(values: &[(u32, f64)], fold: &Fold) -> Vec<(u32, f64)> {
    let is_of_fold = |(query, _): &&(u32, f64)| fold.test.binary_search(query).is_ok();
    values.iter().filter(is_of_fold).copied().collect()
}
