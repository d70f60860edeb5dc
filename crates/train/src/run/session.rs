//! A run in the making: what it holds, its loop, and how it ends.

use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use ecphory_model as model;
use ecphory_model::{TrainableCrossEncoder, TrainableEncoder, TrainableOptions};

use crate::body::{Body, Held, Live, States};
use crate::error::{Error, Result};
use crate::head::Pooling;
use crate::lines::write_whole;
use crate::matching::{DirectoryFacts, Materials};
use crate::optimiser::Tensors;
use crate::ranker::{CrossEncoder, DualEncoder, Ranker, RankerSpec};
use crate::recipe::Tier;
use crate::run::course::{Course, CourseParts};
use crate::run::dev::Dev;
use crate::run::mined::{Mined, held_out};
use crate::run::record::{Evaluation, Origin};
use crate::run::start::StartVectors;
use crate::run::state::{Saved, State};
use crate::run::{Job, RECORD, RunError, Trained, work_folder};
use crate::schedule::{EarlyStop, Rate, Verdict};
use crate::source::Sources;
use crate::term_regression::FirstValues;

/// Everything that a run holds.
pub(super) struct Session<'a> {
    job: &'a Job<'a>,
    origin: Origin,
    found: Found,
    course: Course<'a>,
    rate: Rate,
    stop: EarlyStop,
    state: State,
    /// The parameters that move, as they were when they did best; empty where nothing is held out.
    best: Tensors,
}

/// What a session is begun with.
pub(super) struct Beginning<'a> {
    /// How many tokens the model to begin from reads.
    pub(super) limit: usize,
    pub(super) origin: Origin,
    /// What an earlier run left.
    pub(super) left: Option<Saved>,
    /// The vectors of the model that training begins from, where they are needed.
    pub(super) start: Option<&'a StartVectors<'a>>,
    /// The states of tokens, for the tier that reads them.
    pub(super) states: Option<&'a dyn States>,
    /// What heads over terms begin with.
    pub(super) first: Option<&'a FirstValues>,
    pub(super) sources: &'a Sources<'a>,
    pub(super) mined: &'a Mined,
}

/// What was found out once and is told in the end.
struct Found {
    lists: std::collections::BTreeMap<String, Vec<u64>>,
    dev: Option<Dev>,
    pairs: usize,
    held_out: usize,
    short: u64,
}

/// Mines, or takes up what was mined.
pub(super) fn mined(
    job: &Job<'_>,
    left: Option<&Saved>,
    sources: &Sources<'_>,
    progress: &dyn Progress,
) -> Result<Mined> {
    if let Some(saved) = left {
        return Mined::of(&saved.lists, job.data);
    }
    let held_out = held_out(job.data.queries().len(), job.recipe.schedule.dev, job.seed);
    Mined::new(job.data, job.recipe, held_out, sources, job.seed, progress)
}

impl<'a> Session<'a> {
    /// Puts a run together, or takes up one that was left.
    pub(super) fn new(job: &'a Job<'a>, beginning: Beginning<'a>) -> Result<Self> {
        let Beginning { limit, origin, left, start, states, first, sources, mined } = beginning;
        let recipe = job.recipe;
        let dev = match &mined.held_out[..] {
            [] => None,
            queries => Some(Dev::new(job.data, queries, &mined.pools, !recipe.is_cross()?)?),
        };
        let ranker = ranker(job, limit, start, (states, first))?;
        let trained = mined.trained();
        let pairs = trained.iter().map(|&q| job.data.positives(q as usize).len()).sum();
        let parts = CourseParts {
            data: job.data,
            recipe,
            seed: job.seed,
            judged: &mined.judged,
            trained,
            sources,
            vectors: start.map(|start| start.sides.0),
            ranker,
        };
        let course = Course::new(parts)?;
        let steps = course.steps_per_epoch * recipe.schedule.epochs as u64;
        // Without patience a run is never stopped; the best parameters are kept all the same.
        let patience = u32::try_from(recipe.schedule.patience).unwrap_or(u32::MAX);
        let patience = if patience == 0 { u32::MAX } else { patience };
        let found = Found {
            lists: mined.lists(),
            dev,
            pairs,
            held_out: mined.held_out.len(),
            short: mined.short,
        };
        let mut session = Self {
            rate: Rate::new(recipe.optimiser.schedule.parse()?, steps)?,
            stop: EarlyStop::new(patience, 0.0)?,
            job,
            origin,
            found,
            course,
            state: State::default(),
            best: Tensors::new(),
        };
        if let Some(saved) = left {
            session.restore(saved)?;
        }
        Ok(session)
    }

    fn restore(&mut self, saved: Saved) -> Result<()> {
        self.course.restore(&saved.parameters, saved.optimiser)?;
        self.stop.restore(saved.state.progression);
        for measured in saved.state.evaluations.iter().filter_map(|evaluation| evaluation.dev) {
            self.rate.measure(measured);
        }
        (self.state, self.best) = (saved.state, saved.best);
        Ok(())
    }

    /// Trains until the epochs are over, the held-out queries get no better, or the work is cancelled: then it is saved as
    /// far as it came.
    pub(super) fn run(&mut self, progress: &dyn Progress) -> Result<()> {
        let ended = self.train(progress);
        if matches!(ended, Err(Error::Interrupted | Error::Model(model::Error::Interrupted))) {
            self.save()?;
            return Err(Error::Interrupted);
        }
        ended
    }

    fn train(&mut self, progress: &dyn Progress) -> Result<()> {
        let schedule = self.job.recipe.schedule;
        let per_epoch = self.course.steps_per_epoch;
        let interval = per_epoch.div_ceil(schedule.evaluations as u64);
        let total = per_epoch * schedule.epochs as u64;
        if self.state.evaluations.is_empty() {
            self.evaluate(progress)?;
            self.save()?;
        }
        while let (Some(&last), false) = (self.state.evaluations.last(), self.state.over) {
            // Evaluations stand at the same places of every epoch, and at its end. The steps to the next may be done, where a
            // run was left while it evaluated.
            let within = last.step % per_epoch;
            let next = last.step - within + per_epoch.min((within / interval + 1) * interval);
            let loss = last.loss.map(|x| format!(", loss {x:.4}")).unwrap_or_default();
            let dev = last.dev.map(|x| format!(", dev nDCG@10 {x:.4}")).unwrap_or_default();
            let left = next - self.state.step;
            progress.begin(&format!("training to step {next} of {total}{loss}{dev}"), left);
            let stepped = self.steps(next, progress);
            progress.end();
            stepped?;
            self.evaluate(progress)?;
            self.state.over |= self.state.step >= total;
            self.save()?;
        }
        Ok(())
    }

    fn steps(&mut self, until: u64, progress: &dyn Progress) -> Result<()> {
        while self.state.step < until {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let step = self.state.step;
            let rate = self.job.recipe.optimiser.learning_rate * self.rate.factor(step) as f32;
            let folder = work_folder(self.job.out);
            let loss = self.course.step(step, rate);
            let loss = loss.map_err(|error| self.course.placed(error, step, &folder))?;
            self.state.losses.0 += loss;
            self.state.losses.1 += 1;
            self.state.step += 1;
            progress.advance(1);
        }
        Ok(())
    }

    /// Searches with the held-out queries, and keeps the parameters where they do better than any before.
    fn evaluate(&mut self, progress: &dyn Progress) -> Result<()> {
        let mut dev = None;
        if let Some(held_out) = &self.found.dev {
            let units = held_out.units(&*self.course.ranker);
            progress.begin("searching with held-out queries", units);
            let judged = self.course.evaluated(|course| {
                let ndcg = held_out.judge(self.job.data, &*course.ranker, progress)?;
                Ok((ndcg, course.values()))
            });
            progress.end();
            let (ndcg, values) = judged?;
            dev = Some(ndcg);
            self.rate.measure(ndcg);
            match self.stop.measure(ndcg) {
                Verdict::Improved => {
                    self.best = values;
                    self.state.kept = self.state.step;
                }
                Verdict::Stop => self.state.over = true,
                Verdict::Waiting(_) => {}
            }
        }
        let (sum, count) = std::mem::take(&mut self.state.losses);
        let loss = (count > 0).then(|| sum / count as f64);
        self.state.evaluations.push(Evaluation { step: self.state.step, loss, dev });
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        let mut state = self.state.clone();
        state.progression = self.stop.progression();
        let saved = Saved {
            state,
            parameters: self.course.values(),
            best: self.best.clone(),
            optimiser: self.course.optimiser(),
            lists: self.found.lists.clone(),
        };
        saved.checkpoint(&self.origin).save(&work_folder(self.job.out))
    }

    /// Saves the model that did best and takes the checkpoint away.
    pub(super) fn finish(mut self, out: &Path) -> Result<Trained> {
        if self.found.held_out > 0 {
            self.course.set(&self.best)?;
        } else {
            self.state.kept = self.state.step;
        }
        let folder = work_folder(out);
        let whole = folder.join("model");
        if whole.symlink_metadata().is_ok() {
            fs_err::remove_dir_all(&whole)?;
        }
        let save = |course: &mut Course<'_>| course.ranker.save(&whole);
        // The best parameters are as they were evaluated; others are as training has them.
        if self.found.held_out > 0 {
            save(&mut self.course)?;
        } else {
            self.course.evaluated(save)?;
        }
        let trained = Trained {
            origin: self.origin,
            steps: self.state.step,
            kept: self.state.kept,
            evaluations: self.state.evaluations,
            pairs: self.found.pairs,
            held_out: self.found.held_out,
            short_of_negatives: self.found.short,
        };
        let record = serde_json::to_vec_pretty(&trained).expect("plain numbers and texts");
        write_whole(&whole.join(RECORD), |file| Ok(file.write_all(&record)?))?;
        fs_err::rename(&whole, out)?;
        let parent: PathBuf = std::path::absolute(out)?;
        if let Some(parent) = parent.parent() {
            fs_err::File::open(parent)?.sync_all()?;
        }
        fs_err::remove_dir_all(folder)?;
        Ok(trained)
    }
}

/// Opens what learns.
fn ranker<'a>(
    job: &'a Job<'a>,
    limit: usize,
    start: Option<&'a StartVectors<'a>>,
    (states, first): (Option<&'a dyn States>, Option<&'a FirstValues>),
) -> Result<Box<dyn Ranker + 'a>> {
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
