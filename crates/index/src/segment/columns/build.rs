//! Collects the values of a field, document by document, into a column.

use std::collections::BTreeMap;

use ecphory_core::Document;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::write::{Columns, Draft};
use super::{Coding, MAX_KEYWORD_BYTES};
use crate::format::spool::SpoolRoom;
use crate::schema::ColumnRule;
use crate::segment::documents::FieldValue;
use crate::{Result, Schema};

/// The ordinal of a document without the field, while keys are collected.
const MISSING: u32 = u32::MAX;

/// The values of one field, as they come.
#[derive(Debug)]
pub(super) struct Gatherer {
    coding: Coding,
    longest: usize,
    numbers: FxHashMap<Box<[u8]>, u32>,
    starts: Vec<u32>,
    /// Numbers of keys in the order in which they came.
    ordinals: Vec<u32>,
    fits: bool,
    key: Vec<u8>,
}

/// The values of one field: sorted keys, and the sorted ordinals of each document.
#[derive(Debug)]
pub(super) struct Gathered {
    coding: Coding,
    keys: Vec<Box<[u8]>>,
    starts: Vec<u32>,
    ordinals: Vec<u32>,
}

impl Gatherer {
    /// Begins a column; `None` where the field never has one.
    pub fn new(schema: &Schema, field: &str) -> Option<Self> {
        let longest = match schema.column_rule(field) {
            ColumnRule::Never => return None,
            ColumnRule::ShortTexts => MAX_KEYWORD_BYTES,
            ColumnRule::Always => usize::MAX - 1,
        };
        Some(Self {
            coding: schema.coding(field),
            longest,
            numbers: FxHashMap::default(),
            starts: vec![0],
            ordinals: Vec::new(),
            fits: true,
            key: Vec::new(),
        })
    }

    /// Adds the next document's value; `None` where it does not have the field. Returns false where there
    /// will be no column: then nothing more has to be added.
    pub fn push(&mut self, value: Option<&FieldValue<'_>>) -> bool {
        let Self { coding, longest, numbers, starts, ordinals, fits, key } = self;
        let start = ordinals.len();
        match value {
            None => ordinals.push(MISSING),
            Some(value) => coding.for_each_key(value, key, &mut |key| {
                // No key but that of a text is long; its first byte is the tag.
                *fits &= key.len() <= *longest + 1;
                let number = numbers.get(key).copied().unwrap_or_else(|| {
                    let number = numbers.len() as u32;
                    numbers.insert(key.into(), number);
                    number
                });
                ordinals.push(number);
            }),
        }
        drop_repetitions(ordinals, start);
        *fits &= ordinals.len() < MISSING as usize;
        starts.push(ordinals.len() as u32);
        *fits
    }

    /// Sorts keys and ordinals; `None` where the field has no column.
    pub(super) fn finish(self) -> Option<Gathered> {
        if !self.fits {
            return None;
        }
        let mut keys: Vec<(Box<[u8]>, u32)> = self.numbers.into_iter().collect();
        keys.sort_unstable();
        let mut ranks = vec![0; keys.len()];
        for ((_, number), rank) in keys.iter().zip(0..) {
            ranks[*number as usize] = rank;
        }
        let (starts, mut ordinals) = (self.starts, self.ordinals);
        for pair in starts.windows(2) {
            let list = &mut ordinals[pair[0] as usize..pair[1] as usize];
            for ordinal in list.iter_mut().filter(|ordinal| **ordinal != MISSING) {
                *ordinal = ranks[*ordinal as usize];
            }
            list.sort_unstable();
        }
        let keys = keys.into_iter().map(|(key, _)| key).collect();
        Some(Gathered { coding: self.coding, keys, starts, ordinals })
    }
}

/// Sorts the end of a list and keeps one of equal numbers.
fn drop_repetitions(numbers: &mut Vec<u32>, start: usize) {
    if numbers.len() - start > 1 {
        let mut tail = numbers.split_off(start);
        tail.sort_unstable();
        tail.dedup();
        numbers.extend_from_slice(&tail);
    }
}

impl Gathered {
    pub fn keys(&self) -> &[Box<[u8]>] {
        &self.keys
    }

    /// Yields the documents' ordinals; `None` for one without the field.
    pub fn lists(&self) -> impl Iterator<Item = Option<&[u32]>> {
        self.starts.windows(2).map(|pair| {
            let list = &self.ordinals[pair[0] as usize..pair[1] as usize];
            (list != [MISSING]).then_some(list)
        })
    }

    fn add_to(&self, columns: &mut Columns<'_>, name: &str) -> Result<()> {
        let draft = Draft {
            coding: self.coding,
            keys: &|visit| self.keys.iter().for_each(|key| visit(key)),
            lists: &|visit| self.lists().for_each(visit),
        };
        columns.add(name, &draft)
    }
}

/// Builds the columns of new documents, field by field, in parallel where there is a pool.
pub(crate) fn build_columns<'s>(
    docs: &[Document],
    schema: &Schema,
    pool: Option<&rayon::ThreadPool>,
    room: SpoolRoom<'s>,
) -> Result<Columns<'s>> {
    let mut values: BTreeMap<&str, Vec<(u32, FieldValue<'_>)>> = BTreeMap::new();
    for field in schema.fields_without_columns() {
        values.insert(field, Vec::new());
    }
    for (document, number) in docs.iter().zip(0..) {
        for (name, value) in &document.fields {
            if schema.column_rule(name) != ColumnRule::Never {
                values.entry(name).or_default().push((number, FieldValue::of(value)));
            }
        }
    }
    let documents = docs.len() as u32;
    let gather = |(name, values)| (name, gather(schema, name, values, documents));
    let gathered: Vec<(&str, Option<Gathered>)> = match pool {
        Some(pool) => pool.install(|| values.into_par_iter().map(gather).collect()),
        None => values.into_iter().map(gather).collect(),
    };
    let mut columns = Columns::new(room);
    for (name, gathered) in gathered {
        match gathered {
            Some(gathered) => gathered.add_to(&mut columns, name)?,
            None => columns.add_stored(name),
        }
    }
    Ok(columns)
}

/// Collects the values of one field, which come with their documents' numbers.
fn gather(
    schema: &Schema,
    field: &str,
    values: Vec<(u32, FieldValue<'_>)>,
    documents: u32,
) -> Option<Gathered> {
    let mut gatherer = Gatherer::new(schema, field)?;
    let mut values = values.into_iter().peekable();
    for doc in 0..documents {
        let value = values.next_if(|(number, _)| *number == doc);
        if !gatherer.push(value.as_ref().map(|(_, value)| value)) {
            return None;
        }
    }
    gatherer.finish()
}
