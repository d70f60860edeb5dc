//! The tensors of a model, in safetensors or GGUF files that are read through memory maps.
//!
//! The header is checked when the file is opened (every tensor lies inside the file, none overlap); values are
//! decoded when they are asked for. Tensors of GGUF files go by the names that Hugging Face gives them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecphory_core::storage::{Bytes, Directory};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::json;
use crate::stored::Stored;
use crate::tensor::Tensor;

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
    values: ValueType,
    /// See [`Tensor`].
    interleaved: Option<usize>,
}

/// What the bytes of a tensor are.
#[derive(Clone, Copy)]
enum ValueType {
    Known(Stored),
    /// Something else than floating-point numbers, as safetensors calls it.
    Other(Dtype),
}

impl ValueType {
    fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => ValueType::Known(Stored::F32),
            Dtype::F16 => ValueType::Known(Stored::F16),
            Dtype::BF16 => ValueType::Known(Stored::Bf16),
            other => ValueType::Other(other),
        }
    }
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
            let (shape, values) = (info.shape.clone(), ValueType::of(info.dtype));
            let place = Place { file, range, shape, values, interleaved: None };
            self.tensors.insert(name, place);
        }
        self.files.push(WeightFile { path: Arc::new(path), bytes });
        Ok(())
    }

    /// Takes the tensors of a GGUF file, under the names that `rename` gives them.
    ///
    /// The second part of what it returns is how many rows a head has, for tensors whose rows are interleaved.
    pub(crate) fn of_gguf(
        file: &Gguf,
        rename: impl Fn(&str) -> Result<(String, Option<usize>)>,
    ) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &file.tensors {
            let (name, interleaved) = rename(name)?;
            let (range, shape) = (tensor.range.clone(), tensor.shape.clone());
            let values = ValueType::Known(tensor.stored);
            tensors.insert(name, Place { file: 0, range, shape, values, interleaved });
        }
        let file = WeightFile { path: Arc::clone(&file.path), bytes: file.bytes.clone() };
        Ok(Self { files: vec![file], tensors, prefix: "" })
    }

    /// Chooses the first of `prefixes` under which there is a tensor `name`.
    pub(crate) fn choose_prefix(&mut self, prefixes: &[&'static str], name: &str) -> Result<()> {
        let found = prefixes.iter().find(|p| self.tensors.contains_key(&format!("{p}{name}")));
        self.prefix = found.copied().ok_or_else(|| self.missing(name))?;
        Ok(())
    }

    /// Takes names as they stand from now on.
    pub(crate) fn without_prefix(&mut self) {
        self.prefix = "";
    }

    /// Returns what names begin with.
    pub(crate) fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// Makes a tensor that the files do not have, under the name that it would have in the first.
    pub(crate) fn made(
        &self,
        name: &str,
        shape: &[usize],
        values: impl Iterator<Item = f32>,
    ) -> Tensor {
        Tensor {
            name: format!("{}{name}", self.prefix),
            path: Arc::clone(&self.files[0].path),
            shape: shape.to_vec(),
            stored: Stored::F32,
            bytes: Bytes::from_vec(values.flat_map(f32::to_le_bytes).collect()),
            interleaved: None,
        }
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
        let path = Arc::clone(&file.path);
        let stored = match place.values {
            ValueType::Known(stored) => stored,
            ValueType::Other(dtype) => {
                let (path, found) = (path.to_path_buf(), format!("{dtype:?}"));
                return Err(Error::Precision { path, tensor: name, found });
            }
        };
        let bytes = file.bytes.slice(place.range.clone()).expect("the header was checked");
        let (shape, interleaved) = (place.shape.clone(), place.interleaved);
        Ok(Some(Tensor { name, path, shape, stored, bytes, interleaved }))
    }

    /// Returns the integers of a tensor of type I32 or I64, or `None` where there is none.
    pub(crate) fn integers(&self, name: &str) -> Result<Option<Vec<i64>>> {
        let Some(place) = self.tensors.get(name) else { return Ok(None) };
        let file = &self.files[place.file];
        let bytes = &file.bytes[place.range.clone()];
        Ok(Some(match place.values {
            ValueType::Other(Dtype::I64) => {
                bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
            }
            ValueType::Other(Dtype::I32) => {
                bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect()
            }
            ValueType::Other(other) => return Err(self.not_integers(name, &format!("{other:?}"))),
            ValueType::Known(other) => return Err(self.not_integers(name, &format!("{other:?}"))),
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

    fn not_integers(&self, name: &str, found: &str) -> Error {
        let (path, tensor) = (self.path().to_owned(), name.to_owned());
        Error::Precision { path, tensor, found: found.to_owned() }
    }

    fn missing(&self, name: &str) -> Error {
        Error::MissingTensor { path: self.path().to_owned(), tensor: name.to_owned() }
    }
}
