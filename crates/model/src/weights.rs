//! Tensors in safetensors files, read through memory maps.
//!
//! The header is checked when the file is opened (every tensor lies inside the file, none overlap, no byte is
//! left over); values are decoded when they are asked for, from f32, f16 or bf16. Not for GGUF.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecphory_core::storage::{Bytes, Directory};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::json;

/// The one-file name of the weights in a model directory.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// Names the files of weights that are split over several.
const INDEX: &str = "model.safetensors.index.json";

/// All tensors of a model.
pub(crate) struct Weights {
    files: Vec<WeightFile>,
    tensors: BTreeMap<String, Place>,
    /// What every tensor name begins with in these files, such as `bert.`.
    prefix: &'static str,
}

struct WeightFile {
    path: Arc<PathBuf>,
    bytes: Bytes,
}

struct Place {
    file: usize,
    range: Range<usize>,
    shape: Vec<usize>,
    dtype: Dtype,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens `model.safetensors` of a directory, or the files that its index names.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let single = directory.join(WEIGHTS);
        let mut weights = Self { files: Vec::new(), tensors: BTreeMap::new(), prefix: "" };
        if single.try_exists()? {
            weights.add(single)?;
            return Ok(weights);
        }
        let Some(index) = json::read_optional::<Index>(&directory.join(INDEX))? else {
            return Err(Error::MissingFile {
                directory: directory.to_owned(),
                file: WEIGHTS.to_owned(),
                hint: "weights have to be saved as safetensors",
            });
        };
        let mut names: Vec<String> = index.weight_map.into_values().collect();
        names.sort();
        names.dedup();
        for name in names {
            weights.add(directory.join(name))?;
        }
        Ok(weights)
    }

    fn add(&mut self, path: PathBuf) -> Result<()> {
        let bytes = Directory::map_file(&path)?;
        let (header, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|source| Error::Weights { path: path.clone(), source })?;
        let data = size_of::<u64>() + header;
        let file = self.files.len();
        for name in metadata.offset_keys() {
            let info = metadata.info(&name).expect("the key comes from the metadata");
            let range = data + info.data_offsets.0..data + info.data_offsets.1;
            let place = Place { file, range, shape: info.shape.clone(), dtype: info.dtype };
            self.tensors.insert(name, place);
        }
        self.files.push(WeightFile { path: Arc::new(path), bytes });
        Ok(())
    }

    /// Chooses the first of `prefixes` under which there is a tensor `name`.
    pub(crate) fn choose_prefix(&mut self, prefixes: &[&'static str], name: &str) -> Result<()> {
        let found = prefixes.iter().find(|p| self.tensors.contains_key(&format!("{p}{name}")));
        self.prefix = found.copied().ok_or_else(|| self.missing(name))?;
        Ok(())
    }

    /// Returns a tensor of a given shape.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.find(name)?.ok_or_else(|| self.missing(name))?;
        if tensor.shape != shape {
            return Err(Error::Shape {
                path: tensor.path.to_path_buf(),
                tensor: tensor.name,
                expected: shape.to_vec(),
                found: tensor.shape,
            });
        }
        Ok(tensor)
    }

    /// Returns a tensor of any shape, or `None` where there is none.
    ///
    /// Layer norms converted from TensorFlow call their weight gamma and their bias beta.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Tensor>> {
        let older = name.rsplit_once('.').and_then(|(stem, last)| match last {
            "weight" => Some(format!("{}{stem}.gamma", self.prefix)),
            "bias" => Some(format!("{}{stem}.beta", self.prefix)),
            _ => None,
        });
        let full = format!("{}{name}", self.prefix);
        let found = [Some(full), older].into_iter().flatten();
        let found = found.filter_map(|name| self.tensors.get(&name).map(|place| (name, place)));
        let Some((name, place)) = found.into_iter().next() else { return Ok(None) };
        let file = &self.files[place.file];
        let stored = match place.dtype {
            Dtype::F32 => Stored::F32,
            Dtype::F16 => Stored::F16,
            Dtype::BF16 => Stored::Bf16,
            other => {
                let path = file.path.to_path_buf();
                return Err(Error::Precision { path, tensor: name, found: format!("{other:?}") });
            }
        };
        let bytes = file.bytes.slice(place.range.clone()).expect("the header was checked");
        let (path, shape) = (Arc::clone(&file.path), place.shape.clone());
        Ok(Some(Tensor { name, path, shape, stored, bytes }))
    }

    /// Returns the integers of a tensor of type I32 or I64, or `None` where there is none.
    pub(crate) fn integers(&self, name: &str) -> Result<Option<Vec<i64>>> {
        let Some(place) = self.tensors.get(name) else { return Ok(None) };
        let file = &self.files[place.file];
        let bytes = &file.bytes[place.range.clone()];
        Ok(Some(match place.dtype {
            Dtype::I64 => bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
            Dtype::I32 => {
                bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect()
            }
            other => {
                let (path, tensor) = (file.path.to_path_buf(), name.to_owned());
                return Err(Error::Precision { path, tensor, found: format!("{other:?}") });
            }
        }))
    }

    /// Returns the path of the first file, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.files[0].path
    }

    /// Returns the bytes of all files, in the order of their names.
    pub(crate) fn contents(&self) -> Vec<Bytes> {
        self.files.iter().map(|file| file.bytes.clone()).collect()
    }

    fn missing(&self, name: &str) -> Error {
        Error::MissingTensor { path: self.path().to_owned(), tensor: name.to_owned() }
    }
}

/// The type of a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    F32,
    F16,
    Bf16,
}

/// One tensor, still in the map of its file.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) path: Arc<PathBuf>,
    pub(crate) shape: Vec<usize>,
    pub(crate) stored: Stored,
    bytes: Bytes,
}

impl Tensor {
    /// Decodes all values.
    pub(crate) fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.shape.iter().product()];
        self.decode(0, &mut values, |to, value| *to = value);
        values
    }

    /// Decodes row `index` of a matrix.
    pub(crate) fn copy_row(&self, index: usize, out: &mut [f32]) {
        debug_assert_eq!(self.shape[1..], [out.len()]);
        self.decode(index * out.len(), out, |to, value| *to = value);
    }

    /// Adds row `index` of a matrix to `out`.
    pub(crate) fn add_row(&self, index: usize, out: &mut [f32]) {
        debug_assert_eq!(self.shape[1..], [out.len()]);
        self.decode(index * out.len(), out, |to, value| *to += value);
    }

    fn decode(&self, first: usize, out: &mut [f32], put: impl Fn(&mut f32, f32)) {
        let bytes = match self.stored {
            Stored::F32 => &self.bytes[first * 4..],
            Stored::F16 | Stored::Bf16 => &self.bytes[first * 2..],
        };
        match self.stored {
            Stored::F32 => {
                for (to, b) in out.iter_mut().zip(bytes.as_chunks().0) {
                    put(to, f32::from_le_bytes(*b));
                }
            }
            Stored::F16 => {
                for (to, b) in out.iter_mut().zip(bytes.as_chunks().0) {
                    put(to, f16::from_le_bytes(*b).to_f32());
                }
            }
            Stored::Bf16 => {
                for (to, b) in out.iter_mut().zip(bytes.as_chunks().0) {
                    put(to, bf16::from_le_bytes(*b).to_f32());
                }
            }
        }
    }
}
