use super::*;
use serde::Deserialize;

/// What `tests/golden/make_optimisers.py` wrote.
#[derive(Deserialize)]
struct Golden {
    slots: Vec<GoldenSlot>,
    rates: Vec<f32>,
    /// By step, then by parameter.
    gradients: Vec<Vec<Vec<f32>>>,
    norms: Vec<f64>,
    norm_max: f64,
    adamw: Vec<Vec<Vec<f32>>>,
    adamw_clipped: Vec<Vec<Vec<f32>>>,
    schedule_free_x: Vec<Vec<Vec<f32>>>,
    schedule_free_y: Vec<Vec<Vec<f32>>>,
}

#[derive(Deserialize)]
struct GoldenSlot {
    name: String,
    values: Vec<f32>,
    rate_factor: f32,
    decay: f32,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../tests/golden/optimisers.json")).unwrap()
    }

    fn slots(&self) -> Vec<Slot> {
        let slot = |slot: &GoldenSlot| Slot {
            name: slot.name.clone(),
            length: slot.values.len(),
            group: Group { rate_factor: slot.rate_factor, decay: slot.decay },
        };
        self.slots.iter().map(slot).collect()
    }

    fn values(&self) -> Vec<Vec<f32>> {
        self.slots.iter().map(|slot| slot.values.clone()).collect()
    }

    fn step(&self, step: usize, pace: Pace, with: &mut dyn Optimiser, values: &mut [Vec<f32>]) {
        let mut updates = self.updates(step, values);
        with.step(pace, &mut updates).unwrap();
    }

    fn updates<'a>(&'a self, step: usize, values: &'a mut [Vec<f32>]) -> Vec<Update<'a>> {
        let all = self.slots.iter().zip(values).zip(&self.gradients[step]);
        all.map(|((slot, values), gradient)| Update {
            name: &slot.name,
            values,
            gradient: Gradient::Dense(gradient),
        })
        .collect()
    }
}

fn assert_close(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{got} {expected}");
    }
}

#[test]
fn adamw_equals_pytorch() {
    let golden = Golden::read();
    for (clipped, expected) in [(false, &golden.adamw), (true, &golden.adamw_clipped)] {
        let mut optimiser = AdamW::new(AdamWSettings::default(), golden.slots()).unwrap();
        let mut values = golden.values();
        for (step, &rate) in golden.rates.iter().enumerate() {
            let norm = global_norm(&golden.updates(step, &mut values)).unwrap();
            assert!((norm / golden.norms[step] - 1.0).abs() < 1e-6);
            let scale = if clipped { clipping(norm, golden.norm_max) } else { 1.0 };
            let pace = Pace { rate, gradient_scale: scale };
            golden.step(step, pace, &mut optimiser, &mut values);
            for (number, values) in values.iter().enumerate() {
                assert_close(values, &expected[step][number]);
            }
        }
    }
    let scales: Vec<f32> = golden.norms.iter().map(|&n| clipping(n, golden.norm_max)).collect();
    assert!(scales.contains(&1.0) && scales.iter().any(|&scale| scale < 0.9), "{scales:?}");
}

#[test]
fn schedule_free_follows_the_three_sequences() {
    let golden = Golden::read();
    let mut optimiser = ScheduleFree::new(ScheduleFreeSettings::default(), golden.slots()).unwrap();
    let mut values = golden.values();
    for (step, &rate) in golden.rates.iter().enumerate() {
        golden.step(step, Pace::of(rate), &mut optimiser, &mut values);
        for (number, slot) in golden.slots.iter().enumerate() {
            assert_close(&values[number], &golden.schedule_free_y[step][number]);
            let x = optimiser.evaluation_view(&slot.name, &values[number]).unwrap();
            assert_close(&x, &golden.schedule_free_x[step][number]);
        }
    }
}

#[test]
fn what_is_saved_is_x_and_training_goes_on_from_y() {
    let golden = Golden::read();
    let mut optimiser = ScheduleFree::new(ScheduleFreeSettings::default(), golden.slots()).unwrap();
    let mut values = golden.values();
    for (step, &rate) in golden.rates.iter().enumerate() {
        golden.step(step, Pace::of(rate), &mut optimiser, &mut values);
    }
    let before = values.clone();
    let x = optimiser.evaluation_view("weight", &values[0]).unwrap().into_owned();
    assert_ne!(x, values[0]);
    assert_eq!(values, before);
    let view = AdamW::new(AdamWSettings::default(), golden.slots()).unwrap();
    assert_eq!(view.evaluation_view("weight", &values[0]).unwrap(), values[0]);
}

#[test]
fn under_noise_x_moves_less_than_z_and_ends_nearer_to_the_optimum() {
    let group = Group { rate_factor: 1.0, decay: 0.0 };
    let slots = vec![Slot { name: "w".into(), length: 8, group }];
    let mut optimiser = ScheduleFree::new(ScheduleFreeSettings::default(), slots).unwrap();
    let mut values = vec![1.0; 8];
    let (mut before, mut moved, mut distances) = (None, [0.0f32; 2], [0.0f32; 2]);
    for step in 0..400 {
        // The gradient of half the square of the values, with noise larger than it.
        let noise = wave(8, step);
        let gradient: Vec<f32> = values.iter().zip(noise).map(|(v, n)| v + 2.0 * n).collect();
        let gradient = Gradient::Dense(&gradient);
        let mut updates = [Update { name: "w", values: &mut values, gradient }];
        optimiser.step(Pace::of(0.02), &mut updates).unwrap();
        let x = optimiser.evaluation_view("w", &values).unwrap().into_owned();
        let now = [x, optimiser.state().tensors["w#z"].clone()];
        let square = |values: &[f32]| values.iter().map(|value| value * value).sum::<f32>();
        if let Some(before) = before.replace(now.clone())
            && step >= 200
        {
            for (sequence, (now, before)) in now.iter().zip(&before).enumerate() {
                let steps: Vec<f32> = now.iter().zip(before).map(|(a, b)| a - b).collect();
                moved[sequence] += square(&steps);
                distances[sequence] += square(now);
            }
        }
    }
    assert!(moved[0] < 0.01 * moved[1], "{moved:?}");
    assert!(distances[0] < distances[1], "{distances:?}");
}

fn optimisers(slots: &[Slot]) -> Vec<Box<dyn Optimiser>> {
    let adamw = AdamW::new(AdamWSettings::default(), slots.to_vec()).unwrap();
    let free = ScheduleFree::new(ScheduleFreeSettings::default(), slots.to_vec()).unwrap();
    vec![Box::new(adamw), Box::new(free)]
}

#[test]
fn ten_steps_are_four_a_state_and_six() {
    let golden = Golden::read();
    let others = optimisers(&golden.slots());
    for (mut whole, mut later) in optimisers(&golden.slots()).into_iter().zip(others) {
        let mut values = golden.values();
        let mut parts = Vec::new();
        for (step, &rate) in golden.rates.iter().enumerate() {
            if step == 4 {
                later.restore(whole.state()).unwrap();
                parts = values.clone();
            }
            golden.step(step, Pace::of(rate), whole.as_mut(), &mut values);
            if step >= 4 {
                golden.step(step, Pace::of(rate), later.as_mut(), &mut parts);
            }
        }
        assert_eq!(values, parts);
        assert_eq!(whole.state(), later.state());
        for (slot, values) in golden.slots.iter().zip(&values) {
            let view = whole.evaluation_view(&slot.name, values).unwrap();
            assert_eq!(view, later.evaluation_view(&slot.name, values).unwrap());
        }
    }
}

const COLUMNS: usize = 3;

fn table() -> Vec<Slot> {
    let group = Group { rate_factor: 1.0, decay: 0.1 };
    vec![Slot { name: "table".into(), length: 5 * COLUMNS, group }]
}

fn wave(count: usize, phase: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7 + phase * 11) as f32 * 0.37).sin()).collect()
}

/// Which rows each step touches; row 1 never.
const TOUCHED: [&[u32]; 6] = [&[0, 2], &[2], &[2, 3, 4], &[], &[0, 4], &[2, 4]];

#[test]
fn a_row_goes_where_a_dense_run_over_its_own_steps_goes() {
    let alone = vec![Slot { length: COLUMNS, ..table()[0].clone() }];
    for (number, mut sparse) in optimisers(&table()).into_iter().enumerate() {
        let mut values = wave(5 * COLUMNS, 99);
        let before = values.clone();
        let mut gradients = Vec::new();
        for (step, rows) in TOUCHED.iter().enumerate() {
            gradients.push(wave(rows.len() * COLUMNS, step));
            let gradient = Gradient::Rows { rows, columns: COLUMNS, values: &gradients[step] };
            let mut updates = [Update { name: "table", values: &mut values, gradient }];
            let rate = 0.01 * (step + 1) as f32;
            sparse.step(Pace::of(rate), &mut updates).unwrap();
        }
        for row in 0..5u32 {
            let mut dense = optimisers(&alone).swap_remove(number);
            let places = row as usize * COLUMNS..(row as usize + 1) * COLUMNS;
            let mut expected = before[places.clone()].to_vec();
            for (step, rows) in TOUCHED.iter().enumerate() {
                let Some(at) = rows.iter().position(|&touched| touched == row) else { continue };
                let gradient = Gradient::Dense(&gradients[step][at * COLUMNS..][..COLUMNS]);
                let mut updates = [Update { name: "table", values: &mut expected, gradient }];
                dense.step(Pace::of(0.01 * (step + 1) as f32), &mut updates).unwrap();
            }
            assert_eq!(values[places.clone()], expected, "row {row}");
            let view = sparse.evaluation_view("table", &values).unwrap();
            let alone = dense.evaluation_view("table", &expected).unwrap();
            assert_eq!(view[places.clone()], alone[..], "row {row}");
            if row == 1 {
                assert_eq!(view[places.clone()], before[places]);
            }
        }
    }
}

#[test]
fn rows_that_are_all_touched_are_a_dense_gradient() {
    let rows: Vec<u32> = (0..5).collect();
    let others = optimisers(&table());
    for (mut sparse, mut dense) in optimisers(&table()).into_iter().zip(others) {
        let (mut a, mut b) = (wave(5 * COLUMNS, 99), wave(5 * COLUMNS, 99));
        for step in 0..6 {
            let values = wave(5 * COLUMNS, step);
            // A table may get a dense gradient in between: every row counts it.
            let gradient = if step % 3 == 2 {
                Gradient::Dense(&values)
            } else {
                Gradient::Rows { rows: &rows, columns: COLUMNS, values: &values }
            };
            let mut updates = [Update { name: "table", values: &mut a, gradient }];
            sparse.step(Pace::of(0.02), &mut updates).unwrap();
            let gradient = Gradient::Dense(&values);
            let mut updates = [Update { name: "table", values: &mut b, gradient }];
            dense.step(Pace::of(0.02), &mut updates).unwrap();
        }
        assert_eq!(a, b);
        let state = sparse.state();
        assert_eq!(state.counters["table#steps"], [6; 5]);
        let mut resumed = optimisers(&table());
        let accepted = resumed.iter_mut().filter_map(|o| o.restore(state.clone()).ok()).count();
        assert_eq!(accepted, 1);
    }
}

#[test]
fn pieces_do_not_change_a_bit() {
    let length = 2 * PIECE + 77;
    let group = Group { rate_factor: 1.0, decay: 0.1 };
    let slots = vec![Slot { name: "long".into(), length, group }];
    let short = vec![Slot { name: "long".into(), length: 100, group }];
    let gradient = wave(length, 3);
    for (mut long, mut end) in optimisers(&slots).into_iter().zip(optimisers(&short)) {
        let mut values = wave(length, 4);
        let mut last = values[length - 100..].to_vec();
        for _ in 0..3 {
            let dense = Gradient::Dense(&gradient);
            let mut updates = [Update { name: "long", values: &mut values, gradient: dense }];
            long.step(Pace::of(0.1), &mut updates).unwrap();
            let dense = Gradient::Dense(&gradient[length - 100..]);
            let mut updates = [Update { name: "long", values: &mut last, gradient: dense }];
            end.step(Pace::of(0.1), &mut updates).unwrap();
        }
        assert_eq!(values[length - 100..], last);
    }
}

#[test]
fn a_rate_of_zero_moves_nothing() {
    for mut optimiser in optimisers(&table()) {
        let mut values = wave(5 * COLUMNS, 1);
        let before = values.clone();
        let gradient = wave(5 * COLUMNS, 2);
        let gradient = Gradient::Dense(&gradient);
        let mut updates = [Update { name: "table", values: &mut values, gradient }];
        optimiser.step(Pace::of(0.0), &mut updates).unwrap();
        assert_eq!(values, before);
        assert_eq!(optimiser.evaluation_view("table", &values).unwrap(), before);
    }
}

fn problem(gradient: Gradient<'_>, name: &str, length: usize) -> String {
    let mut messages = Vec::new();
    for mut optimiser in optimisers(&table()) {
        let mut values = wave(length, 1);
        let before = values.clone();
        let mut updates = [Update { name, values: &mut values, gradient }];
        let error = optimiser.step(Pace::of(0.1), &mut updates).unwrap_err();
        assert_eq!(values, before);
        messages.push(error.to_string());
    }
    assert_eq!(messages[0], messages[1]);
    messages.swap_remove(0)
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let values = wave(15, 0);
    let rows = |rows, columns, count| Gradient::Rows { rows, columns, values: &values[..count] };
    let dense = Gradient::Dense(&values);
    assert_eq!(problem(dense, "tabel", 15), "parameter `tabel`: is not among the parameters");
    assert_eq!(problem(dense, "table", 14), "parameter `table`: expected 15 values, got 14");
    let short = Gradient::Dense(&values[..14]);
    assert!(problem(short, "table", 15).ends_with("expected a gradient of 15 values, got 14"));
    assert!(problem(rows(&[0, 5], 3, 6), "table", 15).ends_with("row 5 of a table of 5"));
    assert!(problem(rows(&[2, 2], 3, 6), "table", 15).ends_with("not after the row before it"));
    assert!(problem(rows(&[2], 3, 6), "table", 15).ends_with("gradient of 3 values, got 6"));
    assert!(problem(rows(&[2], 4, 4), "table", 15).ends_with("15 values are no rows of 4"));
    assert!(problem(rows(&[2], 0, 0), "table", 15).ends_with("15 values are no rows of 0"));
    let bad = [0.0, f32::NAN];
    let mut held = [0.0; 2];
    let update = Update { name: "w", values: &mut held, gradient: Gradient::Dense(&bad) };
    let error = global_norm(&[update]).unwrap_err();
    assert_eq!(error.to_string(), "parameter `w`: the gradient is NaN at place 1");
    for mut optimiser in optimisers(&table()) {
        let pace = Pace::of(f32::NAN);
        assert!(optimiser.step(pace, &mut []).unwrap_err().to_string().contains("learning rate"));
    }
    let twice = vec![table().remove(0), table().remove(0)];
    let error = AdamW::new(AdamWSettings::default(), twice).unwrap_err();
    assert!(error.to_string().ends_with("is named twice"));
    let settings = AdamWSettings { beta2: 1.0, ..AdamWSettings::default() };
    assert!(AdamW::new(settings, table()).unwrap_err().to_string().starts_with("beta2"));
    let settings = ScheduleFreeSettings { beta1: 0.0, ..ScheduleFreeSettings::default() };
    assert!(ScheduleFree::new(settings, table()).is_err());
}

#[test]
fn a_foreign_state_is_refused_and_changes_nothing() {
    for mut optimiser in optimisers(&table()) {
        let mut values = wave(15, 1);
        let gradient = wave(15, 2);
        let gradient = Gradient::Dense(&gradient);
        let mut updates = [Update { name: "table", values: &mut values, gradient }];
        optimiser.step(Pace::of(0.1), &mut updates).unwrap();
        let kept = optimiser.state();
        let mut refuse = |change: &dyn Fn(&mut State), end: &str| {
            let mut state = kept.clone();
            change(&mut state);
            let error = optimiser.restore(state).unwrap_err().to_string();
            assert!(error.ends_with(end), "{error}");
            assert_eq!(optimiser.state(), kept);
        };
        refuse(&|state| drop(state.tensors.insert("other#z".into(), vec![])), "the parameters");
        refuse(&|state| drop(state.tensors.remove("table#second")), "`table`: is missing");
        refuse(&|state| drop(state.counters.insert("table#steps".into(), vec![1; 4])), "15 values");
        let short = |state: &mut State| drop(state.tensors.insert("table#second".into(), vec![]));
        refuse(&short, "`table#second`: expected 15 values, got 0");
    }
}

#[test]
fn the_twin_is_a_moving_average() {
    let tensors = |values: [f32; 2]| Tensors::from([("w".to_owned(), values.to_vec())]);
    let mut twin = Twin::new(0.75, tensors([1.0, -2.0])).unwrap();
    twin.follow("w", &[2.0, 2.0]).unwrap();
    assert_eq!(twin.tensors()["w"], [1.25, -1.0]);
    let mut again = Twin::new(0.75, twin.tensors().clone()).unwrap();
    twin.follow("w", &[0.0, 0.5]).unwrap();
    again.follow("w", &[0.0, 0.5]).unwrap();
    assert_eq!(twin, again);
    assert!(twin.follow("v", &[0.0]).is_err() && twin.follow("w", &[0.0]).is_err());
    assert!(
        Twin::new(1.0, Tensors::new()).is_err() && Twin::new(f32::NAN, Tensors::new()).is_err()
    );
}

#[test]
fn checkpoints_are_averaged_by_weight() {
    let tensors = |values: &[f32]| Tensors::from([("w".to_owned(), values.to_vec())]);
    let (a, b) = (tensors(&[1.0, 4.0]), tensors(&[5.0, 0.0]));
    assert_eq!(average(&[(&a, 1.0), (&b, 1.0)]).unwrap()["w"], [3.0, 2.0]);
    assert_eq!(average(&[(&a, 3.0), (&b, 1.0)]).unwrap()["w"], [2.0, 3.0]);
    assert_eq!(average(&[(&a, 0.7)]).unwrap(), a);
    let message = |checkpoints: &[(&Tensors, f64)]| average(checkpoints).unwrap_err().to_string();
    assert!(message(&[]).starts_with("weights of checkpoints"));
    assert!(message(&[(&a, -1.0), (&b, 3.0)]).starts_with("weights of checkpoints"));
    assert!(message(&[(&a, f64::NAN)]).starts_with("weights of checkpoints"));
    let other = Tensors::from([("v".to_owned(), vec![0.0])]);
    assert!(message(&[(&a, 1.0), (&other, 1.0)]).ends_with("`w`: is missing"));
    let both = Tensors::from([("v".to_owned(), vec![0.0]), ("w".to_owned(), vec![0.0, 1.0])]);
    assert!(message(&[(&a, 1.0), (&both, 1.0)]).ends_with("`v`: is missing"));
    assert!(message(&[(&a, 1.0), (&tensors(&[1.0]), 1.0)]).ends_with("expected 2 values, got 1"));
}
