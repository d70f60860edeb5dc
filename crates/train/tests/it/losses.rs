//! Losses against PyTorch; `tests/golden/make_losses.py` made the numbers.

use ecphory_train::block::{Block, BlockParts, Columns, Teacher};
use ecphory_train::loss::Loss;
use serde_json::Value;

pub fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn block(case: &Value) -> Block {
    let flags =
        |value: &Value| value.as_array().unwrap().iter().map(|x| x.as_bool().unwrap()).collect();
    let count = |name: &str| case[name].as_u64().unwrap() as usize;
    let owner = |value: &Value| value.as_u64().map(|row| row as usize);
    let columns = case["owners"]
        .as_array()
        .map_or(Columns::Own, |owners| Columns::Shared(owners.iter().map(owner).collect()));
    let teachers = case["teachers"].as_array().unwrap().iter();
    Block::new(BlockParts {
        queries: count("queries"),
        candidates: count("candidates"),
        scores: floats(&case["scores"]),
        valid: flags(&case["valid"]),
        gold: floats(&case["gold"]),
        teachers: teachers.map(|scores| Teacher::of_all(floats(scores))).collect(),
        weights: floats(&case["weights"]),
        cell_weights: floats(&case["cell_weights"]),
        columns,
    })
    .unwrap()
}

#[test]
fn values_and_derivatives_are_those_of_pytorch() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../golden/losses.json")).unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let spec = case["spec"].as_str().unwrap();
        let found = spec.parse::<Loss>().unwrap().evaluate(&block(&case)).unwrap();
        let expected = case["value"].as_f64().unwrap();
        let error = (found.value - expected).abs();
        assert!(error < 1e-6 * (1.0 + expected.abs()), "{spec}: {} not {expected}", found.value);
        let gradient = floats(&case["gradient"]);
        let largest = gradient.iter().fold(1.0f32, |most, slope| most.max(slope.abs()));
        for (cell, (found, expected)) in found.gradient.iter().zip(&gradient).enumerate() {
            assert!((found - expected).abs() < 1e-6 * largest, "{spec}, cell {cell}");
        }
    }
}
