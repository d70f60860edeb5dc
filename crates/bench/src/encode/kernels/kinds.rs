//! The types of weights, packed, behind one call.

use std::ops::Range;

use ecphory_kernels::Level;
use ecphory_kernels::nn::{
    Activation, Epilogue, Int8Packed, Int8Rows, Packed, Rows, RowsMut, multiply, multiply_int8,
};
use half::{bf16, f16};

/// A type of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32,
    F16,
    Bf16,
    Int8,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Bf16, Self::Int8];

    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// The unit of its operations.
    pub fn unit(self) -> &'static str {
        if self == Self::Int8 { "GOP/s" } else { "GFLOP/s" }
    }
}

/// A linear map with random weights.
pub struct Map {
    weights: Weights,
    bias: Vec<f32>,
    pub depth: usize,
    pub width: usize,
}

enum Weights {
    F32(Packed<f32>),
    F16(Packed<f16>),
    Bf16(Packed<bf16>),
    Int8(Int8Packed),
}

impl Map {
    pub fn new(kind: Kind, depth: usize, width: usize) -> Self {
        let column = |index: usize, out: &mut [f32]| {
            let values = wave(out.len(), index);
            out.copy_from_slice(&values);
        };
        let weights = match kind {
            Kind::F32 => Weights::F32(Packed::by_columns(depth, width, column)),
            Kind::F16 => Weights::F16(Packed::by_columns(depth, width, column)),
            Kind::Bf16 => Weights::Bf16(Packed::by_columns(depth, width, column)),
            Kind::Int8 => Weights::Int8(Int8Packed::by_columns(depth, width, column)),
        };
        Self { weights, bias: wave(width, 1), depth, width }
    }

    /// Rounds the rows that this map will be applied to; a map that is not in 8 bits needs nothing.
    pub fn round(&self, rows: Rows<'_>, rounded: &mut Int8Rows) {
        if let Weights::Int8(weights) = &self.weights {
            rounded.set(rows, weights);
        }
    }

    /// Applies the map to all rows, for some columns.
    pub fn run(&self, level: Level, input: &Input<'_>, columns: Range<usize>, out: RowsMut<'_>) {
        let bias = Some(&self.bias[..]);
        let epilogue = Epilogue { bias, activation: input.activation, accumulate: false };
        let epilogue = epilogue.columns(columns.clone());
        match &self.weights {
            Weights::F32(w) => {
                multiply(level, input.rows, w.panels().columns(columns), epilogue, out);
            }
            Weights::F16(w) => {
                multiply(level, input.rows, w.panels().columns(columns), epilogue, out);
            }
            Weights::Bf16(w) => {
                multiply(level, input.rows, w.panels().columns(columns), epilogue, out);
            }
            Weights::Int8(w) => {
                multiply_int8(input.rounded, w.panels().columns(columns), epilogue, out);
            }
        }
    }
}

/// What a map is applied to.
pub struct Input<'a> {
    pub rows: Rows<'a>,
    /// The same rows in 8 bits, where the map is.
    pub rounded: &'a Int8Rows,
    pub activation: Activation,
}

/// Values between -1 and 1 that are nowhere equal for long.
pub fn wave(length: usize, phase: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * 7 + phase * 13) as f32 * 0.37).sin()).collect()
}
