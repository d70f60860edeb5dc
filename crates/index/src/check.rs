//! Checking everything: every checksum, and whether what stands in one place fits what stands in another.
//!
//! Opening a collection checks frames, and a search what it uses. This reads every byte that a snapshot
//! stands on, about a second for a gigabyte, and lists all that is wrong instead of the first.

use ecphory_core::{DocNo, Progress};
use rustc_hash::FxHashSet;

use crate::segment::Segment;
use crate::segment::columns::ColumnsPart;
use crate::segment::documents::DocumentsPart;
use crate::segment::rows::Shape;
use crate::{Collection, Error, Result, Snapshot};

impl Collection {
    /// Checks the newest state: its manifest, its log and all parts. Returns what is wrong; nothing where
    /// the collection is sound.
    ///
    /// # Errors
    /// [`Error::NoCollection`] where there is nothing to check, [`Error::Interrupted`].
    pub fn check(&self, progress: &dyn Progress) -> Result<Vec<Error>> {
        match self.snapshot() {
            Ok(snapshot) => snapshot.check(progress),
            Err(error @ (Error::Corrupt { .. } | Error::Version { .. } | Error::Io { .. })) => {
                Ok(vec![error])
            }
            Err(other) => Err(other),
        }
    }
}

impl Snapshot {
    /// Checks all parts of the snapshot and returns what is wrong.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check(&self, progress: &dyn Progress) -> Result<Vec<Error>> {
        let segments = self.open_segments();
        let bytes = segments.iter().map(|segment| segment.bytes()).sum();
        progress.begin("checking", bytes);
        let mut found = Vec::new();
        for segment in segments {
            if progress.cancelled() {
                progress.end();
                return Err(Error::Interrupted);
            }
            self.check_segment(segment, &mut found);
            progress.advance(segment.bytes());
        }
        // Ids can be compared only where the documents could be read.
        if found.is_empty()
            && let Err(error) = self.check_ids()
        {
            found.push(error);
        }
        progress.end();
        Ok(found)
    }

    fn check_segment(&self, segment: &Segment, found: &mut Vec<Error>) {
        let before = found.len();
        for part in segment.parts.values() {
            found.extend(part.file().check_sections());
        }
        if found.len() > before {
            // What a damaged part means need not be told as well.
            return;
        }
        let mut note = |outcome: Result<()>| found.extend(outcome.err());
        note(segment.stored.get().and_then(DocumentsPart::check_all));
        if let Some(columns) = &segment.columns {
            note(columns.get().and_then(ColumnsPart::check_all));
        }
        for (channel, position) in self.schema().channels.iter().zip(0..) {
            if let Some(part) = &segment.bm25[position] {
                note(part.get().and_then(|open| open.check_all(&part.file)));
            }
            if let Some(shape) = Shape::of(&channel.kind) {
                segment.rows[position].iter().for_each(|range| note(range.check_all(shape)));
            }
        }
    }

    /// Checks that no two living documents have the same id.
    fn check_ids(&self) -> Result<()> {
        let mut seen: FxHashSet<&str> = FxHashSet::default();
        for segment in self.open_segments() {
            let stored = segment.stored.get()?;
            for doc in (0..segment.documents).map(DocNo).filter(|&doc| segment.lives(doc)) {
                let id = stored.id(doc)?;
                if !seen.insert(id) {
                    let what = format!("the id {id:?} belongs to two living documents");
                    return Err(Error::corrupt(&segment.stored.file.name, 0, what));
                }
            }
        }
        Ok(())
    }
}
