//! Which documents of a segment match a filter.
//!
//! Each condition gives a set of documents, and the sets are joined. A condition on a field with a column
//! takes about a millisecond for a million documents, one on an id a lookup. All others are answered
//! together in one pass over the stored documents (about a second for a gigabyte of text).

use std::ops::Bound as Limit;

use ecphory_core::{DocNo, DocSet};

use super::ID_FIELD;
use super::bind::{Bound, Condition, Node};
use crate::segment::Segment;
use crate::segment::columns::{Found, KeyRange, KeyTest, put_text};
use crate::segment::documents::DocumentsPart;
use crate::{Result, Schema};

impl Bound {
    /// Returns the documents of a segment that match, and perhaps dead ones.
    pub fn select(&self, segment: &Segment, schema: &Schema) -> Result<DocSet> {
        let documents = segment.documents as usize;
        let mut sets = Vec::with_capacity(self.conditions.len());
        let mut scanned = Vec::new();
        for (place, condition) in self.conditions.iter().enumerate() {
            let set = quickly(condition, segment, schema)?;
            if set.is_none() {
                scanned.push((place, condition));
            }
            sets.push(set.unwrap_or_else(|| DocSet::new(documents)));
        }
        if !scanned.is_empty() {
            scan(&scanned, segment.stored.get()?, schema, &mut sets)?;
        }
        Ok(join(&self.root, &sets, documents))
    }
}

/// Answers a condition without the stored documents, if that can be done.
fn quickly(condition: &Condition, segment: &Segment, schema: &Schema) -> Result<Option<DocSet>> {
    let (field, test) = match condition {
        Condition::Field { field, test } => (field, test),
        Condition::Words(words) => return words.select(segment, schema).map(Some),
    };
    if field == ID_FIELD {
        return by_id(test, segment).map(Some);
    }
    Ok(match segment.column(field, schema.coding(field))? {
        Found::Column(column) => Some(column.select(test)),
        Found::Nothing => Some(DocSet::new(segment.documents as usize)),
        Found::Stored => None,
    })
}

/// Looks living ids up where they are given, and otherwise goes through all of them.
fn by_id(test: &KeyTest, segment: &Segment) -> Result<DocSet> {
    let (part, documents) = (segment.stored.get()?, segment.documents);
    if let KeyTest::In(ranges) = test
        && let Some(ids) = ranges.iter().map(single_text).collect::<Option<Vec<&str>>>()
    {
        let mut set = DocSet::new(documents as usize);
        for id in ids {
            segment.find(id)?.into_iter().for_each(|doc| set.insert(doc));
        }
        return Ok(set);
    }
    let mut set = DocSet::new(documents as usize);
    let mut key = Vec::new();
    for doc in (0..documents).map(DocNo) {
        put_text(&mut key, part.id(doc)?);
        if test.holds(&key) {
            set.insert(doc);
        }
    }
    Ok(set)
}

/// Returns the text of a range that holds only that text.
fn single_text(range: &KeyRange) -> Option<&str> {
    match range {
        KeyRange { low: Limit::Included(low), high: Limit::Included(high) } if low == high => {
            std::str::from_utf8(&low[1..]).ok()
        }
        _ => None,
    }
}

/// Answers conditions from the stored documents: a list matches where any of its elements does.
fn scan(
    conditions: &[(usize, &Condition)],
    part: &DocumentsPart,
    schema: &Schema,
    sets: &mut [DocSet],
) -> Result<()> {
    let mut key = Vec::new();
    let fields: Vec<_> = conditions
        .iter()
        .filter_map(|(place, condition)| match condition {
            Condition::Field { field, test } => {
                Some((*place, part.name_number(field), schema.coding(field), test))
            }
            Condition::Words(_) => None,
        })
        .collect();
    part.for_each(&mut |doc, values| {
        for &(place, number, coding, test) in &fields {
            let Some((_, value)) = values.iter().find(|(name, _)| Some(*name) == number) else {
                continue;
            };
            let mut holds = *test == KeyTest::Present;
            coding.for_each_key(value, &mut key, &mut |key| holds |= test.holds(key));
            if holds {
                sets[place].insert(doc);
            }
        }
        Ok(())
    })
}

/// The recursion is bounded by the parser's limit on depth.
fn join(node: &Node, sets: &[DocSet], documents: usize) -> DocSet {
    match node {
        Node::Condition(place) => sets[*place].clone(),
        Node::All(all) => {
            let mut set = DocSet::full(documents);
            for node in all {
                set.intersect(&join(node, sets, documents));
            }
            set
        }
        Node::Any(any) => {
            let mut set = DocSet::new(documents);
            for node in any {
                set.union(&join(node, sets, documents));
            }
            set
        }
        Node::Not(inner) => {
            let mut set = join(inner, sets, documents);
            set.complement();
            set
        }
    }
}
