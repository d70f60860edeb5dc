//! The folder in which workloads keep what takes minutes to get: corpora, virtual environments, exports.
//!
//! It is `ECPHORY_CACHE/bench`, or `~/.cache/ecphory/bench`; it can be deleted at any time.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The root of the cache; see the command's `models`.
fn root() -> Result<PathBuf> {
    if let Some(cache) = std::env::var_os("ECPHORY_CACHE") {
        return Ok(PathBuf::from(cache));
    }
    let home = std::env::var_os("HOME").context("neither ECPHORY_CACHE nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache").join("ecphory"))
}

/// The directory of a model of the model cache.
pub fn model(name: &str) -> Result<PathBuf> {
    let directory = root()?.join("models").join(name);
    ensure!(
        directory.join("model.safetensors").exists(),
        "{name} is not in the model cache: run `cargo run --release -p ecphory-cli -- models pull {name}`"
    );
    Ok(directory)
}

/// A folder of the workloads' cache, made where it is missing.
pub fn folder(name: &str) -> Result<PathBuf> {
    let folder = root()?.join("bench").join(name);
    fs_err::create_dir_all(&folder)?;
    Ok(folder)
}

/// A folder that a workload fills anew and that is removed when this is dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Result<Self> {
        let folder = folder("scratch")?.join(std::process::id().to_string());
        fs_err::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// A path in the folder; nothing is there yet.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is left to whoever clears the cache.
        let _ = fs_err::remove_dir_all(&self.0);
    }
}

/// A Python with the packages of a peer, and the scripts that drive it.
pub struct Python {
    pub interpreter: PathBuf,
    pub scripts: PathBuf,
}

impl Python {
    /// Makes the virtual environment of `peers/NAME.txt` unless it is there with these requirements.
    pub fn with(name: &str) -> Result<Self> {
        Self::above(name, None)
    }

    /// Makes an environment that has the packages of another one too, such as gigabytes of PyTorch.
    pub fn beside(name: &str, below: &Self) -> Result<Self> {
        Self::above(name, Some(&packages_of(&below.interpreter)?))
    }

    fn above(name: &str, packages: Option<&Path>) -> Result<Self> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let requirements = scripts.join(format!("{name}.txt"));
        let wanted = fs_err::read_to_string(&requirements)?;
        let environment = folder("python")?.join(name);
        let interpreter = environment.join("bin").join("python");
        let mark = environment.join("installed.txt");
        if fs_err::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(Self { interpreter, scripts });
        }
        eprintln!("installing {} (minutes, once)", requirements.display());
        // Python's own name for the step, so that any Python 3 will do.
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        if let Some(packages) = packages {
            let own = packages_of(&interpreter)?;
            fs_err::write(own.join("below.pth"), packages.display().to_string())?;
        }
        let mut pip = Command::new(&interpreter);
        run(pip.args(["-m", "pip", "install", "--quiet", "-r"]).arg(&requirements))?;
        fs_err::write(&mark, wanted)?;
        Ok(Self { interpreter, scripts })
    }
}

/// The folder in which an interpreter has its packages.
fn packages_of(interpreter: &Path) -> Result<PathBuf> {
    let ask = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
    let output = Command::new(interpreter).args(ask).output()?;
    ensure!(output.status.success(), "{} does not run", interpreter.display());
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// Runs a command to its end; its output goes to ours on standard error.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    // Standard output is for comparisons only.
    let output = command.output().with_context(|| format!("could not run {shown}"))?;
    ensure!(
        output.status.success(),
        "{shown} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
