//! The second player: a small network over features of pairs.
//!
//! A pair's features are the product and the difference of its two vectors, value by value, and what the rankers of the subject say of
//! it. The network has one hidden layer; it learns to tell the gold candidate from the others by their cross-entropy, and never
//! while it teaches.

use ecphory_kernels::Level;

use crate::error::{Error, Result};
use crate::head::{Head, Linear, Mlp, MlpActivation, Parameter};
use crate::loss::{InfoNce, Loss};
use crate::optimiser::{AdamW, AdamWSettings, Optimiser, Pace, Update, global_norm};
use crate::ragged::Ragged;
use crate::random::{Purpose, Random};
use crate::run::batch::{Batch, Weights};
use crate::study::Subject;
use crate::teacher::{Normaliser, Shape, Teacher};

/// The rankers whose scores are features.
const RANKERS: [&str; 3] = ["dense", "bm25", "maxsim"];
/// Values of the hidden layer.
const HIDDEN: usize = 32;
/// How fast it learns: the same for all arms.
const RATE: f32 = 1e-3;
/// By what share of the rate its weights shrink.
const DECAY: f32 = 0.01;
/// The longest gradient.
const CLIP: f64 = 1.0;

/// What is known of all pairs of a subject.
pub(super) struct Features<'a> {
    subject: &'a Subject<'a>,
    /// The scores of each ranker, query by query, with mean 0 and variance 1 over the documents of a query.
    scores: Vec<Vec<f32>>,
}

/// The network with its optimiser.
pub(super) struct Ranker<'a> {
    features: &'a Features<'a>,
    level: Level,
    network: Mlp,
    optimiser: AdamW,
    loss: Loss,
    steps: u64,
}

impl<'a> Features<'a> {
    /// Takes the rankers of a subject: 4 bytes for each of them and each pair.
    ///
    /// # Errors
    /// What a ranker says.
    pub(super) fn of(subject: &'a Subject<'a>) -> Result<Self> {
        let (queries, documents) = (subject.data().queries(), subject.data().documents());
        let numbers: Vec<u32> = (0..documents.len() as u32).collect();
        let sources = subject.sources();
        let mut scores = Vec::new();
        for name in RANKERS {
            let teacher = sources.teacher(name)?;
            let mut all = Vec::with_capacity(queries.len() * documents.len());
            for query in 0..queries.len() as u32 {
                let mut scores = teacher.scores(query, &numbers)?;
                Normaliser::of(Shape::Z).apply(&mut scores);
                all.extend(scores);
            }
            scores.push(all);
        }
        Ok(Self { subject, scores })
    }

    /// How many a pair has.
    fn count(&self) -> usize {
        2 * self.subject.parts().columns + self.scores.len()
    }

    /// Appends those of a query with some documents, row by row.
    fn append(&self, query: u32, documents: &[u32], to: &mut Vec<f32>) -> Result<()> {
        let (queries, all) = self.subject.vectors();
        let (columns, width) = (queries.columns(), all.count());
        // All products, or all differences, together weigh about as much as one ranker's score at first: a few hundred queries would learn such
        // vectors by heart before the three scores had a say.
        let root = (columns as f32).sqrt();
        let of_query = queries.row(query as usize);
        for &document in documents {
            let place = document as usize;
            if place >= width {
                let (what, number) = ("document", document.into());
                return Err(Error::Outside { what, number, count: width });
            }
            let pairs = || of_query.iter().zip(all.row(place));
            to.extend(pairs().map(|(q, d)| root * q * d));
            to.extend(pairs().map(|(q, d)| (q - d).abs()));
            to.extend(self.scores.iter().map(|scores| scores[query as usize * width + place]));
        }
        Ok(())
    }
}

impl<'a> Ranker<'a> {
    /// Makes one that begins at random.
    ///
    /// # Errors
    /// Where a pair has no features.
    pub(super) fn new(features: &'a Features<'a>, seed: u64) -> Result<Self> {
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
        let layers = vec![layer(0, features.count(), HIDDEN)?, layer(1, HIDDEN, 1)?];
        let mut network = Mlp { layers, activation: MlpActivation::Relu, activates_last: false };
        let slots = network.parameters().into_iter().map(|parameter| parameter.slot(DECAY));
        let optimiser = AdamW::new(AdamWSettings::default(), slots.collect())?;
        let loss = InfoNce::default().into();
        Ok(Self { features, level: Level::detect(), network, optimiser, loss, steps: 0 })
    }

    /// Returns how many steps it has made.
    pub(super) fn steps(&self) -> u64 {
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
    pub(super) fn step(&mut self, batch: &Batch) -> Result<f64> {
        let mut values = Vec::new();
        for (row, &query) in batch.queries.iter().enumerate() {
            self.features.append(query, batch.candidates(row), &mut values)?;
        }
        let inputs = Ragged::vectors(values, self.features.count());
        let (scores, kept) = self.network.forward(self.level, &inputs)?;
        let block =
            batch.block(self.features.subject.data(), scores.values, &[], Weights::default())?;
        let evaluation = self.loss.evaluate(&block)?;
        self.network.parameters().into_iter().for_each(Parameter::clear);
        self.network.backward(self.level, &inputs, &kept, &evaluation.gradient)?;
        let parameters = self.network.parameters().into_iter();
        let mut updates: Vec<Update<'_>> = parameters.map(Parameter::update).collect();
        let pace = Pace::clipped(RATE, global_norm(&updates)?, CLIP);
        self.optimiser.step(pace, &mut updates)?;
        self.steps += 1;
        Ok(evaluation.value)
    }
}

impl Teacher for Ranker<'_> {
    fn scores(&self, query: u32, documents: &[u32]) -> Result<Vec<f32>> {
        let inputs = self.inputs(query, documents)?;
        Ok(self.network.forward(self.level, &inputs)?.0.values)
    }
}
