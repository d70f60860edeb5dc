//! The second player of AR2 (Zhang et al. 2022): a small network over features of pairs.
//!
//! A pair's features are the product and the difference of its two vectors, value by value, and what some rankers say of
//! it. The network has one hidden layer; it learns to tell the gold candidate from the others by their cross-entropy, and never
//! while it teaches. The paper has a cross-encoder in its place.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ecphory_core::Progress;
use ecphory_kernels::Level;

use crate::data::TrainingData;
use crate::error::{Error, Result};
use crate::head::{Head, Linear, Mlp, MlpActivation, Parameter};
use crate::loss::{InfoNce, Loss};
use crate::optimiser::{
    AdamW, AdamWSettings, Optimiser, Pace, State, Tensors, Update, global_norm,
};
use crate::ragged::Ragged;
use crate::random::{Purpose, Random};
use crate::run::batch::{Batch, Weights};
use crate::sampler::{Group, Groups, Judged, Sampler, Shuffled};
use crate::teacher::{Moments, Teacher, checked};
use crate::vectors::Vectors;

/// The longest gradient.
const CLIP: f64 = 1.0;
/// Keeps the batches of the ranker apart from those of the retriever.
const SEED: u64 = 1 << 32;

/// What the network is made of, and how fast it learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OpponentSettings {
    /// Values of the hidden layer.
    pub(crate) hidden: usize,
    pub(crate) rate: f32,
    /// By what share of the rate its weights shrink.
    pub(crate) decay: f32,
}

/// What is known of all pairs.
pub(crate) struct Features<'a> {
    data: &'a TrainingData,
    vectors: (Vectors<'a>, Vectors<'a>),
    rankers: Vec<Standardised<'a>>,
}

/// A ranker whose scores have mean 0 and variance 1 over the documents of a query.
struct Standardised<'a> {
    ranker: &'a dyn Teacher,
    /// Of each query.
    moments: Vec<Moments>,
}

impl<'a> Features<'a> {
    /// Takes vectors and rankers. Their scores are put on one scale by those of `documents`, which stand for all: 16 bytes for each query
    /// and ranker.
    ///
    /// # Errors
    /// What a ranker says.
    pub(crate) fn new(
        data: &'a TrainingData,
        vectors: (Vectors<'a>, Vectors<'a>),
        rankers: &[&'a dyn Teacher],
        documents: &[u32],
        progress: &dyn Progress,
    ) -> Result<Self> {
        let queries = data.queries().len() as u32;
        let mut found = Vec::new();
        for &ranker in rankers {
            let mut moments = Vec::with_capacity(queries as usize);
            for query in 0..queries {
                if progress.cancelled() {
                    return Err(Error::Interrupted);
                }
                moments.push(Moments::of(&checked(ranker, query, documents)?));
                progress.advance(1);
            }
            found.push(Standardised { ranker, moments });
        }
        Ok(Self { data, vectors, rankers: found })
    }

    /// How many a pair has.
    fn count(&self) -> usize {
        2 * self.vectors.0.columns() + self.rankers.len()
    }

    /// Appends those of a query with some documents, row by row.
    fn append(&self, query: u32, documents: &[u32], to: &mut Vec<f32>) -> Result<()> {
        let (queries, all) = &self.vectors;
        // All products, or all differences, together weigh about as much as one ranker's score at first: a few hundred queries would learn such
        // vectors by heart before the scores had a say.
        let root = (queries.columns() as f32).sqrt();
        let of_query = queries.row(query as usize);
        let (what, count) = ("document", all.count());
        if let Some(&number) = documents.iter().find(|&&document| document as usize >= count) {
            return Err(Error::Outside { what, number: number.into(), count });
        }
        let mut scores = Vec::with_capacity(self.rankers.len());
        for Standardised { ranker, moments } in &self.rankers {
            let found = checked(*ranker, query, documents)?.into_iter();
            scores.push(found.map(|x| moments[query as usize].apply(x)).collect::<Vec<f32>>());
        }
        for (place, &document) in documents.iter().enumerate() {
            let pairs = || of_query.iter().zip(all.row(document as usize));
            to.extend(pairs().map(|(q, d)| root * q * d));
            to.extend(pairs().map(|(q, d)| (q - d).abs()));
            to.extend(scores.iter().map(|scores| scores[place]));
        }
        Ok(())
    }
}

/// The network with its optimiser.
pub(crate) struct Opponent<'a> {
    features: &'a Features<'a>,
    level: Level,
    network: Mlp,
    optimiser: AdamW,
    rate: f32,
    loss: Loss,
    steps: u64,
}

impl<'a> Opponent<'a> {
    /// Makes one that begins at random.
    ///
    /// # Errors
    /// Where a pair has no features.
    pub(crate) fn new(
        features: &'a Features<'a>,
        settings: OpponentSettings,
        seed: u64,
    ) -> Result<Self> {
        let OpponentSettings { hidden, rate, decay } = settings;
        let layer = |place: u64, columns: usize, out: usize| -> Result<Linear> {
            let mut random = Random::new(seed, Purpose::Head, [place, out as u64]);
            let scale = (2.0 / columns as f64).sqrt();
            let weights = (0..out * columns).map(|_| (scale * random.normal()) as f32).collect();
            let mut layer = Linear::new(out, weights, Some(vec![0.0; out]))?;
            for parameter in layer.parameters() {
                parameter.name = format!("{place}.{}", parameter.name);
            }
            Ok(layer)
        };
        let layers = vec![layer(0, features.count(), hidden)?, layer(1, hidden, 1)?];
        let mut network = Mlp { layers, activation: MlpActivation::Relu, activates_last: false };
        let slots = network.parameters().into_iter().map(|parameter| parameter.slot(decay));
        let optimiser = AdamW::new(AdamWSettings::default(), slots.collect())?;
        let (level, loss) = (Level::detect(), InfoNce::default().into());
        Ok(Self { features, level, network, optimiser, rate, loss, steps: 0 })
    }

    /// Returns how many steps it has made.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    fn inputs(&self, query: u32, documents: &[u32]) -> Result<Ragged> {
        let mut values = Vec::with_capacity(documents.len() * self.features.count());
        self.features.append(query, documents, &mut values)?;
        Ok(Ragged::vectors(values, self.features.count()))
    }

    /// Learns from a batch of own candidates, and returns the loss before that.
    ///
    /// # Errors
    /// A loss or a derivative that is not finite.
    pub(crate) fn step(&mut self, batch: &Batch) -> Result<f64> {
        let mut values = Vec::new();
        for (row, &query) in batch.queries.iter().enumerate() {
            self.features.append(query, batch.candidates(row), &mut values)?;
        }
        let inputs = Ragged::vectors(values, self.features.count());
        let (scores, kept) = self.network.forward(self.level, &inputs)?;
        let block = batch.block(self.features.data, scores.values, &[], Weights::default())?;
        let evaluation = self.loss.evaluate(&block)?;
        self.network.parameters().into_iter().for_each(Parameter::clear);
        self.network.backward(self.level, &inputs, &kept, &evaluation.gradient)?;
        let parameters = self.network.parameters().into_iter();
        let mut updates: Vec<Update<'_>> = parameters.map(Parameter::update).collect();
        let pace = Pace::clipped(self.rate, global_norm(&updates)?, CLIP);
        self.optimiser.step(pace, &mut updates)?;
        self.steps += 1;
        Ok(evaluation.value)
    }

    /// Copies what changes: the parameters, what the optimiser remembers, and how many steps it has made.
    pub(crate) fn snapshot(&mut self) -> (Tensors, State, u64) {
        let parameters = self.network.parameters().into_iter();
        let parameters = parameters.map(|one| (one.name.clone(), one.values.clone())).collect();
        (parameters, self.optimiser.state(), self.steps)
    }

    /// Takes up what was copied.
    ///
    /// # Errors
    /// Where something is missing or has another shape.
    pub(crate) fn restore(&mut self, from: (Tensors, State, u64)) -> Result<()> {
        let (parameters, state, steps) = from;
        self.network.parameters().into_iter().try_for_each(|one| one.set(&parameters))?;
        self.optimiser.restore(state)?;
        self.steps = steps;
        Ok(())
    }
}

impl Teacher for Opponent<'_> {
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        let inputs = self.inputs(query, documents)?;
        Ok(self.network.forward(self.level, &inputs)?.0.values)
    }
}

/// What the turns of a ranker draw their batches from.
#[derive(Clone, Copy)]
pub(crate) struct Candidates<'c> {
    /// For every query of the data, its answers and what the retriever found.
    pub(crate) judged: &'c [Judged],
    /// The queries that are trained on, in ascending order.
    pub(crate) train: &'c [u32],
    /// Queries of a batch.
    pub(crate) queries: usize,
    /// Candidates of a query beside its answer.
    pub(crate) negatives: usize,
    pub(crate) seed: u64,
}

impl Candidates<'_> {
    /// Lets a ranker learn until it has made so many steps in all; a step is a function of its number. A unit of progress is a step.
    ///
    /// # Errors
    /// As [`Opponent::step`]; `Interrupted` between two steps, from where it can go on.
    pub(crate) fn teach(
        &self,
        opponent: &mut Opponent<'_>,
        until: u64,
        progress: &dyn Progress,
    ) -> Result<()> {
        let seed = self.seed ^ SEED;
        let groups = Groups::new(self.judged.to_vec(), 1 + self.negatives, seed)?;
        let mut sampler = Shuffled::new(self.train.to_vec(), self.queries, seed)?;
        let per_epoch = sampler.steps_per_epoch();
        while opponent.steps() < until {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let step = opponent.steps();
            let queries = sampler.batch(step);
            let group = |&query: &u32| groups.group(query, step / per_epoch);
            let drawn = queries.iter().map(group).collect::<Result<Vec<Group>>>()?;
            opponent.step(&Batch::own(queries, &drawn))?;
            progress.advance(1);
        }
        Ok(())
    }
}

/// A ranker that learns in its turns and teaches in those of the retriever.
pub(crate) struct Shared<'a>(Mutex<Opponent<'a>>);

impl<'a> Shared<'a> {
    pub(crate) fn new(opponent: Opponent<'a>) -> Self {
        Self(Mutex::new(opponent))
    }

    /// Takes it out of the hands of others.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Opponent<'a>> {
        // A panic ends the run, and what it left is not saved.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Teacher for Shared<'_> {
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        self.lock().scores(query, documents)
    }
}
