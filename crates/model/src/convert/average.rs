//! The weighted mean of models, weight by weight.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ecphory_core::Progress;

use super::file::{FileTensor, WeightFile};
use super::{Converted, Rewrite, files_of, is_weights, rewrite};
use crate::error::{Error, Result};
use crate::stored::Stored;

/// The files that have to be the same in all models: with another of them, the same weights mean something else.
const SHARED: [&str; 2] = ["config.json", "tokenizer.json"];

/// Writes a model directory whose floating-point weights are the weighted mean of those of several models, in single precision;
/// everything else is that of the first. Weights of models need not add up to one. Sums are in double precision.
///
/// Only models that were trained from the same weights and stayed close (checkpoints of a run, or a run that went on from
/// another's) have a mean that is worth something (Izmailov et al. 2018; Clavié 2024); nothing here can tell.
///
/// `out` appears whole or not at all. Memory: one model in single precision.
///
/// # Errors
/// `Input` where models differ in tensors, shapes, configuration or tokenizer, or weights are negative or all 0; otherwise as
/// [`convert`](super::convert).
pub fn average_models(
    models: &[(PathBuf, f64)],
    out: &Path,
    progress: &dyn Progress,
) -> Result<Converted> {
    let refused = |path: &Path, why: &str| {
        Err(Error::NotAverageable { path: path.to_owned(), why: why.to_owned() })
    };
    let total: f64 = models.iter().map(|(_, weight)| weight).sum();
    let is_share = |weight: f64| weight >= 0.0 && weight.is_finite();
    if !models.iter().all(|&(_, weight)| is_share(weight)) || total <= 0.0 {
        return refused(out, "weights have to be numbers from 0 on, one of them above 0");
    }
    let Some(((first, _), others)) = models.split_first() else {
        return refused(out, "there are no models");
    };
    for (other, name) in others.iter().flat_map(|other| SHARED.map(|name| (other, name))) {
        let read = |model: &Path| fs_err::read(model.join(name)).ok();
        if read(first) != read(&other.0) {
            return refused(&other.0.join(name), "it is not that of the first model");
        }
    }
    let mut means: HashMap<(PathBuf, String), Vec<f32>> = HashMap::new();
    for path in files_of(first)?.into_iter().filter(|path| is_weights(path)) {
        let files = models
            .iter()
            .map(|(model, weight)| Ok((WeightFile::open(&model.join(&path))?, weight / total)))
            .collect::<Result<Vec<(WeightFile, f64)>>>()?;
        let (leader, _) = &files[0];
        for (file, _) in &files[1..] {
            let (ours, theirs) = (described(leader), described(file));
            if ours != theirs {
                return refused(
                    file.path(),
                    "its tensors or their shapes are not those of the first model",
                );
            }
        }
        for tensor in leader.tensors.iter().filter(|tensor| tensor.is_float()) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            let mut sums = vec![0.0f64; tensor.len()];
            for (file, share) in &files {
                let values = file.values(tensor.name())?;
                sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += share * f64::from(x));
            }
            let key = (first.join(&path), tensor.name().to_owned());
            means.insert(key, sums.into_iter().map(|sum| sum as f32).collect());
        }
    }
    let values =
        |path: &Path, name: &str| means.get(&(path.to_owned(), name.to_owned())).map(Vec::as_slice);
    rewrite(first, out, &Rewrite { stored: Stored::F32, values: Some(&values), progress })
}

/// Returns the names and shapes of a file's tensors, in their order.
fn described(file: &WeightFile) -> Vec<(&str, &[usize])> {
    let mut described: Vec<_> = file.tensors.iter().map(FileTensor::described).collect();
    described.sort_unstable();
    described
}
