//! Merges the columns of several segments into one: ordinals are renumbered, keys are copied.
//!
//! One field at a time: memory holds its different keys' numbers and, where a segment has no column of it
//! (one of version 1, or with long texts that died since), its values from the stored documents.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::build::{Gathered, Gatherer};
use super::write::{Columns, Draft, VisitList};
use super::{Column, ColumnsPart};
use crate::schema::ColumnRule;
use crate::segment::documents::DocumentsPart;
use crate::{Error, Result, Schema};

/// A segment that is merged.
pub(crate) struct MergeInput<'a> {
    pub stored: &'a DocumentsPart,
    /// `None` where the segment has no part of columns.
    pub columns: Option<&'a ColumnsPart>,
    /// How many documents it has.
    pub documents: u32,
    /// Whether a document goes into the merged segment.
    pub survives: &'a dyn Fn(u32) -> bool,
}

/// What one segment has of a field.
enum Source<'a> {
    Nothing,
    Column(&'a Column),
    /// The values of the survivors, from the stored documents.
    Gathered(Gathered),
}

/// Merges the columns of segments, whose documents follow each other. Equals what [`super::build_columns`]
/// makes of the documents that survive.
pub(crate) fn merge_columns(inputs: &[MergeInput<'_>], schema: &Schema) -> Result<Columns> {
    let names: BTreeSet<&str> =
        inputs.iter().flat_map(|input| input.stored.names()).map(String::as_str).collect();
    let mut columns = Columns::default();
    for name in names {
        if schema.column_rule(name) == ColumnRule::Never {
            continue;
        }
        let sources: Result<Option<Vec<Source<'_>>>> =
            inputs.iter().map(|input| input.source(name, schema)).collect();
        if let Some(sources) = sources? {
            merge_field(inputs, &sources, name, schema, &mut columns)?;
        }
    }
    Ok(columns)
}

impl<'a> MergeInput<'a> {
    /// Finds a field's values; `None` where they do not fit into a column.
    fn source(&self, name: &str, schema: &Schema) -> Result<Option<Source<'a>>> {
        let Some(number) = self.stored.name_number(name) else { return Ok(Some(Source::Nothing)) };
        let column = self.columns.map_or(Ok(None), |columns| columns.column(name))?;
        if let Some(column) = column.filter(|column| column.coding() == schema.coding(name)) {
            return Ok(Some(Source::Column(column)));
        }
        let Some(mut gatherer) = Gatherer::new(schema, name) else { return Ok(None) };
        let mut fits = true;
        self.stored.for_each(&mut |doc, fields| {
            if fits && (self.survives)(doc.0) {
                let value = fields.iter().find(|(name, _)| *name == number);
                fits = gatherer.push(value.map(|(_, value)| value));
            }
            Ok(())
        })?;
        Ok(gatherer.finish().map(Source::Gathered))
    }

    fn survivors(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.documents).filter(|&doc| (self.survives)(doc))
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
            Source::Nothing => input.survivors().for_each(|_| visit(None)),
            Source::Gathered(gathered) => gathered.lists().for_each(visit),
            Source::Column(column) => {
                let mut list = Vec::new();
                for doc in input.survivors() {
                    let Some(ordinals) = column.list(doc) else {
                        visit(None);
                        continue;
                    };
                    list.clear();
                    list.extend(ordinals);
                    visit(Some(&list));
                }
            }
        }
    }

    /// Returns which keys the survivors use.
    fn used(&self, input: &MergeInput<'_>) -> Vec<bool> {
        let mut used = match self {
            Source::Nothing => return Vec::new(),
            Source::Gathered(gathered) => return vec![true; gathered.keys().len()],
            Source::Column(column) => vec![false; column.keys() as usize],
        };
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
    columns: &mut Columns,
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
    columns.add(name, &draft).map_err(Error::io("write", "tmp"))
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
