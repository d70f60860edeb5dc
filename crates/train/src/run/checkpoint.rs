//! Checkpoints: everything that a training is, in one file that replaces the one before by a rename.
//!
//! The file is safetensors: the tensors as F32, counters as U64, and what else there is as texts in its metadata.
//! Whatever interrupts a save, the file before it stays whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ecphory_core::storage::Directory;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View, serialize_to_file};

use crate::error::{Error, Result};
use crate::run::RunError;

/// The name of the file in the folder of a training.
pub(super) const FILE: &str = "checkpoint.safetensors";
/// Its name until it is whole and on the disk.
const PARTIAL: &str = "checkpoint.partial";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) tensors: BTreeMap<String, Vec<f32>>,
    pub(super) counters: BTreeMap<String, Vec<u64>>,
    pub(super) texts: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Writes the file in a folder, which is made where it is not there. Memory: the bytes of the largest tensor.
    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        fs_err::create_dir_all(folder)?;
        let floats =
            self.tensors.iter().map(|(name, x)| (format!("f:{name}"), Numbers::of_floats(x)));
        let counts =
            self.counters.iter().map(|(name, x)| (format!("u:{name}"), Numbers::of_counts(x)));
        let texts: HashMap<String, String> = self.texts.clone().into_iter().collect();
        let (partial, path) = (folder.join(PARTIAL), folder.join(FILE));
        serialize_to_file(floats.chain(counts), Some(texts), &partial).map_err(
            |error| match error {
                SafeTensorError::IoError(error) => error.into(),
                error => {
                    Error::from(RunError::Checkpoint { path: path.clone(), why: error.to_string() })
                }
            },
        )?;
        fs_err::File::open(&partial)?.sync_all()?;
        fs_err::rename(&partial, &path)?;
        Ok(fs_err::File::open(folder)?.sync_all()?)
    }

    /// Reads the file in a folder; `None` where there is none.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        let bytes = Directory::map_file(&path)?;
        let damaged = |why: String| Error::from(RunError::Checkpoint { path: path.clone(), why });
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut found = Self::default();
        for (name, view) in file.iter() {
            match (name.split_at_checked(2), view.dtype()) {
                (Some(("f:", name)), Dtype::F32) => {
                    let (values, _) = view.data().as_chunks::<4>();
                    let values = values.iter().map(|x| f32::from_le_bytes(*x)).collect();
                    found.tensors.insert(name.to_owned(), values);
                }
                (Some(("u:", name)), Dtype::U64) => {
                    let (values, _) = view.data().as_chunks::<8>();
                    let values = values.iter().map(|x| u64::from_le_bytes(*x)).collect();
                    found.counters.insert(name.to_owned(), values);
                }
                _ => return Err(damaged(format!("an unknown tensor `{name}`"))),
            }
        }
        found.texts.extend(header.metadata().clone().unwrap_or_default());
        Ok(Some(found))
    }
}

/// A tensor of one dimension whose bytes are made when they are written.
struct Numbers<'a> {
    values: Values<'a>,
    shape: [usize; 1],
}

enum Values<'a> {
    Floats(&'a [f32]),
    Counts(&'a [u64]),
}

impl<'a> Numbers<'a> {
    fn of_floats(values: &'a [f32]) -> Self {
        Self { values: Values::Floats(values), shape: [values.len()] }
    }

    fn of_counts(values: &'a [u64]) -> Self {
        Self { values: Values::Counts(values), shape: [values.len()] }
    }
}

impl View for Numbers<'_> {
    fn dtype(&self) -> Dtype {
        match self.values {
            Values::Floats(_) => Dtype::F32,
            Values::Counts(_) => Dtype::U64,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes: Vec<u8> = match self.values {
            Values::Floats(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Values::Counts(values) => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
        };
        bytes.into()
    }

    fn data_len(&self) -> usize {
        match self.values {
            Values::Floats(values) => size_of_val(values),
            Values::Counts(values) => size_of_val(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.training");
        assert_eq!(Checkpoint::open(&path).unwrap(), None);
        let mut checkpoint = Checkpoint::default();
        let odd = vec![f32::MIN_POSITIVE / 2.0, -0.0, 1.0 / 3.0];
        checkpoint.tensors.insert("a.weight".into(), odd);
        checkpoint.tensors.insert("empty".into(), Vec::new());
        checkpoint.counters.insert("a.weight".into(), vec![u64::MAX, 1]);
        checkpoint.texts.insert("step".into(), "12".into());
        checkpoint.save(&path).unwrap();
        let found = Checkpoint::open(&path).unwrap().unwrap();
        assert_eq!(found, checkpoint);
        assert!(found.tensors["a.weight"][1].is_sign_negative());
        checkpoint.texts.insert("step".into(), "13".into());
        checkpoint.save(&path).unwrap();
        assert_eq!(Checkpoint::open(&path).unwrap().unwrap(), checkpoint);
    }

    #[test]
    fn a_save_that_fails_leaves_the_file_before_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoint = Checkpoint::default();
        checkpoint.tensors.insert("a".into(), vec![1.0; 5]);
        checkpoint.save(folder.path()).unwrap();
        // Nothing can take the place of a folder that holds something.
        fs_err::create_dir_all(folder.path().join(PARTIAL).join("in the way")).unwrap();
        let mut later = checkpoint.clone();
        later.tensors.insert("b".into(), vec![2.0]);
        let error = later.save(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ecphory_core::ErrorKind::Io, "{error}");
        assert_eq!(Checkpoint::open(folder.path()).unwrap(), Some(checkpoint));
    }

    #[test]
    fn a_damaged_file_is_corrupt_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoint = Checkpoint::default();
        checkpoint.tensors.insert("a".into(), vec![1.0; 5]);
        checkpoint.save(folder.path()).unwrap();
        let file = folder.path().join(FILE);
        let bytes = fs_err::read(&file).unwrap();
        for length in 0..bytes.len() {
            fs_err::write(&file, &bytes[..length]).unwrap();
            let error = Checkpoint::open(folder.path()).unwrap_err();
            assert_eq!(error.kind(), ecphory_core::ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains(FILE));
        }
    }
}
