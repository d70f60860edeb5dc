//! Whole models: small random ones of every architecture.

use std::path::PathBuf;

use ecphory_kernels::Level;

use super::{Description, Gradient, Taped, check, check_within, full, pool};
use crate::backbone::{Backbone, BackboneConfig};
use crate::classifier::Classifier;
use crate::eval::Eval;
use crate::executor::{Executor, TokenBatch};
use crate::fresh::HeadTensors;
use crate::precision::Precision;
use crate::tape::{Gradients, ParameterGroup};
use crate::weights::Weights;

const MODELS: [&str; 7] = [
    "bert-mean",
    "bert-all-poolings",
    "distilbert",
    "roberta",
    "mpnet",
    "modernbert",
    "modernbert-older",
];

struct Model(PathBuf);

impl Description for Model {
    type Over<E: Executor> = Backbone<E>;

    fn load<E: Executor>(&self, parameters: &mut E::Parameters) -> Backbone<E> {
        let config = BackboneConfig::open(&self.0).unwrap();
        let mut weights = Weights::open(&self.0).unwrap();
        Backbone::load(&config, &mut weights, parameters).unwrap()
    }

    fn forward<E: Executor>(over: &Backbone<E>, run: &mut E, batch: &TokenBatch) -> E::States {
        over.forward(run, batch)
    }
}

/// A transformer with the head of a cross-encoder.
struct Cross(PathBuf);

impl Description for Cross {
    type Over<E: Executor> = (Backbone<E>, Classifier<E>);

    fn load<E: Executor>(&self, parameters: &mut E::Parameters) -> Self::Over<E> {
        let config = BackboneConfig::open(&self.0).unwrap();
        let mut weights = Weights::open(&self.0).unwrap();
        let backbone = Backbone::load(&config, &mut weights, parameters).unwrap();
        let mut tensors = HeadTensors { weights: &mut weights, fresh: None };
        let head = Classifier::load(&self.0, &config, &mut tensors, parameters).unwrap();
        (backbone, head)
    }

    fn forward<E: Executor>(
        (backbone, head): &Self::Over<E>,
        run: &mut E,
        batch: &TokenBatch,
    ) -> E::States {
        let states = backbone.forward(run, batch);
        head.logits(run, &states, batch)
    }
}

fn model(name: &str) -> Model {
    let goldens = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny");
    Model(goldens.join(name))
}

fn sequences() -> Vec<Vec<u32>> {
    let sequence = |length: u32, by: u32| (0..length).map(|i| (i * by + 2) % 60).collect();
    vec![sequence(9, 7), sequence(1, 1), vec![], sequence(14, 5), sequence(3, 0)]
}

fn batch(sequences: &[Vec<u32>]) -> TokenBatch {
    TokenBatch::new(sequences.iter().map(|sequence| &sequence[..]))
}

#[test]
fn gradients_equal_central_differences() {
    for name in MODELS {
        check(&model(name), &batch(&sequences()[..3]), 3);
    }
}

#[test]
fn gradients_of_cross_encoders_equal_central_differences() {
    let goldens = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/heads");
    let sequences: Vec<Vec<u32>> =
        sequences()[..2].iter().map(|one| one.iter().map(|token| token % 40).collect()).collect();
    for (name, types) in [
        ("cross-bert", 2),
        ("cross-distilbert", 1),
        ("cross-modernbert", 1),
        ("cross-mpnet", 1),
        ("cross-xlm-roberta", 1),
    ] {
        let types: Vec<Vec<u32>> = sequences
            .iter()
            .map(|one| (0..one.len()).map(|at| (2 * at / one.len()) as u32 % types).collect())
            .collect();
        let pairs = sequences.iter().zip(&types).map(|(a, b)| (&a[..], &b[..]));
        // The states of one token hardly vary in ModernBERT's head, whose norm makes much of their rounding.
        let share = if name == "cross-modernbert" { 3e-4 } else { 5e-5 };
        check_within(share, &Cross(goldens.join(name)), &TokenBatch::of_pairs(pairs), 3);
    }
}

#[test]
fn states_equal_those_of_inference() {
    for name in MODELS {
        let batch = batch(&sequences());
        let model = model(name);
        let backbone = model.load::<Eval>(&mut Precision::F32);
        let expected = backbone.forward(&mut Eval::new(Level::detect()), &batch);
        let recording = Taped::new(&model).forward(&batch);
        for (got, expected) in recording.states().iter().zip(expected.values()) {
            assert!((got - expected).abs() < 1e-5, "{name}: {got}, not {expected}");
        }
        assert_eq!(recording.states().len(), expected.values().len());
    }
}

fn all_values(gradients: &Gradients) -> Vec<Gradient> {
    gradients.iter().map(|(_, gradient)| gradient.clone()).collect()
}

#[test]
fn threads_change_no_bit() {
    for name in MODELS {
        let taped = Taped::new(&model(name));
        // So many tokens that products and norms are cut into blocks.
        let mut many = Vec::new();
        (0..12).for_each(|_| many.extend(sequences()));
        let batch = batch(&many);
        let run =
            || (taped.forward(&batch).states().to_vec(), all_values(&taped.gradients(&batch)));
        let one = pool(1).install(run);
        for threads in [2, 3] {
            assert!(one == pool(threads).install(run), "{name} on {threads} threads");
        }
    }
}

#[test]
fn a_sequence_has_its_states_in_any_company() {
    for name in MODELS {
        let taped = Taped::new(&model(name));
        let sequences = sequences();
        let together = taped.forward(&batch(&sequences));
        for (sequence, span) in sequences.iter().zip(together.spans()) {
            let alone = taped.forward(&batch(std::slice::from_ref(sequence)));
            let columns = together.columns();
            let part = &together.states()[span.start * columns..span.end * columns];
            assert_eq!(alone.states(), part, "{name}");
        }
    }
}

#[test]
fn the_gradients_of_a_batch_are_the_sum_of_those_of_its_sequences() {
    for name in MODELS {
        let taped = Taped::new(&model(name));
        let sequences = sequences();
        let together = taped.forward(&batch(&sequences));
        let weights = super::loss_weights(together.states().len());
        let columns = together.columns();
        let spans = together.spans().to_vec();
        let parameters = taped.store.parameters();
        let (mut all, mut sum) = (Gradients::new(parameters), Gradients::new(parameters));
        together.backward(taped.tape(), &weights, &mut all);
        for (sequence, span) in sequences.iter().zip(&spans) {
            let alone = taped.forward(&batch(std::slice::from_ref(sequence)));
            let weights = &weights[span.start * columns..span.end * columns];
            alone.backward(taped.tape(), weights, &mut sum);
        }
        for (index, one) in all.iter() {
            let parameter = &parameters[index];
            let full = |g| full(g, parameter.values().len(), parameter.columns());
            let (one, other) = (full(one), full(sum.get(index).unwrap()));
            let largest = one.iter().fold(1.0f32, |most, x| most.max(x.abs()));
            for (one, other) in one.iter().zip(&other) {
                assert!((one - other).abs() < 1e-5 * largest, "{name} {}", parameter.name());
            }
        }
    }
}

#[test]
fn frozen_layers_have_no_gradient_and_the_others_the_same() {
    for name in MODELS {
        let batch = batch(&sequences());
        let whole = Taped::new(&model(name)).gradients(&batch);
        for below in [1, 2] {
            let taped = Taped::changed(&model(name), |parameters| parameters.freeze_below(below));
            let part = taped.gradients(&batch);
            for (index, parameter) in taped.store.parameters().iter().enumerate() {
                let is_frozen = match parameter.group() {
                    ParameterGroup::Embeddings => true,
                    ParameterGroup::Layer(layer) => layer < below,
                    ParameterGroup::Other => false,
                };
                let expected = whole.get(index).filter(|_| !is_frozen);
                assert_eq!(part.get(index), expected, "{name} {}", parameter.name());
            }
        }
    }
}

#[test]
fn below_what_is_trained_nothing_is_kept() {
    let batch = batch(&sequences());
    let operations = |below| {
        let freeze = |parameters: &mut super::Parameters| parameters.freeze_below(below);
        Taped::changed(&model("bert-mean"), freeze).forward(&batch).operations()
    };
    // An embedding with its norm, and seven operations a layer.
    assert_eq!([operations(0), operations(1), operations(2)], [16, 7, 0]);
}

#[test]
fn a_frozen_part_of_a_layer_lets_gradients_through() {
    for name in ["bert-mean", "modernbert"] {
        let batch = batch(&sequences());
        let whole = Taped::new(&model(name)).gradients(&batch);
        let only = |kept: usize| {
            let keep = |parameters: &mut super::Parameters| {
                let all = parameters.iter_mut().enumerate();
                all.for_each(|(index, parameter)| parameter.set_trainable(index == kept));
            };
            Taped::changed(&model(name), keep).gradients(&batch)
        };
        for kept in 0..whole.len() {
            let one = only(kept);
            assert_eq!(one.get(kept), whole.get(kept), "{name} {kept}");
            assert_eq!(one.iter().count(), 1);
        }
    }
}

#[test]
#[should_panic(expected = "the parameters have moved")]
fn a_recording_belongs_to_the_parameters_as_they_were() {
    let mut taped = Taped::new(&model("bert-mean"));
    let recording = taped.forward(&batch(&sequences()));
    let store = std::sync::Arc::get_mut(&mut taped.store).unwrap();
    let mut gradients = Gradients::new(store.parameters());
    store.parameters_mut()[0].values_mut()[0] += 1.0;
    let zeros = vec![0.0; recording.states().len()];
    recording.backward(taped.tape(), &zeros, &mut gradients);
}
