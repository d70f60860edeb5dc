//! What learns and how: batches to states to scores to a loss, and all the way back.

use std::path::Path;

use ecphory_core::Silent;
use rustc_hash::FxHashSet;

use crate::data::TrainingData;
use crate::debias::Selection;
use crate::error::{Error, Result};
use crate::loss::Loss;
use crate::optimiser::{
    AdamW, AdamWSettings, Optimiser, Pace, ParameterProblem, ScheduleFree, ScheduleFreeSettings,
    State, Tensors, global_norm,
};
use crate::ranker::{Ranker, Scored, Slopes};
use crate::recipe::{Algorithm, LEXICAL, PairDraw, Recipe};
use crate::regulariser::PenaltySpec;
use crate::run::RunError;
use crate::run::batch::{Batch, Weights};
use crate::sampler::{Group, Groups, Judged, MarginBins, MarginPair, Sampler, SamplerSpec};
use crate::source::Sources;
use crate::teacher::{Ensemble, Teacher, margins};
use crate::vectors::Vectors;

/// The state of something that learns. A step is [`Course::step`].
pub(crate) struct Course<'a> {
    data: &'a TrainingData,
    recipe: &'a Recipe,
    seed: u64,
    loss: Loss,
    part_loss: Option<Loss>,
    penalty: Option<PenaltySpec>,
    teachers: Vec<Ensemble<'a>>,
    sampler: Box<dyn Sampler>,
    draw: Draw,
    /// How many steps see as many queries as there are.
    pub(crate) steps_per_epoch: u64,
    pub(crate) ranker: Box<dyn Ranker + 'a>,
    /// Learns beside the ranker which documents were selected for judging.
    selection: Option<Selection<'a>>,
    optimiser: Box<dyn Optimiser>,
    /// The queries of the step before, for errors.
    queries: Vec<u32>,
    /// What the last step saw, for studies.
    pub(crate) seen: Seen,
}

/// What a step saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// The length of the gradient before clipping.
    pub(crate) norm: f64,
    /// The mean score that the first teacher gives to what other queries brought; `NaN` where there is none.
    pub(crate) in_batch_teacher: f64,
}

/// How the candidates of a query are drawn.
enum Draw {
    Uniform(Groups),
    MarginBins(MarginBins),
}

/// What a course is put together from.
pub(crate) struct CourseParts<'a, 'm> {
    pub(crate) data: &'a TrainingData,
    pub(crate) recipe: &'a Recipe,
    pub(crate) seed: u64,
    /// For every query of the data, what it is trained with.
    pub(crate) judged: &'m [Judged],
    /// The queries that are trained on.
    pub(crate) trained: Vec<u32>,
    pub(crate) sources: &'a Sources<'a>,
    /// The vectors of all queries, where the sampler needs them.
    pub(crate) vectors: Option<Vectors<'a>>,
    pub(crate) ranker: Box<dyn Ranker + 'a>,
}

impl<'a> Course<'a> {
    pub(crate) fn new(parts: CourseParts<'a, '_>) -> Result<Self> {
        let CourseParts { data, recipe, seed, judged, trained, sources, vectors, mut ranker } =
            parts;
        let teachers = teachers(recipe, sources)?;
        let draw = Draw::new(recipe, judged, &teachers, seed)?;
        let trained = draw.queries(&trained);
        let size = recipe.batches.queries;
        let sampler: SamplerSpec = recipe.batches.sampler.parse()?;
        let sampler = sampler.build(&trained, size, seed, vectors, &Silent)?;
        let steps_per_epoch = trained.len().div_ceil(size) as u64;
        let lexical = |spec| Selection::new(spec, data, sources.teacher(LEXICAL)?);
        let selection = recipe.debias()?.map(lexical).transpose()?;
        let mut slots = ranker.slots(recipe.optimiser.weight_decay);
        slots.extend(selection.as_ref().map(Selection::slot));
        let optimiser: Box<dyn Optimiser> = match recipe.optimiser.algorithm {
            Algorithm::Adamw => Box::new(AdamW::new(AdamWSettings::default(), slots)?),
            Algorithm::ScheduleFree => {
                Box::new(ScheduleFree::new(ScheduleFreeSettings::default(), slots)?)
            }
        };
        Ok(Self {
            loss: recipe.loss.parse()?,
            part_loss: recipe.part_loss()?,
            penalty: recipe.penalty()?,
            queries: Vec::new(),
            seen: Seen::default(),
            data,
            recipe,
            seed,
            teachers,
            sampler,
            draw,
            steps_per_epoch,
            ranker,
            selection,
            optimiser,
        })
    }

    /// Goes on with other candidates, and with the loss and the teachers of another recipe; everything else stays as it is.
    pub(crate) fn turn_to(
        &mut self,
        recipe: &'a Recipe,
        judged: &[Judged],
        sources: &Sources<'a>,
    ) -> Result<()> {
        let teachers = teachers(recipe, sources)?;
        self.draw = Draw::new(recipe, judged, &teachers, self.seed)?;
        (self.recipe, self.loss, self.teachers) = (recipe, recipe.loss.parse()?, teachers);
        Ok(())
    }

    /// Moves the parameters once and returns the loss before that. Queries that come again in another epoch get another of their
    /// positives and other negatives.
    pub(crate) fn step(&mut self, step: u64, rate: f32) -> Result<f64> {
        let epoch = step / self.steps_per_epoch;
        let queries = self.sampler.batch(step);
        self.queries.clone_from(&queries);
        let mut groups = Vec::with_capacity(queries.len());
        for &query in &queries {
            groups.push(self.draw.group(query, epoch, step)?);
        }
        let batch = if self.recipe.batches.shared {
            Batch::shared(queries, &groups)
        } else {
            Batch::own(queries, &groups)
        };
        let scored = self.ranker.forward(&batch)?;
        if !scored.scores.iter().all(|score| score.is_finite()) {
            return Err(Error::from(RunError::NotANumber { what: "score" }));
        }
        let (value, slopes) = self.judge(&batch, scored, step)?;
        if !value.is_finite() {
            return Err(Error::from(RunError::NotANumber { what: "loss" }));
        }
        self.ranker.backward(slopes)?;
        self.apply(rate)?;
        Ok(value)
    }

    /// The loss with the penalty, and the derivatives by scores.
    fn judge(&mut self, batch: &Batch, scored: Scored, step: u64) -> Result<(f64, Slopes)> {
        let teachers: Vec<&dyn Teacher> = self.teachers.iter().map(|one| one as _).collect();
        let weights = match &mut self.selection {
            Some(selection) => selection.weigh(self.data, batch, &scored.scores, step)?,
            None => Weights::default(),
        };
        let block = batch.block(self.data, scored.scores, &teachers, weights.clone())?;
        self.seen.in_batch_teacher = in_batch_teacher(&block);
        let evaluation = self.loss.evaluate(&block)?;
        let mut value = evaluation.value;
        let mut slopes = Slopes { scores: evaluation.gradient, part: Vec::new() };
        if let (Some(loss), false) = (&self.part_loss, scored.part.is_empty()) {
            let block = batch.block(self.data, scored.part, &teachers, weights)?;
            let part = loss.evaluate(&block)?;
            value += part.value;
            slopes.part = part.gradient;
        }
        if let Some(penalty) = &self.penalty {
            value += self.ranker.penalise(penalty, step)?;
        }
        Ok((value, slopes))
    }

    fn apply(&mut self, rate: f32) -> Result<()> {
        let mut updates = self.ranker.updates();
        updates.extend(self.selection.as_mut().map(Selection::update));
        let norm = global_norm(&updates)?;
        self.seen.norm = norm;
        let pace = Pace::clipped(rate, norm, self.recipe.optimiser.clip.into());
        self.optimiser.step(pace, &mut updates)
    }

    /// Calls with the parameters as they are evaluated and saved, which for a schedule-free optimiser are not those of training.
    pub(crate) fn evaluated<T>(&mut self, call: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.recipe.optimiser.algorithm == Algorithm::Adamw {
            return call(self);
        }
        let training = self.values();
        let mut means = Tensors::new();
        for (name, values) in &training {
            let view = self.optimiser.evaluation_view(name, values)?;
            means.insert(name.clone(), view.into_owned());
        }
        self.set(&means)?;
        let called = call(self);
        self.set(&training)?;
        called
    }

    /// Copies everything that moves, as training has it.
    pub(crate) fn values(&mut self) -> Tensors {
        let mut values = self.ranker.values();
        if let Some(selection) = &self.selection {
            let parameter = selection.parameter();
            values.insert(parameter.name.clone(), parameter.values.clone());
        }
        values
    }

    /// Sets everything that moves.
    pub(crate) fn set(&mut self, values: &Tensors) -> Result<()> {
        if let Some(selection) = &mut self.selection {
            selection.set(values)?;
        }
        self.ranker.set(values)
    }

    pub(crate) fn optimiser(&self) -> State {
        self.optimiser.state()
    }

    pub(crate) fn restore(&mut self, parameters: &Tensors, optimiser: State) -> Result<()> {
        self.set(parameters)?;
        self.optimiser.restore(optimiser)
    }

    /// Says in which step and for which queries something went wrong.
    pub(crate) fn placed(&self, error: Error, step: u64, checkpoint: &Path) -> Error {
        let what = match &error {
            Error::Run(RunError::NotANumber { what }) => *what,
            Error::Parameter { problem: ParameterProblem::NotFinite { .. }, .. } => "gradient",
            _ => return error,
        };
        let ids = self.queries.iter().map(|&query| self.data.queries()[query as usize].id.clone());
        Error::from(RunError::Diverged {
            what,
            step,
            of: "queries",
            texts: ids.collect(),
            checkpoint: checkpoint.to_owned(),
        })
    }
}

fn teachers<'a>(recipe: &Recipe, sources: &Sources<'a>) -> Result<Vec<Ensemble<'a>>> {
    let find = |name: &str| sources.teacher(name);
    recipe.teachers()?.iter().map(|spec| spec.build(&find)).collect()
}

impl Draw {
    fn new(
        recipe: &Recipe,
        judged: &[Judged],
        teachers: &[Ensemble<'_>],
        seed: u64,
    ) -> Result<Self> {
        Ok(match recipe.batches.pairs {
            PairDraw::Uniform => {
                Self::Uniform(Groups::new(judged.to_vec(), 1 + recipe.batches.negatives, seed)?)
            }
            PairDraw::MarginBins => Self::MarginBins(margin_bins(teachers, judged, seed)?),
        })
    }

    /// Leaves out the queries for which nothing can be drawn.
    fn queries(&self, trained: &[u32]) -> Vec<u32> {
        match self {
            Self::Uniform(_) => trained.to_vec(),
            Self::MarginBins(bins) => {
                let drawn: FxHashSet<u32> = bins.queries().iter().copied().collect();
                trained.iter().copied().filter(|query| drawn.contains(query)).collect()
            }
        }
    }

    fn group(&self, query: u32, epoch: u64, step: u64) -> Result<Group> {
        match self {
            Self::Uniform(groups) => groups.group(query, epoch),
            Self::MarginBins(bins) => {
                let MarginPair { positive, negative, .. } = bins.pair(query, step)?;
                Ok(Group { documents: vec![positive, negative], valid: vec![true; 2] })
            }
        }
    }
}

/// Sorts all pairs of a positive and a negative of each query by the margin that the first teacher sees.
fn margin_bins(teachers: &[Ensemble<'_>], judged: &[Judged], seed: u64) -> Result<MarginBins> {
    let teacher = teachers.first().ok_or(Error::Nothing { what: "teachers to take margins of" })?;
    let mut pairs = Vec::new();
    for (query, judged) in (0..).zip(judged) {
        let mut own = Vec::new();
        for &positive in judged.positives.iter().filter(|_| !judged.negatives.is_empty()) {
            let found = margins(teacher, query, positive, &judged.negatives)?;
            let found = judged.negatives.iter().zip(found);
            own.extend(found.map(|(&negative, margin)| MarginPair { positive, negative, margin }));
        }
        pairs.push((query, own));
    }
    MarginBins::new(pairs, seed)
}

/// The mean score of the first teacher for cells that count, have no grade, and were brought by other queries.
fn in_batch_teacher(block: &crate::block::Block) -> f64 {
    let crate::block::Columns::Shared(owners) = block.columns() else { return f64::NAN };
    let (mut sum, mut count) = (0.0, 0u32);
    for row in 0..block.queries() {
        for (column, owner) in owners.iter().enumerate() {
            let is_foreign = *owner != Some(row) && block.gold(row, column) == 0.0;
            let is_seen = block.teachers() > 0 && is_foreign && block.counts(row, column);
            if let Some(score) = is_seen.then(|| block.teacher(0, row, column)).flatten() {
                sum += f64::from(score);
                count += 1;
            }
        }
    }
    sum / f64::from(count)
}
