//! A run in the making: what it holds, its loop, and how it ends.

use std::path::PathBuf;

use ecphory_core::Progress;
use ecphory_model::{Encoder, EncoderOptions, Role, TrainableEncoder, TrainableOptions};

use crate::error::{Error, Result};
use crate::lines::write_whole;
use crate::optimiser::{AdamW, AdamWSettings, Optimiser, Slot};
use crate::run::checkpoint::Checkpoint;
use crate::run::dev::Dev;
use crate::run::mined::Mined;
use crate::run::record::{Evaluation, Origin, digest};
use crate::run::state::{Saved, State, Values};
use crate::run::step::Step;
use crate::run::{Job, RECORD, RunError, Trained, work_folder};
use crate::sampler::{Sampler, Shuffled};
use crate::schedule::{EarlyStop, Rate, Verdict};

/// Everything that a run holds.
pub(super) struct Session<'a> {
    job: &'a Job<'a>,
    origin: Origin,
    mined: Mined,
    dev: Option<Dev>,
    sampler: Shuffled,
    step: Step<'a>,
    optimiser: AdamW,
    rate: Rate,
    stop: EarlyStop,
    state: State,
    /// The parameters that move, as they were when they did best; empty where nothing is held out.
    best: Values,
}

impl<'a> Session<'a> {
    /// Opens the model and finds out what is to be found out once, or takes up a run that was left.
    pub(super) fn open(job: &'a Job<'a>, progress: &dyn Progress) -> Result<Self> {
        let recipe = job.recipe;
        let start = Encoder::open(job.init, &EncoderOptions::default())?;
        let origin = Origin {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: recipe.to_string(),
            seed: job.seed,
            init: start.fingerprint().to_owned(),
            data: digest(job.data),
        };
        let freeze_below = recipe.encoding.freeze_below;
        let options = TrainableOptions { max_tokens: None, freeze_below };
        let encoder = TrainableEncoder::open(job.init, &options)?;
        let folder = work_folder(job.out);
        let left = Checkpoint::open(&folder)?;
        if left.is_some() && !job.resume {
            return Err(Error::from(RunError::WorkExists { path: folder }));
        }
        let left = left.map(|checkpoint| Saved::of(checkpoint, &origin)).transpose()?;
        let mined = match &left {
            Some(saved) => Mined::of(&saved.lists, job.data)?,
            None => Mined::new(job, start.max_tokens(), progress)?,
        };
        let dev = match &mined.held_out[..] {
            [] => None,
            queries => Some(Dev::new(job.data, queries, &mined.pool)?),
        };
        let sampler = Shuffled::new(mined.trained(), recipe.batches.queries, job.seed)?;
        let steps = sampler.steps_per_epoch() * recipe.schedule.epochs as u64;
        // Without patience a run is never stopped; the best parameters are kept all the same.
        let patience = u32::try_from(recipe.schedule.patience).unwrap_or(u32::MAX);
        let patience = if patience == 0 { u32::MAX } else { patience };
        let slots = Slot::of(encoder.parameters(), recipe.optimiser.weight_decay);
        let mut session = Self {
            optimiser: AdamW::new(AdamWSettings::default(), slots)?,
            rate: Rate::new(recipe.optimiser.schedule.parse()?, steps)?,
            stop: EarlyStop::new(patience, 0.0)?,
            step: Step::new(job, encoder, &mined.judged)?,
            job,
            origin,
            mined,
            dev,
            sampler,
            state: State::default(),
            best: Values::new(),
        };
        if let Some(saved) = left {
            session.restore(saved)?;
        }
        Ok(session)
    }

    fn restore(&mut self, saved: Saved) -> Result<()> {
        set(&mut self.step.encoder, &saved.parameters)?;
        self.optimiser.restore(saved.optimiser)?;
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
        if matches!(
            ended,
            Err(Error::Interrupted | Error::Model(ecphory_model::Error::Interrupted))
        ) {
            self.save()?;
            return Err(Error::Interrupted);
        }
        ended
    }

    fn train(&mut self, progress: &dyn Progress) -> Result<()> {
        let schedule = self.job.recipe.schedule;
        let per_epoch = self.sampler.steps_per_epoch();
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
            let epoch = step / self.sampler.steps_per_epoch();
            let queries = self.sampler.batch(step);
            let rate = self.job.recipe.optimiser.learning_rate * self.rate.factor(step) as f32;
            let loss = self.step.run(queries, epoch, rate, &mut self.optimiser);
            let loss =
                loss.map_err(|error| self.step.placed(error, step, &work_folder(self.job.out)))?;
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
        if let Some(held_out) = &self.dev {
            let texts = held_out.queries.len() + held_out.documents.len();
            progress.begin("searching with held-out queries", texts as u64);
            let vectors =
                self.step.vectors(Role::Query, &held_out.queries, progress).and_then(|q| {
                    Ok((q, self.step.vectors(Role::Document, &held_out.documents, progress)?))
                });
            progress.end();
            let (queries, documents) = vectors?;
            let ndcg = held_out.judge(self.job.data, &queries, &documents)?;
            dev = Some(ndcg);
            self.rate.measure(ndcg);
            match self.stop.measure(ndcg) {
                Verdict::Improved => {
                    self.best = values(&self.step.encoder);
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

    fn save(&self) -> Result<()> {
        let mut state = self.state.clone();
        state.progression = self.stop.progression();
        let saved = Saved {
            state,
            parameters: values(&self.step.encoder),
            best: self.best.clone(),
            optimiser: self.optimiser.state(),
            lists: self.mined.lists(),
        };
        saved.checkpoint(&self.origin).save(&work_folder(self.job.out))
    }

    /// Saves the model that did best and takes the checkpoint away.
    pub(super) fn finish(mut self, out: &std::path::Path) -> Result<Trained> {
        let held_out = self.mined.held_out.len();
        if held_out > 0 {
            set(&mut self.step.encoder, &self.best)?;
        } else {
            self.state.kept = self.state.step;
        }
        let folder = work_folder(out);
        let whole = folder.join("model");
        if whole.symlink_metadata().is_ok() {
            fs_err::remove_dir_all(&whole)?;
        }
        self.step.encoder.save(&whole)?;
        let trained = Trained {
            origin: self.origin,
            steps: self.state.step,
            kept: self.state.kept,
            evaluations: self.state.evaluations,
            pairs: self
                .mined
                .trained()
                .iter()
                .map(|&q| self.job.data.positives(q as usize).len())
                .sum(),
            held_out,
            short_of_negatives: self.mined.short,
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

/// Copies the parameters that move.
fn values(encoder: &TrainableEncoder) -> Values {
    let moving = encoder.parameters().iter().filter(|parameter| parameter.is_trainable());
    moving.map(|parameter| (parameter.name().to_owned(), parameter.values().to_vec())).collect()
}

/// Sets the parameters that move.
fn set(encoder: &mut TrainableEncoder, values: &Values) -> Result<()> {
    for parameter in encoder.parameters_mut().iter_mut().filter(|one| one.is_trainable()) {
        let found = values.get(parameter.name());
        let found = found.filter(|found| found.len() == parameter.values().len());
        let found = found.ok_or_else(|| {
            Error::from(RunError::CheckpointLacks { what: parameter.name().into() })
        })?;
        parameter.values_mut().copy_from_slice(found);
    }
    Ok(())
}
