//! The operations that treat rows or values apart, forwards and backwards, on the threads of a pool.

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{
    Activation, NormSums, activate, activation_gradient, layer_norm, layer_norm_gradient, rms_norm,
    rms_norm_gradient,
};
use rayon::prelude::*;

use super::gradients::Gradients;
use super::node::Norm;
use super::store::Store;
use crate::executor::{NormKind, Summary};
use crate::head::pool;

/// Rows that a thread takes at a time. The gradients of a norm's parameters are summed over so many rows first, then
/// over these sums, whatever the number of threads.
const ROWS: usize = 64;
/// Values that a thread takes at a time where there are no rows.
const VALUES: usize = 1 << 14;

/// Normalises rows into new memory.
pub(super) fn normed(level: Level, store: &Store, norm: &Norm, input: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; input.len()];
    let step = ROWS * store.values(norm.weight).len();
    out.par_chunks_mut(step).zip(input.par_chunks(step)).for_each(|(out, input)| {
        out.copy_from_slice(input);
        normalize(level, store, norm, out);
    });
    out
}

/// Normalises rows in place.
pub(super) fn normalize_all(level: Level, store: &Store, norm: &Norm, rows: &mut [f32]) {
    let step = ROWS * store.values(norm.weight).len();
    rows.par_chunks_mut(step).for_each(|rows| normalize(level, store, norm, rows));
}

fn normalize(level: Level, store: &Store, norm: &Norm, rows: &mut [f32]) {
    let weight = store.values(norm.weight);
    let bias = norm.bias.map_or(&[][..], |bias| store.values(bias));
    match norm.kind {
        NormKind::Layer => layer_norm(level, rows, weight, bias, norm.epsilon),
        NormKind::RootMeanSquare => rms_norm(level, rows, weight, norm.epsilon),
    }
}

/// Replaces the gradient of a norm's result with that of its input, and adds those of its parameters.
pub(super) fn norm_gradient(
    (level, store): (Level, &Store),
    norm: &Norm,
    input: &[f32],
    gradient: &mut [f32],
    gradients: &mut Gradients,
) {
    let weight = store.values(norm.weight);
    let (columns, has_bias) = (weight.len(), norm.bias.is_some());
    let step = ROWS * columns;
    let blocks = gradient.par_chunks_mut(step).zip(input.par_chunks(step));
    let sums: Vec<(Vec<f32>, Vec<f32>)> = blocks
        .map(|(gradient, input)| {
            let mut sums = vec![0.0; columns];
            let mut bias_sums = vec![0.0; if has_bias { columns } else { 0 }];
            match norm.kind {
                NormKind::Layer => {
                    let both = NormSums { weight: &mut sums, bias: &mut bias_sums };
                    layer_norm_gradient(level, input, gradient, weight, norm.epsilon, both);
                }
                NormKind::RootMeanSquare => {
                    rms_norm_gradient(level, input, gradient, weight, norm.epsilon, &mut sums);
                }
            }
            (sums, bias_sums)
        })
        .collect();
    for (weight_sums, bias_sums) in &sums {
        if store.any_trainable([norm.weight]) {
            add(gradients.dense(norm.weight), weight_sums);
        }
        if let Some(bias) = norm.bias.filter(|&bias| store.any_trainable([bias])) {
            add(gradients.dense(bias), bias_sums);
        }
    }
}

/// Applies an activation into new memory.
pub(super) fn activated(level: Level, activation: Activation, inner: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; inner.len()];
    out.par_chunks_mut(VALUES).zip(inner.par_chunks(VALUES)).for_each(|(out, inner)| {
        out.copy_from_slice(inner);
        activate(level, activation, out);
    });
    out
}

/// Replaces the gradient of an activation's result with that of what it was applied to.
pub(super) fn activation_slopes(
    level: Level,
    activation: Activation,
    inner: &[f32],
    gradient: &mut [f32],
) {
    let parts = gradient.par_chunks_mut(VALUES).zip(inner.par_chunks(VALUES));
    parts.for_each(|(gradient, inner)| activation_gradient(level, activation, inner, gradient));
}

/// Multiplies the activation of the first half of rows of `2 · columns` values with their second half.
pub(super) fn gated(
    level: Level,
    activation: Activation,
    joint: &[f32],
    columns: usize,
) -> Vec<f32> {
    let mut out = vec![0.0; joint.len() / 2];
    let rows = joint.par_chunks_exact(2 * columns).with_min_len(ROWS);
    out.par_chunks_exact_mut(columns).zip(rows).for_each(|(out, row)| {
        let (first, second) = row.split_at(columns);
        out.copy_from_slice(first);
        activate(level, activation, out);
        out.iter_mut().zip(second).for_each(|(x, y)| *x *= y);
    });
    out
}

/// Returns the gradient of the rows that were gated.
pub(super) fn gate_gradient(
    level: Level,
    activation: Activation,
    joint: &[f32],
    gradient: &[f32],
    columns: usize,
) -> Vec<f32> {
    let mut out = vec![0.0; joint.len()];
    let rows = joint.par_chunks_exact(2 * columns).zip(gradient.par_chunks_exact(columns));
    out.par_chunks_exact_mut(2 * columns).zip(rows).with_min_len(ROWS).for_each(
        |(out, (row, gradient))| {
            let (first, second) = row.split_at(columns);
            let (of_first, of_second) = out.split_at_mut(columns);
            of_second.copy_from_slice(first);
            activate(level, activation, of_second);
            for ((to, d), other) in of_first.iter_mut().zip(gradient).zip(second) {
                *to = d * other;
            }
            of_second.iter_mut().zip(gradient).for_each(|(x, d)| *x *= d);
            activation_gradient(level, activation, first, of_first);
        },
    );
    out
}

/// Makes one row of the rows of each span.
pub(super) fn summarized(
    summary: Summary,
    values: &[f32],
    columns: usize,
    spans: &[Range<usize>],
) -> Vec<f32> {
    let mut out = vec![0.0; spans.len() * columns];
    for (span, out) in spans.iter().zip(out.chunks_exact_mut(columns)) {
        pool(summary.pooling(), &values[span.start * columns..span.end * columns], out);
    }
    out
}

/// Returns the gradient of the rows that became one a span.
pub(super) fn summary_gradient(
    summary: Summary,
    gradient: &[f32],
    columns: usize,
    spans: &[Range<usize>],
) -> Vec<f32> {
    let rows = spans.iter().map(|span| span.end).max().unwrap_or(0);
    let mut out = vec![0.0; rows * columns];
    for (span, given) in spans.iter().zip(gradient.chunks_exact(columns)) {
        let own = out[span.start * columns..span.end * columns].chunks_exact_mut(columns);
        match summary {
            Summary::First => own.take(1).for_each(|row| row.copy_from_slice(given)),
            Summary::Mean => {
                let share = 1.0 / span.len() as f32;
                own.for_each(|row| row.iter_mut().zip(given).for_each(|(x, d)| *x = d * share));
            }
        }
    }
    out
}

/// Adds values to others.
pub(super) fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
}
