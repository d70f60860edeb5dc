//! Products in 8-bit integers: blocks of 128 values along the inner sum have a scale in
//! each column of the weights and a range in each row.
//!
//! A weight is `scale · w` with w from -127 to 127. A value of a row is `least + step · q` with q from 0 to 127:
//! an outlier spoils its own block only. Seven bits
//! and not eight, because AVX2 multiplies unsigned by signed bytes and adds pairs in 16 bits *with saturation*:
//! 2 · 127 · 127 = 32,258 fits, 2 · 255 · 127 would not. The sums of a block are exact in 32 bits, so all
//! levels give equal integers; only the few operations of each block that turn them into floats round.
//!
//! Cost on AVX2: two multiplications for 32 products, half of what single precision takes; with VNNI, one.

mod pack;
mod quantize;
mod tile;

pub use pack::{Int8Packed, Int8Panels};
pub use quantize::Int8Rows;

use super::pack::PANEL;
use super::product::Epilogue;
use super::product::strip::{ROW_BLOCK, Strip};
use super::rows::RowsMut;
use crate::Level;
use tile::Tile;

/// Values of a row that share a range.
pub(super) const BLOCK: usize = 128;
/// Values whose products are summed in one step.
pub(super) const QUAD: usize = 4;

/// Computes `out = activation(a · b + bias)`, or `out += a · b + bias`, of what was quantised.
///
/// The result for a row depends on that row, the weights and what is added only. Against the product in single
/// precision it is off by the rounding of both operands: about 1% of the length of the product's vector.
///
/// # Panics
/// Where the shapes do not fit.
pub fn multiply_int8(
    level: Level,
    a: &Int8Rows,
    b: Int8Panels<'_>,
    epilogue: Epilogue<'_>,
    mut out: RowsMut<'_>,
) {
    assert_eq!(a.depth(), b.depth(), "inner lengths differ");
    assert_eq!(
        (a.count(), b.width()),
        (out.count(), out.columns()),
        "the result has another shape"
    );
    epilogue.check(b.width());
    for first in (0..a.count()).step_by(ROW_BLOCK) {
        let rows = first..a.count().min(first + ROW_BLOCK);
        for column in (0..b.width()).step_by(PANEL) {
            let lanes = PANEL.min(b.width() - column);
            let mut bias = [0.0; PANEL];
            if let Some(from) = epilogue.bias {
                bias[..lanes].copy_from_slice(&from[column..column + lanes]);
            }
            let panel = b.panel(column / PANEL);
            let tile = Tile { level, a, panel, bias, add: epilogue.accumulate };
            let (activation, add) = (epilogue.activation, epilogue.accumulate);
            let strip = Strip { level, column, lanes, activation, add };
            strip.run(&tile, rows.clone(), &mut out);
        }
    }
}

#[cfg(test)]
mod tests;
