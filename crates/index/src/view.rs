//! What a collection holds at one moment: the segments of a manifest with their tombstones, and the tail.
//!
//! A batch changes a view; a snapshot is a view that nobody changes any more. The writer has one, and so has
//! every reader that follows a writer in another process.

use std::sync::Arc;

use ecphory_core::storage::Storage;
use ecphory_core::{DocNo, Document};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::format::log::{LoggedBatch, LoggedRows};
use crate::format::manifest::Manifest;
use crate::segment::build::SegmentRows;
use crate::segment::rows::check_rows;
use crate::segment::{OpenPart, Segment};
use crate::snapshot::{Settings, Snapshot};
use crate::tail::{Tail, rows_of};
use crate::wal::{self, Position};
use crate::{Error, Result};

/// Documents that are gathered from small batches of a log before they become a segment of the tail.
const GATHERED_DOCUMENTS: usize = 4096;

/// Segments on disk, then the tail.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub settings: Arc<Settings>,
    pub manifest: Arc<Manifest>,
    /// Those of the manifest, with the tombstones of this moment.
    pub disk: Vec<Arc<Segment>>,
    pub tail: Tail,
    /// How many bytes of the log the tail and the newest tombstones stand for.
    pub log_bytes: u64,
}

/// Where a living document is: the segment's position, on disk or, after those, in the tail.
type Place = (usize, DocNo);

impl View {
    /// Opens the segments of a manifest, taking over open parts; the tail is empty.
    pub fn open(
        storage: &dyn Storage,
        settings: &Arc<Settings>,
        manifest: Manifest,
        known: &dyn Fn(u64) -> Option<OpenPart>,
    ) -> Result<Self> {
        let mut disk = Vec::with_capacity(manifest.segments.len());
        for entry in &manifest.segments {
            disk.push(Arc::new(Segment::open(storage, settings, entry, known)?));
        }
        let (settings, manifest) = (Arc::clone(settings), Arc::new(manifest));
        Ok(Self { settings, manifest, disk, tail: Tail::new(), log_bytes: 0 })
    }

    /// Returns a part on disk that is open, so that another view can take it over.
    pub fn open_part(&self, part: u64) -> Option<OpenPart> {
        self.disk.iter().find_map(|segment| segment.parts.get(&part)).cloned()
    }

    /// Applies what the log holds after a position, and returns the position after it.
    pub fn replay(&mut self, storage: &dyn Storage, from: Position) -> Result<Position> {
        let first = self.manifest.log;
        let settings = Arc::clone(&self.settings);
        let mut gathered = Gathered::default();
        let position = wal::read(storage, first, from, &mut |batch| {
            check_batch(&batch, &settings)?;
            if !gathered.takes(&batch) {
                self.apply(std::mem::take(&mut gathered))?;
            }
            gathered.add(batch);
            Ok(())
        })?;
        self.apply(gathered)?;
        self.log_bytes = wal::bytes(storage, first)?;
        Ok(position)
    }

    fn apply(&mut self, gathered: Gathered) -> Result<()> {
        let (kills, batch) = gathered.finish(&self.settings);
        let rows = rows_of(&batch, &self.settings);
        let built = self.build(&batch.documents, &rows, None)?;
        self.kill(kills.iter().map(String::as_str))?;
        self.push(built)
    }

    /// Builds a segment for the tail, which [`View::push`] adds; `None` for no documents.
    pub fn build(
        &self,
        documents: &[Document],
        rows: &[SegmentRows<'_>],
        pool: Option<&rayon::ThreadPool>,
    ) -> Result<Option<Arc<Segment>>> {
        if documents.is_empty() {
            return Ok(None);
        }
        self.tail.build(documents, rows, &self.settings, pool).map(Some)
    }

    /// Adds a segment to the tail.
    pub fn push(&mut self, built: Option<Arc<Segment>>) -> Result<()> {
        match built {
            Some(segment) => self.tail.push(segment, &self.settings),
            None => Ok(()),
        }
    }

    /// Marks the living documents with these ids dead and returns how many there were.
    pub fn kill<'i>(&mut self, ids: impl Iterator<Item = &'i str>) -> Result<u64> {
        let mut places: Vec<Place> = Vec::new();
        for id in ids {
            places.extend(self.find(id)?);
        }
        places.sort_unstable();
        places.dedup();
        let mut rest = &*places;
        while let Some(&(segment, _)) = rest.first() {
            let (here, after) = rest.split_at(rest.partition_point(|place| place.0 == segment));
            let docs: Vec<DocNo> = here.iter().map(|place| place.1).collect();
            let slot = self.slot(segment);
            *slot = Arc::new(slot.with_dead(&docs)?);
            rest = after;
        }
        Ok(places.len() as u64)
    }

    /// Looks a living document up by its id.
    pub fn find(&self, id: &str) -> Result<Option<Place>> {
        // The newest segments are the smallest and the likeliest.
        for position in (0..self.disk.len() + self.tail.segments.len()).rev() {
            if let Some(doc) = self.segment(position).find(id)? {
                return Ok(Some((position, doc)));
            }
        }
        Ok(None)
    }

    fn segment(&self, position: usize) -> &Segment {
        match position.checked_sub(self.disk.len()) {
            None => &self.disk[position],
            Some(position) => &self.tail.segments[position],
        }
    }

    fn slot(&mut self, position: usize) -> &mut Arc<Segment> {
        match position.checked_sub(self.disk.len()) {
            None => &mut self.disk[position],
            Some(position) => &mut self.tail.segments[position],
        }
    }

    /// Returns the view as a snapshot.
    pub fn snapshot(&self) -> Snapshot {
        let segments = self.disk.iter().chain(&self.tail.segments).cloned().collect();
        let (settings, manifest) = (Arc::clone(&self.settings), Arc::clone(&self.manifest));
        Snapshot::new(settings, manifest, segments, self.log_bytes)
    }
}

/// Checks that a logged batch is one of this collection.
fn check_batch(batch: &LoggedBatch, settings: &Settings) -> Result<()> {
    let known = |LoggedRows { channel, rows }: &LoggedRows| {
        let Ok((_, shape)) = settings.rows_position(channel) else { return false };
        rows.counts.len() == batch.documents.len()
            && check_rows(channel, shape, 0, rows.as_rows()).is_ok()
    };
    let wrong = |what| Err(Error::corrupt(crate::format::LOGS, 0, what));
    if !batch.rows.iter().all(known) {
        return wrong("a batch has rows that fit no channel");
    }
    let ids: FxHashSet<&str> = batch.documents.iter().map(|doc| doc.id.as_str()).collect();
    if ids.len() < batch.documents.len() {
        return wrong("a batch has two documents with one id");
    }
    Ok(())
}

/// Batches of the log joined into one; what a later one deletes or replaces of an earlier one is left out.
#[derive(Default)]
struct Gathered {
    /// The ids whose documents in older segments die.
    kills: Vec<String>,
    batch: LoggedBatch,
    /// Which of the batch's documents are still there.
    alive: Vec<bool>,
    /// The living document of an id.
    places: FxHashMap<String, usize>,
}

impl Gathered {
    /// Whether a batch can be joined to what is there: its documents have rows in the same channels.
    fn takes(&self, next: &LoggedBatch) -> bool {
        let batch = &self.batch;
        if batch.documents.is_empty() || next.documents.is_empty() {
            return true;
        }
        let channels = |batch: &LoggedBatch| -> Vec<String> {
            batch.rows.iter().map(|rows| rows.channel.clone()).collect()
        };
        batch.documents.len() + next.documents.len() <= GATHERED_DOCUMENTS
            && channels(batch) == channels(next)
    }

    fn add(&mut self, next: LoggedBatch) {
        let ids = next.documents.iter().map(|document| document.id.clone());
        for id in next.deletes.into_iter().chain(ids) {
            if let Some(place) = self.places.remove(&id) {
                self.alive[place] = false;
            }
            self.kills.push(id);
        }
        if self.batch.documents.is_empty() {
            self.batch.rows = next.rows;
        } else {
            for (logged, more) in self.batch.rows.iter_mut().zip(next.rows) {
                logged.rows.extend(more.rows.as_rows());
            }
        }
        for document in next.documents {
            self.places.insert(document.id.clone(), self.batch.documents.len());
            self.alive.push(true);
            self.batch.documents.push(document);
        }
    }

    /// Returns the ids that die, and one batch with what lives.
    fn finish(self, settings: &Settings) -> (Vec<String>, LoggedBatch) {
        let alive = self.alive;
        let mut batch = self.batch;
        if alive.iter().all(|&alive| alive) {
            return (self.kills, batch);
        }
        for logged in &mut batch.rows {
            // The batches were checked: each channel is there.
            if let Ok((_, shape)) = settings.rows_position(&logged.channel) {
                logged.rows.keep(shape, &alive);
            }
        }
        let mut alive = alive.iter();
        batch.documents.retain(|_| alive.next().is_some_and(|&alive| alive));
        (self.kills, batch)
    }
}
