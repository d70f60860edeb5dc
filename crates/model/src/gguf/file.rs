//! Opening a GGUF file: header, metadata, and where the tensors lie.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecphory_core::storage::{Bytes, Directory};

use super::cursor::Cursor;
use super::metadata::{Metadata, read_value};
use super::problem::GgufProblem;
use crate::error::{Error, Result};
use crate::stored::Stored;

/// Where tensors start is a multiple of this, unless the metadata says otherwise.
const ALIGNMENT: u64 = 32;
/// The least bytes of a key and its value, and of a tensor's entry.
const LEAST_ENTRY: usize = 8 + 4 + 1;
const LEAST_TENSOR: usize = 8 + 4 + 8 + 4 + 8;

/// An open GGUF file.
pub(crate) struct Gguf {
    pub(crate) path: Arc<PathBuf>,
    pub(crate) bytes: Bytes,
    pub(crate) metadata: Metadata,
    pub(crate) tensors: BTreeMap<String, TensorPlace>,
}

/// One tensor of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorPlace {
    /// The longest-striding dimension first, as safetensors and PyTorch have it.
    pub(crate) shape: Vec<usize>,
    pub(crate) stored: Stored,
    pub(crate) range: Range<usize>,
}

impl Gguf {
    /// Maps a file and reads its header.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bytes = Directory::map_file(path)?;
        let mut cursor = Cursor::new(&bytes);
        let path = Arc::new(path.to_owned());
        let header = read_header(&mut cursor, bytes.len());
        let (metadata, tensors) = header.map_err(|problem| Error::Gguf {
            path: path.to_path_buf(),
            at: cursor.at(),
            problem: Box::new(problem),
        })?;
        let metadata = Metadata::new(Arc::clone(&path), metadata);
        Ok(Self { path, bytes, metadata, tensors })
    }
}

type Header = (BTreeMap<String, super::metadata::Value>, BTreeMap<String, TensorPlace>);

fn read_header(cursor: &mut Cursor<'_>, file_bytes: usize) -> Result<Header, GgufProblem> {
    let magic = cursor.take()?;
    if &magic != b"GGUF" {
        return Err(GgufProblem::Magic { found: magic });
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        return Err(GgufProblem::Version { found: version });
    }
    let tensor_count = cursor.count(LEAST_TENSOR)?;
    let entry_count = cursor.count(LEAST_ENTRY)?;
    let mut metadata = BTreeMap::new();
    for _ in 0..entry_count {
        let key = cursor.text()?;
        let value = read_value(cursor, key)?;
        if metadata.insert(key.to_owned(), value).is_some() {
            return Err(GgufProblem::Twice { name: key.to_owned() });
        }
    }
    let alignment = match metadata.get("general.alignment").map(super::metadata::Value::as_u64) {
        None => ALIGNMENT,
        Some(Some(found)) if found.is_power_of_two() && found <= 1 << 20 => found,
        Some(found) => return Err(GgufProblem::Alignment { found: found.unwrap_or(0) }),
    };
    let mut entries = Vec::new();
    for _ in 0..tensor_count {
        entries.push(TensorEntry::read(cursor)?);
    }
    let start = (cursor.at() as u64).next_multiple_of(alignment);
    let room = (file_bytes as u64).saturating_sub(start);
    let mut tensors = BTreeMap::new();
    for entry in &entries {
        if !entry.offset.is_multiple_of(alignment) {
            return Err(entry.misplaced("which is not on its alignment"));
        }
        let end = entry.offset.checked_add(entry.bytes).filter(|end| *end <= room);
        let end = end.ok_or_else(|| entry.misplaced("which is outside the file"))?;
        let range = (start + entry.offset) as usize..(start + end) as usize;
        let (shape, stored) = (entry.shape.clone(), entry.stored);
        let place = TensorPlace { shape, stored, range };
        if tensors.insert(entry.name.clone(), place).is_some() {
            return Err(GgufProblem::Twice { name: entry.name.clone() });
        }
    }
    entries.sort_by_key(|entry| entry.offset);
    for pair in entries.windows(2) {
        if pair[0].offset + pair[0].bytes > pair[1].offset {
            return Err(pair[1].misplaced("inside another tensor"));
        }
    }
    Ok((metadata, tensors))
}

/// What the header says of one tensor.
struct TensorEntry {
    name: String,
    shape: Vec<usize>,
    stored: Stored,
    offset: u64,
    bytes: u64,
}

impl TensorEntry {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, GgufProblem> {
        let name = cursor.text()?.to_owned();
        let count = cursor.u32()?;
        if !(1..=4).contains(&count) {
            return Err(GgufProblem::Dimensions { tensor: name, found: Vec::new() });
        }
        let found = (0..count).map(|_| cursor.u64()).collect::<Result<Vec<u64>, _>>()?;
        let number = cursor.u32()?;
        let Some(stored) = Stored::of_ggml(number) else {
            let supported = Stored::ggml_names();
            return Err(GgufProblem::TensorType { tensor: name, found: number, supported });
        };
        let offset = cursor.u64()?;
        let (values, bytes) = stored.block();
        if !found[0].is_multiple_of(values as u64) {
            return Err(GgufProblem::Block { tensor: name, found: found[0], block: values });
        }
        let total = found.iter().try_fold(1u64, |all, n| all.checked_mul(*n)).filter(|n| *n > 0);
        let total = total.and_then(|total| (total / values as u64).checked_mul(bytes as u64));
        let Some(bytes) = total else {
            return Err(GgufProblem::Dimensions { tensor: name, found });
        };
        let shape = found.iter().rev().map(|n| *n as usize).collect();
        Ok(Self { name, shape, stored, offset, bytes })
    }

    fn misplaced(&self, reason: &'static str) -> GgufProblem {
        GgufProblem::Offset { tensor: self.name.clone(), offset: self.offset, reason }
    }
}
