use super::samples::{STEP, cases, counting, evaluate};
use crate::block::BlockParts;

/// The central difference at twice and once the step, extrapolated: its error falls with the fourth power of the step.
fn difference(spec: &str, parts: &BlockParts, cell: usize) -> f64 {
    let value = |steps: f32| {
        let mut moved = parts.clone();
        moved.scores[cell] += steps * STEP;
        evaluate(spec, &moved).value
    };
    let slope = |steps: f32| (value(steps) - value(-steps)) / f64::from(2.0 * steps * STEP);
    (4.0 * slope(1.0) - slope(2.0)) / 3.0
}

#[test]
fn derivatives_are_those_of_differences() {
    for (spec, parts) in cases() {
        let found = evaluate(spec, &parts);
        let largest = found.gradient.iter().fold(1.0f32, |most, slope| most.max(slope.abs()));
        for (cell, counts) in counting(&parts).into_iter().enumerate() {
            if !counts {
                assert_eq!(found.gradient[cell], 0.0, "{spec}, masked cell {cell}");
                continue;
            }
            let expected = difference(spec, &parts, cell);
            let error = (f64::from(found.gradient[cell]) - expected).abs();
            assert!(
                error < 2e-6 * f64::from(largest),
                "{spec}, cell {cell} of {parts:?}: {} instead of {expected}",
                found.gradient[cell]
            );
        }
    }
}

#[test]
fn every_family_has_samples_with_a_gradient() {
    let mut still: Vec<&str> = Vec::new();
    let mut moving: Vec<&str> = Vec::new();
    for (spec, parts) in cases() {
        let moves = evaluate(spec, &parts).gradient.iter().any(|slope| *slope != 0.0);
        if moves { moving.push(spec) } else { still.push(spec) }
    }
    still.retain(|spec| !moving.contains(spec));
    assert_eq!(still, [""; 0]);
}
