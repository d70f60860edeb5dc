//! Lock files: what decides the numbers of an experiment, kept beside them.

use std::path::Path;

use ecphory::train::study::Experiment;
use fs_err as fs;

use crate::commands::run::write_whole;
use crate::failure::Failure;

/// Writes what decides the numbers; where the file is there, it has to say the same.
///
/// # Errors
/// [`Failure::OtherExperiment`] where it says something else, [`Failure::NoLock`] where it is no lock file.
pub fn hold(path: &Path, experiment: &Experiment) -> anyhow::Result<()> {
    let shown = || path.display().to_string();
    if path.symlink_metadata().is_err() {
        let text = serde_json::to_string_pretty(experiment)?;
        return write_whole(path, |out| Ok(writeln!(out, "{text}")?));
    }
    let locked: Experiment = serde_json::from_slice(&fs::read(path)?)
        .map_err(|error| Failure::NoLock { path: shown(), why: error.to_string() })?;
    let differences = experiment.differences(&locked);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::OtherExperiment { path: shown(), differences: differences.join("\n  ") }.into())
}
