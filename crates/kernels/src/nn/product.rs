//! Matrix products against a packed right-hand side.
//!
//! A register tile of 6 rows by 16 columns: twelve sums in registers, so that each of the two loads and
//! six broadcasts of a step feeds two fused multiply-adds. The inner sum is cut into blocks whose panel
//! (24 KiB) stays in the first-level cache, and the rows into blocks that stay in the second.
//!
//! Every value is the sum over the depth in ascending order, one fused multiply-add a step, begun with
//! the bias: cutting into blocks and tiles does not change that order, hence not one bit of the result.
//! Cost: `rows · depth · width` multiply-adds; on AVX2 91 to 93% of the peak from 12 rows on (docs/benchmarks.md).

pub(super) mod strip;
mod tile;

use std::ops::Range;

use super::activation::Activation;
use super::pack::{PANEL, Panels};
use super::rows::{Rows, RowsMut};
use super::weight::Weight;
use crate::Level;
use strip::{ROW_BLOCK, Strip};
use tile::Tile;

/// Steps of a block: 384 steps of 16 columns are 24 KiB, three quarters of a first-level cache.
const DEPTH_BLOCK: usize = 384;

/// What happens to a sum of products.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Is added to each row: one value a column, or none at all.
    pub bias: Option<&'a [f32]>,
    /// Is applied to the sum.
    pub activation: Activation,
    /// Whether what the result holds is added too; not together with an activation.
    pub accumulate: bool,
}

impl Epilogue<'_> {
    /// Keeps some columns.
    #[must_use]
    pub fn columns(self, columns: Range<usize>) -> Self {
        Self { bias: self.bias.map(|bias| &bias[columns]), ..self }
    }

    /// Checks that it fits to a product of so many columns.
    pub(super) fn check(&self, width: usize) {
        assert!(self.bias.is_none_or(|bias| bias.len() == width), "the bias has another length");
        assert!(
            !self.accumulate || self.activation == Activation::None,
            "an activation of what is accumulated"
        );
    }
}

/// Computes `out = activation(a · b + bias)`, or `out += a · b + bias`.
///
/// Each value is within `(depth + 2) · ε · (Σ|aᵢ·bᵢ| + |bias| + |out|)` of the exact sum before the activation, and
/// for one level depends on its row of `a`, its column of `b` and what is added only.
///
/// # Panics
/// Where the shapes do not fit.
pub fn multiply<W: Weight>(
    level: Level,
    a: Rows<'_>,
    b: Panels<'_, W>,
    epilogue: Epilogue<'_>,
    mut out: RowsMut<'_>,
) {
    assert_eq!(a.columns(), b.depth(), "inner lengths differ");
    assert_eq!(
        (a.count(), b.width()),
        (out.count(), out.columns()),
        "the result has another shape"
    );
    epilogue.check(b.width());
    for first_step in (0..b.depth()).step_by(DEPTH_BLOCK) {
        let steps = first_step..b.depth().min(first_step + DEPTH_BLOCK);
        let (is_first, is_last) = (steps.start == 0, steps.end == b.depth());
        let activation = if is_last { epilogue.activation } else { Activation::None };
        for first_row in (0..a.count()).step_by(ROW_BLOCK) {
            let rows = first_row..a.count().min(first_row + ROW_BLOCK);
            for column in (0..b.width()).step_by(PANEL) {
                let lanes = PANEL.min(b.width() - column);
                let mut start = [0.0; PANEL];
                if let Some(bias) = epilogue.bias.filter(|_| is_first) {
                    start[..lanes].copy_from_slice(&bias[column..column + lanes]);
                }
                let add = !is_first || epilogue.accumulate;
                let tile = Tile {
                    level,
                    a,
                    steps: &b.panel(column / PANEL)[steps.clone()],
                    start,
                    add,
                    first_step,
                };
                let strip = Strip { level, column, lanes, activation, add };
                strip.run(&tile, rows.clone(), &mut out);
            }
        }
    }
}

#[cfg(test)]
mod tests;
