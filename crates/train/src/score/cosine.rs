//! Cosines.

use ecphory_kernels::Level;

use super::{Dot, Gradient, Pairs};
use crate::ragged::{Ragged, ShapeError};
use crate::unit::Units;

/// `scale · cos(q, c)`; a vector of zeros has a cosine of 0 with all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// What cosines are multiplied with, not 0: a reciprocal temperature.
    pub scale: f64,
}

impl Default for Cosine {
    fn default() -> Self {
        Self { scale: 1.0 }
    }
}

/// What the way back needs.
#[derive(Clone, Debug)]
pub struct CosineKept {
    queries: Units,
    candidates: Units,
}

impl Cosine {
    /// Computes the scores of single vectors.
    ///
    /// # Errors
    /// As [`Dot::forward`].
    pub fn forward(
        &self,
        level: Level,
        pairs: &Pairs<'_>,
    ) -> Result<(Vec<f32>, CosineKept), ShapeError> {
        pairs.vector_grid()?;
        let units = |side: &Ragged| Units::of(&side.values, side.columns);
        let kept =
            CosineKept { queries: units(pairs.queries), candidates: units(pairs.candidates) };
        let scores = with_units(pairs, &kept, |pairs| self.dot().forward(level, pairs))?;
        Ok((scores, kept))
    }

    /// Computes the derivatives by the vectors and the scale from those by the scores.
    ///
    /// # Errors
    /// As [`Dot::backward`].
    pub fn backward(
        &self,
        level: Level,
        pairs: &Pairs<'_>,
        kept: &CosineKept,
        slopes: &[f32],
    ) -> Result<Gradient, ShapeError> {
        let units = with_units(pairs, kept, |pairs| self.dot().backward(level, pairs, slopes))?;
        Ok(Gradient {
            queries: kept.queries.backward(&units.queries),
            candidates: kept.candidates.backward(&units.candidates),
            scale: units.scale,
        })
    }

    fn dot(self) -> Dot {
        Dot { scale: self.scale }
    }
}

/// Calls with unit vectors in place of the vectors.
fn with_units<T>(pairs: &Pairs<'_>, kept: &CosineKept, call: impl FnOnce(&Pairs<'_>) -> T) -> T {
    let columns = pairs.queries.columns;
    let queries = Ragged::vectors(kept.queries.values.clone(), columns);
    let candidates = Ragged::vectors(kept.candidates.values.clone(), columns);
    call(&Pairs { queries: &queries, candidates: &candidates, layout: pairs.layout })
}
