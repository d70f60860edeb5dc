//! From weights to impacts.

/// The largest impact.
const MOST: f64 = 255.0;

/// Returns what an impact of 1 stands for in a list whose largest weight this is: the smallest f32 of which 255
/// reach it.
pub(crate) fn unit(largest: f32) -> f32 {
    let reaches = |unit: f32| f64::from(unit) * MOST >= f64::from(largest);
    let mut unit = (f64::from(largest) / MOST) as f32;
    while !reaches(unit) {
        unit = unit.next_up();
    }
    unit
}

/// Returns the smallest impact that is not below a weight, at least 1. Products of an f32 and a byte are exact in f64.
pub(crate) fn impact(weight: f32, unit: f32) -> u8 {
    let (weight, unit) = (f64::from(weight), f64::from(unit));
    let mut impact = (weight / unit).ceil().max(1.0);
    // The quotient may have been rounded down to a whole number.
    if impact * unit < weight {
        impact += 1.0;
    }
    impact.min(MOST) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_impact_bounds_its_weight_closely(
            weights in proptest::collection::vec(prop_oneof![
                0.0001f32..4.0,
                (1u32..0x5863_5fa9).prop_map(f32::from_bits),
            ], 1..40),
        ) {
            let largest = weights.iter().copied().fold(0.0, f32::max);
            let unit = unit(largest);
            prop_assert!(f64::from(unit) * MOST >= f64::from(largest));
            let smaller = unit.next_down();
            prop_assert!(f64::from(smaller) * MOST < f64::from(largest));
            for weight in weights {
                let impact = f64::from(impact(weight, unit));
                let (weight, unit) = (f64::from(weight), f64::from(unit));
                prop_assert!((1.0..=MOST).contains(&impact));
                prop_assert!(impact * unit >= weight);
                prop_assert!(impact == 1.0 || (impact - 1.0) * unit < weight);
            }
        }
    }
}
