//! One safetensors file, and the same file with its numbers in another type.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use ecphory_core::storage::{Bytes, Directory};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::Rewrite;
use crate::error::{Error, Result};
use crate::stored::Stored;

/// Values converted between two looks at whether to stop.
const CHUNK: usize = 1 << 16;

pub(super) struct WeightFile {
    path: PathBuf,
    bytes: Bytes,
    /// What the header says about the whole.
    about: BTreeMap<String, String>,
    /// In the order in which they lie in the file.
    pub(super) tensors: Vec<FileTensor>,
}

pub(super) struct FileTensor {
    name: String,
    pub(super) dtype: Dtype,
    shape: Vec<usize>,
    /// Where it lies in the file.
    pub(super) range: Range<usize>,
}

impl FileTensor {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns how many values it has.
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Returns its name and its shape.
    pub(super) fn described(&self) -> (&str, &[usize]) {
        (&self.name, &self.shape)
    }

    /// Returns whether its values are of a type that is converted.
    pub(super) fn is_float(&self) -> bool {
        self.stored().is_some()
    }

    /// Returns the type of its values where it is one of those that are converted.
    fn stored(&self) -> Option<Stored> {
        match self.dtype {
            Dtype::F32 => Some(Stored::F32),
            Dtype::F16 => Some(Stored::F16),
            Dtype::BF16 => Some(Stored::Bf16),
            _ => None,
        }
    }

    /// Returns the type of its values before, where it is another one than wanted.
    fn changed_by(&self, wanted: Stored) -> Option<Stored> {
        self.stored().filter(|&stored| stored != wanted)
    }

    /// Returns its bytes once it is stored as wanted.
    fn bytes_as(&self, wanted: Stored) -> usize {
        match self.stored() {
            Some(stored) => self.range.len() / stored.block().1 * wanted.block().1,
            None => self.range.len(),
        }
    }

    fn dtype_as(&self, wanted: Stored) -> Dtype {
        match (self.stored(), wanted) {
            (None, _) => self.dtype,
            (_, Stored::F16) => Dtype::F16,
            (_, Stored::Bf16) => Dtype::BF16,
            _ => Dtype::F32,
        }
    }
}

impl WeightFile {
    /// Maps a file and checks its header.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let bytes = Directory::map_file(path)?;
        let (header, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|source| Error::Weights { path: path.to_owned(), source })?;
        let data = size_of::<u64>() + header;
        let tensors = metadata.offset_keys().into_iter().map(|name| {
            let info = metadata.info(&name).expect("the key comes from the metadata");
            let range = data + info.data_offsets.0..data + info.data_offsets.1;
            FileTensor { name, dtype: info.dtype, shape: info.shape.clone(), range }
        });
        let tensors = tensors.collect();
        let about = metadata.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { path: path.to_owned(), bytes, about, tensors })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the values of a tensor, widened.
    pub(super) fn values(&self, name: &str) -> Result<Vec<f32>> {
        let found = self.tensors.iter().find(|tensor| tensor.name == name);
        let found = found.and_then(|tensor| Some((tensor, tensor.stored()?)));
        let (tensor, stored) = found.ok_or_else(|| Error::MissingTensor {
            path: self.path.clone(),
            tensor: name.to_owned(),
        })?;
        let mut values = vec![0.0; tensor.len()];
        stored.decode(&self.bytes[tensor.range.clone()], &mut values, |to, value| *to = value);
        Ok(values)
    }

    /// Returns the bytes of all tensors.
    pub(super) fn bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.range.len() as u64).sum()
    }

    /// Returns the bytes of all tensors once they are stored as wanted.
    pub(super) fn bytes_as(&self, wanted: Stored) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes_as(wanted) as u64).sum()
    }

    /// Returns how many tensors have another type than wanted.
    pub(super) fn changed_by(&self, wanted: Stored) -> usize {
        self.tensors.iter().filter(|tensor| tensor.changed_by(wanted).is_some()).count()
    }

    /// Writes the file with its floating-point numbers as wanted.
    pub(super) fn write_as(&self, rewrite: &Rewrite<'_>, to: &Path) -> Result<()> {
        let wanted = rewrite.stored;
        // Wide types first, so that every tensor begins at a multiple of its type's width.
        let mut order: Vec<&FileTensor> = self.tensors.iter().collect();
        order.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype_as(wanted).bitsize()));
        let mut out = BufWriter::new(fs_err::File::create(to)?);
        let mut about = self.about.clone();
        if rewrite.values.is_some() {
            // transformers refuses files that do not say so.
            about.entry("format".to_owned()).or_insert_with(|| "pt".to_owned());
        }
        let entries = order.iter().map(|tensor| Entry {
            name: &tensor.name,
            dtype: tensor.dtype_as(wanted),
            shape: &tensor.shape,
            bytes: tensor.bytes_as(wanted),
        });
        write_header(&about, entries, &mut out)?;
        for tensor in order {
            match rewrite.values.and_then(|values| values(&self.path, &tensor.name)) {
                None => self.write_tensor(tensor, wanted, &mut out, rewrite.progress)?,
                Some(values) => self.write_values(tensor, values, &mut out, rewrite)?,
            }
        }
        Ok(out.flush()?)
    }

    /// Writes other values in the place of a tensor's own.
    fn write_values(
        &self,
        tensor: &FileTensor,
        values: &[f32],
        out: &mut dyn Write,
        rewrite: &Rewrite<'_>,
    ) -> Result<()> {
        assert_eq!(values.len(), tensor.shape.iter().product::<usize>(), "values of another shape");
        let mut encoded = Vec::new();
        for chunk in values.chunks(CHUNK) {
            if rewrite.progress.cancelled() {
                return Err(Error::Interrupted);
            }
            encoded.clear();
            self.encode(tensor, chunk, rewrite.stored, &mut encoded)?;
            out.write_all(&encoded)?;
        }
        rewrite.progress.advance(tensor.range.len() as u64);
        Ok(())
    }

    fn write_tensor(
        &self,
        tensor: &FileTensor,
        wanted: Stored,
        out: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<()> {
        let changed = tensor.changed_by(wanted);
        let width = changed.map_or(1, |stored| stored.block().1);
        let mut values = Vec::new();
        let mut encoded = Vec::new();
        for chunk in self.bytes[tensor.range.clone()].chunks(CHUNK * width) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            match changed {
                None => out.write_all(chunk)?,
                Some(stored) => {
                    values.resize(chunk.len() / width, 0.0);
                    stored.decode(chunk, &mut values, |to, value| *to = value);
                    encoded.clear();
                    self.encode(tensor, &values, wanted, &mut encoded)?;
                    out.write_all(&encoded)?;
                }
            }
            progress.advance(chunk.len() as u64);
        }
        Ok(())
    }

    /// Appends numbers as wanted, each rounded to the nearest.
    fn encode(
        &self,
        tensor: &FileTensor,
        values: &[f32],
        wanted: Stored,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        for &value in values {
            let rounded = match wanted {
                Stored::F16 => {
                    let rounded = f16::from_f32(value);
                    out.extend_from_slice(&rounded.to_le_bytes());
                    rounded.to_f32()
                }
                Stored::Bf16 => {
                    let rounded = bf16::from_f32(value);
                    out.extend_from_slice(&rounded.to_le_bytes());
                    rounded.to_f32()
                }
                _ => {
                    out.extend_from_slice(&value.to_le_bytes());
                    value
                }
            };
            if value.is_finite() && !rounded.is_finite() {
                return Err(Error::TooLarge {
                    path: self.path.clone(),
                    tensor: tensor.name.clone(),
                    value,
                    wanted: tensor.dtype_as(wanted).to_string(),
                });
            }
        }
        Ok(())
    }
}

/// What a header says of a tensor.
struct Entry<'a> {
    name: &'a str,
    dtype: Dtype,
    shape: &'a [usize],
    bytes: usize,
}

/// Writes a header; what it consists of has an order, so that the same file always becomes the same.
fn write_header<'a>(
    about: &BTreeMap<String, String>,
    order: impl Iterator<Item = Entry<'a>>,
    out: &mut dyn Write,
) -> Result<()> {
    let mut entries = serde_json::Map::new();
    if !about.is_empty() {
        entries.insert("__metadata__".to_owned(), json!(about));
    }
    let mut begin = 0;
    for Entry { name, dtype, shape, bytes } in order {
        let end = begin + bytes;
        let dtype = dtype.to_string();
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, end]});
        entries.insert(name.to_owned(), entry);
        begin = end;
    }
    let mut header = Value::Object(entries).to_string();
    let padding = header.len().next_multiple_of(size_of::<u64>()) - header.len();
    header.extend(std::iter::repeat_n(' ', padding));
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    Ok(out.write_all(header.as_bytes())?)
}

/// A tensor in single precision that is to be written.
pub(crate) struct NewTensor<'a> {
    pub(crate) name: String,
    pub(crate) shape: &'a [usize],
    pub(crate) values: Cow<'a, [f32]>,
}

/// Writes a file of such tensors, in their order.
pub(crate) fn write_tensors(tensors: &[NewTensor<'_>], to: &Path) -> Result<()> {
    let mut out = BufWriter::new(fs_err::File::create(to)?);
    // transformers refuses files that do not say so.
    let about = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let entries = tensors.iter().map(|tensor| Entry {
        name: &tensor.name,
        dtype: Dtype::F32,
        shape: tensor.shape,
        bytes: size_of_val(&*tensor.values),
    });
    write_header(&about, entries, &mut out)?;
    for tensor in tensors {
        for value in &*tensor.values {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(out.flush()?)
}
