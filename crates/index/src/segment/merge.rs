//! Merging neighbouring segments into one: everything is copied, nothing analysed or encoded again, and the
//! dead are left out. Documents keep their order.

use std::sync::Arc;

use super::Segment;
use super::bm25::merge_parts;
use super::build::Site;
use super::columns::{MergeInput, merge_columns};
use super::documents::merge_documents;
use super::rows::{Shape, merge_ranges, write_rows};
use super::survivors::Survivors;
use crate::format::MAX_SEGMENT_DOCUMENTS;
use crate::format::manifest::{PartEntry, PartKind, SegmentEntry};
use crate::{Error, Result};

/// Returns what survives of each segment, under its number in the merged one.
pub(crate) fn survivors(inputs: &[Arc<Segment>]) -> Result<Vec<Survivors>> {
    let limit = u64::from(MAX_SEGMENT_DOCUMENTS);
    let got = inputs.iter().map(|segment| u64::from(segment.living())).sum();
    if got > limit {
        return Err(Error::TooMany { what: "documents in one segment", got, limit });
    }
    let mut first = 0;
    let mut all = Vec::with_capacity(inputs.len());
    for segment in inputs {
        let survivors = Survivors::new(segment.documents, &segment.dead, first);
        first += survivors.count;
        all.push(survivors);
    }
    Ok(all)
}

/// Merges segments, which are neighbours and in order, and writes the result; `None` where nothing lives.
pub(crate) fn merge_segments(
    inputs: &[Arc<Segment>],
    survivors: &[Survivors],
    site: Site<'_>,
) -> Result<Option<SegmentEntry>> {
    let documents: u32 = survivors.iter().map(|survivors| survivors.count).sum();
    if documents == 0 {
        return Ok(None);
    }
    let segment = site.numbers.segment();
    let (mut stored, mut columns) = (Vec::new(), Vec::new());
    for (input, survivors) in inputs.iter().zip(survivors) {
        stored.push((input.stored.get()?, survivors));
        let part = input.columns.as_ref().map(|part| part.get()).transpose()?;
        columns.push(MergeInput { stored: input.stored.get()?, columns: part, survivors });
    }
    let identity = site.identity(PartKind::Documents, segment, 0, documents);
    let mut parts = vec![merge_documents(&stored, identity, site.room(identity.part))?];
    let identity = site.identity(PartKind::Columns, segment, 0, documents);
    let room = site.room(identity.part);
    let columns = merge_columns(&columns, &site.settings.schema, room)?;
    parts.push(columns.write(identity, room)?);
    for (position, channel) in site.settings.schema.channels.iter().enumerate() {
        if let Some(shape) = Shape::of(&channel.kind) {
            let channel = (channel.name.as_str(), shape);
            parts.extend(merge_rows(inputs, survivors, position, channel, segment, site)?);
            continue;
        }
        let mut inner = Vec::with_capacity(inputs.len());
        for (input, survivors) in inputs.iter().zip(survivors) {
            let part = input.bm25[position].as_ref();
            let part = part.expect("a segment has a part for every bm25 channel");
            inner.push((part.get()?, survivors));
        }
        let identity = site.identity(PartKind::Bm25, segment, 0, documents);
        let room = site.room(identity.part);
        parts.push(merge_parts(&inner, room)?.write(identity, &channel.name, room)?);
    }
    Ok(Some(SegmentEntry { segment, documents, parts }))
}

fn merge_rows(
    inputs: &[Arc<Segment>],
    survivors: &[Survivors],
    position: usize,
    channel: (&str, Shape),
    segment: u32,
    site: Site<'_>,
) -> Result<Vec<PartEntry>> {
    let mut ranges = Vec::new();
    for (input, survivors) in inputs.iter().zip(survivors) {
        for range in &input.rows[position] {
            ranges.push((range.first, range.table_of(channel.1)?, survivors));
        }
    }
    let mut parts = Vec::new();
    for run in merge_ranges(ranges.into_iter()) {
        let documents = run.counts.len() as u32;
        let identity = site.identity(channel.1.part(), segment, run.first, documents);
        let room = site.room(identity.part);
        parts.push(write_rows(room, identity, channel, &run)?);
    }
    Ok(parts)
}
