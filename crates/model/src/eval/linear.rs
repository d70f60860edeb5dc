//! Linear maps with their weights packed for the kernels, in the precision that was asked for.

use std::ops::Range;
use std::sync::OnceLock;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{
    Activation, Epilogue, Int8Packed, Int8Rows, PANEL, Packed, Rows, RowsMut, Weight, multiply,
    multiply_int8,
};
use half::{bf16, f16};
use rayon::prelude::*;

use crate::executor::LinearPart;
use crate::precision::{Packing, Precision};
use crate::tensor::Tensor;

/// A linear map. Its weights are packed for the kernel when they are first used: a model is open as soon as its files
/// are mapped, and what is not used costs nothing.
pub(crate) struct PackedLinear {
    weight: OnceLock<PackedWeight>,
    parts: Vec<LinearPart>,
    packing: Packing,
    bias: Option<Vec<f32>>,
    activation: Activation,
    depth: usize,
    width: usize,
}

enum PackedWeight {
    F32(Packed<f32>),
    F16(Packed<f16>),
    Bf16(Packed<bf16>),
    Int8(Int8Packed),
}

impl PackedLinear {
    /// Prepares parts that stand side by side.
    pub(super) fn new(precision: Precision, parts: &[LinearPart], activation: Activation) -> Self {
        let bias: Vec<f32> =
            parts.iter().filter_map(|(_, bias)| bias.as_ref()).flat_map(Tensor::to_vec).collect();
        Self {
            weight: OnceLock::new(),
            parts: parts.to_vec(),
            packing: precision.of(parts),
            bias: if bias.is_empty() { None } else { Some(bias) },
            activation,
            depth: parts[0].0.shape[1],
            width: parts.iter().map(|(weight, _)| weight.shape[0]).sum(),
        }
    }

    fn weight(&self) -> &PackedWeight {
        self.weight.get_or_init(|| {
            let packed = match self.packing {
                Packing::F32 => PackedWeight::F32(pack(&self.parts)),
                Packing::F16 => PackedWeight::F16(pack(&self.parts)),
                Packing::Bf16 => PackedWeight::Bf16(pack(&self.parts)),
                Packing::Int8 => {
                    let (depth, width, column) = columns_of(&self.parts);
                    PackedWeight::Int8(Int8Packed::by_columns(depth, width, column))
                }
            };
            self.parts.iter().for_each(|(weight, _)| weight.unload());
            packed
        })
    }

    /// Returns how many values a row of the input has.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Returns how many values come out.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Applies the map to rows, its columns in strips on as many threads. With `accumulate`, the result is
    /// added to what `out` holds.
    pub(super) fn run(&self, on: &mut Strips, input: Rows<'_>, accumulate: bool, out: RowsMut<'_>) {
        self.run_columns(on, 0..self.width, input, accumulate, out);
    }

    /// The same for some columns, of which the first has to begin a panel.
    pub(super) fn run_columns(
        &self,
        on: &mut Strips,
        columns: Range<usize>,
        input: Rows<'_>,
        accumulate: bool,
        out: RowsMut<'_>,
    ) {
        let epilogue =
            Epilogue { bias: self.bias.as_deref(), activation: self.activation, accumulate };
        let epilogue = epilogue.columns(columns.clone());
        match self.weight() {
            PackedWeight::F32(weight) => run(on, input, (weight, columns), epilogue, out),
            PackedWeight::F16(weight) => run(on, input, (weight, columns), epilogue, out),
            PackedWeight::Bf16(weight) => run(on, input, (weight, columns), epilogue, out),
            PackedWeight::Int8(weight) => {
                on.rows.set(input, weight);
                let rows = &on.rows;
                let panels = weight.panels().columns(columns);
                in_strips(on.count, panels.width(), out, |columns, out| {
                    let epilogue = epilogue.columns(columns.clone());
                    multiply_int8(rows, panels.columns(columns), epilogue, out);
                });
            }
        }
    }
}

/// On how many threads a linear map runs, and what it needs there.
pub(super) struct Strips {
    pub(super) level: Level,
    pub(super) count: usize,
    rows: Int8Rows,
}

impl Strips {
    /// One strip, on the thread that calls.
    pub(super) fn new(level: Level) -> Self {
        Self { level, count: 1, rows: Int8Rows::new(level) }
    }
}

fn pack<W: Weight>(parts: &[LinearPart]) -> Packed<W> {
    let (depth, width, column) = columns_of(parts);
    Packed::by_columns(depth, width, column)
}

/// The depth and the width of parts side by side, and what writes one column.
fn columns_of(parts: &[LinearPart]) -> (usize, usize, impl FnMut(usize, &mut [f32])) {
    let rows = parts.iter().flat_map(|(weight, _)| (0..weight.shape[0]).map(move |i| (weight, i)));
    let rows: Vec<(&Tensor, usize)> = rows.collect();
    let (depth, width) = (parts[0].0.shape[1], rows.len());
    (depth, width, move |column, out| {
        let (weight, row) = rows[column];
        weight.copy_row(row, out);
    })
}

fn run<W: Weight>(
    on: &Strips,
    input: Rows<'_>,
    (weight, columns): (&Packed<W>, Range<usize>),
    epilogue: Epilogue<'_>,
    out: RowsMut<'_>,
) {
    let panels = weight.panels().columns(columns);
    in_strips(on.count, panels.width(), out, |columns, out| {
        let epilogue = epilogue.columns(columns.clone());
        multiply(on.level, input, panels.columns(columns), epilogue, out);
    });
}

/// Calls `one` for each strip of columns, on as many threads of the pool.
pub(crate) fn in_strips(
    strips: usize,
    width: usize,
    out: RowsMut<'_>,
    one: impl Fn(Range<usize>, RowsMut<'_>) + Sync,
) {
    if strips <= 1 || width <= PANEL {
        return one(0..width, out);
    }
    let parts = columns(width, strips, out);
    parts.into_par_iter().with_max_len(1).for_each(|(columns, out)| one(columns, out));
}

/// Splits a result into about equal parts of whole panels.
fn columns(width: usize, strips: usize, mut rest: RowsMut<'_>) -> Vec<(Range<usize>, RowsMut<'_>)> {
    let step = width.div_ceil(PANEL).div_ceil(strips) * PANEL;
    let mut parts = Vec::with_capacity(strips);
    for start in (0..width).step_by(step) {
        if start + step >= width {
            parts.push((start..width, rest));
            break;
        }
        let (part, right) = rest.split_at_column(step);
        parts.push((start..start + step, part));
        rest = right;
    }
    parts
}
