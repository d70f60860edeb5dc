//! Checkpoints: everything that a training is, in one file that replaces the one before by a rename.
//!
//! The file is safetensors: the tensors as F32, counters as U64, and what else there is as texts in its metadata.
//! Whatever interrupts a save, the file before it stays whole.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ecphory_core::storage::{Directory, publish};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::{Error, Result};
use crate::run::RunError;

/// The name of the file in the folder of a training.
pub(super) const FILE: &str = "checkpoint.safetensors";
/// The folder in it that writing needs.
const TMP: &str = "tmp";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) tensors: BTreeMap<String, Vec<f32>>,
    pub(super) counters: BTreeMap<String, Vec<u64>>,
    pub(super) texts: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Writes the file in a folder, which is made where it is not there.
    pub(super) fn save(&self, folder: &Path) -> Result<()> {
        let storage = Directory::create(folder, &[TMP])?;
        let tensors = self.tensors.iter().map(|(name, values)| {
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            (format!("f:{name}"), Dtype::F32, values.len(), bytes)
        });
        let counters = self.counters.iter().map(|(name, values)| {
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            (format!("u:{name}"), Dtype::U64, values.len(), bytes)
        });
        let all: Vec<(String, Dtype, usize, Vec<u8>)> = tensors.chain(counters).collect();
        let views: Vec<(&str, TensorView<'_>)> = all
            .iter()
            .map(|(name, dtype, length, bytes)| {
                let view = TensorView::new(*dtype, vec![*length], bytes);
                (name.as_str(), view.expect("the bytes are those of the numbers"))
            })
            .collect();
        let texts: HashMap<String, String> = self.texts.clone().into_iter().collect();
        let bytes = safetensors::serialize(views, Some(texts)).map_err(|error| {
            Error::from(RunError::Checkpoint { path: folder.join(FILE), why: error.to_string() })
        })?;
        publish(&storage, FILE, &mut |file| file.write_all(&bytes))?;
        Ok(())
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
