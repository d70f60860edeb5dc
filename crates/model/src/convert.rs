//! Model directories whose weights are stored in another type.
//!
//! Every `.safetensors` file below the directory is rewritten tensor by tensor, as the converted one is needed; everything
//! else is copied. The work is done in a folder beside the new one, which takes its name by one rename.

mod average;
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use serde_json::{Map, Value};

use crate::config::CONFIG;
use crate::error::{Error, Result};
use crate::precision::Precision;
use crate::stored::Stored;
pub use average::average_models;
use file::WeightFile;
pub(crate) use file::{NewTensor, write_tensors};

/// How the files of weights are called.
const EXTENSION: &str = "safetensors";
/// How the file that lists the tensors of several others ends.
const INDEX: &str = ".safetensors.index.json";

/// What a conversion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Converted {
    /// How many tensors were rounded or widened.
    pub tensors: usize,
    /// The bytes of all tensors before.
    pub bytes_before: u64,
    /// The bytes of all tensors after.
    pub bytes_after: u64,
}

/// Copies a model directory in the Hugging Face layout to `out`, its floating-point tensors (F32, F16 and BF16) in the
/// type of a precision: rounded to the nearest, ties to even, or widened. Integers, tensors of other types, and all other files are
/// as they were, but for hidden ones, which are left out. Encoders, generators and static tables alike: no architecture has to be known.
///
/// `out` appears whole or not at all. Memory is that of a small buffer; the disk needs room for the new directory. Reports a task `convert
/// FILE` for each file of weights, with one unit a byte read.
///
/// # Errors
/// `Usage` for a precision that files cannot have, `Conflict` where `out` exists, `NotFound` where the directory has no
/// safetensors, `Corrupt` for a damaged file, `Input` for a number that the type cannot hold, `Interrupted`.
pub fn convert(
    model: &Path,
    out: &Path,
    precision: Precision,
    progress: &dyn Progress,
) -> Result<Converted> {
    let stored = match precision {
        Precision::F32 => Stored::F32,
        Precision::F16 => Stored::F16,
        Precision::Bf16 => Stored::Bf16,
        Precision::Stored | Precision::Int8 => return Err(Error::NotStorable { precision }),
    };
    rewrite(model, out, &Rewrite { stored, values: None, progress })
}

/// How a model directory is written anew.
pub(crate) struct Rewrite<'a> {
    pub(crate) stored: Stored,
    pub(crate) values: Option<&'a Values<'a>>,
    pub(crate) progress: &'a dyn Progress,
}

/// Gives the values that take the place of those of a tensor, by the path of its file and its name.
pub(crate) type Values<'a> = dyn Fn(&Path, &str) -> Option<&'a [f32]> + 'a;

/// Copies a model directory as [`convert`] does. With other values than the model's own, files of weights for other engines
/// are left out, since they would have the old ones.
pub(crate) fn rewrite(model: &Path, out: &Path, rewrite: &Rewrite<'_>) -> Result<Converted> {
    let mut files = files_of(model)?;
    if rewrite.values.is_some() {
        files.retain(|path| !is_for_another_engine(path));
    }
    if !files.iter().any(|path| is_weights(path)) {
        return Err(Error::MissingFile {
            directory: model.to_owned(),
            file: format!("file of weights (.{EXTENSION})"),
            hint: "only weights that are saved as safetensors are converted",
        });
    }
    whole_directory(model, out, |partial| write_all(model, &files, partial, rewrite))
}

/// Makes a directory that appears whole or not at all, and is on the disk then: `write` fills a folder beside it, which
/// takes its name. It is for whom the directory `like` is for.
pub(crate) fn whole_directory<T>(
    like: &Path,
    out: &Path,
    write: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    if out.symlink_metadata().is_ok() {
        return Err(Error::OutputExists { path: out.to_owned() });
    }
    // An absolute path has a parent, in which the rename stays on one file system.
    let out = std::path::absolute(out)?;
    let parent = out.parent().ok_or_else(|| Error::OutputExists { path: out.clone() })?;
    fs_err::create_dir_all(parent)?;
    let partial = tempfile::Builder::new().prefix(".convert-").tempdir_in(parent)?;
    let done = write(partial.path())?;
    // A temporary folder is for its owner only.
    fs_err::set_permissions(partial.path(), fs_err::metadata(like)?.permissions())?;
    fs_err::rename(partial.path(), &out)?;
    let _moved = partial.keep();
    fs_err::File::open(parent)?.sync_all()?;
    Ok(done)
}

/// Brings the files of a folder without subfolders, and the folder, onto the disk.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    for file in fs_err::read_dir(folder)? {
        fs_err::File::open(file?.path())?.sync_all()?;
    }
    Ok(fs_err::File::open(folder)?.sync_all()?)
}

/// Returns the bytes of a directory's weights by their type, as safetensors calls it.
///
/// # Errors
/// As [`convert`]; reads only the headers.
pub fn weight_bytes(model: &Path) -> Result<BTreeMap<String, u64>> {
    let mut bytes = BTreeMap::new();
    for path in files_of(model)?.iter().filter(|path| is_weights(path)) {
        for tensor in WeightFile::open(&model.join(path))?.tensors {
            *bytes.entry(tensor.dtype.to_string()).or_default() += tensor.range.len() as u64;
        }
    }
    Ok(bytes)
}

/// Returns whether a file has weights in a format that is not rewritten.
fn is_for_another_engine(path: &Path) -> bool {
    const EXTENSIONS: [&str; 13] = [
        "bin",
        "ckpt",
        "gguf",
        "h5",
        "mlmodel",
        "msgpack",
        "onnx",
        "onnx_data",
        "ot",
        "pt",
        "pth",
        "tflite",
        "npz",
    ];
    const FOLDERS: [&str; 3] = ["coreml", "onnx", "openvino"];
    let extension = path.extension().and_then(|extension| extension.to_str());
    let folder =
        |part: std::path::Component<'_>| FOLDERS.iter().any(|name| part.as_os_str() == *name);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
        || path.components().any(folder)
}

/// Says in a configuration that the weights are in single precision, where it names a type: transformers rounds them to it.
pub(crate) fn state_single_precision(settings: &mut Map<String, Value>) {
    for key in ["dtype", "torch_dtype"] {
        if let Some(stated) = settings.get_mut(key) {
            *stated = "float32".into();
        }
    }
}

/// Copies a configuration; it says then that the weights are in single precision.
fn copy_config(from: &Path, to: &Path) -> Result<()> {
    let before: Map<String, Value> = crate::json::read(from)?;
    let mut settings = before.clone();
    state_single_precision(&mut settings);
    if settings == before {
        fs_err::copy(from, to)?;
        return Ok(());
    }
    crate::json::write(to, &settings)
}

fn is_weights(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
}

/// Lists the files below a directory by their paths in it, in the order of their names, without hidden ones.
fn files_of(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(directory.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // The cache of the Hugging Face client holds links to files.
            let metadata = fs_err::metadata(entry.path())?;
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn write_all(
    model: &Path,
    files: &[PathBuf],
    partial: &Path,
    rewrite: &Rewrite<'_>,
) -> Result<Converted> {
    let Rewrite { stored, progress, .. } = *rewrite;
    let mut done = Converted::default();
    let mut folders = vec![partial.to_owned()];
    for path in files {
        let (from, to) = (model.join(path), partial.join(path));
        let folder = to.parent().expect("it lies in the partial folder").to_owned();
        fs_err::create_dir_all(&folder)?;
        folders.push(folder);
        if is_weights(path) {
            let source = WeightFile::open(&from)?;
            progress.begin(&format!("convert {}", path.display()), source.bytes());
            let written = source.write_as(rewrite, &to);
            progress.end();
            written?;
            done.bytes_before += source.bytes();
            done.bytes_after += source.bytes_as(stored);
            done.tensors += source.changed_by(stored);
        } else if rewrite.values.is_some() && path.ends_with(CONFIG) {
            copy_config(&from, &to)?;
        } else {
            copy(&from, &to, model, stored)?;
        }
        fs_err::File::open(&to)?.sync_all()?;
    }
    folders.sort();
    folders.dedup();
    for folder in folders {
        fs_err::File::open(folder)?.sync_all()?;
    }
    Ok(done)
}

/// Copies a file; the list of files of weights gets their new size.
fn copy(from: &Path, to: &Path, model: &Path, stored: Stored) -> Result<()> {
    if !from.to_string_lossy().ends_with(INDEX) {
        fs_err::copy(from, to)?;
        return Ok(());
    }
    let mut index: Value = crate::json::read(from)?;
    let mut bytes = 0;
    let folder = from.parent().unwrap_or(model);
    for path in files_of(folder)?.iter().filter(|path| is_weights(path)) {
        bytes += WeightFile::open(&folder.join(path))?.bytes_as(stored);
    }
    if let Some(size) = index.pointer_mut("/metadata/total_size") {
        *size = bytes.into();
    }
    crate::json::write(to, &index)
}
