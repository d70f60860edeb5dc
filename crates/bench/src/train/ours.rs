//! Our side: steps of the trainer's own pieces on one batch.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use ecphory_kernels::Level;
use ecphory_model::{Gradients, TrainableEncoder, TrainableOptions};
use ecphory_train::block::{Block, BlockParts, Columns};
use ecphory_train::head::{Head, Pooling};
use ecphory_train::loss::Loss;
use ecphory_train::optimiser::{
    AdamW, AdamWSettings, Optimiser, Pace, Slot, Update, clipping, global_norm,
};
use ecphory_train::ragged::Ragged;
use ecphory_train::score::{Cosine, Layout, Pairs};
use serde_json::{Value, json};

use crate::compare::median;
use crate::corpus;
use crate::side::{Side, count, text};

// The same stand in `peers/train_side.py`.
const LOSS: &str = "infonce(temperature=0.05)";
const RATE: f32 = 2e-5;
const DECAY: f32 = 0.01;
const CLIP: f64 = 1.0;

/// What the requests work on.
pub struct Ours {
    pool: rayon::ThreadPool,
    training: Option<Training>,
}

/// A model with the batch that it is trained on.
struct Training {
    encoder: TrainableEncoder,
    gradients: Gradients,
    optimiser: AdamW,
    loss: Loss,
    /// The tokens of the queries, then those of their documents.
    tokens: Vec<Vec<u32>>,
}

impl Ours {
    pub fn new(threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        Ok(Self { pool, training: None })
    }
}

impl Side for Ours {
    fn ask(&mut self, op: &str, request: &Value) -> Result<Value> {
        match op {
            "open" => {
                self.training = Some(Training::open(request)?);
                Ok(json!({}))
            }
            "steps" => {
                let training = self.training.as_mut().context("nothing is open")?;
                let (mut seconds, mut losses) = (Vec::new(), Vec::new());
                for _ in 0..count(request, "count")? {
                    let start = Instant::now();
                    losses.push(self.pool.install(|| training.step())?);
                    seconds.push(start.elapsed().as_secs_f64());
                }
                Ok(json!({ "seconds": median(&seconds), "losses": losses }))
            }
            _ => bail!("there is no operation `{op}`"),
        }
    }
}

impl Training {
    fn open(request: &Value) -> Result<Self> {
        let model = Path::new(text(request, "model")?);
        let encoder = TrainableEncoder::open(model, &TrainableOptions::default())?;
        let mut tokens = tokens(Path::new(text(request, "queries")?))?;
        tokens.extend(self::tokens(Path::new(text(request, "documents")?))?);
        let slots = Slot::of(encoder.parameters(), DECAY);
        Ok(Self {
            gradients: Gradients::new(encoder.parameters()),
            optimiser: AdamW::new(AdamWSettings::default(), slots)?,
            loss: LOSS.parse()?,
            encoder,
            tokens,
        })
    }

    /// Moves all parameters once and returns the loss before that.
    fn step(&mut self) -> Result<f64> {
        let level = Level::detect();
        let sequences: Vec<&[u32]> = self.tokens.iter().map(Vec::as_slice).collect();
        let recording = self.encoder.forward(&sequences);
        let states = Ragged::from(&recording);
        let (vectors, ()) = Pooling::Mean.forward(level, &states)?;
        let (queries, documents) = vectors.values.split_at(vectors.values.len() / 2);
        let side = |values: &[f32]| Ragged::vectors(values.to_vec(), vectors.columns);
        let (queries, documents) = (side(queries), side(documents));
        let pairs = Pairs { queries: &queries, candidates: &documents, layout: Layout::Shared };
        let cosine = Cosine::default();
        let (scores, kept) = cosine.forward(level, &pairs)?;
        let judged = self.loss.evaluate(&block(queries.items(), scores)?)?;
        let mut slopes = cosine.backward(level, &pairs, &kept, &judged.gradient)?;
        slopes.queries.append(&mut slopes.candidates);
        let slopes = Pooling::Mean.backward(level, &states, &(), &slopes.queries)?;
        self.gradients.zero();
        self.encoder.backward(recording, &slopes, &mut self.gradients);
        let mut updates = Update::of(self.encoder.parameters_mut(), &self.gradients);
        let gradient_scale = clipping(global_norm(&updates)?, CLIP);
        self.optimiser.step(Pace { rate: RATE, gradient_scale }, &mut updates)?;
        Ok(judged.value)
    }
}

/// Every query against every document, of which its own is the relevant one.
fn block(count: usize, scores: Vec<f32>) -> Result<Block> {
    let mut gold = vec![0.0; count * count];
    gold.iter_mut().step_by(count + 1).for_each(|grade| *grade = 1.0);
    let columns = Columns::Shared((0..count).map(Some).collect());
    let parts = BlockParts {
        queries: count,
        candidates: count,
        scores,
        gold,
        columns,
        ..BlockParts::default()
    };
    Ok(Block::new(parts)?)
}

fn tokens(path: &Path) -> Result<Vec<Vec<u32>>> {
    let parse = |line: &String| line.split(' ').map(|token| Ok(token.parse()?)).collect();
    corpus::read(path)?.iter().map(parse).collect()
}
