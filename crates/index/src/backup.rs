//! Copies of a snapshot that are collections themselves.
//!
//! A backup has the parts of the snapshot's segments byte for byte, its tail as one more segment, and a
//! manifest of its own; it has no log. Parts that an earlier backup in the same place has already are not
//! copied again. The source is only read, and may be written to meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use ecphory_core::Progress;
use ecphory_core::storage::{Storage, publish};

use crate::collection::{lock, newest_manifest, publish_manifest};
use crate::format::manifest::{
    Manifest, PartEntry, PartKind, SegmentEntry, generations, part_number,
};
use crate::format::part::PartFile;
use crate::format::{SEGMENTS, VERSION};
use crate::segment::build::Site;
use crate::segment::merge::{merge_segments, survivors};
use crate::segment::{Numbers, Segment};
use crate::writer::sweep;
use crate::{Error, Result, Snapshot};

/// Parts that a backup makes itself are numbered from the next multiple of this on, apart from those that it
/// copies and from those that the collection makes later. One that was a backup itself is beyond the first.
const OWN_PARTS: u64 = 1 << 40;
/// The empty file that says that parts without a manifest are those of a first backup that was cut short.
const BEGUN: &str = "BACKUP";
/// How many bytes a section of the tail keeps in memory.
const SPOOL_BYTES: usize = 8 << 20;

/// What a backup did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Parts that were written.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Parts that were there already.
    pub kept: u64,
}

impl Snapshot {
    /// Writes the snapshot to another storage, which is empty or has an earlier backup of the same
    /// collection. The backup there before stays in force until the new one is whole.
    ///
    /// # Errors
    /// [`Error::ForeignBackup`] where the target holds another collection, [`Error::Locked`],
    /// [`Error::Interrupted`], [`Error::Io`], [`Error::Corrupt`].
    pub fn backup(&self, target: &dyn Storage, progress: &dyn Progress) -> Result<BackedUp> {
        let _lock = lock(target)?;
        let earlier = match newest_manifest(target) {
            Ok(manifest) => Some(manifest),
            Err(Error::NoCollection) => None,
            // One that was cut short.
            Err(Error::Corrupt { .. }) if target.length(BEGUN).is_ok() => None,
            Err(error) => return Err(error),
        };
        if let Some(earlier) = &earlier {
            self.check_same_collection(earlier)?;
        }
        self.write_all("backing up", target, earlier.as_ref(), self.manifest().clone(), progress)
    }

    /// Writes the snapshot to an empty storage as a collection of its own, with another identity: its
    /// backups and those of the original are kept apart.
    ///
    /// # Errors
    /// [`Error::CollectionExists`], and as [`Snapshot::backup`].
    pub fn restore(
        &self,
        target: &dyn Storage,
        identity: u64,
        progress: &dyn Progress,
    ) -> Result<BackedUp> {
        let _lock = lock(target)?;
        match newest_manifest(target) {
            Err(Error::NoCollection) => {}
            Ok(_) | Err(Error::Corrupt { .. }) => return Err(Error::CollectionExists),
            Err(error) => return Err(error),
        }
        let manifest = Manifest { collection: identity, ..self.manifest().clone() };
        self.write_all("restoring", target, None, manifest, progress)
    }

    fn write_all(
        &self,
        task: &str,
        target: &dyn Storage,
        earlier: Option<&Manifest>,
        manifest: Manifest,
        progress: &dyn Progress,
    ) -> Result<BackedUp> {
        let bytes = self.open_segments().iter().map(|segment| segment.bytes()).sum();
        progress.begin(task, bytes);
        let done = self.write_backup(target, earlier, manifest, progress);
        progress.end();
        done
    }

    /// Refuses a target whose manifest is not one that could have come before this snapshot.
    fn check_same_collection(&self, earlier: &Manifest) -> Result<()> {
        if earlier.collection != self.manifest().collection {
            return Err(Error::ForeignBackup);
        }
        // What the identity does not tell, in a collection that has none, the parts may.
        let parts = |manifest: &Manifest| -> Vec<PartEntry> {
            let parts = manifest.segments.iter().flat_map(|segment| segment.parts.clone());
            parts.filter(|part| part.part < self.own_parts()).collect()
        };
        let (theirs, ours) = (parts(earlier), parts(self.manifest()));
        let other = |part: &PartEntry| {
            ours.iter().any(|our| our.part == part.part && our.crc32 != part.crc32)
                || part.part >= self.manifest().next_part
        };
        if theirs.iter().any(other) {
            return Err(Error::ForeignBackup);
        }
        Ok(())
    }

    /// Returns the number from which on the parts are the backup's own.
    fn own_parts(&self) -> u64 {
        (self.manifest().next_part + 1).next_multiple_of(OWN_PARTS)
    }

    fn write_backup(
        &self,
        target: &dyn Storage,
        earlier: Option<&Manifest>,
        mut manifest: Manifest,
        progress: &dyn Progress,
    ) -> Result<BackedUp> {
        let mut done = BackedUp::default();
        if earlier.is_none() {
            publish(target, BEGUN, &mut |_| Ok(())).map_err(Error::io("write", BEGUN))?;
        }
        let there = target.list(SEGMENTS).map_err(Error::io("list", SEGMENTS))?;
        let largest = there.iter().filter_map(|file| part_number(file)).max().unwrap_or(0);
        let numbers = Numbers::new(manifest.next_segment, self.own_parts().max(largest + 1));
        let settings = self.settings();
        let site = Site { storage: target, numbers: &numbers, settings, spool_bytes: SPOOL_BYTES };
        manifest.segments.clear();
        for segment in self.open_segments().iter().filter(|segment| !segment.in_memory) {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            manifest.segments.push(copy_segment(segment, site, &mut done)?);
            progress.advance(segment.bytes());
        }
        let tail: Vec<Arc<Segment>> =
            self.open_segments().iter().filter(|segment| segment.in_memory).cloned().collect();
        let entry = merge_segments(&tail, &survivors(&tail)?, site)?;
        for part in entry.iter().flat_map(|entry| &entry.parts) {
            done.copied += 1;
            done.copied_bytes += part.bytes;
        }
        manifest.segments.extend(entry);
        manifest.format = VERSION;
        manifest.log = None;
        (manifest.next_segment, manifest.next_part) = numbers.next();
        let newest = generations(target)?.last().copied().unwrap_or(0);
        manifest.generation = manifest.generation.max(newest + 1);
        // A part that was there may be one whose name an earlier backup did not come to sync.
        target.sync_folder(SEGMENTS).map_err(Error::io("sync", SEGMENTS))?;
        publish_manifest(target, &manifest)?;
        if target.length(BEGUN).is_ok() {
            target.remove(BEGUN).map_err(Error::io("remove", BEGUN))?;
        }
        sweep::remove_unfinished(target, &manifest, manifest.generation)?;
        Ok(done)
    }
}

/// Copies the parts that the target does not have, with the tombstones of this moment.
fn copy_segment(segment: &Segment, site: Site<'_>, done: &mut BackedUp) -> Result<SegmentEntry> {
    let mut entry = SegmentEntry::clone(&segment.entry);
    if segment.dead.count() != segment.written_dead() {
        entry.parts.retain(|part| part.kind != PartKind::Tombstones);
        let identity = site.identity(PartKind::Tombstones, entry.segment, 0, entry.documents);
        let part = segment.dead.write(site.storage, identity)?;
        done.copied += 1;
        done.copied_bytes += part.bytes;
        entry.parts.push(part);
    }
    let own: BTreeSet<u64> = segment.parts.keys().copied().collect();
    for part in entry.parts.iter().filter(|part| own.contains(&part.part)) {
        if PartFile::open(site.storage, entry.segment, part).is_ok() {
            done.kept += 1;
            continue;
        }
        let file = part.file();
        let bytes = segment.parts[&part.part].file().bytes();
        publish(site.storage, &file, &mut |out| out.write_all(bytes))
            .map_err(Error::io("write", &file))?;
        done.copied += 1;
        done.copied_bytes += part.bytes;
    }
    Ok(entry)
}
