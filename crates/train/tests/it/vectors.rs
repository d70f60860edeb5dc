//! Heads and scorers against PyTorch; `tests/golden/make_vectors.py` made the numbers.

use ecphory_kernels::Level;
use ecphory_train::head::{
    Chain, Gate, Head, Lexical, LexicalActivation, Linear, Mlp, MlpActivation, Normalise, Pooling,
    WordMean,
};
use ecphory_train::ragged::Ragged;
use ecphory_train::score::{Cosine, Dot, Layout, MaxSim, Pairs};
use serde_json::Value;

use crate::losses::floats;

const COLUMNS: usize = 4;

/// The offsets and words of the generator.
fn states(values: &[f32]) -> Ragged {
    Ragged {
        offsets: vec![0, 3, 5, 9],
        words: vec![1, 2, 1, 3, 3, 5, 4, 5, 5],
        ..Ragged::vectors(values.to_vec(), COLUMNS)
    }
}

fn linear(weights: &[f32], bias: &[f32]) -> Linear {
    Linear::new(bias.len(), weights.to_vec(), Some(bias.to_vec())).unwrap()
}

fn head(name: &str, inputs: &[Vec<f32>]) -> Option<Chain> {
    let lexical = |activation| {
        let mut head = Lexical::new(inputs[2].len(), inputs[1].clone(), activation).unwrap();
        head.bias.values.clone_from(&inputs[2]);
        head
    };
    let chain = Chain::default();
    Some(match name {
        "mean" => chain.then(Pooling::Mean),
        "linear" => chain.then(linear(&inputs[1], &inputs[2])),
        "words" => chain.then(WordMean),
        "normalise" => chain.then(Normalise),
        "gate" => {
            let mut gate = Gate::new(COLUMNS);
            gate.weight.values.clone_from(&inputs[1]);
            gate.bias.values.clone_from(&inputs[2]);
            chain.then(gate)
        }
        "log" => chain.then(lexical(LexicalActivation::Log)),
        "double-log" => chain.then(lexical(LexicalActivation::DoubleLog)),
        "elu" => chain.then(lexical(LexicalActivation::EluPlusOne)),
        "mlp" => chain.then(Mlp {
            layers: vec![linear(&inputs[1], &inputs[2]), linear(&inputs[3], &inputs[4])],
            activation: MlpActivation::Tanh,
            activates_last: true,
        }),
        _ => return None,
    })
}

/// The output and the derivatives by the inputs.
fn run(
    name: &str,
    inputs: &[Vec<f32>],
    weights: &[f32],
    level: Level,
) -> (Vec<f32>, Vec<Vec<f32>>) {
    if let Some(mut head) = head(name, inputs) {
        let states = states(&inputs[0]);
        let (output, kept) = head.forward(level, &states).unwrap();
        let slopes = head.backward(level, &states, &kept, weights).unwrap();
        let learned = head.parameters().into_iter().map(|parameter| parameter.gradient.clone());
        return (output.values, std::iter::once(slopes).chain(learned).collect());
    }
    let (queries, candidates) = if name == "maxsim" {
        let documents = Ragged::vectors(inputs[1].clone(), COLUMNS);
        (states(&inputs[0]), Ragged { offsets: vec![0, 2, 6, 7, 10], ..documents })
    } else {
        let vectors = |input: usize| Ragged::vectors(inputs[input].clone(), COLUMNS);
        (vectors(0), vectors(1))
    };
    let pairs = Pairs { queries: &queries, candidates: &candidates, layout: Layout::Shared };
    let (scores, gradient) = match name {
        "dot" => {
            let dot = Dot::by_root(COLUMNS);
            (dot.forward(level, &pairs).unwrap(), dot.backward(level, &pairs, weights).unwrap())
        }
        "cosine" => {
            let cosine = Cosine { scale: 1.0 / 0.05 };
            let (scores, kept) = cosine.forward(level, &pairs).unwrap();
            (scores, cosine.backward(level, &pairs, &kept, weights).unwrap())
        }
        _ => {
            assert_eq!(name, "maxsim");
            let (scores, kept) = MaxSim::default().forward(level, &pairs).unwrap();
            (scores, MaxSim::default().backward(&pairs, &kept, weights).unwrap())
        }
    };
    (scores, vec![gradient.queries, gradient.candidates])
}

fn assert_near(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error < 2e-6 * largest, "{name}, value {index}: {found} not {expected}");
    }
}

#[test]
fn values_and_derivatives_are_those_of_pytorch() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../golden/vectors.json")).unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let lists =
            |key: &str| case[key].as_array().unwrap().iter().map(floats).collect::<Vec<_>>();
        let name = case["name"].as_str().unwrap();
        for level in Level::available() {
            let weights = floats(&case["weights"]);
            let (output, gradients) = run(name, &lists("inputs"), &weights, level);
            assert_near(name, &output, &floats(&case["output"]));
            let expected = lists("gradients");
            assert_eq!(gradients.len(), expected.len(), "{name}");
            for (found, expected) in gradients.iter().zip(&expected) {
                assert_near(name, found, expected);
            }
        }
    }
}
