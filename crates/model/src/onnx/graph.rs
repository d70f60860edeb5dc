//! A transformer as a graph of ONNX: from token ids to token states.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ecphory_core::storage::{Bytes, Directory};
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, TensorElementType, TensorRef};

use super::{external, library};
use crate::error::{Error, Result};
use crate::executor::TokenBatch;

/// Where exporters put a graph.
const PLACES: [&str; 2] = ["model.onnx", "onnx/model.onnx"];
const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const TYPES: &str = "token_type_ids";
const STATES: &str = "last_hidden_state";

/// A graph with the sessions that run it.
pub(crate) struct Graph {
    path: PathBuf,
    environment: Environment,
    /// The inputs, in the graph's order.
    inputs: Vec<Input>,
    output: String,
    hidden: usize,
    /// Sessions that no thread is using. A session runs one batch at a time, so there are as many as threads ran at once.
    idle: Mutex<Vec<Session>>,
}

/// What a graph is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Ids,
    Mask,
    Types,
}

impl Graph {
    /// Opens the graph of a directory with a library, and runs it on one token, so that one that does not fit
    /// `hidden` is found out. Returns the contents of the files too.
    pub(crate) fn open(
        directory: &Path,
        library: &Path,
        hidden: usize,
    ) -> Result<(Self, Vec<Bytes>)> {
        let path = find(directory)?;
        let environment = library::environment(library)?;
        let session = session(&environment, &path)?;
        let graph = Self {
            inputs: inputs(&path, session.inputs())?,
            output: output(&path, session.outputs())?,
            environment,
            hidden,
            idle: Mutex::new(vec![session]),
            path,
        };
        graph.states(&TokenBatch::new([&[0][..]]))?;
        let files = graph.files()?;
        Ok((graph, files))
    }

    /// Returns the contents of the graph and of the files that it names.
    fn files(&self) -> Result<Vec<Bytes>> {
        let graph = Directory::map_file(&self.path)?;
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let mut files = Vec::new();
        for path in external::files(&graph, folder) {
            files.push(Directory::map_file(&path)?);
        }
        files.insert(0, graph);
        Ok(files)
    }

    /// Computes one row of `hidden` values for each token of a batch.
    pub(crate) fn states(&self, batch: &TokenBatch) -> Result<Vec<f32>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut session = match idle {
            Some(session) => session,
            None => session(&self.environment, &self.path)?,
        };
        let states = self.run(&mut session, batch);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        states
    }

    fn run(&self, session: &mut Session, batch: &TokenBatch) -> Result<Vec<f32>> {
        let longest = batch.spans.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        if longest == 0 {
            return Ok(Vec::new());
        }
        let shape = [batch.spans.len(), longest];
        let padded: Vec<Vec<i64>> =
            self.inputs.iter().map(|input| input.padded(batch, longest)).collect();
        let refused =
            |source| Error::OnnxGraph { path: self.path.clone(), source: Box::new(source) };
        let mut given: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(padded.len());
        for (input, values) in self.inputs.iter().zip(&padded) {
            let tensor = TensorRef::from_array_view((shape, &values[..])).map_err(refused)?;
            given.push((input.name(), tensor.into()));
        }
        let outputs = session.run(given).map_err(refused)?;
        let (found, states) =
            outputs[self.output.as_str()].try_extract_tensor::<f32>().map_err(refused)?;
        let expected = vec![shape[0], longest, self.hidden];
        let found: Vec<usize> = found.iter().map(|&size| size as usize).collect();
        if found != expected {
            let (path, tensor) = (self.path.clone(), self.output.clone());
            return Err(Error::Shape { path, tensor, expected, found });
        }
        Ok(without_padding(states, batch, longest, self.hidden))
    }
}

impl Input {
    fn of(name: &str) -> Option<Self> {
        [Self::Ids, Self::Mask, Self::Types].into_iter().find(|input| input.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Input::Ids => IDS,
            Input::Mask => MASK,
            Input::Types => TYPES,
        }
    }

    /// Returns the input's values for every token, each text filled up with zeros to the longest.
    fn padded(self, batch: &TokenBatch, longest: usize) -> Vec<i64> {
        let mut out = vec![0; batch.spans.len() * longest];
        for (row, span) in out.chunks_exact_mut(longest).zip(&batch.spans) {
            for (out, at) in row.iter_mut().zip(span.clone()) {
                *out = match self {
                    Input::Ids => i64::from(batch.tokens[at]),
                    Input::Mask => 1,
                    Input::Types => i64::from(batch.types[at]),
                };
            }
        }
        out
    }
}

/// Leaves out the rows that stand for no token.
fn without_padding(states: &[f32], batch: &TokenBatch, longest: usize, hidden: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(batch.tokens.len() * hidden);
    for (text, span) in states.chunks_exact(longest * hidden).zip(&batch.spans) {
        out.extend_from_slice(&text[..span.len() * hidden]);
    }
    out
}

fn find(directory: &Path) -> Result<PathBuf> {
    for place in PLACES {
        let path = directory.join(place);
        if path.try_exists()? {
            return Ok(path);
        }
    }
    Err(Error::MissingFile {
        directory: directory.to_owned(),
        file: PLACES.join(" or "),
        hint: "export the transformer to ONNX, or leave out the runtime",
    })
}

/// Loads a graph into a session that runs on the thread that calls it.
fn session(environment: &Environment, path: &Path) -> Result<Session> {
    let open = || {
        Session::builder(environment)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            // Plans of memory are kept for each shape, and texts come in all shapes.
            .with_memory_pattern(false)?
            .commit_from_file(path)
    };
    open().map_err(|source| Error::OnnxGraph { path: path.to_owned(), source: Box::new(source) })
}

/// Checks what a graph wants to be given.
fn inputs(path: &Path, outlets: &[Outlet]) -> Result<Vec<Input>> {
    let unsupported = |setting, found: String, supported: &str| Error::Unsupported {
        path: path.to_owned(),
        setting,
        found,
        supported: supported.to_owned(),
    };
    let mut inputs = Vec::new();
    for outlet in outlets {
        let name = outlet.name().to_owned();
        let Some(input) = Input::of(&name) else {
            return Err(unsupported("input", name, &[IDS, MASK, TYPES].join(", ")));
        };
        let kind = outlet.dtype();
        if kind.tensor_type() != Some(TensorElementType::Int64) {
            return Err(unsupported("type of input", format!("{name}: {kind}"), "Int64"));
        }
        let shape = kind.tensor_shape().map_or(&[][..], |shape| shape);
        if shape.len() != 2 || shape.iter().any(|&size| size >= 0) {
            let supported = "texts by tokens, both of any number";
            return Err(unsupported("shape of input", format!("{name}: {shape:?}"), supported));
        }
        inputs.push(input);
    }
    // Without a mask, padding would count.
    for wanted in [Input::Ids, Input::Mask] {
        if !inputs.contains(&wanted) {
            let found = format!("not {}", wanted.name());
            return Err(unsupported("input", found, &[IDS, MASK].join(" and ")));
        }
    }
    Ok(inputs)
}

/// Finds the output that has token states.
fn output(path: &Path, outlets: &[Outlet]) -> Result<String> {
    let has_rows = |outlet: &&Outlet| outlet.dtype().tensor_shape().is_some_and(|s| s.len() == 3);
    let states = outlets.iter().find(|outlet| outlet.name() == STATES);
    let unsupported = |found: String| Error::Unsupported {
        path: path.to_owned(),
        setting: "output",
        found,
        supported: format!("{STATES} or one of three dimensions, of type f32"),
    };
    let Some(outlet) = states.or_else(|| outlets.iter().find(has_rows)) else {
        let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
        return Err(unsupported(names.join(", ")));
    };
    if outlet.dtype().tensor_type() != Some(TensorElementType::Float32) {
        return Err(unsupported(format!("{}: {}", outlet.name(), outlet.dtype())));
    }
    Ok(outlet.name().to_owned())
}
