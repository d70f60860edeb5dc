//! Whether a difference between two runs is more than chance: paired tests over queries.
//!
//! The randomisation test is the default of the reports (Smucker, Allan and Carterette 2007); the t
//! test is there because others report it. All take the values of both systems for the same queries in the same order.
//! Seeds are handed in: the same seed gives the same numbers.

mod bootstrap;
mod holm;
mod randomisation;
mod t_test;

pub use bootstrap::{Bootstrap, Interval, bootstrap_interval};
pub use holm::holm;
pub use randomisation::{Randomisation, RandomisationTest, paired_randomisation_test};
pub use t_test::{TTest, paired_t_test};

use crate::error::{Error, Result};

/// Returns `left[i] - right[i]`, after checking that there are at least `needed` pairs.
fn differences(test: &'static str, needed: usize, left: &[f64], right: &[f64]) -> Result<Vec<f64>> {
    if left.len() != right.len() {
        return Err(Error::UnequalSamples { left: left.len(), right: right.len() });
    }
    if left.len() < needed {
        return Err(Error::TooFewQueries { test, needed, got: left.len() });
    }
    let differences: Vec<f64> = left.iter().zip(right).map(|(l, r)| l - r).collect();
    match differences.iter().find(|difference| !difference.is_finite()) {
        Some(got) => Err(Error::Setting {
            setting: "a query's value",
            expected: "a finite number",
            got: got.to_string(),
        }),
        None => Ok(differences),
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
