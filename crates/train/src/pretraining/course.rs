//! A table of word pieces that learns from views of documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ecphory_kernels::Level;
use ecphory_model::Role;

use super::{Keys, Learning, Pretraining};
use crate::block::{Block, BlockParts, Columns, Mask};
use crate::body::{Bag, Body, PieceTexts, Sides, TABLE};
use crate::error::{Error, Result};
use crate::head::Pooling;
use crate::loss::Loss;
use crate::matching::{Extra, Matching, MatchingSpec, Materials};
use crate::optimiser::{AdamW, AdamWSettings, Optimiser, Pace, State, Tensors, Twin, global_norm};
use crate::ragged::Ragged;
use crate::run::RunError;
use crate::sampler::{Queue, QueueState, Sampler, Shuffled};
use crate::score::Layout;

/// The paper's.
const ADAMW: AdamWSettings = AdamWSettings { beta1: 0.9, beta2: 0.98, epsilon: 1e-6 };
/// What keys and their documents are called in a checkpoint.
const QUEUE: &str = "queue";
/// What their count is called there.
const PUSHED: &str = "keys ever pushed";
/// A step that no run comes to: views of it were learned from nowhere.
const UNSEEN: u64 = u64::MAX;

/// The state of a table that learns. A step is [`ViewCourse::step`].
pub(crate) struct ViewCourse<'a> {
    texts: &'a PieceTexts,
    plan: &'a Pretraining,
    seed: u64,
    level: Level,
    pub(crate) bag: Bag<'a>,
    pub(crate) matching: Matching,
    loss: Loss,
    clip: f64,
    optimiser: AdamW,
    sampler: Shuffled,
    batch: usize,
    slow: Option<Slow>,
    /// The documents of the step before, for errors.
    pub(crate) documents: Vec<u32>,
}

/// What a course is put together from.
#[derive(Clone, Copy)]
pub(crate) struct ViewParts<'a> {
    pub(crate) texts: &'a PieceTexts,
    /// The directory of the model that the table is of.
    pub(crate) init: &'a Path,
    pub(crate) plan: &'a Pretraining,
    pub(crate) learning: Learning<'a>,
    pub(crate) seed: u64,
}

/// What makes keys and keeps them.
struct Slow {
    twin: Twin,
    queue: Queue,
}

/// What the first views of a batch are held against.
struct Batch<'b> {
    sides: Sides,
    /// The documents of the batch, whose own keys come first.
    documents: &'b [u32],
    /// Those of the keys that follow.
    queued: Vec<u32>,
    /// Which cells count.
    mask: Mask,
}

/// What a step saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) loss: f64,
    /// Of all pairs of a row and another key, how many were of one document.
    pub(crate) own: u64,
    /// How many of them counted as negatives: none, if all is well.
    pub(crate) own_counted: u64,
}

impl<'a> ViewCourse<'a> {
    pub(crate) fn new(parts: ViewParts<'a>) -> Result<Self> {
        let ViewParts { texts, init, plan, learning, seed } = parts;
        let count = texts.documents();
        let batch = learning.documents.min(count / 4);
        let wrong = |setting, expected, got| Err(Error::Setting { setting, expected, got });
        if batch < 2 {
            return wrong("documents to learn from", "at least 8", count.to_string());
        }
        let materials = Materials::without_terms(texts.columns(), Some(Pooling::Mean), seed);
        let mut matching = learning.matching.parse::<MatchingSpec>()?.build(&materials)?;
        // The twin is one of the table alone, and the output a directory.
        if !matching.parameters().is_empty() {
            let expected = "a function that learns nothing by itself";
            return wrong("matching of views", expected, learning.matching.to_owned());
        }
        let bag = Bag::new(texts, init);
        let optimiser = AdamW::new(ADAMW, bag.slots(learning.weight_decay))?;
        let slow = match plan.keys {
            Keys::InBatch => None,
            Keys::Queue { size, decay } => {
                let capacity = if size == 0 { Queue::capacity_max(count, batch) } else { size };
                let queue = Queue::new(capacity, batch, texts.columns())?;
                Some(Slow { twin: Twin::new(decay, bag.values())?, queue })
            }
        };
        let sampler = Shuffled::new((0..count as u32).collect(), batch, seed)?;
        let (loss, clip) = (learning.loss.parse()?, f64::from(learning.clip));
        let level = Level::detect();
        Ok(Self {
            texts,
            plan,
            seed,
            level,
            bag,
            matching,
            loss,
            clip,
            optimiser,
            sampler,
            batch,
            slow,
            documents: Vec::new(),
        })
    }

    /// Moves the table once, and returns what it saw before that; `None` where the queue is not full yet and nothing moved.
    pub(crate) fn step(&mut self, step: u64, rate: f32) -> Result<Option<Seen>> {
        let documents = self.drawn(step);
        self.documents.clone_from(&documents);
        let (queries, keys) = self.views(&documents, step);
        let batch = if self.slow.is_some() {
            let Some(batch) = self.against_queue(&documents, &queries, &keys)? else {
                return Ok(None);
            };
            batch
        } else {
            let sides = self.bag.forward_pieces(&queries, &keys);
            let mask = Mask::full(documents.len(), documents.len());
            Batch { sides, documents: &documents, queued: Vec::new(), mask }
        };
        self.learn(batch, rate).map(Some)
    }

    /// The documents of a step: those that are left over at the end of an epoch make no batch.
    fn drawn(&mut self, step: u64) -> Vec<u32> {
        let whole = (self.texts.documents() / self.batch) as u64;
        let (epoch, within) = (step / whole, step % whole);
        self.sampler.batch(epoch * self.sampler.steps_per_epoch() + within)
    }

    fn views(&self, documents: &[u32], step: u64) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
        let pair = |&document: &u32| {
            let text = self.texts.text(Role::Document, document);
            let pair = self.plan.view.pair(text, document, self.seed, step);
            (pair.query, pair.document)
        };
        documents.iter().map(pair).unzip()
    }

    /// Lets the twin follow and makes keys with it, which then go into the queue, behind those that the batch is held against.
    fn against_queue<'b>(
        &mut self,
        documents: &'b [u32],
        queries: &[Vec<u32>],
        keys: &[Vec<u32>],
    ) -> Result<Option<Batch<'b>>> {
        let slow = self.slow.as_mut().ok_or(Error::Nothing { what: "keys of a queue" })?;
        slow.twin.follow(TABLE, self.bag.table())?;
        let states = self.bag.read_pieces(keys, &slow.twin.tensors()[TABLE]);
        let mut made = self.matching.documents(self.level, &states)?.branches.swap_remove(0);
        let queued = slow.queue.documents().to_vec();
        let queue_mask = slow.queue.mask(documents);
        let own = made.values.clone();
        // A key is one row, which pooling leaves as it is.
        made.values.extend_from_slice(slow.queue.keys());
        slow.queue.push(&own, documents)?;
        if queued.is_empty() {
            return Ok(None);
        }
        let (rows, width) = (documents.len(), queued.len());
        let mask = Mask::full(rows, rows + width).without(|row, column| {
            // The batch brings one key to a row: the others are negatives from the next step on.
            let is_others = column < rows && column != row;
            is_others || (column >= rows && !queue_mask[row * width + column - rows])
        });
        let queries = self.bag.forward_pieces(queries, &[]).queries;
        let sides = Sides { queries, documents: Ragged::vectors(made.values, made.columns) };
        Ok(Some(Batch { sides, documents, queued, mask }))
    }

    fn learn(&mut self, batch: Batch<'_>, rate: f32) -> Result<Seen> {
        let Batch { sides, documents, queued, mask } = batch;
        let (queries, keys) = (&sides.queries, &sides.documents);
        let matched = self.matching.forward(self.level, queries, keys, Layout::Shared)?;
        if !matched.scores.iter().all(|score| score.is_finite()) {
            return Err(Error::from(RunError::NotANumber { what: "score" }));
        }
        let block = block(documents, &queued, mask, matched.scores.clone())?;
        let evaluation = self.loss.evaluate(&block)?;
        let sides = (queries, keys);
        let (extra, gradient) = (Extra::default(), &evaluation.gradient);
        let mut slopes = self.matching.backward(self.level, sides, &matched, gradient, &extra)?;
        if self.slow.is_some() {
            slopes.documents.clear();
        }
        self.bag.backward(slopes)?;
        let mut updates = self.bag.updates();
        let pace = Pace::clipped(rate, global_norm(&updates)?, self.clip);
        self.optimiser.step(pace, &mut updates)?;
        let (own, own_counted) = own_keys(&block, documents, &queued);
        Ok(Seen { loss: evaluation.value, own, own_counted })
    }

    /// Returns what the optimiser remembers.
    pub(crate) fn optimiser(&self) -> State {
        self.optimiser.state()
    }

    /// Copies what makes keys and what is kept of them: the twin and the queue, with lists of numbers; nothing where keys are of the batch.
    pub(crate) fn keys(&self) -> (Tensors, BTreeMap<String, Vec<u64>>) {
        let Some(Slow { twin, queue }) = &self.slow else { return Default::default() };
        let QueueState { keys, documents, pushed } = queue.state();
        let mut tensors = twin.tensors().clone();
        tensors.insert(QUEUE.to_owned(), keys.clone());
        let documents = documents.iter().map(|&document| document.into()).collect();
        let lists = [(QUEUE, documents), (PUSHED, vec![*pushed])];
        (tensors, lists.map(|(name, list)| (name.to_owned(), list)).into())
    }

    /// Takes up what a course of the same shape had come to.
    pub(crate) fn restore(
        &mut self,
        (table, optimiser): (&Tensors, State),
        (mut tensors, mut lists): (Tensors, BTreeMap<String, Vec<u64>>),
    ) -> Result<()> {
        self.bag.set(table)?;
        self.optimiser.restore(optimiser)?;
        let Some(slow) = &mut self.slow else { return Ok(()) };
        let lacks = |what: &str| Error::from(RunError::CheckpointLacks { what: what.to_owned() });
        let keys = tensors.remove(QUEUE).ok_or_else(|| lacks(QUEUE))?;
        let mut list = |name: &str| lists.remove(name).ok_or_else(|| lacks(name));
        let documents = list(QUEUE)?.into_iter().map(u32::try_from);
        let documents = documents.collect::<std::result::Result<_, _>>();
        let documents = documents.map_err(|_| lacks(QUEUE))?;
        let &[pushed] = &list(PUSHED)?[..] else { return Err(lacks(PUSHED)) };
        slow.queue.restore(QueueState { keys, documents, pushed })?;
        slow.twin.restore(tensors)
    }

    /// Makes views of the first documents that no step learned from, and returns in which share of them the first view scores its own
    /// second view above those of all others.
    pub(crate) fn told_apart(&self, count: usize) -> Result<f64> {
        let count = count.min(self.texts.documents());
        let documents: Vec<u32> = (0..count as u32).collect();
        let (queries, keys) = self.views(&documents, UNSEEN);
        let [queries, keys] =
            [queries, keys].map(|all| self.bag.read_pieces(&all, self.bag.table()));
        let matched = self.matching.forward(self.level, &queries, &keys, Layout::Shared)?;
        let is_first = |(row, scores): (usize, &[f32])| {
            let others = (0..count).filter(|&column| column != row);
            others.into_iter().all(|column| scores[column] < scores[row])
        };
        let rows = matched.scores.chunks_exact(count).enumerate();
        Ok(rows.filter(|&row| is_first(row)).count() as f64 / count as f64)
    }

    /// Returns which share of the distinct pieces of such a first view the second view has, on the average.
    pub(crate) fn shared(&self, count: usize) -> f64 {
        let count = count.min(self.texts.documents());
        let documents: Vec<u32> = (0..count as u32).collect();
        let (queries, keys) = self.views(&documents, UNSEEN);
        let share = |(query, key): (&Vec<u32>, &Vec<u32>)| {
            let of = |view: &[u32]| view.iter().copied().collect::<BTreeSet<u32>>();
            let (query, key) = (of(query), of(key));
            query.intersection(&key).count() as f64 / query.len().max(1) as f64
        };
        queries.iter().zip(&keys).map(share).sum::<f64>() / count as f64
    }
}

/// The scores of a batch, in which every row has its own key first among what is relevant.
fn block(documents: &[u32], queued: &[u32], mask: Mask, scores: Vec<f32>) -> Result<Block> {
    let (rows, width) = (documents.len(), documents.len() + queued.len());
    let mut gold = vec![0.0; rows * width];
    gold.iter_mut().step_by(width + 1).take(rows).for_each(|cell| *cell = 1.0);
    let owners = (0..width).map(|column| (column < rows).then_some(column)).collect();
    Ok(Block::new(BlockParts {
        queries: rows,
        candidates: width,
        scores,
        valid: mask.into_valid(),
        gold,
        columns: Columns::Shared(owners),
        ..BlockParts::default()
    })?)
}

/// Counts keys that are of a row's document and not its own second view: all of them, and those that count against it.
fn own_keys(block: &Block, documents: &[u32], queued: &[u32]) -> (u64, u64) {
    let (mut own, mut counted) = (0, 0);
    for (row, document) in documents.iter().enumerate() {
        for (column, key) in documents.iter().chain(queued).enumerate() {
            if key == document && column != row {
                own += 1;
                counted += u64::from(block.counts(row, column));
            }
        }
    }
    (own, counted)
}
