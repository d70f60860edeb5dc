//! One run of an arm on a fold.

use std::collections::BTreeMap;

use ecphory_core::Silent;
use ecphory_eval::{Metric, Qrels, Run as Rankings, evaluate};

use super::{Arm, Fold, Run, Subject};
use crate::body::{Body, Held};
use crate::error::{Error, Result};
use crate::head::Pooling;
use crate::matching::{DirectoryFacts, Materials};
use crate::ranker::DualEncoder;
use crate::recipe::{Recipe, Tier};
use crate::run::course::{Course, CourseParts};
use crate::run::mined::Mined;
use crate::schedule::Rate;
use crate::source::Sources;

/// How many hits of a query are judged.
const DEPTH: usize = 100;

/// What a run is of.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'t> {
    pub(crate) subject: &'t Subject<'t>,
    pub(crate) arm: &'t Arm,
    pub(crate) metric: &'t Metric,
    pub(crate) fold: &'t Fold,
    pub(crate) rate: f32,
    pub(crate) seed: u64,
}

/// What training is put together from.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'t> {
    pub(crate) subject: &'t Subject<'t>,
    /// The queries that are trained on, in ascending order.
    pub(crate) train: &'t [u32],
    pub(crate) seed: u64,
}

impl<'t> Setup<'t> {
    /// Mines negatives for the queries that are trained on.
    pub(crate) fn mined(&self, recipe: &Recipe, sources: &Sources<'_>) -> Result<Mined> {
        let data = self.subject.data();
        let mut left_out: Vec<u32> = (0..data.queries().len() as u32).collect();
        left_out.retain(|query| self.train.binary_search(query).is_err());
        Mined::new(data, recipe, left_out, sources, self.seed, &Silent)
    }

    /// Puts what learns together.
    pub(crate) fn course(
        &self,
        recipe: &'t Recipe,
        mined: &'t Mined,
        sources: &'t Sources<'t>,
    ) -> Result<Course<'t>> {
        let (subject, parts) = (self.subject, self.subject.parts());
        let (body, pooling): (Box<dyn Body + 't>, _) = match recipe.tier {
            Tier::Vectors => (Box::new(Held::new(subject.vectors(), parts.init)), None),
            Tier::States => {
                let states = parts.states.ok_or(Error::Nothing { what: "states of tokens" })?;
                (Box::new(Held::new(states, parts.init)), Some(Pooling::Mean))
            }
            Tier::Model => return Err(Error::Nothing { what: "encoders that learn in a study" }),
        };
        self.course_of(recipe, (mined, sources), body, pooling)
    }

    /// Puts what learns together around a body; `pooling` is how the model makes one vector of the states of a text.
    pub(crate) fn course_of(
        &self,
        recipe: &'t Recipe,
        (mined, sources): (&'t Mined, &'t Sources<'t>),
        body: Box<dyn Body + 't>,
        pooling: Option<Pooling>,
    ) -> Result<Course<'t>> {
        let subject = self.subject;
        let materials = Materials::without_terms(body.columns(), pooling, self.seed);
        let materials = materials.with_terms(body.vocabulary());
        let matching = recipe.ranker()?.heads()?.build(&materials)?;
        Course::new(CourseParts {
            data: subject.data(),
            recipe,
            seed: self.seed,
            judged: &mined.judged,
            trained: self.train.to_vec(),
            sources,
            vectors: Some(subject.vectors().0),
            ranker: Box::new(DualEncoder::new(body, matching, DirectoryFacts::default())),
        })
    }
}

impl Trial<'_> {
    /// Trains as the arm's recipe says and judges.
    pub(crate) fn run(&self) -> Result<Run> {
        let sources = self.subject.sources();
        let Some(recipe) = &self.arm.recipe else { return self.untrained(&sources) };
        let setup = Setup { subject: self.subject, train: &self.fold.train, seed: self.seed };
        let mined = setup.mined(recipe, &sources)?;
        let mut course = setup.course(recipe, &mined, &sources)?;
        let mut run = self.trained(&mut course, recipe)?;
        run.values = self.judged(&mut course)?;
        Ok(run)
    }

    /// Judges a ranker as it is.
    fn untrained(&self, sources: &Sources<'_>) -> Result<Run> {
        let teacher = sources.teacher(self.arm.source)?;
        let documents: Vec<u32> = (0..self.subject.data().documents().len() as u32).collect();
        let mut scores = Vec::with_capacity(self.fold.test.len() * documents.len());
        for &query in &self.fold.test {
            scores.extend(teacher.scores(query, &documents)?);
        }
        Ok(Run { values: self.judge(&scores)?, notes: BTreeMap::new() })
    }

    /// Trains for as long as a recipe says, and notes the means of what the steps saw; nothing is judged yet.
    pub(crate) fn trained(&self, course: &mut Course<'_>, recipe: &Recipe) -> Result<Run> {
        let mut run = Run::default();
        let steps = course.steps_per_epoch * recipe.schedule.epochs as u64;
        let rate = Rate::new(recipe.optimiser.schedule.parse()?, steps)?;
        for step in 0..steps {
            let loss = course.step(step, self.rate * rate.factor(step) as f32)?;
            let seen = course.seen;
            for (name, value) in [
                ("loss", loss),
                ("gradient norm", seen.norm),
                ("teacher's score of in-batch negatives", seen.in_batch_teacher),
            ] {
                if value.is_finite() {
                    *run.notes.entry(name).or_default() += value / steps.max(1) as f64;
                }
            }
        }
        Ok(run)
    }

    /// Searches with the queries of the fold.
    pub(crate) fn judged(&self, course: &mut Course<'_>) -> Result<Vec<(u32, f64)>> {
        let documents: Vec<u32> = (0..self.subject.data().documents().len() as u32).collect();
        let scores = course
            .evaluated(|course| course.ranker.scores(&self.fold.test, &documents, &Silent))?;
        self.judge(&scores)
    }

    /// Judges the scores of all documents for the queries of the fold, row by row.
    pub(crate) fn judge(&self, scores: &[f32]) -> Result<Vec<(u32, f64)>> {
        judge(self.subject, self.metric, &self.fold.test, scores)
    }
}

/// Judges the scores of all documents for some queries, row by row, and returns a value for each of them.
pub(crate) fn judge(
    subject: &Subject<'_>,
    metric: &Metric,
    queries: &[u32],
    scores: &[f32],
) -> Result<Vec<(u32, f64)>> {
    let width = subject.data().documents().len();
    let (mut qrels, mut rankings) = (Qrels::default(), Rankings::new("study"));
    for (&query, row) in queries.iter().zip(scores.chunks_exact(width)) {
        let name = query.to_string();
        for document in subject.data().positives(query as usize) {
            qrels.insert(&name, &document.to_string(), 1).expect("they are named once");
        }
        let mut order: Vec<u32> = (0..width as u32).collect();
        let by_score =
            |a: &u32, b: &u32| row[*b as usize].total_cmp(&row[*a as usize]).then(a.cmp(b));
        let depth = DEPTH.min(width);
        if depth < width {
            order.select_nth_unstable_by(depth, by_score);
        }
        order.truncate(depth);
        order.sort_unstable_by(by_score);
        let hits = order.iter().map(|&d| (d.to_string(), f64::from(row[d as usize])));
        rankings.insert(name, hits.collect())?;
    }
    let found = evaluate(metric, &qrels, &rankings).values;
    let number = |name: &String| name.parse().expect("it was written as a number");
    Ok(found.iter().map(|(name, &value)| (number(name), value)).collect())
}
