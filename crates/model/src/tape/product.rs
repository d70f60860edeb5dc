//! The three products of a linear map on the threads of a pool.
//!
//! The kernel sums every value over the depth in one order (see [`multiply`]), so that it does not matter how rows or
//! columns are dealt out to threads.

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{Epilogue, PANEL, Packed, Panels, Rows, RowsMut, multiply};
use rayon::prelude::*;

use crate::eval::in_strips;

/// Rows that a thread takes at a time: a block of the kernel.
const ROWS: usize = 96;
/// Rows of a register tile.
const TILE: usize = 6;
/// Columns that a thread sums at a time.
const COLUMNS: usize = 128;

/// Computes `a · b` and what comes after it, by blocks of rows.
pub(super) fn by_rows(
    level: Level,
    a: Rows<'_>,
    b: Panels<'_>,
    epilogue: Epilogue<'_>,
    mut out: RowsMut<'_>,
) {
    let share = a.count().div_ceil(rayon::current_num_threads()).next_multiple_of(TILE);
    let step = share.clamp(TILE, ROWS);
    if a.count() <= step {
        return multiply(level, a, b, epilogue, out);
    }
    let mut parts: Vec<(Range<usize>, RowsMut<'_>)> = Vec::new();
    for start in (0..a.count()).step_by(step) {
        let rows = start..a.count().min(start + step);
        let (part, rest) = out.split_at_row(rows.len());
        parts.push((rows, part));
        out = rest;
    }
    let parts = parts.into_par_iter().with_max_len(1);
    parts.for_each(|(rows, out)| multiply(level, a.rows(rows), b, epilogue, out));
}

/// Adds `dᵀ · x` to `out`: the gradient of the weight that made `d`'s columns of `x`'s.
///
/// Sums go through the tokens in order.
pub(super) fn add_outer(level: Level, d: Rows<'_>, x: Rows<'_>, out: &mut [f32]) {
    let (tokens, rows, columns) = (d.count(), d.columns(), x.columns());
    debug_assert_eq!((tokens, rows * columns), (x.count(), out.len()));
    if tokens == 0 {
        return;
    }
    let mut turned = vec![0.0; rows * tokens];
    turned.par_chunks_mut(PANEL * tokens).enumerate().for_each(|(part, out)| {
        transpose(d, part * PANEL, out);
    });
    let turned = Rows::dense(&turned, tokens);
    let epilogue = Epilogue { accumulate: true, ..Epilogue::default() };
    let out = RowsMut::dense(out, columns);
    in_strips(rayon::current_num_threads(), columns, out, |columns, out| {
        let mut packed: Packed = Packed::default();
        packed.set(x.at_columns(columns));
        multiply(level, turned, packed.panels(), epilogue, out);
    });
}

/// Adds the sum of all rows of `d` to `out`, in their order.
pub(super) fn add_sums(d: Rows<'_>, out: &mut [f32]) {
    out.par_chunks_mut(COLUMNS).enumerate().for_each(|(part, sums)| {
        let first = part * COLUMNS;
        for index in 0..d.count() {
            let row = &d.row(index)[first..][..sums.len()];
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    });
}

/// Writes some columns of `rows`, from `first` on, to `out` as rows.
pub(super) fn transpose(rows: Rows<'_>, first: usize, out: &mut [f32]) {
    /// Values of a column that are written while their rows are in the first-level cache.
    const BLOCK: usize = 16;
    let count = rows.count();
    if count == 0 {
        return;
    }
    let columns = out.len() / count;
    for start in (0..count).step_by(BLOCK) {
        let block = start..count.min(start + BLOCK);
        let mut read = [&[][..]; BLOCK];
        for (row, index) in read.iter_mut().zip(block.clone()) {
            *row = &rows.row(index)[first..][..columns];
        }
        for (column, out) in out.chunks_exact_mut(count).enumerate() {
            for (out, row) in out[block.clone()].iter_mut().zip(&read) {
                *out = row[column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 32.0).collect()
    }

    #[test]
    fn products_are_the_plain_ones_on_any_number_of_threads() {
        for (tokens, depth, width) in [(0, 3, 2), (1, 1, 1), (13, 5, 40), (230, 18, 33)] {
            let (x, d) = (values(tokens * depth), values(tokens * width));
            let mut weights = vec![0.25; width * depth];
            let mut biases = vec![0.5; width];
            for token in 0..tokens {
                for out in 0..width {
                    biases[out] += d[token * width + out];
                    for input in 0..depth {
                        weights[out * depth + input] +=
                            d[token * width + out] * x[token * depth + input];
                    }
                }
            }
            let mut all = Vec::new();
            for threads in [1, 2, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let (mut outer, mut sums) = (vec![0.25; width * depth], vec![0.5; width]);
                let (d, x) = (Rows::dense(&d, width), Rows::dense(&x, depth));
                let mut forward = vec![0.0; tokens * depth];
                pool.install(|| {
                    add_outer(Level::detect(), d, x, &mut outer);
                    add_sums(d, &mut sums);
                    let mut packed: Packed = Packed::default();
                    packed.set(Rows::dense(&weights, depth));
                    let out = RowsMut::dense(&mut forward, depth);
                    by_rows(Level::detect(), d, packed.panels(), Epilogue::default(), out);
                });
                let close = |got: &[f32], expected: &[f32]| {
                    got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3)
                };
                assert!(close(&outer, &weights) && close(&sums, &biases));
                all.push((outer, sums, forward));
            }
            assert!(all.iter().all(|one| *one == all[0]));
        }
    }

    #[test]
    fn columns_become_rows() {
        let all = values(35 * 9);
        let rows = Rows::new(&all, 35, 7, 9);
        let mut out = vec![0.0; 4 * 35];
        transpose(rows, 2, &mut out);
        for row in 0..35 {
            for column in 0..4 {
                assert_eq!(out[column * 35 + row], rows.row(row)[2 + column]);
            }
        }
    }
}
