//! Changing the schema: a field or a channel is added to a collection that has documents.
//!
//! The parts that the new schema asks for are built from the stored documents, beside the writer, while
//! batches go on; the manifest that names them puts the new schema in force. Nothing of it is kept where it
//! fails or is stopped.

use std::sync::Arc;

use ecphory_core::{Document, Progress};

use super::{State, Writer, files};
use crate::collection::locked;
use crate::format::VERSION;
use crate::format::manifest::{ChannelEntry, FieldEntry, PartEntry, PartKind, SegmentEntry};
use crate::segment::Segment;
use crate::segment::bm25::{UNIT_DOCUMENTS, UnitPostings, merge_units};
use crate::segment::build::Site;
use crate::segment::columns::{MergeInput, merge_columns};
use crate::segment::survivors::Survivors;
use crate::segment::tombstones::Tombstones;
use crate::snapshot::Settings;
use crate::{ChannelKind, ChannelSchema, Error, FieldSchema, Result, Schema};

/// How often the segments that batches made meanwhile are worked off before they are made to wait.
const ROUNDS: usize = 4;

/// What is added.
enum Addition {
    /// The channel's position in the new schema.
    Channel(usize),
    Field(FieldSchema),
    /// Columns of segments that come from a format without them.
    Columns,
}

/// The parts that a segment gets.
struct Evolved {
    segment: Arc<Segment>,
    part: Option<PartEntry>,
}

impl Writer {
    /// Adds a channel. A BM25 channel covers all documents when this returns; one of another kind covers none
    /// yet, see [`Writer::uncovered`].
    ///
    /// # Errors
    /// [`Error::Schema`] where the channel does not fit, [`Error::Interrupted`], [`Error::Io`].
    pub fn add_channel(&self, channel: ChannelSchema, progress: &dyn Progress) -> Result<()> {
        let mut schema = self.snapshot().schema().clone();
        schema.channels.push(channel);
        let addition = Addition::Channel(schema.channels.len() - 1);
        self.evolve(schema, &addition, progress)
    }

    /// Declares the kind of a field, which documents may have already.
    ///
    /// # Errors
    /// [`Error::Document`] where a document has a value of another kind, [`Error::Field`] where the field
    /// cannot be declared, [`Error::Interrupted`], [`Error::Io`].
    pub fn add_field(&self, field: FieldSchema, progress: &dyn Progress) -> Result<()> {
        let mut schema = self.snapshot().schema().clone();
        schema.fields.push(field.clone());
        self.evolve(schema, &Addition::Field(field), progress)
    }

    /// Brings the collection to the newest format: segments that an older version wrote get columns.
    ///
    /// # Errors
    /// [`Error::Interrupted`], [`Error::Io`], [`Error::Corrupt`].
    pub fn upgrade(&self, progress: &dyn Progress) -> Result<()> {
        let snapshot = self.snapshot();
        let complete = snapshot.open_segments().iter().all(|segment| segment.columns.is_some());
        if complete && snapshot.manifest().format == VERSION {
            return Ok(());
        }
        self.evolve(snapshot.schema().clone(), &Addition::Columns, progress)
    }

    fn evolve(&self, schema: Schema, addition: &Addition, progress: &dyn Progress) -> Result<()> {
        schema.validate()?;
        let settings = Arc::new(Settings::new(schema)?);
        let _both = (locked(&self.merging), locked(&self.sealing));
        let documents = self.snapshot().documents();
        progress.begin("filling in from stored documents", documents);
        let done = self.evolve_segments(&settings, addition, progress);
        progress.end();
        done
    }

    fn evolve_segments(
        &self,
        settings: &Arc<Settings>,
        addition: &Addition,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut evolved: Vec<Evolved> = Vec::new();
        for _ in 0..ROUNDS {
            self.seal_locked(&ecphory_core::storage::FullSpeed)?;
            let disk = self.running()?.view.disk.clone();
            self.evolve_new(&disk, &mut evolved, settings, addition, progress)?;
            if self.running()?.view.tail.segments.is_empty() {
                break;
            }
        }
        let mut state = self.running()?;
        self.seal_within(&mut state)?;
        let disk = state.view.disk.clone();
        self.evolve_new(&disk, &mut evolved, settings, addition, progress)?;
        self.put_in_force(&mut state, settings, addition, &evolved)
    }

    /// Builds the parts of the segments that have none yet.
    fn evolve_new(
        &self,
        disk: &[Arc<Segment>],
        evolved: &mut Vec<Evolved>,
        settings: &Arc<Settings>,
        addition: &Addition,
        progress: &dyn Progress,
    ) -> Result<()> {
        let site = self.site(settings);
        for segment in disk {
            if evolved.iter().any(|known| known.segment.same_content(segment)) {
                continue;
            }
            let part = match addition {
                Addition::Channel(position) => new_postings(segment, *position, site, progress)?,
                Addition::Field(field) => {
                    check_values(segment, field, settings, progress)?;
                    Some(new_columns(segment, site)?)
                }
                Addition::Columns if segment.columns.is_some() => None,
                Addition::Columns => Some(new_columns(segment, site)?),
            };
            evolved.push(Evolved { segment: Arc::clone(segment), part });
        }
        Ok(())
    }

    fn put_in_force(
        &self,
        state: &mut State,
        settings: &Arc<Settings>,
        addition: &Addition,
        evolved: &[Evolved],
    ) -> Result<()> {
        for place in 0..state.view.disk.len() {
            let segment = Arc::clone(&state.view.disk[place]);
            let known = evolved.iter().find(|known| known.segment.same_content(&segment));
            let part = known.and_then(|known| known.part.clone());
            let mut entry = SegmentEntry::clone(&segment.entry);
            if matches!(addition, Addition::Field(_)) {
                let old = |part: &PartEntry| part.kind == PartKind::Columns;
                state.dropped.extend(files(entry.parts.iter().filter(|part| old(part))));
                entry.parts.retain(|part| !old(part));
            }
            entry.parts.extend(part);
            let open = |part| segment.parts.get(&part).cloned();
            let opened = Segment::open(&*self.shared.storage, settings, &entry, &open)?;
            // The statistics that tombstones keep by channel have to be those of the new channels.
            let opened = opened
                .with_dead(&segment.dead.iter().map(ecphory_core::DocNo).collect::<Vec<_>>())?;
            state.splice(place..place + 1, vec![Arc::new(opened)]);
        }
        let schema = &settings.schema;
        let manifest = state.manifest();
        manifest.channels = schema.channels.iter().map(ChannelEntry::from_schema).collect();
        manifest.fields = schema.fields.iter().map(FieldEntry::from_schema).collect();
        state.view.settings = Arc::clone(settings);
        state.pending.resize_with(schema.channels.len(), || None);
        self.publish(state)?;
        self.shared.put_settings(settings);
        Ok(())
    }
}

/// Builds a new BM25 channel of a segment; nothing for one of another kind.
fn new_postings(
    segment: &Segment,
    position: usize,
    site: Site<'_>,
    progress: &dyn Progress,
) -> Result<Option<PartEntry>> {
    let channel = &site.settings.schema.channels[position];
    let Some(analyzer) = &site.settings.analyzers[position] else { return Ok(None) };
    debug_assert!(matches!(channel.kind, ChannelKind::Bm25(_)), "only these have analysers");
    let mut units = Vec::new();
    for_each_unit(segment, progress, &mut |first, documents| {
        units.push(UnitPostings::build(documents, first, &channel.fields, analyzer));
        Ok(())
    })?;
    let number = segment.entry.segment;
    let identity = site.identity(PartKind::Bm25, number, 0, segment.documents);
    let room = site.room(identity.part);
    merge_units(&units, room)?.write(identity, &channel.name, room).map(Some)
}

/// Builds the columns of a segment anew.
fn new_columns(segment: &Segment, site: Site<'_>) -> Result<PartEntry> {
    let all = Survivors::new(segment.documents, &Tombstones::new(0), 0);
    let input = MergeInput {
        stored: segment.stored.get()?,
        columns: segment.columns.as_ref().map(|columns| columns.get()).transpose()?,
        survivors: &all,
    };
    let number = segment.entry.segment;
    let identity = site.identity(PartKind::Columns, number, 0, segment.documents);
    let room = site.room(identity.part);
    merge_columns(&[input], &site.settings.schema, room)?.write(identity, room)
}

/// Checks that the living documents' values are of a field's kind.
fn check_values(
    segment: &Segment,
    field: &FieldSchema,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<()> {
    for_each_unit(segment, progress, &mut |first, documents| {
        for (document, doc) in documents.iter().zip(first..) {
            let value = document.get(&field.name);
            let value = value.filter(|_| segment.lives(ecphory_core::DocNo(doc)));
            let outcome =
                value.map_or(Ok(()), |value| settings.schema.check_value(&field.name, value));
            outcome.map_err(|fault| Error::Document { document: document.id.clone(), fault })?;
        }
        Ok(())
    })
}

/// Reads a segment's documents, the dead included, and hands them on a unit at a time.
fn for_each_unit(
    segment: &Segment,
    progress: &dyn Progress,
    take: &mut dyn FnMut(u32, &[Document]) -> Result<()>,
) -> Result<()> {
    let stored = segment.stored.get()?;
    let mut unit: Vec<Document> = Vec::new();
    let mut first = 0;
    stored.for_each(&mut |doc, fields| {
        let name = |number: u32| stored.names().get(number as usize).cloned().unwrap_or_default();
        let fields = fields.iter().map(|(number, value)| (name(*number), value.to_value()));
        unit.push(Document { id: stored.id(doc)?.to_owned(), fields: fields.collect() });
        if unit.len() == UNIT_DOCUMENTS {
            if progress.cancelled() {
                return Err(Error::Interrupted);
            }
            take(first, &unit)?;
            progress.advance(unit.len() as u64);
            unit.clear();
            first = doc.0 + 1;
        }
        Ok(())
    })?;
    if progress.cancelled() {
        return Err(Error::Interrupted);
    }
    take(first, &unit)?;
    progress.advance(unit.len() as u64);
    Ok(())
}
