//! Merges the columns of several segments into one: ordinals are renumbered, keys are copied.
//!
//! One field at a time: memory holds its different keys' numbers and, where a segment has no column of it
//! (one of version 1, or with long texts that died since), its values from the stored documents.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::build::{Gathered, Gatherer};
use super::write::{Columns, Draft, VisitList};
use super::{Column, ColumnsPart, Found};
use crate::format::spool::SpoolRoom;
use crate::schema::ColumnRule;
use crate::segment::documents::DocumentsPart;
use crate::segment::survivors::Survivors;
use crate::{Error, Result, Schema};

/// A segment that is merged.
pub(crate) struct MergeInput<'a> {
    pub stored: &'a DocumentsPart,
    /// `None` in a segment of version 1.
    pub columns: Option<&'a ColumnsPart>,
    pub survivors: &'a Survivors,
}

/// What one segment has of a field.
enum Source<'a> {
    Nothing,
    Column(&'a Column),
    /// The values of the survivors, from the stored documents.
    Gathered(Gathered),
}

/// Merges the columns of segments, which are neighbours and in order. Equals what [`super::build_columns`]
/// makes of the documents that survive.
pub(crate) fn merge_columns<'s>(
    inputs: &[MergeInput<'_>],
    schema: &Schema,
    room: SpoolRoom<'s>,
) -> Result<Columns<'s>> {
    let names = inputs.iter().flat_map(|input| input.stored.names()).map(String::as_str);
    let names: BTreeSet<&str> = names.chain(schema.fields_without_columns()).collect();
    let mut columns = Columns::new(room);
    for name in names {
        let sources: Result<Option<Vec<Source<'_>>>> =
            inputs.iter().map(|input| input.source(name, schema)).collect();
        match sources? {
            Some(sources) => merge_field(inputs, &sources, name, schema, &mut columns)?,
            None => columns.add_stored(name),
        }
    }
    Ok(columns)
}

impl<'a> MergeInput<'a> {
    /// Finds a field's values; `None` where they do not go into a column.
    fn source(&self, name: &str, schema: &Schema) -> Result<Option<Source<'a>>> {
        if schema.column_rule(name) == ColumnRule::Never {
            return Ok(None);
        }
        match self.columns.map(|columns| columns.column(name)).transpose()? {
            Some(Found::Nothing) => return Ok(Some(Source::Nothing)),
            Some(Found::Column(column)) if column.coding() == schema.coding(name) => {
                return Ok(Some(Source::Column(column)));
            }
            _ => {}
        }
        let Some(number) = self.stored.name_number(name) else { return Ok(Some(Source::Nothing)) };
        let Some(mut gatherer) = Gatherer::new(schema, name) else { return Ok(None) };
        let mut fits = true;
        let outcome = self.stored.for_each(&mut |doc, fields| {
            if self.survivors.new_number(doc.0).is_some() {
                let value = fields.iter().find(|(name, _)| *name == number);
                fits = gatherer.push(value.map(|(_, value)| value));
            }
            // The only way to leave the walk early: most often the first long text decides.
            if fits { Ok(()) } else { Err(Error::Interrupted) }
        });
        match outcome {
            Err(Error::Interrupted) => Ok(None),
            outcome => outcome.map(|()| gatherer.finish().map(Source::Gathered)),
        }
    }
}

impl Source<'_> {
    fn key(&self, ordinal: u32) -> &[u8] {
        match self {
            Source::Nothing => unreachable!("nothing has no ordinals"),
            Source::Column(column) => column.key(ordinal),
            Source::Gathered(gathered) => &gathered.keys()[ordinal as usize],
        }
    }

    /// Calls `visit` with the ordinals of the survivors of `input`.
    fn for_each_list(&self, input: &MergeInput<'_>, visit: &mut VisitList<'_>) {
        match self {
            Source::Nothing => (0..input.survivors.count).for_each(|_| visit(None)),
            Source::Gathered(gathered) => gathered.lists().for_each(visit),
            Source::Column(column) => column.for_each_list(|doc, list| {
                if input.survivors.new_number(doc.0).is_some() {
                    visit(list);
                }
            }),
        }
    }

    /// Returns which keys the survivors use.
    fn used(&self, input: &MergeInput<'_>) -> Vec<bool> {
        let mut used = match self {
            Source::Nothing => return Vec::new(),
            Source::Gathered(gathered) => return vec![true; gathered.keys().len()],
            Source::Column(column) => vec![input.survivors.all(); column.keys() as usize],
        };
        if input.survivors.all() {
            return used;
        }
        self.for_each_list(input, &mut |list| {
            list.unwrap_or(&[]).iter().for_each(|&ordinal| used[ordinal as usize] = true);
        });
        used
    }
}

fn merge_field(
    inputs: &[MergeInput<'_>],
    sources: &[Source<'_>],
    name: &str,
    schema: &Schema,
    columns: &mut Columns<'_>,
) -> Result<()> {
    // First which keys are used, by source and ordinal; then their ranks in the merged column.
    let mut ranks: Vec<Vec<u32>> = Vec::with_capacity(sources.len());
    for (source, input) in sources.iter().zip(inputs) {
        ranks.push(
            source.used(input).into_iter().map(|used| if used { 0 } else { UNUSED }).collect(),
        );
    }
    let merged = number_keys(sources, &mut ranks);
    let draft = Draft {
        coding: schema.coding(name),
        keys: &|visit| {
            for &(source, ordinal) in &merged {
                visit(sources[source as usize].key(ordinal));
            }
        },
        lists: &|visit| {
            let mut list = Vec::new();
            for ((source, input), ranks) in sources.iter().zip(inputs).zip(&ranks) {
                source.for_each_list(input, &mut |ordinals| {
                    let Some(ordinals) = ordinals else { return visit(None) };
                    list.clear();
                    list.extend(ordinals.iter().map(|&ordinal| ranks[ordinal as usize]));
                    visit(Some(&list));
                });
            }
        },
    };
    columns.add(name, &draft)
}

const UNUSED: u32 = u32::MAX;

/// Merges the sources' used keys in order, writes their new ordinals into `ranks` and returns where each
/// different one is found.
fn number_keys(sources: &[Source<'_>], ranks: &mut [Vec<u32>]) -> Vec<(u32, u32)> {
    let next_used = |ranks: &[u32], from: usize| {
        (from..ranks.len()).find(|&at| ranks[at] != UNUSED).map(|at| at as u32)
    };
    let mut heads = BinaryHeap::new();
    for (source, number) in sources.iter().zip(0u32..) {
        if let Some(first) = next_used(&ranks[number as usize], 0) {
            heads.push(Reverse((source.key(first), number, first)));
        }
    }
    let mut merged: Vec<(u32, u32)> = Vec::new();
    let mut last: Option<&[u8]> = None;
    while let Some(Reverse((key, source, ordinal))) = heads.pop() {
        if last != Some(key) {
            merged.push((source, ordinal));
            last = Some(key);
        }
        let ranks = &mut ranks[source as usize];
        ranks[ordinal as usize] = merged.len() as u32 - 1;
        if let Some(next) = next_used(ranks, ordinal as usize + 1) {
            heads.push(Reverse((sources[source as usize].key(next), source, next)));
        }
    }
    merged
}
