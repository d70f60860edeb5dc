//! In which precision weights lie in memory.

use ecphory_core::nearest::nearest;

use crate::error::{Error, Result};
use crate::executor::LinearPart;
use crate::stored::Stored;

/// The precision of the weights of linear maps in memory. Arithmetic is in single precision all the same, and
/// tables of embeddings and norms stay as they are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// As in the files: nothing is lost, and half-wide files take half the memory. The quantised blocks of GGUF
    /// become single precision.
    #[default]
    Stored,
    /// Single precision.
    F32,
    /// IEEE half precision: 11 bits, for numbers up to 65,504.
    F16,
    /// The upper half of single precision: 8 bits.
    Bf16,
    /// 8-bit integers with a scale for each 128 of an output's, and inputs rounded to 8 bits (7 on AVX2 without VNNI)
    /// with a range for each 128.
    /// Passages take about half the time with VNNI, more with AVX2 alone; vectors change in the third digit.
    Int8,
}

/// The type of a linear map's weights in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    F32,
    F16,
    Bf16,
    Int8,
}

impl Precision {
    /// Describes what is lost against the files, for a fingerprint; nothing where nothing is.
    pub(crate) fn describe(self) -> String {
        match self {
            Precision::Stored | Precision::F32 => String::new(),
            _ => format!("\nprecision {self}"),
        }
    }

    /// All of them.
    pub const ALL: [Self; 5] = [Self::Stored, Self::F32, Self::F16, Self::Bf16, Self::Int8];

    /// Returns the name by which options call it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Stored => "stored",
            Precision::F32 => "f32",
            Precision::F16 => "f16",
            Precision::Bf16 => "bf16",
            Precision::Int8 => "int8",
        }
    }

    /// Returns what it means for a linear map.
    pub(crate) fn of(self, parts: &[LinearPart]) -> Packing {
        match self {
            Precision::Stored => packing_of(parts),
            Precision::F32 => Packing::F32,
            Precision::F16 => Packing::F16,
            Precision::Bf16 => Packing::Bf16,
            Precision::Int8 => Packing::Int8,
        }
    }
}

/// Returns the least type in which nothing is lost, or single precision for blocks of quantised values.
fn packing_of(parts: &[LinearPart]) -> Packing {
    let first = parts[0].0.stored;
    let is_same = parts.iter().all(|(weight, _)| weight.stored == first);
    match first {
        Stored::F16 if is_same => Packing::F16,
        Stored::Bf16 if is_same => Packing::Bf16,
        _ => Packing::F32,
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|precision| precision.name() == text);
        found.ok_or_else(|| Error::UnknownPrecision {
            found: text.to_owned(),
            nearest: nearest(text, Self::ALL.map(Self::name)),
        })
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
