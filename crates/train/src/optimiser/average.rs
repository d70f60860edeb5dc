//! The weighted mean of checkpoints, parameter by parameter.
//!
//! Only checkpoints of one run (or of runs that began from the same weights and stayed close) have a
//! mean that is worth something; nothing here can tell.

use super::roster::refused;
use super::{ParameterProblem, Tensors};
use crate::error::{Error, Result};

/// Averages checkpoints with weights, which need not add up to one. Sums are in double precision.
///
/// # Errors
/// Where there is none, a weight is negative, all are 0, or a parameter is missing or has another length.
pub fn average(checkpoints: &[(&Tensors, f64)]) -> Result<Tensors> {
    let (setting, expected) = ("weights of checkpoints", "numbers from 0 on, one of them above 0");
    let weights: Vec<f64> = checkpoints.iter().map(|(_, weight)| *weight).collect();
    let total: f64 = weights.iter().sum();
    if weights.iter().any(|weight| *weight < 0.0) || !total.is_finite() || total <= 0.0 {
        return Err(Error::Setting { setting, expected, got: format!("{weights:?}") });
    }
    let all_names = checkpoints.iter().flat_map(|(tensors, _)| tensors.keys());
    let mut averaged = Tensors::new();
    for name in all_names {
        if averaged.contains_key(name) {
            continue;
        }
        let mut sums: Vec<f64> = Vec::new();
        for (number, (tensors, weight)) in checkpoints.iter().enumerate() {
            let values =
                tensors.get(name).ok_or_else(|| refused(name, ParameterProblem::Missing))?;
            if number == 0 {
                sums = vec![0.0; values.len()];
            }
            let (expected, got) = (sums.len(), values.len());
            if expected != got {
                return Err(refused(name, ParameterProblem::Length { expected, got }));
            }
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += weight / total * f64::from(value);
            }
        }
        averaged.insert(name.clone(), sums.into_iter().map(|sum| sum as f32).collect());
    }
    Ok(averaged)
}
