//! A run in the making: its loop, what it holds beside what learns, and how it ends.

use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use ecphory_model as model;

use crate::error::{Error, Result};
use crate::lines::write_whole;
use crate::optimiser::Tensors;
use crate::run::learner::{Facts, Learner};
use crate::run::record::{Evaluation, Origin};
use crate::run::state::{Saved, State};
use crate::run::{RECORD, Trained, work_folder};
use crate::schedule::{EarlyStop, Rate, Schedule, Verdict};

/// Everything that a run holds.
pub(super) struct Session<'a> {
    out: &'a Path,
    origin: Origin,
    timetable: Timetable,
    facts: Facts,
    learner: Box<dyn Learner + 'a>,
    rate: Rate,
    stop: EarlyStop,
    state: State,
    /// The parameters that move, as they were when they did best; empty where nothing is held out.
    best: Tensors,
}

/// How a run goes on over its steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timetable {
    /// After which steps the learner is judged and written down, in ascending order; the last ends the run.
    pub(super) stops: Vec<u64>,
    /// The highest rate.
    pub(super) learning_rate: f32,
    /// How the rate goes over the run.
    pub(super) schedule: Schedule,
    /// After so many evaluations without a better one, training ends; 0 never ends it early.
    pub(super) patience: usize,
}

impl Timetable {
    fn steps(&self) -> u64 {
        self.stops.last().copied().unwrap_or(0)
    }
}

/// What a session is begun with.
pub(super) struct Beginning<'a> {
    /// The directory to be made.
    pub(super) out: &'a Path,
    pub(super) origin: Origin,
    pub(super) timetable: Timetable,
    pub(super) facts: Facts,
    pub(super) learner: Box<dyn Learner + 'a>,
}

impl<'a> Session<'a> {
    /// Begins a run, or takes up one that was left.
    pub(super) fn new(beginning: Beginning<'a>, left: Option<Saved>) -> Result<Self> {
        let Beginning { out, origin, timetable, facts, learner } = beginning;
        // Without patience a run is never stopped; the best parameters are kept all the same.
        let patience = u32::try_from(timetable.patience).unwrap_or(u32::MAX);
        let patience = if patience == 0 { u32::MAX } else { patience };
        let mut session = Self {
            rate: Rate::new(timetable.schedule, timetable.steps())?,
            stop: EarlyStop::new(patience, 0.0)?,
            out,
            origin,
            timetable,
            facts,
            learner,
            state: State::default(),
            best: Tensors::new(),
        };
        if let Some(saved) = left {
            session.restore(saved)?;
        }
        Ok(session)
    }

    fn restore(&mut self, saved: Saved) -> Result<()> {
        self.learner.restore(saved.learner)?;
        self.stop.restore(saved.state.progression);
        for measured in saved.state.evaluations.iter().filter_map(|evaluation| evaluation.dev) {
            self.rate.measure(measured);
        }
        (self.state, self.best) = (saved.state, saved.best);
        Ok(())
    }

    /// Trains until the steps are over, the held-out queries get no better, or the work is cancelled: then it is saved as
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
        let total = self.timetable.steps();
        if self.state.evaluations.is_empty() {
            self.evaluate(progress)?;
            self.save()?;
        }
        while let (Some(&last), false) = (self.state.evaluations.last(), self.state.over) {
            // The steps to the next stop may be done, where a run was left while it evaluated.
            let after = self.timetable.stops.iter().find(|&&stop| stop > last.step);
            let next = after.copied().unwrap_or(total);
            self.learner.prepare(self.state.step, progress)?;
            let left = next - self.state.step;
            progress.begin(&format!("training to step {next} of {total}{}", heard(&last)), left);
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
            let rate = self.timetable.learning_rate * self.rate.factor(step) as f32;
            let folder = work_folder(self.out);
            let loss = self.learner.step(step, rate);
            if let Some(loss) = loss.map_err(|error| self.learner.placed(error, step, &folder))? {
                self.state.losses.0 += loss;
                self.state.losses.1 += 1;
            }
            self.state.step += 1;
            progress.advance(1);
        }
        Ok(())
    }

    /// Has the learner judged, and keeps the parameters where they do better than any before.
    fn evaluate(&mut self, progress: &dyn Progress) -> Result<()> {
        let found = self.learner.judge(progress)?;
        let dev = found.dev.as_ref().map(|(ndcg, _)| *ndcg);
        if let Some((ndcg, values)) = found.dev {
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
        let (step, told_apart) = (self.state.step, found.told_apart);
        self.state.evaluations.push(Evaluation { step, loss, dev, told_apart });
        Ok(())
    }

    fn save(&mut self) -> Result<()> {
        let mut state = self.state.clone();
        state.progression = self.stop.progression();
        let saved = Saved { state, best: self.best.clone(), learner: self.learner.snapshot() };
        saved.checkpoint(&self.origin).save(&work_folder(self.out))
    }

    /// Saves the model that did best, or the last where nothing is held out, and takes the checkpoint away.
    pub(super) fn finish(mut self) -> Result<Trained> {
        let best = (self.facts.held_out > 0).then_some(&self.best);
        if best.is_none() {
            self.state.kept = self.state.step;
        }
        let folder = work_folder(self.out);
        let whole = folder.join("model");
        if whole.symlink_metadata().is_ok() {
            fs_err::remove_dir_all(&whole)?;
        }
        self.learner.save(best, &whole)?;
        let Facts { pairs, held_out, short, documents } = self.facts;
        let trained = Trained {
            origin: self.origin,
            steps: self.state.step,
            kept: self.state.kept,
            evaluations: self.state.evaluations,
            pairs,
            held_out,
            short_of_negatives: short,
            documents,
        };
        let record = serde_json::to_vec_pretty(&trained).expect("plain numbers and texts");
        write_whole(&whole.join(RECORD), |file| Ok(file.write_all(&record)?))?;
        fs_err::rename(&whole, self.out)?;
        let parent: PathBuf = std::path::absolute(self.out)?;
        if let Some(parent) = parent.parent() {
            fs_err::File::open(parent)?.sync_all()?;
        }
        fs_err::remove_dir_all(folder)?;
        Ok(trained)
    }
}

/// What the last evaluation found, for the name of a task.
fn heard(last: &Evaluation) -> String {
    let of = |what: &str, x: Option<f64>| x.map(|x| format!(", {what} {x:.4}")).unwrap_or_default();
    let loss = of("loss", last.loss);
    loss + &of("dev nDCG@10", last.dev) + &of("views told apart", last.told_apart)
}
