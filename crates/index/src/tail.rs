//! The tail: what the log holds beyond the segments on disk, as small segments in memory.
//!
//! They are built and searched by the code that builds and searches those on disk. New ones are merged with
//! their neighbours as they come, so that there are never more than a few dozen. A writer grows its tail
//! batch by batch; a reader in another process replays the log into one of its own.

use std::sync::Arc;

use ecphory_core::storage::Memory;
use ecphory_core::{Document, Silent};

use crate::Result;
use crate::format::log::LoggedBatch;
use crate::format::manifest::SegmentEntry;
use crate::merging::pick_run;
use crate::segment::build::{SegmentRows, Site, build_segment};
use crate::segment::merge::{merge_segments, survivors};
use crate::segment::{Numbers, Segment};
use crate::snapshot::Settings;

/// Segments in memory, after those on disk. Clones are views of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    storage: Memory,
    numbers: Arc<Numbers>,
    /// In order; the first [`Tail::frozen`] of them are being sealed and are not merged any more.
    pub segments: Vec<Arc<Segment>>,
    pub frozen: usize,
}

impl Tail {
    pub fn new() -> Self {
        let numbers = Arc::new(Numbers::new(1, 1));
        Self { storage: Memory::new(), numbers, segments: Vec::new(), frozen: 0 }
    }

    /// Returns how many documents live here, leaving out those that are being sealed.
    pub fn documents(&self) -> u64 {
        self.segments[self.frozen..].iter().map(|segment| u64::from(segment.living())).sum()
    }

    /// Returns the bytes of all segments that are not being sealed.
    pub fn bytes(&self) -> u64 {
        self.segments[self.frozen..].iter().map(|segment| segment.bytes()).sum()
    }

    /// Builds a segment of documents that were checked, without adding it yet.
    pub fn build(
        &self,
        documents: &[Document],
        rows: &[SegmentRows<'_>],
        settings: &Settings,
        pool: Option<&rayon::ThreadPool>,
    ) -> Result<Arc<Segment>> {
        let entry = build_segment(documents, rows, self.site(settings), pool, &Silent)?;
        self.open(&entry, settings)
    }

    /// Adds a segment behind the others and merges where enough small ones stand together.
    pub fn push(&mut self, segment: Arc<Segment>, settings: &Settings) -> Result<()> {
        self.segments.push(segment);
        loop {
            let sizes: Vec<(u64, u64)> = self.segments[self.frozen..]
                .iter()
                .map(|segment| (u64::from(segment.documents), u64::from(segment.dead.count())))
                .collect();
            let Some(run) = pick_run(&sizes) else { return Ok(()) };
            let run = run.start + self.frozen..run.end + self.frozen;
            let inputs = &self.segments[run.clone()];
            let survivors = survivors(inputs)?;
            let merged = merge_segments(inputs, &survivors, self.site(settings))?;
            let merged = merged.map(|entry| self.open(&entry, settings)).transpose()?;
            let replaced: Vec<_> = self.segments.splice(run, merged).collect();
            self.forget(&replaced);
        }
    }

    /// Takes away the segments that were sealed.
    pub fn drop_frozen(&mut self) {
        let sealed: Vec<_> = self.segments.drain(..self.frozen).collect();
        self.frozen = 0;
        self.forget(&sealed);
    }

    /// Gives the memory of segments back; snapshots that have them open keep it.
    fn forget(&self, segments: &[Arc<Segment>]) {
        use ecphory_core::storage::Storage;
        for part in segments.iter().flat_map(|segment| &segment.entry.parts) {
            // A part that is not there any more has been given back already.
            let _ = self.storage.remove(&part.file());
        }
        // Only then does the storage let go of the bytes; memory does not fail.
        let _ = self.storage.sync_folder(crate::format::SEGMENTS);
    }

    fn site<'s>(&'s self, settings: &'s Settings) -> Site<'s> {
        Site { storage: &self.storage, numbers: &self.numbers, settings, spool_bytes: usize::MAX }
    }

    fn open(&self, entry: &SegmentEntry, settings: &Settings) -> Result<Arc<Segment>> {
        let segment = Segment::open(&self.storage, settings, entry, &|_| None)?;
        segment.verify()?;
        Ok(Arc::new(Segment { in_memory: true, ..segment }))
    }
}

/// Finds the rows of a logged batch for each channel that has any.
pub(crate) fn rows_of<'b>(batch: &'b LoggedBatch, settings: &Settings) -> Vec<SegmentRows<'b>> {
    let mut found = Vec::new();
    for (named, channel) in settings.schema.channels.iter().zip(0..) {
        let logged = batch.rows.iter().find(|logged| logged.channel == named.name);
        found.extend(logged.map(|logged| SegmentRows { channel, rows: logged.rows.as_rows() }));
    }
    found
}
