//! Training from judged pairs: batches of queries, and held-out queries that judge.

use std::path::Path;

use ecphory_core::Progress;
use ecphory_model as model;
use ecphory_model::{TrainableCrossEncoder, TrainableEncoder, TrainableOptions};

use crate::body::{Body, Held, Live, States};
use crate::data::TrainingData;
use crate::error::{Error, Result};
use crate::head::Pooling;
use crate::matching::{DirectoryFacts, Materials};
use crate::optimiser::Tensors;
use crate::ranker::{CrossEncoder, DualEncoder, Ranker, RankerSpec};
use crate::recipe::{Recipe, Tier};
use crate::run::course::{Course, CourseParts};
use crate::run::dev::Dev;
use crate::run::learner::{Facts, Judgement, Learner, Snapshot};
use crate::run::mined::{Mined, held_out};
use crate::run::session;
use crate::run::start::StartVectors;
use crate::run::state::Saved;
use crate::run::{Job, RunError};
use crate::source::Sources;
use crate::term_regression::FirstValues;

/// A course over batches of queries, with the queries that are held out from it.
pub(super) struct Pairs<'a> {
    data: &'a TrainingData,
    course: Course<'a>,
    dev: Option<Dev>,
    lists: std::collections::BTreeMap<String, Vec<u64>>,
}

/// What the model to begin from makes of the texts, where that is needed.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    /// How many tokens it reads.
    pub(super) limit: usize,
    /// Its vectors.
    pub(super) start: Option<&'a StartVectors<'a>>,
    /// The states of tokens.
    pub(super) states: Option<&'a dyn States>,
    /// What heads over terms begin with.
    pub(super) first: Option<&'a FirstValues>,
}

/// Mines, or takes up what was mined.
pub(super) fn mined(
    job: &Job<'_>,
    left: Option<&Saved>,
    sources: &Sources<'_>,
    progress: &dyn Progress,
) -> Result<Mined> {
    if let Some(saved) = left {
        return Mined::of(&saved.learner.lists, job.data);
    }
    let held_out = held_out(job.data.queries().len(), job.recipe.schedule.dev, job.seed);
    Mined::new(job.data, job.recipe, held_out, sources, job.seed, progress)
}

impl<'a> Pairs<'a> {
    pub(super) fn new(
        job: &'a Job<'a>,
        mined: &'a Mined,
        sources: &'a Sources<'a>,
        read: Read<'a>,
    ) -> Result<Self> {
        let dev = dev(job.data, mined, !job.recipe.is_cross()?)?;
        let parts = CourseParts {
            data: job.data,
            recipe: job.recipe,
            seed: job.seed,
            judged: &mined.judged,
            trained: mined.trained(),
            sources,
            vectors: read.start.map(|start| start.sides.0),
            ranker: ranker(job, read)?,
        };
        Ok(Self { data: job.data, course: Course::new(parts)?, dev, lists: mined.lists() })
    }

    /// Returns how the run goes on: evaluations stand at the same places of every epoch, and at its end.
    pub(super) fn timetable(&self, recipe: &Recipe) -> Result<session::Timetable> {
        let schedule = recipe.schedule;
        let per_epoch = self.course.steps_per_epoch;
        let interval = per_epoch.div_ceil(schedule.evaluations as u64);
        let within = |epoch: u64| {
            let places = (interval..per_epoch).step_by(interval as usize);
            places.chain([per_epoch]).map(move |place| epoch * per_epoch + place)
        };
        Ok(session::Timetable {
            stops: (0..schedule.epochs as u64).flat_map(within).collect(),
            learning_rate: recipe.optimiser.learning_rate,
            schedule: recipe.optimiser.schedule.parse()?,
            patience: schedule.patience,
        })
    }
}

/// Puts together what held-out queries search; `None` where there are none.
pub(super) fn dev(data: &TrainingData, mined: &Mined, shared: bool) -> Result<Option<Dev>> {
    match &mined.held_out[..] {
        [] => Ok(None),
        queries => Dev::new(data, queries, &mined.pools, shared).map(Some),
    }
}

/// Counts what is trained on.
pub(super) fn facts(data: &TrainingData, mined: &Mined) -> Facts {
    let trained = mined.trained();
    let pairs = trained.iter().map(|&query| data.positives(query as usize).len()).sum();
    Facts { pairs, held_out: mined.held_out.len(), short: mined.short, documents: 0 }
}

/// Searches with the held-out queries.
pub(super) fn judge(
    dev: Option<&Dev>,
    data: &TrainingData,
    course: &mut Course<'_>,
    progress: &dyn Progress,
) -> Result<Judgement> {
    let Some(dev) = dev else { return Ok(Judgement::default()) };
    progress.begin("searching with held-out queries", dev.units(&*course.ranker));
    let judged = course.evaluated(|course| {
        let ndcg = dev.judge(data, &*course.ranker, progress)?;
        Ok((ndcg, course.values()))
    });
    progress.end();
    Ok(Judgement { dev: Some(judged?), told_apart: None })
}

/// Saves the parameters that did best, which are as they were evaluated, or the last, which are as training has them.
pub(super) fn save(
    course: &mut Course<'_>,
    best: Option<&Tensors>,
    directory: &Path,
) -> Result<()> {
    let save = |course: &mut Course<'_>| course.ranker.save(directory);
    match best {
        Some(best) => {
            course.set(best)?;
            save(course)
        }
        None => course.evaluated(save),
    }
}

impl Learner for Pairs<'_> {
    fn step(&mut self, step: u64, rate: f32) -> Result<Option<f64>> {
        self.course.step(step, rate).map(Some)
    }

    fn placed(&self, error: Error, step: u64, checkpoint: &Path) -> Error {
        self.course.placed(error, step, checkpoint)
    }

    fn judge(&mut self, progress: &dyn Progress) -> Result<Judgement> {
        judge(self.dev.as_ref(), self.data, &mut self.course, progress)
    }

    fn snapshot(&mut self) -> Snapshot {
        Snapshot {
            parameters: self.course.values(),
            optimiser: self.course.optimiser(),
            lists: self.lists.clone(),
            ..Snapshot::default()
        }
    }

    fn restore(&mut self, snapshot: Snapshot) -> Result<()> {
        self.course.restore(&snapshot.parameters, snapshot.optimiser)
    }

    fn save(&mut self, best: Option<&Tensors>, directory: &Path) -> Result<()> {
        save(&mut self.course, best, directory)
    }
}

/// Opens what learns.
pub(super) fn ranker<'a>(job: &'a Job<'a>, read: Read<'a>) -> Result<Box<dyn Ranker + 'a>> {
    let Read { limit, start, states, first } = read;
    let encoding = job.recipe.encoding;
    let freeze_below = encoding.freeze_below;
    let spec = match job.recipe.ranker()? {
        RankerSpec::Dual(spec) => spec,
        RankerSpec::Cross => {
            let tokens = limit.min(encoding.query_tokens + encoding.document_tokens);
            let options = TrainableOptions { max_tokens: Some(tokens), freeze_below };
            let model = TrainableCrossEncoder::open(job.init, &options, job.seed)?;
            return Ok(Box::new(CrossEncoder::new(job.data, model)));
        }
    };
    let encoder =
        TrainableEncoder::open(job.init, &TrainableOptions { max_tokens: None, freeze_below })?;
    let (normalises, epsilon) = (encoder.normalizes(), encoder.epsilon());
    let mut pooling = Some(pooling(&encoder)?);
    let body: Box<dyn Body + 'a> = match job.recipe.tier {
        Tier::Vectors => {
            pooling = None;
            let start = start.ok_or(Error::Nothing { what: "vectors of texts" })?;
            Box::new(Held::new(&start.sides, job.init))
        }
        Tier::States => {
            let states = states.ok_or(Error::Nothing { what: "states of tokens" })?;
            Box::new(Held::new(states, job.init))
        }
        Tier::Model => {
            let live = Live::new(job.data, encoding, encoder);
            match first {
                Some(first) => Box::new(live.with_terms(&first.vocabulary)),
                None => Box::new(live),
            }
        }
    };
    let materials = Materials::without_terms(body.columns(), pooling, job.seed);
    let materials = Materials { epsilon, ..materials };
    let mut matching = spec.build(&materials.with_terms(body.vocabulary()))?;
    if let Some(FirstValues { learned, .. }) = first {
        matching.parameters().into_iter().try_for_each(|parameter| parameter.set(learned))?;
    }
    let sees_unit_length = job.recipe.tier == Tier::Vectors;
    // Where training cuts texts is a matter of cost: what is saved reads as much as the model that was there.
    let facts = DirectoryFacts { normalises, sees_unit_length, tokens: [limit; 2] };
    let dual = DualEncoder::new(body, matching, facts);
    if !dual.has_layout() {
        let matching = job.recipe.matching.clone();
        return Err(Error::from(RunError::NoLayout { matching }));
    }
    Ok(Box::new(dual))
}

/// Finds the head that makes of states what the model's directory says.
fn pooling(encoder: &TrainableEncoder) -> Result<Pooling> {
    match encoder.pooling() {
        [model::Pooling::Mean] => Ok(Pooling::Mean),
        [model::Pooling::Cls] => Ok(Pooling::Cls),
        [model::Pooling::LastToken] => Ok(Pooling::Last),
        other => Err(Error::from(RunError::Pooling { found: format!("{other:?}") })),
    }
}
