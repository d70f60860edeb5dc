//! Steps of training against PyTorch; `tests/golden/make_steps.py` made the numbers and says how.

use std::path::Path;

use ecphory_kernels::Level;
use ecphory_model::{
    self as model, Gradients, Parameter, Recording, TrainableEncoder, TrainableOptions,
};
use ecphory_train::block::{Block, BlockParts, Columns};
use ecphory_train::head::{Head, Pooling};
use ecphory_train::loss::Loss;
use ecphory_train::optimiser::{
    AdamW, AdamWSettings, Gradient, Group, Optimiser, Pace, Slot, Update, clipping, global_norm,
};
use ecphory_train::ragged::Ragged;
use ecphory_train::schedule::Rate;
use ecphory_train::score::{Cosine, Layout, Pairs};
use rayon::ThreadPool;
use serde_json::Value;

pub const STEPS: u64 = 10;
const SCORE: Cosine = Cosine { scale: 1.0 };

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/steps.json")).unwrap()
}

pub fn doubles(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub fn pool(threads: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Queries, and the positive and the negative of each, one query after the other.
struct Batch {
    texts: Vec<Vec<u32>>,
    queries: usize,
}

impl Batch {
    fn all(golden: &Value) -> Vec<Self> {
        let tokens = |text: &Value| -> Vec<u32> {
            text.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect()
        };
        let side = |batch: &Value, key: &str| -> Vec<Vec<u32>> {
            batch[key].as_array().unwrap().iter().map(tokens).collect()
        };
        let one = |batch: &Value| {
            let queries = side(batch, "queries");
            let count = queries.len();
            Self { texts: [queries, side(batch, "candidates")].concat(), queries: count }
        };
        golden["batches"].as_array().unwrap().iter().map(one).collect()
    }

    fn block(&self, scores: Vec<f32>) -> Block {
        let (queries, candidates) = (self.queries, self.texts.len() - self.queries);
        let mut gold = vec![0.0; queries * candidates];
        for query in 0..queries {
            gold[query * candidates + 2 * query] = 1.0;
        }
        let owners = (0..candidates).map(|candidate| Some(candidate / 2)).collect();
        let columns = Columns::Shared(owners);
        Block::new(BlockParts { queries, candidates, scores, gold, columns, ..Default::default() })
            .unwrap()
    }
}

fn states(recording: &Recording) -> Ragged {
    let ends = recording.spans().iter().map(|span| span.end);
    Ragged {
        values: recording.states().to_vec(),
        columns: recording.columns(),
        offsets: std::iter::once(0).chain(ends).collect(),
        ..Ragged::default()
    }
}

/// How parameters move, as a golden says.
pub struct Mover {
    pub loss: Loss,
    optimiser: AdamW,
    schedule: Rate,
    rate: f32,
    norm_max: f64,
}

impl Mover {
    pub fn new(golden: &Value, slots: Vec<Slot>) -> Self {
        let number = |key: &str| golden[key].as_f64().unwrap();
        let text = |key: &str| golden[key].as_str().unwrap();
        Self {
            loss: text("loss").parse().unwrap(),
            optimiser: AdamW::new(AdamWSettings::default(), slots).unwrap(),
            schedule: Rate::new(text("schedule").parse().unwrap(), STEPS).unwrap(),
            rate: number("rate") as f32,
            norm_max: number("norm_max"),
        }
    }

    /// Moves the parameters and returns the length of the gradient before clipping.
    pub fn apply(&mut self, step: u64, updates: &mut [Update<'_>]) -> f64 {
        let norm = global_norm(updates).unwrap();
        let rate = self.rate * self.schedule.factor(step) as f32;
        let pace = Pace { rate, gradient_scale: clipping(norm, self.norm_max) };
        self.optimiser.step(pace, updates).unwrap();
        norm
    }
}

/// Compares the loss and the length of the gradient of each step with those of a case.
pub fn assert_taken(name: &str, case: &Value, taken: &[(f64, f64)]) {
    let expected = doubles(&case["losses"]).into_iter().zip(doubles(&case["norms"]));
    assert_eq!(expected.len(), taken.len());
    for (step, (found, expected)) in taken.iter().zip(expected).enumerate() {
        assert_near(&format!("{name}, loss of step {step}"), found.0, expected.0, 1e-5);
        assert_near(&format!("{name}, gradient of step {step}"), found.1, expected.1, 1e-4);
    }
}

/// Compares the sum of a parameter's values, and how far they moved, with those of a case.
pub fn assert_moved(what: &str, parameter: &Parameter, start: Vec<f32>, case: &Value) {
    let golden = |key: &str| case[key][parameter.name()].as_f64().unwrap();
    let values = parameter.values().iter().map(|&value| f64::from(value));
    assert_near(what, values.clone().sum(), golden("sums"), 1e-4);
    let squares = values.zip(start).map(|(value, start)| (value - f64::from(start)).powi(2));
    assert_near(what, squares.sum::<f64>().sqrt(), golden("moved"), 1e-4);
}

/// A training in the making.
struct Training {
    encoder: TrainableEncoder,
    gradients: Gradients,
    mover: Mover,
}

impl Training {
    fn new(name: &str, golden: &Value) -> Self {
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/tiny");
        let encoder =
            TrainableEncoder::open(&tiny.join(name), &TrainableOptions::default()).unwrap();
        let slot = |parameter: &Parameter| {
            let is_matrix = parameter.shape().len() > 1;
            let decay = if is_matrix { golden["decay"].as_f64().unwrap() as f32 } else { 0.0 };
            let group = Group { rate_factor: 1.0, decay };
            Slot { name: parameter.name().to_owned(), length: parameter.values().len(), group }
        };
        let slots = encoder.parameters().iter().map(slot).collect();
        Self {
            gradients: Gradients::new(encoder.parameters()),
            encoder,
            mover: Mover::new(golden, slots),
        }
    }

    /// Adds the gradient of a batch's loss to what is there, and returns the loss.
    fn learn(&mut self, batch: &Batch) -> f64 {
        let level = Level::detect();
        let sequences: Vec<&[u32]> = batch.texts.iter().map(Vec::as_slice).collect();
        let recording = self.encoder.forward(&sequences);
        let states = states(&recording);
        let (vectors, ()) = Pooling::Mean.forward(level, &states).unwrap();
        let (queries, candidates) = vectors.values.split_at(batch.queries * vectors.columns);
        let [queries, candidates] = [queries, candidates]
            .map(|values: &[f32]| Ragged::vectors(values.to_vec(), vectors.columns));
        let pairs = Pairs { queries: &queries, candidates: &candidates, layout: Layout::Shared };
        let (scores, kept) = SCORE.forward(level, &pairs).unwrap();
        let judged = self.mover.loss.evaluate(&batch.block(scores)).unwrap();
        let mut slopes = SCORE.backward(level, &pairs, &kept, &judged.gradient).unwrap();
        slopes.queries.append(&mut slopes.candidates);
        let slopes = Pooling::Mean.backward(level, &states, &(), &slopes.queries).unwrap();
        self.encoder.backward(recording, &slopes, &mut self.gradients);
        judged.value
    }

    /// Moves the parameters and returns the length of the gradient before clipping.
    fn apply(&mut self, step: u64) -> f64 {
        let gradients = &self.gradients;
        let parameters = self.encoder.parameters_mut().iter_mut().enumerate();
        let mut updates: Vec<Update<'_>> = parameters
            .map(|(index, parameter)| {
                let columns = *parameter.shape().last().unwrap();
                let gradient = match gradients.get(index).unwrap() {
                    model::Gradient::Dense(values) => Gradient::Dense(values),
                    model::Gradient::Rows { rows, values } => {
                        Gradient::Rows { rows, columns, values }
                    }
                };
                let (name, values) = parameter.named_values_mut();
                Update { name, values, gradient }
            })
            .collect();
        self.mover.apply(step, &mut updates)
    }

    /// Takes all steps and returns the loss of each and the length of its gradient.
    fn run(&mut self, batches: &[Batch]) -> Vec<(f64, f64)> {
        let mut taken = Vec::new();
        for (step, batch) in (0..STEPS).zip(batches.iter().cycle()) {
            self.gradients.zero();
            let loss = self.learn(batch);
            taken.push((loss, self.apply(step)));
        }
        taken
    }

    fn values(&self) -> Vec<Vec<f32>> {
        self.encoder.parameters().iter().map(|parameter| parameter.values().to_vec()).collect()
    }
}

pub fn assert_near(what: &str, found: f64, expected: f64, bound: f64) {
    let error = (found - expected).abs();
    assert!(error <= bound * (1e-3 + expected.abs()), "{what}: {found} not {expected}");
}

#[test]
fn ten_steps_are_those_of_pytorch() {
    let golden = golden();
    let batches = Batch::all(&golden);
    let models = golden["models"].as_array().unwrap();
    assert_eq!(models.len(), 3);
    for case in models {
        let name = case["name"].as_str().unwrap();
        let mut training = Training::new(name, &golden);
        let start = training.values();
        let taken = pool(2).install(|| training.run(&batches));
        assert_taken(name, case, &taken);
        let (first, second) = taken.split_at(batches.len());
        for (before, after) in first.iter().zip(second) {
            assert!(after.0 < before.0, "{name}: nothing was learned");
        }
        let mut seen = 0;
        for (parameter, start) in training.encoder.parameters().iter().zip(start) {
            let what = format!("{name}, {}", parameter.name());
            // A softmax does not see the bias of its keys.
            if what.ends_with("key.bias") || what.ends_with("k.bias") {
                continue;
            }
            seen += 1;
            assert_moved(&what, parameter, start, case);
        }
        assert_eq!(seen, case["sums"].as_object().unwrap().len(), "{name}");
    }
}

#[test]
fn ten_steps_do_not_depend_on_threads() {
    let golden = golden();
    let batches = Batch::all(&golden);
    for case in golden["models"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let [one, two] = [1, 2].map(|threads| {
            let mut training = Training::new(name, &golden);
            let taken = pool(threads).install(|| training.run(&batches));
            let taken = taken.iter().map(|(loss, norm)| (loss.to_bits(), norm.to_bits()));
            let values = training.values().concat();
            let bits = values.iter().map(|value| value.to_bits());
            (taken.collect::<Vec<_>>(), bits.collect::<Vec<_>>())
        });
        assert_eq!(one.0, two.0, "{name}");
        assert!(one.1 == two.1, "{name}: the parameters differ");
    }
}

/// Writes out the gradient of every parameter in full.
fn full(training: &Training) -> Vec<Vec<f32>> {
    let one = |(parameter, (_, gradient)): (&Parameter, (usize, &model::Gradient))| match gradient {
        model::Gradient::Dense(values) => values.clone(),
        model::Gradient::Rows { rows, values } => {
            let columns = *parameter.shape().last().unwrap();
            let mut all = vec![0.0; parameter.values().len()];
            for (&row, values) in rows.iter().zip(values.chunks_exact(columns)) {
                all[row as usize * columns..][..columns].copy_from_slice(values);
            }
            all
        }
    };
    training.encoder.parameters().iter().zip(training.gradients.iter()).map(one).collect()
}

#[test]
fn gradients_of_blocks_add_up() {
    let golden = golden();
    let batches = Batch::all(&golden);
    for case in golden["models"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let mut training = Training::new(name, &golden);
        let apart = [0, 1].map(|batch| {
            training.gradients.zero();
            training.learn(&batches[batch]);
            full(&training)
        });
        training.gradients.zero();
        training.learn(&batches[0]);
        training.learn(&batches[1]);
        let norm = training.gradients.norm() as f32;
        let together = full(&training);
        for (index, together) in together.iter().enumerate() {
            let parameter = training.encoder.parameters()[index].name();
            let sums = apart[0][index].iter().zip(&apart[1][index]);
            for (found, (first, second)) in together.iter().zip(sums) {
                let error = (found - (first + second)).abs();
                let bound = 1e-6 * (first.abs() + second.abs() + 0.01 * norm);
                assert!(error <= bound, "{name}, {parameter}: {found} not {first} + {second}");
            }
        }
    }
}
