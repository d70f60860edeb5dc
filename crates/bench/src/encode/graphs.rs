//! The graphs that onnxruntime runs, made once for each content of the weights and each set of packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::models::Model;
use super::sets::Set;
use super::sides::Precision;
use crate::cache::{self, Python};
use crate::process::Process;

/// The faster of the graphs of one precision.
#[derive(Clone)]
pub struct Graph {
    pub path: PathBuf,
    /// `plain` or `fused`, in 8 bits with `-int8` behind it.
    pub name: String,
    /// How long each graph took over the same few passages.
    pub times: String,
}

/// A folder that a graph's runtime can open: graphs, weights, tokenizer, configuration.
#[derive(Clone)]
pub struct Graphs {
    pub folder: PathBuf,
    single: Option<Graph>,
    int8: Option<Graph>,
}

impl Graphs {
    /// Makes what is missing and finds out what is fastest.
    pub fn prepare(model: &Model, passages: &Set) -> Result<Self> {
        let python = Python::with("encode")?;
        let folder = cache::folder("onnx")?.join(name(model, &python)?);
        fs_err::create_dir_all(&folder)?;
        let weights = folder.join("model.safetensors");
        if !weights.exists() {
            link(&model.directory.join("model.safetensors"), &weights)?;
        }
        eprintln!("{}: graphs (the first time, minutes)", model.plan.name);
        let mut process = Process::python(&python, "encode_graphs.py", "graphs", 1)?;
        let request = json!({
            "model": model.directory,
            "folder": folder,
            "max_tokens": model.max_tokens,
            "pad": model.pad,
        });
        let answer = process.ask("prepare", request)?;
        for (graph, why) in answer["failed"].as_object().into_iter().flatten() {
            eprintln!("{}: no graph `{graph}`: {}", model.plan.name, why.as_str().unwrap_or("?"));
        }
        let request = json!({
            "folder": folder,
            "path": passages.path,
            "max_tokens": model.max_tokens,
        });
        let chosen = process.ask("choose", request)?;
        let graphs = Self { single: graph(&chosen["f32"]), int8: graph(&chosen["int8"]), folder };
        for precision in [Precision::Single, Precision::Int8] {
            if let Some(Graph { name, times, .. }) = graphs.of(precision) {
                eprintln!("{}: the faster graph is `{name}` ({times})", model.plan.name);
            }
        }
        Ok(graphs)
    }

    /// The graph of a precision.
    pub fn of(&self, precision: Precision) -> Option<&Graph> {
        match precision {
            Precision::Single => self.single.as_ref(),
            Precision::Int8 => self.int8.as_ref(),
        }
    }
}

fn graph(chosen: &Value) -> Option<Graph> {
    let name = chosen["name"].as_str()?;
    let times: Vec<String> = chosen["of"]
        .as_object()?
        .iter()
        .map(|(name, time)| format!("{name} {:.3} s", time.as_f64().unwrap_or(f64::NAN)))
        .collect();
    Some(Graph {
        path: chosen["graph"].as_str()?.into(),
        name: name.to_owned(),
        times: times.join(", "),
    })
}

/// A name that changes with the weights, the packages and the script that exports.
fn name(model: &Model, python: &Python) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(fs_err::read(model.directory.join("model.safetensors"))?);
    for file in ["encode.txt", "encode_graphs.py"] {
        digest.update(fs_err::read(python.scripts.join(file))?);
    }
    let digest = digest.finalize();
    let beginning: [u8; 8] = std::array::from_fn(|i| digest[i]);
    Ok(format!("{}-{:016x}", model.plan.name, u64::from_be_bytes(beginning)))
}

fn link(from: &Path, to: &Path) -> Result<()> {
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(from, to).with_context(|| to.display().to_string())?;
    #[cfg(not(unix))]
    fs_err::copy(from, to).with_context(|| to.display().to_string())?;
    Ok(())
}
