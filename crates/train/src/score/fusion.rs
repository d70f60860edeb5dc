//! Fusion of two scores with a learned balance (ColBERTer, Hofstätter et al. 2022).

use crate::ragged::{ShapeError, check_length};

/// `σ(γ) · a + (1 - σ(γ)) · b`, cell by cell; `γ` begins at 0, which is half of each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fusion {
    /// The balance, which is learned.
    pub gamma: f64,
}

/// Derivatives by both scores and the balance.
#[derive(Clone, Debug, PartialEq)]
pub struct FusionGradient {
    /// By the first scores.
    pub first: Vec<f32>,
    /// By the second ones.
    pub second: Vec<f32>,
    /// By the balance.
    pub gamma: f64,
}

impl Fusion {
    /// Returns the share of the first scores.
    pub fn share(&self) -> f64 {
        1.0 / (1.0 + (-self.gamma).exp())
    }

    /// Fuses scores.
    ///
    /// # Errors
    /// Another number of second scores than of first ones.
    pub fn forward(&self, first: &[f32], second: &[f32]) -> Result<Vec<f32>, ShapeError> {
        check_length("second scores", second.len(), first.len())?;
        let share = self.share();
        let fuse =
            |(&a, &b): (&f32, &f32)| (share * f64::from(a) + (1.0 - share) * f64::from(b)) as f32;
        Ok(first.iter().zip(second).map(fuse).collect())
    }

    /// Computes the derivatives from those by the fused scores.
    ///
    /// # Errors
    /// Another number of second scores or derivatives than of first scores.
    pub fn backward(
        &self,
        first: &[f32],
        second: &[f32],
        slopes: &[f32],
    ) -> Result<FusionGradient, ShapeError> {
        check_length("second scores", second.len(), first.len())?;
        check_length("derivatives by scores", slopes.len(), first.len())?;
        let share = self.share();
        let mut difference = 0.0;
        for ((&a, &b), &slope) in first.iter().zip(second).zip(slopes) {
            difference += f64::from(slope) * (f64::from(a) - f64::from(b));
        }
        let times = |share: f64| slopes.iter().map(|&s| (share * f64::from(s)) as f32).collect();
        Ok(FusionGradient {
            first: times(share),
            second: times(1.0 - share),
            gamma: share * (1.0 - share) * difference,
        })
    }
}
