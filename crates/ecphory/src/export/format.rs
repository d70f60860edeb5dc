//! The formats of vector files, and what each puts before its rows.

use std::path::Path;

use super::{ExportError, Settings};

/// The format of a file of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VectorFormat {
    /// `.npy`: one array of `[texts, dimensions]` as numpy saves it; ids beside it in `FILE.ids`.
    Npy,
    /// `.safetensors`: one tensor `embeddings` of `[texts, dimensions]`; ids beside it in `FILE.ids`.
    Safetensors,
    /// `.parquet`: columns `id` (string) and `embedding` (fixed-size list of floats).
    Parquet,
    /// `.jsonl`: one object `{"_id": ..., "vector": [...]}` a line.
    Jsonl,
}

/// The type of the values in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueType {
    /// 32 bits, exactly as the encoder gives them.
    #[default]
    F32,
    /// 16 bits, rounded to the nearest, ties to even. Halves the file; about three decimal digits remain.
    F16,
}

impl VectorFormat {
    /// Tells the format by the extension.
    ///
    /// # Errors
    /// Where it is another one.
    pub fn of(path: &Path) -> Result<Self, ExportError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "npy" => Ok(VectorFormat::Npy),
            "safetensors" => Ok(VectorFormat::Safetensors),
            "parquet" => Ok(VectorFormat::Parquet),
            "jsonl" | "ndjson" => Ok(VectorFormat::Jsonl),
            _ => Err(ExportError::UnknownFormat { path: path.to_owned() }),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            VectorFormat::Npy => "npy",
            VectorFormat::Safetensors => "safetensors",
            VectorFormat::Parquet => "parquet",
            VectorFormat::Jsonl => "jsonl",
        }
    }

    /// Whether ids stand in a file beside the vectors when everything is done.
    pub(super) fn has_ids_file(self) -> bool {
        matches!(self, VectorFormat::Npy | VectorFormat::Safetensors)
    }

    /// Returns what stands before so many rows. Its length depends on the settings only, so that its place can
    /// be kept free until the number is known.
    pub(super) fn header(self, settings: &Settings, rows: u64) -> Vec<u8> {
        match self {
            VectorFormat::Npy => npy_header(settings, rows),
            VectorFormat::Safetensors => safetensors_header(settings, rows),
            VectorFormat::Parquet | VectorFormat::Jsonl => Vec::new(),
        }
    }
}

impl ValueType {
    pub(super) fn name(self) -> &'static str {
        match self {
            ValueType::F32 => "f32",
            ValueType::F16 => "f16",
        }
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            ValueType::F32 => 4,
            ValueType::F16 => 2,
        }
    }

    /// Appends values, little end first; the first that is too large for the type is the error.
    pub(super) fn put(self, values: &[f32], out: &mut Vec<u8>) -> Result<(), f32> {
        match self {
            ValueType::F32 => out.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            ValueType::F16 => {
                for &value in values {
                    let half = half::f16::from_f32(value);
                    if half.is_infinite() && value.is_finite() {
                        return Err(value);
                    }
                    out.extend_from_slice(&half.to_le_bytes());
                }
            }
        }
        Ok(())
    }
}

/// As numpy writes it (format 1.0): it keeps room for 21 digits of the first axis for the same reason as we do,
/// so that the whole is 128 bytes long whatever the shape.
fn npy_header(settings: &Settings, rows: u64) -> Vec<u8> {
    const LENGTH: usize = 128;
    let descr = match settings.values {
        ValueType::F32 => "<f4",
        ValueType::F16 => "<f2",
    };
    let shape = format!("({rows}, {})", settings.dimensions);
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&(LENGTH as u16 - 10).to_le_bytes());
    header.extend_from_slice(dict.as_bytes());
    header.resize(LENGTH - 1, b' ');
    header.push(b'\n');
    header
}

/// Eight bytes of length and JSON, with spaces after it, which the format allows; the rows begin at a multiple
/// of 64 bytes, so that a map of them is aligned.
fn safetensors_header(settings: &Settings, rows: u64) -> Vec<u8> {
    let json = |rows: u64, end: u64| {
        let dtype = match settings.values {
            ValueType::F32 => "F32",
            ValueType::F16 => "F16",
        };
        let (model, role) = (&settings.model, settings.role_name());
        let dimensions = settings.dimensions;
        format!(
            "{{\"__metadata__\":{{\"model\":\"{model}\",\"role\":\"{role}\"}},\"embeddings\":{{\"dtype\":\"{dtype}\",\"shape\":[{rows},{dimensions}],\"data_offsets\":[0,{end}]}}}}"
        )
    };
    let length = (8 + json(u64::MAX, u64::MAX).len()).next_multiple_of(64);
    let end = rows * (settings.dimensions * settings.values.bytes()) as u64;
    let mut header = (length as u64 - 8).to_le_bytes().to_vec();
    header.extend_from_slice(json(rows, end).as_bytes());
    header.resize(length, b' ');
    header
}
