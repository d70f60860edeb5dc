//! What the command takes from its environment: directories, threads, the terminal.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ecphory::eval::Dataset;
use ecphory::{
    CacheOptions, EncodingCache, EncodingOptions, Engine, EngineConfig, Progress, StoreConfig,
};

use crate::args::{Command, Common};
use crate::failure::Failure;
use crate::progress::Bars;

/// The public hub of models.
const HUB: &str = "https://huggingface.co";

/// Everything a command needs besides its own arguments.
pub struct Context {
    /// Options of every command.
    pub common: Common,
    /// The engine, with its threads and models.
    pub engine: Engine,
    /// The directory for models and for collections made on the way.
    pub cache: PathBuf,
    /// The directories that hold data sets.
    pub data: Vec<PathBuf>,
    bars: Bars,
}

impl Context {
    /// Reads `ECPHORY_CACHE` (default: `ecphory` in `XDG_CACHE_HOME` or `~/.cache`), `ECPHORY_DATA` (directories
    /// separated by colons), `ECPHORY_HUB` and `ECPHORY_PYTHON`. With `keep_encodings` the engine keeps vectors on disk.
    pub fn new(common: &Common, keep_encodings: bool) -> anyhow::Result<Self> {
        let cache = cache_directory()?;
        let threads = match common.threads {
            Some(threads) => usize::from(threads),
            None => std::thread::available_parallelism()?.get(),
        };
        let models = StoreConfig {
            cache: cache.clone(),
            hub: env::var("ECPHORY_HUB").unwrap_or_else(|_| HUB.to_owned()),
            python: env::var_os("ECPHORY_PYTHON").map_or_else(|| "python3".into(), PathBuf::from),
            offline: common.offline,
        };
        let data = env::var_os("ECPHORY_DATA")
            .map(|paths| env::split_paths(&paths).filter(|p| !p.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        let encodings = || EncodingCache::open(&cache.join("encodings"), CacheOptions::default());
        let disk_cache = keep_encodings.then(encodings).transpose()?.map(Arc::new);
        let encoding = EncodingOptions::default();
        let engine = Engine::new(EngineConfig { threads, models, encoding, disk_cache })?;
        let bars = Bars::new(common.quiet)?;
        Ok(Self { common: common.clone(), engine, cache, data, bars })
    }

    /// Where progress goes.
    pub fn progress(&self) -> &dyn Progress {
        &self.bars
    }

    /// Says something to the user that is not the result.
    pub fn notice(&self, text: &str) {
        if !self.common.quiet {
            eprintln!("{text}");
        }
    }

    /// Finds a data set by name in the data directories, or by its path.
    pub fn dataset(&self, name: &str) -> anyhow::Result<Dataset> {
        self.dataset_split(name, None)
    }

    /// Finds a data set as [`Self::dataset`] does, and opens it for a split.
    pub fn dataset_split(&self, name: &str, split: Option<&str>) -> anyhow::Result<Dataset> {
        if let Some(path) = self.directory(name) {
            return Ok(Dataset::open(path, split)?);
        }
        match split {
            Some(split) => Ok(Dataset::find(&format!("{name}/{split}"), &self.data)?),
            None => Ok(Dataset::find(name, &self.data)?),
        }
    }

    /// Finds the documents of a data set, as [`Self::dataset`] finds it; it needs no judgments.
    pub fn corpus(&self, name: &str) -> anyhow::Result<PathBuf> {
        match self.directory(name) {
            Some(path) => Ok(Dataset::corpus_of(path)?),
            None => Ok(Dataset::find_corpus(name, &self.data)?),
        }
    }

    /// Returns what was given for a data set as a directory, unless it is the name of one.
    fn directory<'a>(&self, name: &'a str) -> Option<&'a Path> {
        let path = Path::new(name);
        // Joining an absolute path gives that path: it would always be found.
        let named = || self.data.iter().any(|directory| directory.join(name).is_dir());
        (path.is_dir() && (path.is_absolute() || !named())).then_some(path)
    }
}

impl Command {
    /// Returns whether it encodes what an earlier command may have encoded: experiments over a data set do, a collection
    /// keeps its own vectors.
    pub fn repeats_encodings(&self) -> bool {
        matches!(
            self,
            Command::Compare(_) | Command::Mine(_) | Command::Repro(_) | Command::Train(_)
        )
    }
}

/// Prints one JSON value to standard output.
pub fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

fn cache_directory() -> anyhow::Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("ECPHORY_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|path| path.join("ecphory")))
        .or_else(|| set("HOME").map(|path| path.join(".cache").join("ecphory")))
        .ok_or_else(|| Failure::NoCache.into())
}
