//! Removes files that no manifest in force names. Only a writer does, and only after it opened the collection.

use std::collections::BTreeSet;
use std::io;

use ecphory_core::storage::{Storage, TMP};

use super::newest_generation;
use crate::format::SEGMENTS;
use crate::format::manifest::{Manifest, PartEntry, generations, manifest_file, part_number};
use crate::{Error, Result, Snapshot};

/// Moves the manifest's counters past every number that a file in the storage bears, committed or not.
pub(super) fn skip_used_numbers(storage: &dyn Storage, staged: &mut Manifest) -> Result<()> {
    staged.generation = newest_generation(storage)?.max(staged.generation) + 1;
    let parts = storage.list(SEGMENTS).map_err(Error::io("list", SEGMENTS))?;
    let largest = parts.iter().filter_map(|file| part_number(file)).max();
    staged.next_part = staged.next_part.max(largest.map_or(0, |part| part.saturating_add(1)));
    Ok(())
}

/// Removes what earlier writers left: temporary files, manifests that were never put in force, and then
/// what [`remove_superseded`] removes.
pub(super) fn remove_unfinished(
    storage: &dyn Storage,
    opened: &Snapshot,
    committed: u64,
) -> Result<()> {
    for file in storage.list(TMP).map_err(Error::io("list", TMP))? {
        remove(storage, &format!("{TMP}/{file}"))?;
    }
    // Before their parts: a manifest must not outlive what it names.
    for generation in generations(storage)?.into_iter().filter(|&g| g > committed) {
        remove(storage, &manifest_file(generation))?;
    }
    remove_superseded(storage, opened, committed)
}

/// Removes all manifests but the one in force and the one before, and the parts that neither names.
/// Readers that still hold such parts have them open.
pub(super) fn remove_superseded(
    storage: &dyn Storage,
    opened: &Snapshot,
    committed: u64,
) -> Result<()> {
    let earlier: Vec<u64> =
        generations(storage)?.into_iter().filter(|&generation| generation < committed).collect();
    let mut named: BTreeSet<String> = opened.part_files().collect();
    if let Some((&previous, older)) = earlier.split_last() {
        for &generation in older {
            remove(storage, &manifest_file(generation))?;
        }
        // One that cannot be read names nothing; the one in force could be read.
        if let Ok(Some(manifest)) = Manifest::read(storage, previous) {
            let parts = manifest.segments.iter().flat_map(|segment| &segment.parts);
            named.extend(parts.map(PartEntry::file));
        }
    }
    for file in storage.list(SEGMENTS).map_err(Error::io("list", SEGMENTS))? {
        let file = format!("{SEGMENTS}/{file}");
        if !named.contains(&file) {
            remove(storage, &file)?;
        }
    }
    Ok(())
}

fn remove(storage: &dyn Storage, file: &str) -> Result<()> {
    match storage.remove(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}
