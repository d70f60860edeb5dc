//! Maintenance: the tail is sealed into a segment, neighbouring segments are merged, space comes back.
//!
//! A job is planned and finished under the lock, and run beside it: batches go on meanwhile. What they kill
//! of a job's inputs is carried over to its result when it is finished.

use std::sync::Arc;

use ecphory_core::DocNo;
use ecphory_core::storage::{FullSpeed, Pace, Paced};

use super::{State, Writer, files};
use crate::Result;
use crate::collection::locked;
use crate::format::MAX_SEGMENT_DOCUMENTS;
use crate::format::manifest::{PartKind, SegmentEntry};
use crate::merging::pick_run;
use crate::segment::Segment;
use crate::segment::build::Site;
use crate::segment::merge::{merge_segments, survivors};
use crate::segment::survivors::Survivors;

/// Neighbouring segments that become one.
struct Job {
    inputs: Vec<Arc<Segment>>,
    /// The log file that the manifest names when the job is done, where the inputs are the tail.
    seals: Option<u64>,
}

/// Neighbouring segments on disk.
type Group = Vec<Arc<Segment>>;

/// What a job made.
struct Merged {
    survivors: Vec<Survivors>,
    /// Open and verified; `None` where nothing lives.
    segment: Option<Segment>,
}

impl Writer {
    /// Does one piece of background work, where there is any: seals a tail that is full, or merges
    /// segments as the tiers ask for. Returns whether it did something.
    ///
    /// Batches go on while it works; `pace` limits what it writes. May be called from two threads: then one
    /// can seal while the other is busy with a long merge.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io), [`Error::Corrupt`](crate::Error::Corrupt) (the work is given up, everything stays as it was),
    /// [`Error::WriterStopped`](crate::Error::WriterStopped).
    pub fn maintain(&self, pace: &dyn Pace) -> Result<bool> {
        let full = self.tail_share(&*self.running()?) >= 1;
        if full && self.seal_alone(pace)? {
            return Ok(true);
        }
        let Ok(_merging) = self.merging.try_lock() else { return Ok(false) };
        let job = {
            let state = self.running()?;
            let size = |segment: &Arc<Segment>| {
                (u64::from(segment.documents), u64::from(segment.dead.count()))
            };
            let sizes: Vec<(u64, u64)> = state.view.disk.iter().map(size).collect();
            let run = pick_run(&sizes).filter(|_| !state.changed);
            run.map(|run| Job { inputs: state.view.disk[run].to_vec(), seals: None })
        };
        job.map_or(Ok(false), |job| self.work(&job, pace))
    }

    /// Seals the tail: makes one segment on disk of it and begins a new log file. What is staged is
    /// committed with it.
    ///
    /// # Errors
    /// As [`Writer::maintain`].
    pub fn seal(&self) -> Result<()> {
        self.seal_alone(&FullSpeed).map(|_| ())
    }

    /// Merges all segments into one (or into as few as a segment's limit of documents allows), without
    /// anything dead.
    ///
    /// # Errors
    /// As [`Writer::maintain`].
    pub fn compact(&self, pace: &dyn Pace) -> Result<()> {
        self.rewrite(pace, &|disk| {
            let mut groups: Vec<Group> = Vec::new();
            let mut room = 0;
            for segment in disk {
                let living = u64::from(segment.living());
                if groups.is_empty() || living > room {
                    groups.push(Vec::new());
                    room = u64::from(MAX_SEGMENT_DOCUMENTS);
                }
                room -= living;
                groups.last_mut().expect("one was pushed").push(Arc::clone(segment));
            }
            groups.retain(|group| group.len() > 1 || group[0].dead.count() > 0);
            groups
        })
    }

    /// Erases what was deleted or replaced: every segment with dead documents is written again without
    /// them, the log is sealed, and the files that held them are removed. When this returns no file of the
    /// collection holds their bytes; snapshots that are still held, backups, and what the file system and
    /// the disk keep of removed files are out of its reach.
    ///
    /// # Errors
    /// As [`Writer::maintain`], and where a file cannot be removed.
    pub fn purge(&self, pace: &dyn Pace) -> Result<()> {
        self.rewrite(pace, &|disk| {
            let dying = disk.iter().filter(|segment| segment.dead.count() > 0);
            dying.map(|segment| vec![Arc::clone(segment)]).collect()
        })?;
        let mut state = self.running()?;
        let named = state.view.manifest.segments.iter().flat_map(|segment| &segment.parts);
        let (named, log) = (files(named), state.view.manifest.log);
        let outcome = super::sweep::remove_unnamed(&*self.shared.storage, &named, log);
        state.dropped.clear();
        outcome
    }

    /// Seals, then rewrites groups of neighbours.
    fn rewrite(
        &self,
        pace: &dyn Pace,
        groups: &dyn Fn(&[Arc<Segment>]) -> Vec<Group>,
    ) -> Result<()> {
        let _merging = locked(&self.merging);
        self.seal_alone(pace)?;
        let groups = groups(&self.running()?.view.disk);
        for inputs in groups {
            self.work(&Job { inputs, seals: None }, pace)?;
        }
        Ok(())
    }

    /// Seals where there is anything to seal.
    fn seal_alone(&self, pace: &dyn Pace) -> Result<bool> {
        let _sealing = locked(&self.sealing);
        self.seal_locked(pace)
    }

    /// Seals; the caller holds the lock on sealing.
    pub(super) fn seal_locked(&self, pace: &dyn Pace) -> Result<bool> {
        let Some(job) = self.plan_seal(&mut *self.running()?)? else { return Ok(false) };
        let done = self.work(&job, pace);
        if done.is_err() {
            locked(&self.state).view.tail.frozen = 0;
        }
        done
    }

    /// Seals while nobody can put anything: for work that needs an empty tail.
    pub(super) fn seal_within(&self, state: &mut State) -> Result<()> {
        let Some(job) = self.plan_seal(state)? else { return Ok(()) };
        let settings = Arc::clone(&state.view.settings);
        let merged = self.merge(&job, self.site(&settings))?;
        self.finish(state, &job, merged).map(|_| ())
    }

    /// Freezes the tail and begins a new log file; `None` where there is nothing to seal.
    fn plan_seal(&self, state: &mut State) -> Result<Option<Job>> {
        self.commit_staged(state)?;
        if state.view.tail.segments.is_empty() && !state.log.has_batches() {
            return Ok(None);
        }
        let rotated = state.log.rotate(&*self.shared.storage);
        let seals = Some(state.stop_on_error(rotated)?);
        // The old file was synced: whoever waits for that finds its batch durable, and has to find it shown.
        self.show(state);
        let tail = &mut state.view.tail;
        tail.frozen = tail.segments.len();
        Ok(Some(Job { inputs: tail.segments.clone(), seals }))
    }

    /// Runs a job and finishes it; false where its inputs have changed meanwhile and it was given up.
    fn work(&self, job: &Job, pace: &dyn Pace) -> Result<bool> {
        let settings = Arc::clone(&self.running()?.view.settings);
        let paced = Paced::new(&*self.shared.storage, pace);
        let site = Site { storage: &paced, ..self.site(&settings) };
        let merged = self.merge(job, site)?;
        let mut state = self.running()?;
        self.finish(&mut state, job, merged)
    }

    /// Makes the segment of a job, and opens it before anybody waits for it.
    fn merge(&self, job: &Job, site: Site<'_>) -> Result<Merged> {
        let survivors = survivors(&job.inputs)?;
        let Some(entry) = merge_segments(&job.inputs, &survivors, site)? else {
            return Ok(Merged { survivors, segment: None });
        };
        let storage = &*self.shared.storage;
        let segment = Segment::open(storage, site.settings, &entry, &|_| None)?;
        segment.verify()?;
        Ok(Merged { survivors, segment: Some(segment) })
    }

    fn finish(&self, state: &mut State, job: &Job, merged: Merged) -> Result<bool> {
        let made = merged.segment.iter().flat_map(|segment| &segment.entry.parts);
        let Some(place) = state.place_of(job) else {
            let _ = super::sweep::remove_files(&*self.shared.storage, &files(made));
            return Ok(false);
        };
        let mut segments = Vec::new();
        let died = state.died_since(job, &merged.survivors, place);
        if let Some(made) = merged.segment {
            segments.push(Arc::new(if died.is_empty() { made } else { made.with_dead(&died)? }));
        }
        if let Some(log) = job.seals {
            state.view.tail.drop_frozen();
            let end = state.view.disk.len();
            state.splice(end..end, segments);
            let outcome = self.write_tombstones(state);
            state.stop_on_error(outcome)?;
            state.manifest().log = Some(log);
            state.log.sealed();
        } else {
            let range = place..place + job.inputs.len();
            // A seal may have written new tombstones of the inputs meanwhile.
            let now = &state.view.disk[range.clone()];
            let dropped = files(now.iter().flat_map(|segment| &segment.entry.parts));
            state.dropped.extend(dropped);
            state.splice(range, segments);
        }
        self.publish(state)?;
        Ok(true)
    }

    /// Writes the tombstones of segments that have new ones, and lets go of segments that are all dead: the
    /// log that says so is about to be sealed.
    fn write_tombstones(&self, state: &mut State) -> Result<()> {
        for place in (0..state.view.disk.len()).rev() {
            let segment = Arc::clone(&state.view.disk[place]);
            if segment.living() == 0 {
                state.dropped.extend(files(&segment.entry.parts));
                state.splice(place..place + 1, Vec::new());
            } else if segment.dead.count() != segment.written_dead() {
                let settings = Arc::clone(&state.view.settings);
                let (number, documents) = (segment.entry.segment, segment.documents);
                let site = self.site(&settings);
                let identity = site.identity(PartKind::Tombstones, number, 0, documents);
                let part = segment.dead.write(site.storage, identity)?;
                let mut entry = SegmentEntry::clone(&segment.entry);
                let old =
                    |part: &crate::format::manifest::PartEntry| part.kind == PartKind::Tombstones;
                state.dropped.extend(files(entry.parts.iter().filter(|part| old(part))));
                entry.parts.retain(|part| !old(part));
                entry.parts.push(part);
                let known = |part| segment.parts.get(&part).cloned();
                let opened = Segment::open(site.storage, &settings, &entry, &known)?;
                state.splice(place..place + 1, vec![Arc::new(opened)]);
            }
        }
        Ok(())
    }
}

impl State {
    /// Returns where a job's inputs are: on disk, or (0) at the front of the tail. `None` where they are not
    /// what they were, or where something is staged that a commit must not take along.
    fn place_of(&self, job: &Job) -> Option<usize> {
        let same = |now: &Arc<Segment>, then: &Arc<Segment>| now.same_content(then);
        if job.seals.is_some() {
            return Some(0);
        }
        if self.changed {
            return None;
        }
        let first = job.inputs.first()?;
        let place = self.view.disk.iter().position(|segment| same(segment, first))?;
        let now = self.view.disk.get(place..place + job.inputs.len())?;
        now.iter().zip(&job.inputs).all(|(now, then)| same(now, then)).then_some(place)
    }

    /// Returns the documents of a job's result that died while it ran.
    fn died_since(&self, job: &Job, survivors: &[Survivors], place: usize) -> Vec<DocNo> {
        let all = if job.seals.is_some() { &self.view.tail.segments } else { &self.view.disk };
        let mut died = Vec::new();
        for ((now, then), survivors) in all[place..].iter().zip(&job.inputs).zip(survivors) {
            if now.dead.count() > then.dead.count() {
                died.extend(now.dead.iter().filter_map(|old| survivors.new_number(old)).map(DocNo));
            }
        }
        died
    }
}
