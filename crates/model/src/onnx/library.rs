//! The ONNX Runtime of this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;

use crate::error::{Error, Result};

/// The library that is loaded. The binding allows one library and one environment a process, and cannot unload them:
/// this is the state of the process, not ours.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Returns the environment of a library, which is loaded by the first call.
///
/// Nothing of the binding may be called before this: without a library it panics.
pub(super) fn environment(library: &Path) -> Result<Environment> {
    let path = canonical(library)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*loaded {
        Some((other, environment)) if *other == path => return Ok(environment.clone()),
        Some((other, _)) => {
            return Err(Error::OnnxLibraryTaken { path, loaded: other.clone() });
        }
        None => {}
    }
    let builder = ort::init_from(&path)
        .map_err(|source| Error::OnnxLibrary { path: path.clone(), source: Box::new(source) })?;
    let environment = builder
        .with_telemetry(false)
        // Errors come back as errors; a library does not print.
        .with_logger(Arc::new(|_, _, _, _, _| {}))
        .build()
        .map_err(|source| Error::OnnxGraph { path: path.clone(), source: Box::new(source) })?;
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

/// Returns the one path of a library, which the binding would otherwise look for beside the program too.
fn canonical(library: &Path) -> Result<PathBuf> {
    if library.try_exists()? {
        return Ok(fs_err::canonicalize(library)?);
    }
    Err(Error::MissingFile {
        directory: library.parent().unwrap_or(Path::new("")).to_owned(),
        file: library.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        hint: "name the ONNX Runtime library, such as libonnxruntime.so",
    })
}
