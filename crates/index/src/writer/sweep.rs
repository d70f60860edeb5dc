//! Removes files that nothing in force names. Only a writer does, and only after it opened the collection.
//! Readers that still hold such files have them open; one that is just opening them begins anew.

use std::collections::BTreeSet;
use std::io;

use ecphory_core::storage::{Storage, TMP};

use crate::format::log::log_file;
use crate::format::manifest::{Manifest, PartEntry, generations, manifest_file, part_number};
use crate::format::{LOGS, MAX_NUMBER, MAX_SEGMENT, SEGMENTS};
use crate::{Error, Result, wal};

/// How many manifests are kept.
const KEPT_MANIFESTS: usize = 2;

/// Returns the next numbers of segments and parts, beyond every number that a file bears, committed or not.
pub(crate) fn next_numbers(storage: &dyn Storage, manifest: &Manifest) -> Result<(u32, u64)> {
    let parts = storage.list(SEGMENTS).map_err(Error::io("list", SEGMENTS))?;
    let largest = parts.iter().filter_map(|file| part_number(file)).max();
    let next_part = manifest.next_part.max(largest.map_or(0, |part| part + 1));
    let others = [wal::numbers(storage)?, generations(storage)?, vec![next_part]];
    // No writer lives long enough to come from half of the largest number to the largest.
    let room = others.iter().flatten().all(|&number| number <= MAX_NUMBER / 2);
    if !room || manifest.next_segment > MAX_SEGMENT / 2 {
        let what = "its numbers, or those of the files, are larger than any collection comes to";
        return Err(Error::corrupt(&manifest_file(manifest.generation), 0, what));
    }
    Ok((manifest.next_segment, next_part))
}

/// Makes the names durable that were found. A writer that was ended between a rename and its sync leaves
/// what every process can read but a power failure would undo; nothing may be removed because of it.
pub(crate) fn sync_found(storage: &dyn Storage) -> Result<()> {
    for folder in ["", SEGMENTS, LOGS] {
        if folder != LOGS || !wal::numbers(storage)?.is_empty() {
            storage.sync_folder(folder).map_err(Error::io("sync", folder))?;
        }
    }
    Ok(())
}

/// Removes what earlier writers left: temporary files, manifests that were never put in force, old
/// manifests and logs, and parts that the manifest in force does not name.
pub(crate) fn remove_unfinished(
    storage: &dyn Storage,
    manifest: &Manifest,
    committed: u64,
) -> Result<()> {
    for file in storage.list(TMP).map_err(Error::io("list", TMP))? {
        remove(storage, &format!("{TMP}/{file}"))?;
    }
    // Before their parts: a manifest must not outlive what it names.
    for generation in generations(storage)?.into_iter().filter(|&g| g > committed) {
        remove(storage, &manifest_file(generation))?;
    }
    remove_superseded(storage, committed, manifest.log)?;
    let parts = manifest.segments.iter().flat_map(|segment| &segment.parts);
    remove_unnamed(storage, &parts.map(PartEntry::file).collect(), manifest.log)
}

/// Removes all manifests but the last ones, and the logs before the one that the manifest in force names.
pub(crate) fn remove_superseded(
    storage: &dyn Storage,
    committed: u64,
    log: Option<u64>,
) -> Result<()> {
    let older: Vec<u64> = generations(storage)?.into_iter().filter(|&g| g <= committed).collect();
    for &generation in older.iter().rev().skip(KEPT_MANIFESTS) {
        remove(storage, &manifest_file(generation))?;
    }
    for number in wal::numbers(storage)?.into_iter().filter(|&number| Some(number) < log) {
        remove(storage, &log_file(number))?;
    }
    Ok(())
}

/// Removes parts other than the named ones, and logs before `log`.
pub(crate) fn remove_unnamed(
    storage: &dyn Storage,
    named: &BTreeSet<String>,
    log: Option<u64>,
) -> Result<()> {
    for file in storage.list(SEGMENTS).map_err(Error::io("list", SEGMENTS))? {
        let file = format!("{SEGMENTS}/{file}");
        if !named.contains(&file) {
            remove(storage, &file)?;
        }
    }
    for number in wal::numbers(storage)?.into_iter().filter(|&number| Some(number) < log) {
        remove(storage, &log_file(number))?;
    }
    Ok(())
}

/// Removes some files; one that is gone already is no error.
pub(crate) fn remove_files(storage: &dyn Storage, files: &BTreeSet<String>) -> Result<()> {
    files.iter().try_for_each(|file| remove(storage, file))
}

fn remove(storage: &dyn Storage, file: &str) -> Result<()> {
    match storage.remove(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}
