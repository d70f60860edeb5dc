//! What can go wrong between a model's name and its vectors.

use std::io;
use std::path::{Path, PathBuf};

use ecphory_core::ErrorKind;
use ecphory_core::nearest::hint;

use crate::gguf::GgufProblem;
use crate::precision::Precision;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused; the path is in the message.
    #[error(transparent)]
    Io(#[from] io::Error),

    /// A model directory lacks a file.
    #[error("{} has no {file}; {hint}", directory.display())]
    MissingFile {
        /// The model directory.
        directory: PathBuf,
        /// The file, relative to it.
        file: String,
        /// What to do.
        hint: &'static str,
    },

    /// A configuration file is not what it should be.
    #[error("{} is malformed: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The place and the reason.
        source: serde_json::Error,
    },

    /// A configuration asks for something this engine cannot do, or contradicts itself.
    #[error("{}: {setting} is {found}, supported: {supported}", path.display())]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// The key.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        supported: String,
    },

    /// A weight file is truncated or its header is damaged.
    #[error("{} is not an intact safetensors file: {source}; pull or copy the model again", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What the header's reader says.
        source: safetensors::SafeTensorError,
    },

    /// A GGUF file is damaged, or not one.
    #[error("{} cannot be read as GGUF: {problem} (before byte {at})", path.display())]
    Gguf {
        /// The file.
        path: PathBuf,
        /// How far it was read.
        at: usize,
        /// What is wrong.
        problem: Box<GgufProblem>,
    },

    /// The metadata of a GGUF file lack a key or have another value than is supported.
    #[error("{}: {key} is {found}, expected {supported}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would do.
        supported: String,
    },

    /// A GGUF file has a tensor that the architecture does not know, so that leaving it out would be wrong.
    #[error("{} has a tensor {tensor}, which is not supported", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },

    /// Models have no mean.
    #[error("{}: {why}; only models of one architecture and tokenizer are averaged", path.display())]
    NotAverageable {
        /// The file that differs, or the output.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },

    /// The weight files lack a tensor that the configuration demands.
    #[error("{} has no tensor {tensor}", path.display())]
    MissingTensor {
        /// The weight file.
        path: PathBuf,
        /// The tensor, without prefix.
        tensor: String,
    },

    /// A tensor has another shape than the configuration demands.
    #[error("{}: tensor {tensor} has shape {found:?}, the configuration demands {expected:?}", path.display())]
    Shape {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape that the configuration gives.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },

    /// A tensor has values of a kind that is not supported.
    #[error("{}: tensor {tensor} has values of type {found}, supported: F32, F16, BF16", path.display())]
    Precision {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its type, as safetensors calls it.
        found: String,
    },

    /// The tokenizer could not be read, or could not split a text.
    #[error(transparent)]
    Tokenizer(#[from] ecphory_text::Error),

    /// The tokenizer gives an id that the weights have no row for.
    #[error(
        "the tokenizer of {model} gives token {token}, the table of the weights has {rows} rows"
    )]
    TokenOutside {
        /// The model.
        model: String,
        /// The id.
        token: u32,
        /// How many rows there are.
        rows: usize,
    },

    /// More tokens were asked for than the model has positions, or too few to hold a text.
    #[error("max_tokens is {asked}, {model} takes {least} to {most}")]
    MaxTokens {
        /// The model.
        model: String,
        /// What was asked for.
        asked: usize,
        /// The least that makes sense.
        least: usize,
        /// The positions of the model.
        most: usize,
    },

    /// More layers were to be frozen than there are.
    #[error("freeze_below is {asked}, {model} has {layers} layers")]
    FrozenLayers {
        /// The model.
        model: String,
        /// What was asked for.
        asked: usize,
        /// The layers of the model.
        layers: usize,
    },

    /// There is no such precision.
    #[error(
        "there is no precision `{found}`, only stored, f32, f16, bf16 and int8{}",
        hint(*nearest)
    )]
    UnknownPrecision {
        /// What was asked for.
        found: String,
        /// The nearest that exists.
        nearest: Option<&'static str>,
    },

    /// A precision that files cannot have.
    #[error(
        "weights are not stored as {precision}: convert to f32, f16 or bf16{}",
        if *precision == Precision::Int8 { "; int8 is made when a model is opened, with precision=int8" } else { "" }
    )]
    NotStorable {
        /// What was asked for.
        precision: Precision,
    },

    /// A weight is larger than its new type can hold.
    #[error("{}: tensor {tensor} has the value {value}, which is too large for {wanted}", path.display())]
    TooLarge {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
        /// The type.
        wanted: String,
    },

    /// Something is where a new directory should be.
    #[error("{} exists already", path.display())]
    OutputExists {
        /// The path.
        path: PathBuf,
    },

    /// A prompt is empty, or too long for the model.
    #[error("the prompt has {tokens} tokens, {model} takes 1 to {most}")]
    PromptLength {
        /// The model.
        model: String,
        /// The tokens of the prompt.
        tokens: usize,
        /// The most that leave room for an answer.
        most: usize,
    },

    /// A conversation was given to a model that was not trained for them, or in a way that is not supported.
    #[error("{model} has no markers of ChatML (<|im_start|>, <|im_end|>); give the prompt as text")]
    NoChat {
        /// The model.
        model: String,
    },

    /// An option of generation is outside its range.
    #[error("{setting} is {found}, expected {expected}")]
    Decoding {
        /// The option.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: &'static str,
    },

    /// A directory has several models.
    #[error("{} has {count} GGUF files; name one of them", directory.display())]
    SeveralModels {
        /// The directory.
        directory: PathBuf,
        /// How many files there are.
        count: usize,
    },

    /// The model is not in the cache.
    #[error("model {name} is not there; get it with `ecphory models pull {name}`")]
    NotPulled {
        /// The name in the catalogue.
        name: String,
    },

    /// A pulled model is no longer what was pulled.
    #[error("model {name} is damaged: {} {problem}; get it again with `ecphory models pull {name}`", path.display())]
    Damaged {
        /// The name in the catalogue.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// A directory cannot be copied into the cache under its own name.
    #[error("{} cannot be pulled as {name}, the catalogue has a model of that name; rename the directory", path.display())]
    NameTaken {
        /// The name.
        name: String,
        /// The directory.
        path: PathBuf,
    },

    /// The name is in no catalogue and no directory.
    #[error("there is no model {name}: neither a directory nor in the catalogue{}", hint(*nearest))]
    UnknownModel {
        /// The name.
        name: String,
        /// The nearest name in the catalogue.
        nearest: Option<&'static str>,
    },

    /// A model was to be pulled while the store is offline.
    #[error("model {name} is not in the cache, and the store is offline")]
    Offline {
        /// The name in the catalogue.
        name: String,
    },

    /// No source gave the model.
    #[error("model {name} could not be pulled{}", list(failures))]
    Pull {
        /// The name in the catalogue.
        name: String,
        /// Why, source by source, in the order in which they were tried.
        failures: Vec<SourceFailure>,
    },

    /// An ONNX Runtime library cannot be loaded, or is too old.
    #[cfg(feature = "onnx")]
    #[error("{} is no ONNX Runtime that can be used: {source}", path.display())]
    OnnxLibrary {
        /// The library.
        path: PathBuf,
        /// What the loader says.
        source: Box<ort::LoadDynamicError>,
    },

    /// A process has one ONNX Runtime, and this one has loaded another file.
    #[cfg(feature = "onnx")]
    #[error("{} cannot be loaded, this process runs {} already", path.display(), loaded.display())]
    OnnxLibraryTaken {
        /// The library.
        path: PathBuf,
        /// The one that is loaded.
        loaded: PathBuf,
    },

    /// ONNX Runtime refuses a graph, when it is loaded or when it is run.
    #[cfg(feature = "onnx")]
    #[error("{}: ONNX Runtime says: {source}", path.display())]
    OnnxGraph {
        /// The graph.
        path: PathBuf,
        /// What the runtime says.
        source: Box<ort::Error>,
    },

    /// Something was to run through ONNX Runtime that does not.
    #[cfg(feature = "onnx")]
    #[error("{} cannot run through ONNX Runtime: {reason}", model.display())]
    NotOnnx {
        /// The model directory.
        model: PathBuf,
        /// Why.
        reason: &'static str,
    },

    /// Another process stores into the cache of encodings.
    #[error("{} is in use by another process", folder.display())]
    CacheTaken {
        /// The folder of the cache.
        folder: PathBuf,
    },

    /// The caller asked to stop.
    #[error("stopped")]
    Interrupted,
}

/// Why one source of a model did not give it.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct SourceFailure {
    /// The source.
    pub place: String,
    /// What happened.
    pub reason: FetchError,
}

/// What can go wrong while a file is fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server answered with an error, or could not be reached.
    #[error("{url}: {source}")]
    Http {
        /// The address.
        url: String,
        /// What the client says.
        source: Box<ureq::Error>,
    },

    /// The pip client failed.
    #[error("{client} ended with {status}: {message}")]
    Client {
        /// The command.
        client: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The last line of its error output.
        message: String,
    },

    /// A package is not a readable archive.
    #[error("{package}: {source}")]
    Archive {
        /// The package.
        package: String,
        /// What the archive's reader says.
        source: zip::result::ZipError,
    },

    /// An archive or directory lacks a file.
    #[error("{container} has no {file}")]
    Missing {
        /// The archive or directory.
        container: String,
        /// The file.
        file: String,
    },

    /// The content is not the one in the catalogue.
    #[error("{file} has SHA-256 {found}, expected {expected}")]
    Checksum {
        /// The file.
        file: String,
        /// The digest in the catalogue.
        expected: String,
        /// The digest of what came.
        found: String,
    },

    /// A file that was to be converted is not what it should be.
    #[error("{file} cannot be converted: it {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: &'static str,
    },

    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),

    /// The caller asked to stop.
    #[error("stopped")]
    Interrupted,
}

impl Error {
    /// Refuses a setting of a configuration file.
    pub(crate) fn unsupported(
        path: &Path,
        setting: &'static str,
        found: &str,
        supported: &str,
    ) -> Self {
        let (path, found, supported) = (path.to_owned(), found.to_owned(), supported.to_owned());
        Error::Unsupported { path, setting, found, supported }
    }

    /// Returns what the caller has to act on.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io(error) => ErrorKind::of_io(error),
            Error::MissingFile { .. }
            | Error::NotPulled { .. }
            | Error::Offline { .. }
            | Error::UnknownModel { .. } => ErrorKind::NotFound,
            Error::Json { .. }
            | Error::Weights { .. }
            | Error::MissingTensor { .. }
            | Error::Shape { .. }
            | Error::Damaged { .. }
            | Error::TokenOutside { .. } => ErrorKind::Corrupt,
            Error::Unsupported { .. }
            | Error::Metadata { .. }
            | Error::UnknownTensor { .. }
            | Error::NotAverageable { .. }
            | Error::NoChat { .. }
            | Error::Precision { .. }
            | Error::TooLarge { .. } => ErrorKind::Input,
            Error::Gguf { problem, .. } => problem.kind(),
            Error::Tokenizer(error) => error.kind(),
            Error::MaxTokens { .. }
            | Error::FrozenLayers { .. }
            | Error::UnknownPrecision { .. }
            | Error::NotStorable { .. }
            | Error::PromptLength { .. }
            | Error::Decoding { .. }
            | Error::SeveralModels { .. } => ErrorKind::Usage,
            Error::NameTaken { .. } | Error::OutputExists { .. } | Error::CacheTaken { .. } => {
                ErrorKind::Conflict
            }
            #[cfg(feature = "onnx")]
            Error::OnnxLibrary { .. } => ErrorKind::Input,
            #[cfg(feature = "onnx")]
            Error::OnnxLibraryTaken { .. } => ErrorKind::Conflict,
            #[cfg(feature = "onnx")]
            Error::OnnxGraph { .. } => ErrorKind::Corrupt,
            #[cfg(feature = "onnx")]
            Error::NotOnnx { .. } => ErrorKind::Usage,
            Error::Pull { failures, .. } => pull_kind(failures),
            Error::Interrupted => ErrorKind::Interrupted,
        }
    }
}

fn list(failures: &[SourceFailure]) -> String {
    failures.iter().fold(String::new(), |list, failure| format!("{list}\n  {failure}"))
}

/// Content that came but is wrong weighs more than a source that did not answer.
fn pull_kind(failures: &[SourceFailure]) -> ErrorKind {
    let wrong = |f: &SourceFailure| {
        matches!(
            f.reason,
            FetchError::Checksum { .. } | FetchError::Archive { .. } | FetchError::Malformed { .. }
        )
    };
    let full = failures.iter().find_map(|f| match &f.reason {
        FetchError::Io(error) if ErrorKind::of_io(error) == ErrorKind::Limit => {
            Some(ErrorKind::Limit)
        }
        _ => None,
    });
    full.unwrap_or(if failures.iter().any(wrong) { ErrorKind::Corrupt } else { ErrorKind::Io })
}
