//! Modules that training adds to a model directory in the layout of sentence-transformers.

use std::borrow::Cow;
use std::path::{Component, Path};

use serde_json::{Map, Value, json};

use crate::convert::{NewTensor, write_tensors};
use crate::error::Result;
use crate::json;
use crate::layout::{LateSettings, MODULES, PROMPTS};

/// A linear map of vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseModule {
    /// `[out, in]`, row by row.
    pub weights: Vec<f32>,
    /// How many values it takes.
    pub input: usize,
    /// `[out]`, or none.
    pub bias: Option<Vec<f32>>,
}

/// What comes after the transformer of a directory: after its pooling, or after the states of tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddedModules {
    /// Takes away what scales vectors to unit length at the end of the directory as it is.
    pub drops_unit_length: bool,
    /// Linear maps, in their order.
    pub dense: Vec<DenseModule>,
    /// Scales vectors to unit length at the end.
    pub adds_unit_length: bool,
    /// Makes a directory for late interaction in the layout of `PyLate`, which has no pooling and scales the vectors of tokens to unit
    /// length: how many tokens are read of a query and of a document.
    pub tokens: Option<[usize; 2]>,
}

const MODELS: &str = "sentence_transformers.models";
const LATE_DENSE: &str = "pylate.models.Dense";

impl AddedModules {
    /// Writes the modules into a directory that nobody reads yet: first their weights, then the list that names them.
    ///
    /// # Errors
    /// What reading and writing say; `Corrupt` for a list that is none.
    pub fn write(&self, directory: &Path) -> Result<()> {
        if *self == Self::default() {
            return Ok(());
        }
        let path = directory.join(MODULES);
        let listed: Option<Vec<Value>> = json::read_optional(&path)?;
        let mut modules = match listed {
            Some(modules) => modules,
            None => bare(directory)?,
        };
        let is_unit = |module: &Value| {
            module["type"].as_str().is_some_and(|kind| kind.ends_with(".Normalize"))
        };
        if self.drops_unit_length {
            modules.retain(|module| !is_unit(module));
        }
        if let Some(tokens) = self.tokens {
            // What follows the transformer is for one vector a text.
            for module in modules.split_off(modules.len().min(1)) {
                remove_folder(directory, &module)?;
            }
            write_late_settings(directory, tokens)?;
        }
        let package = if self.tokens.is_some() { LATE_DENSE } else { MODELS };
        for dense in &self.dense {
            let folder = format!("{}_Dense", modules.len());
            dense.write(&directory.join(&folder))?;
            modules.push(module(modules.len(), &folder, &format!("{package}.Dense")));
        }
        if self.adds_unit_length {
            let folder = format!("{}_Normalize", modules.len());
            fs_err::create_dir_all(directory.join(&folder))?;
            modules.push(module(modules.len(), &folder, &format!("{MODELS}.Normalize")));
        }
        for (index, module) in modules.iter_mut().enumerate() {
            module["idx"] = index.into();
            module["name"] = index.to_string().into();
        }
        json::write(&path, &modules)?;
        for path in [&path, directory] {
            fs_err::File::open(path)?.sync_all()?;
        }
        Ok(())
    }
}

impl DenseModule {
    fn write(&self, folder: &Path) -> Result<()> {
        let out = self.weights.len() / self.input.max(1);
        fs_err::create_dir_all(folder)?;
        let config = json!({
            "in_features": self.input,
            "out_features": out,
            "bias": self.bias.is_some(),
            "activation_function": "torch.nn.modules.linear.Identity",
        });
        json::write(&folder.join("config.json"), &config)?;
        let path = folder.join("model.safetensors");
        let (shape, length) = ([out, self.input], [out]);
        let tensor = |name: &str, shape, values| NewTensor {
            name: name.to_owned(),
            shape,
            values: Cow::Borrowed(values),
        };
        let mut tensors = vec![tensor("linear.weight", &shape[..], &self.weights[..])];
        tensors.extend(self.bias.as_deref().map(|bias| tensor("linear.bias", &length[..], bias)));
        write_tensors(&tensors, &path)?;
        for path in [&path, folder] {
            fs_err::File::open(path)?.sync_all()?;
        }
        Ok(())
    }
}

/// The modules of a directory that lists none: a transformer, whose states are averaged.
fn bare(directory: &Path) -> Result<Vec<Value>> {
    let folder = "1_Pooling";
    fs_err::create_dir_all(directory.join(folder))?;
    let pooling = json!({"pooling_mode": "mean"});
    json::write(&directory.join(folder).join("config.json"), &pooling)?;
    let unit = "2_Normalize";
    fs_err::create_dir_all(directory.join(unit))?;
    Ok(vec![
        module(0, "", &format!("{MODELS}.Transformer")),
        module(1, folder, &format!("{MODELS}.Pooling")),
        module(2, unit, &format!("{MODELS}.Normalize")),
    ])
}

fn module(index: usize, path: &str, kind: &str) -> Value {
    json!({"idx": index, "name": index.to_string(), "path": path, "type": kind})
}

/// Removes the folder of a module that is listed no more; what a list names outside of the directory stays.
fn remove_folder(directory: &Path, module: &Value) -> Result<()> {
    let name = Path::new(module["path"].as_str().unwrap_or_default());
    let mut parts = name.components();
    let is_inside = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    if is_inside && directory.join(name).is_dir() {
        fs_err::remove_dir_all(directory.join(name))?;
    }
    Ok(())
}

/// Adds to the prompts of a directory how tokens are made.
fn write_late_settings(directory: &Path, [query, document]: [usize; 2]) -> Result<()> {
    let path = directory.join(PROMPTS);
    let mut settings: Map<String, Value> = json::read_optional(&path)?.unwrap_or_default();
    let late = json::object(&LateSettings::plain(query, document))?;
    settings.extend(late);
    settings.insert("model_type".to_owned(), "ColBERT".into());
    settings.insert("similarity_fn_name".to_owned(), "MaxSim".into());
    json::write(&path, &settings)?;
    Ok(fs_err::File::open(&path)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ecphory_core::Silent;

    use super::*;
    use crate::{Encoder, EncoderOptions, Precision, Role, convert};

    fn copy(name: &str, to: &Path) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tiny").join(name);
        let out = to.join(name);
        convert(&from, &out, Precision::F32, &Silent).unwrap();
        out
    }

    fn vector(directory: &Path) -> Vec<f32> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let encoder = Encoder::open(directory, &EncoderOptions::default()).unwrap();
        encoder.encode(&["the cat is on the mat"], Role::Query, &pool, &Silent).unwrap()
    }

    #[test]
    fn encoders_read_what_was_added() {
        let folder = tempfile::tempdir().unwrap();
        let directory = copy("bert-mean", folder.path());
        AddedModules::default().write(&directory).unwrap();
        let plain = vector(&directory);
        let columns = plain.len();
        // Two outputs: the first value, doubled, and the sum of all plus one.
        let mut weights = vec![0.0; columns];
        weights[0] = 2.0;
        weights.extend(vec![1.0; columns]);
        let dense = DenseModule { weights, input: columns, bias: Some(vec![0.0, 1.0]) };
        let added = AddedModules { dense: vec![dense], ..AddedModules::default() };
        added.write(&directory).unwrap();
        let found = vector(&directory);
        let expected = [2.0 * plain[0], plain.iter().sum::<f32>() + 1.0];
        assert_eq!(found.len(), 2);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        AddedModules { adds_unit_length: true, ..AddedModules::default() }
            .write(&directory)
            .unwrap();
        let length: f32 = vector(&directory).iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
        AddedModules { drops_unit_length: true, ..AddedModules::default() }
            .write(&directory)
            .unwrap();
        assert_eq!(vector(&directory).len(), 2);
    }
}
