//! Products in 8-bit integers: blocks of 128 values along the inner sum have a scale in
//! each column of the weights and a range in each row.
//!
//! A weight is `scale · w` with w from -127 to 127. A value of a row is `least + step · q` with q from 0 to 255, and
//! to 127 only on AVX2 without VNNI, whose products of bytes would saturate: an outlier spoils its own block
//! only. The sums of a block are exact in 32 bits; only the few operations of each block that turn them into
//! floats round. A product is as exact as the CPU's instructions allow, so its last digits depend on the level.
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
use tile::Tile;

/// Values of a row that share a range.
pub(super) const BLOCK: usize = 128;
/// Values whose products are summed in one step.
pub(super) const QUAD: usize = 4;

/// Computes `out = activation(a · b + bias)`, or `out += a · b + bias`, of what was quantised.
///
/// The result for a row depends on that row, the weights and what is added only. Against the product in single
/// precision it is off by the rounding of both operands: 0.6% to 1% of the length of the product's vector.
///
/// # Panics
/// Where the shapes do not fit.
pub fn multiply_int8(
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
    let level = a.level();
    for first in (0..a.count()).step_by(ROW_BLOCK) {
        let rows = first..a.count().min(first + ROW_BLOCK);
        for column in (0..b.width()).step_by(PANEL) {
            let lanes = PANEL.min(b.width() - column);
            let mut bias = [0.0; PANEL];
            if let Some(from) = epilogue.bias {
                bias[..lanes].copy_from_slice(&from[column..column + lanes]);
            }
            let panel = b.panel(column / PANEL);
            let tile = Tile { a, panel, bias, add: epilogue.accumulate };
            let (activation, add) = (epilogue.activation, epilogue.accumulate);
            let strip = Strip { level, column, lanes, activation, add };
            strip.run(&tile, rows.clone(), &mut out);
        }
    }
}

#[cfg(test)]
mod tests;
