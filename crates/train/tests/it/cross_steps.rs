//! Steps of training cross-encoders against PyTorch; `tests/golden/make_cross_steps.py` made the numbers and says how.

use std::path::Path;

use ecphory_model::{Gradients, TokenPair, TrainableCrossEncoder, TrainableOptions};
use ecphory_train::block::{Block, BlockParts, Columns};
use ecphory_train::optimiser::{Slot, Update};
use serde_json::Value;

use crate::steps::{Mover, STEPS, assert_moved, assert_taken, pool};

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/cross_steps.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect()
}

/// The pairs of each batch, query after query.
fn batches(golden: &Value, types: u32) -> Vec<Vec<TokenPair>> {
    let pair = |pair: &Value| {
        let types = numbers(&pair["types"]).iter().map(|&one| one.min(types - 1)).collect();
        TokenPair { tokens: numbers(&pair["tokens"]), types }
    };
    let batch = |batch: &Value| batch.as_array().unwrap().iter().map(pair).collect();
    golden["batches"].as_array().unwrap().iter().map(batch).collect()
}

/// A training in the making.
struct Training {
    model: TrainableCrossEncoder,
    gradients: Gradients,
    mover: Mover,
    candidates: usize,
}

impl Training {
    fn new(name: &str, golden: &Value) -> Self {
        let heads = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/golden/heads");
        let options = TrainableOptions::default();
        let model = TrainableCrossEncoder::open(&heads.join(name), &options, 0).unwrap();
        let slots = Slot::of(model.parameters(), golden["decay"].as_f64().unwrap() as f32);
        Self {
            gradients: Gradients::new(model.parameters()),
            model,
            mover: Mover::new(golden, slots),
            candidates: golden["candidates"].as_u64().unwrap() as usize,
        }
    }

    /// Takes a step; returns the loss and the length of the gradient before clipping.
    fn step(&mut self, step: u64, pairs: &[TokenPair]) -> (f64, f64) {
        let candidates = self.candidates;
        let queries = pairs.len() / candidates;
        let pairs: Vec<&TokenPair> = pairs.iter().collect();
        let recording = self.model.forward(&pairs);
        let mut gold = vec![0.0; queries * candidates];
        gold.iter_mut().step_by(candidates).for_each(|grade| *grade = 1.0);
        let (scores, columns) = (recording.states().to_vec(), Columns::Own);
        let parts = BlockParts { queries, candidates, scores, gold, columns, ..Default::default() };
        let judged = self.mover.loss.evaluate(&Block::new(parts).unwrap()).unwrap();
        self.gradients.zero();
        self.model.backward(recording, &judged.gradient, &mut self.gradients);
        let mut updates = Update::of(self.model.parameters_mut(), &self.gradients);
        (judged.value, self.mover.apply(step, &mut updates))
    }

    fn run(&mut self, batches: &[Vec<TokenPair>]) -> Vec<(f64, f64)> {
        let all = (0..STEPS).zip(batches.iter().cycle());
        all.map(|(step, batch)| self.step(step, batch)).collect()
    }

    fn values(&self) -> Vec<Vec<f32>> {
        self.model.parameters().iter().map(|parameter| parameter.values().to_vec()).collect()
    }
}

#[test]
fn ten_steps_of_cross_encoders_are_those_of_pytorch() {
    let golden = golden();
    let models = golden["models"].as_array().unwrap();
    assert_eq!(models.len(), 3);
    for case in models {
        let name = case["name"].as_str().unwrap();
        let batches = batches(&golden, if name == "cross-bert" { 2 } else { 1 });
        let mut training = Training::new(name, &golden);
        let start = training.values();
        let taken = pool(2).install(|| training.run(&batches));
        assert_taken(name, case, &taken);
        let mut seen = 0;
        for (parameter, start) in training.model.parameters().iter().zip(start) {
            let what = format!("{name}, {}", parameter.name());
            // What a softmax does not see has no sum in the golden.
            if case["sums"][parameter.name()].is_null() {
                continue;
            }
            seen += 1;
            assert_moved(&what, parameter, start, case);
        }
        assert_eq!(seen, case["sums"].as_object().unwrap().len(), "{name}");
    }
}

#[test]
fn ten_steps_of_cross_encoders_do_not_depend_on_threads() {
    let golden = golden();
    let batches = batches(&golden, 2);
    let [one, two] = [1, 2].map(|threads| {
        let mut training = Training::new("cross-bert", &golden);
        let taken = pool(threads).install(|| training.run(&batches));
        let bits = training.values().concat().into_iter().map(f32::to_bits);
        (taken, bits.collect::<Vec<_>>())
    });
    assert_eq!(one.0, two.0);
    assert!(one.1 == two.1, "the parameters differ");
}
