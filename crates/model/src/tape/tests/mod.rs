//! A tape against the plainest executor there is, in double precision: gradients against central differences, for single
//! operations and for whole models; and against [`Eval`](crate::eval::Eval), threads and batches.

mod chain;
mod models;
mod operations;
mod plain;

use std::sync::Arc;

use ecphory_kernels::Level;

use super::{Gradient, Gradients, Parameters, Recording, Store, Tape, Traced};
use crate::executor::{Executor, TokenBatch};
use plain::Plain;

/// Something that is described over an executor.
trait Description {
    type Over<E: Executor>;
    fn load<E: Executor>(&self, parameters: &mut E::Parameters) -> Self::Over<E>;
    fn forward<E: Executor>(over: &Self::Over<E>, run: &mut E, batch: &TokenBatch) -> E::States;
}

/// A description on a tape.
struct Taped<D: Description> {
    store: Arc<Store>,
    over: D::Over<Tape>,
}

impl<D: Description> Taped<D> {
    fn new(description: &D) -> Self {
        Self::changed(description, |_| {})
    }

    fn changed(description: &D, change: impl FnOnce(&mut Parameters)) -> Self {
        let mut parameters = Parameters::default();
        let over = description.load::<Tape>(&mut parameters);
        change(&mut parameters);
        Self { store: Arc::new(Store::new(parameters)), over }
    }

    fn tape(&self) -> Tape {
        Tape::new(Arc::clone(&self.store), Level::detect())
    }

    fn forward(&self, batch: &TokenBatch) -> Recording {
        let mut tape = self.tape();
        let states: Traced = D::forward(&self.over, &mut tape, batch);
        Recording::new(tape, states, batch.spans.clone())
    }

    /// Returns the gradients of the sum of all states, each times a number of its own.
    fn gradients(&self, batch: &TokenBatch) -> Gradients {
        let recording = self.forward(batch);
        let weights = loss_weights(recording.states().len());
        let mut gradients = Gradients::new(self.store.parameters());
        recording.backward(self.tape(), &weights, &mut gradients);
        gradients
    }
}

/// Numbers between -1 and 1; a multiplicative hash is random enough.
fn values(count: usize, seed: u64) -> Vec<f32> {
    (0..count as u64)
        .map(|i| (i + 1 + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .map(|bits| (bits ^ bits >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40)
        .map(|bits| bits as f32 / (1u64 << 23) as f32 - 1.0)
        .collect()
}

fn loss_weights(count: usize) -> Vec<f32> {
    values(count, 1)
}

/// Writes a gradient out in full.
fn full(gradient: &Gradient, count: usize, columns: usize) -> Vec<f32> {
    match gradient {
        Gradient::Dense(values) => values.clone(),
        Gradient::Rows { rows, values } => {
            assert!(rows.is_sorted_by(|a, b| a < b), "rows are in order");
            let mut all = vec![0.0; count];
            for (row, values) in rows.iter().zip(values.chunks_exact(columns)) {
                all[*row as usize * columns..][..columns].copy_from_slice(values);
            }
            all
        }
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started")
}

/// Checks states and gradients of a description: at most `most` values of each parameter against central differences.
fn check<D: Description>(description: &D, batch: &TokenBatch, most: usize) {
    check_within(5e-5, description, batch, most);
}

/// As [`check`], with gradients that may be off by a share of the largest and by a tenth of it.
fn check_within<D: Description>(share: f64, description: &D, batch: &TokenBatch, most: usize) {
    let taped = Taped::new(description);
    let mut plain = Plain::default();
    let over = description.load::<Plain>(&mut plain.parameters);
    let recording = taped.forward(batch);
    let weights = loss_weights(recording.states().len());
    let states = D::forward(&over, &mut plain, batch).concat();
    assert_eq!(states.len(), recording.states().len());
    for (&got, expected) in recording.states().iter().zip(&states) {
        let bound = 2e-5 * (1.0 + expected.abs());
        assert!((f64::from(got) - expected).abs() < bound, "state {got}, not {expected}");
    }
    let loss = |plain: &mut Plain| -> f64 {
        let states = D::forward(&over, plain, batch).concat();
        states.iter().zip(&weights).map(|(state, &weight)| state * f64::from(weight)).sum()
    };
    let gradients = taped.gradients(batch);
    let parameters = taped.store.parameters();
    assert_eq!(plain.parameters.all.len(), parameters.len());
    for (index, parameter) in parameters.iter().enumerate() {
        let gradient = gradients.get(index).expect("nothing is frozen");
        let count = parameter.values().len();
        let gradient = full(gradient, count, parameter.columns());
        let largest = gradient.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        for at in (0..count).step_by(count.div_ceil(most).max(1)) {
            let mut moved = |by: f64| {
                plain.parameters.all[index].values[at] += by;
                let loss = loss(&mut plain);
                plain.parameters.all[index].values[at] -= by;
                loss
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            let (got, bound) = (f64::from(gradient[at]), share * (0.1 + f64::from(largest)));
            let name = parameter.name();
            assert!((got - expected).abs() < bound, "{name}[{at}]: {got}, not {expected}");
        }
    }
}
