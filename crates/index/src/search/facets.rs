//! Counting the values of a field, and sorting by them.
//!
//! Both go over the ordinals of a field's columns, a few milliseconds for a million documents; values are
//! put together across segments by their keys. Where a segment has no column they read its stored
//! documents. Not for the best of a query: that is what scores are for.

use std::cmp::Ordering;

use ecphory_core::{DocAddress, DocNo, Value};
use rustc_hash::FxHashMap;

use crate::filter::ID_FIELD;
use crate::segment::Segment;
use crate::segment::columns::{Coding, Found, put_text};
use crate::{Result, Selection, Snapshot};

impl Snapshot {
    /// Counts the documents (of a selection, or all) with each value of a field, the most frequent first
    /// and equally frequent ones by value; at most `limit` of them.
    ///
    /// A list counts for each of its different values. Whole and fractional numbers that are equal are one
    /// value, given as a whole number unless the field is declared float; dates are given as text, places
    /// as a list of latitude and longitude.
    ///
    /// # Errors
    /// [`Error::UnknownField`](crate::Error::UnknownField),
    /// [`Error::ForeignSelection`](crate::Error::ForeignSelection), [`Error::Corrupt`](crate::Error::Corrupt).
    pub fn facets(
        &self,
        field: &str,
        selection: Option<&Selection>,
        limit: usize,
    ) -> Result<Vec<(Value, u64)>> {
        self.check_field(field)?;
        self.check_selection(selection)?;
        let coding = self.schema().coding(field);
        let mut counts: FxHashMap<Vec<u8>, u64> = FxHashMap::default();
        for (segment, number) in self.open_segments().iter().zip(0..) {
            let selected = selection.and_then(|selection| selection.segment(number));
            if let Found::Column(column) = segment.column(field, coding)? {
                let found = column.counts(segment.wanted(selected).as_ref());
                for (ordinal, count) in (0..).zip(found).filter(|(_, count)| *count > 0) {
                    *counts.entry(column.key(ordinal).to_vec()).or_default() += u64::from(count);
                }
                continue;
            }
            let wanted = segment.wanted(selected);
            for_each_values(segment, field, coding, &mut |doc, keys| {
                if wanted.as_ref().is_none_or(|wanted| wanted.contains(doc)) {
                    for key in keys {
                        *counts.entry(key.clone()).or_default() += 1;
                    }
                }
            })?;
        }
        let mut counts: Vec<(Vec<u8>, u64)> = counts.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(limit);
        let value = |key: &[u8]| coding.value(key).expect("keys are made from values, or verified");
        Ok(counts.into_iter().map(|(key, count)| (value(&key), count)).collect())
    }

    /// Returns the first `k` documents (of a selection, or all) in the order of a field's values, those
    /// without one last; equal ones stand in the order in which they were added.
    ///
    /// Of a list the smallest value counts, or where `descending` the largest. Values of different types
    /// sort as false, true, numbers, dates, texts, places.
    ///
    /// # Errors
    /// As [`Snapshot::facets`].
    pub fn sort_by(
        &self,
        field: &str,
        descending: bool,
        selection: Option<&Selection>,
        k: usize,
    ) -> Result<Vec<DocAddress>> {
        self.check_field(field)?;
        self.check_selection(selection)?;
        let coding = self.schema().coding(field);
        let mut first = First::new(k, descending);
        let mut without = Vec::new();
        for (segment, number) in self.open_segments().iter().zip(0..) {
            let wanted =
                segment.wanted(selection.and_then(|selection| selection.segment(number as usize)));
            let wanted = |doc| wanted.as_ref().is_none_or(|wanted| wanted.contains(doc));
            let at = |doc| DocAddress { segment: number, doc };
            if let Found::Column(column) = segment.column(field, coding)? {
                let mut ranked = First::new(k, descending);
                column.for_each_list(|doc, list| {
                    let list = list.unwrap_or(&[]);
                    match if descending { list.last() } else { list.first() } {
                        _ if !wanted(doc) => {}
                        Some(&ordinal) => ranked.offer(ordinal, at(doc)),
                        None => without.push(at(doc)),
                    }
                });
                for (ordinal, at) in ranked.finish() {
                    first.offer(column.key(ordinal).to_vec(), at);
                }
            } else {
                for_each_values(segment, field, coding, &mut |doc, keys| {
                    let end = if descending { keys.last() } else { keys.first() };
                    match end {
                        _ if !wanted(doc) => {}
                        Some(key) => first.offer(key.clone(), at(doc)),
                        None => without.push(at(doc)),
                    }
                })?;
            }
            without.truncate(k);
        }
        Ok(first.finish().into_iter().map(|(_, at)| at).chain(without).take(k).collect())
    }
}

/// Calls `visit` with each document's different values of a field, sorted; none where it is missing.
fn for_each_values(
    segment: &Segment,
    field: &str,
    coding: Coding,
    visit: &mut dyn FnMut(DocNo, &[Vec<u8>]),
) -> Result<()> {
    let part = segment.stored.get()?;
    let (mut keys, mut key) = (Vec::new(), Vec::new());
    if field == ID_FIELD {
        for doc in (0..segment.documents).map(DocNo) {
            put_text(&mut key, part.id(doc)?);
            visit(doc, std::slice::from_ref(&key));
        }
        return Ok(());
    }
    let Some(number) = part.name_number(field) else {
        (0..segment.documents).for_each(|doc| visit(DocNo(doc), &[]));
        return Ok(());
    };
    part.for_each(&mut |doc, fields| {
        keys.clear();
        if let Some((_, value)) = fields.iter().find(|(name, _)| *name == number) {
            coding.for_each_key(value, &mut key, &mut |key| keys.push(key.to_vec()));
        }
        keys.sort_unstable();
        keys.dedup();
        visit(doc, &keys);
        Ok(())
    })
}

/// The first `k` of many documents in the order of their values, in the memory of about twice as many.
/// Documents with equal values are offered in order.
struct First<T> {
    k: usize,
    descending: bool,
    items: Vec<(T, DocAddress)>,
    /// A value with which a document came too late already.
    bound: Option<T>,
}

/// So that few are not cut again and again.
const SLACK: usize = 1024;

impl<T: Ord + Clone> First<T> {
    fn new(k: usize, descending: bool) -> Self {
        Self { k, descending, items: Vec::new(), bound: None }
    }

    fn offer(&mut self, value: T, at: DocAddress) {
        if let Some(bound) = &self.bound
            && !order(&value, bound, self.descending).is_lt()
        {
            return;
        }
        self.items.push((value, at));
        if self.items.len() >= self.k.saturating_mul(2).saturating_add(SLACK) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.items.len() > self.k {
            let descending = self.descending;
            let before = |a: &(T, DocAddress), b: &(T, DocAddress)| {
                order(&a.0, &b.0, descending).then(a.1.cmp(&b.1))
            };
            let (_, next, _) = self.items.select_nth_unstable_by(self.k, before);
            self.bound = Some(next.0.clone());
            self.items.truncate(self.k);
        }
    }

    fn finish(mut self) -> Vec<(T, DocAddress)> {
        self.cut();
        self.items.sort_unstable_by(|a, b| order(&a.0, &b.0, self.descending).then(a.1.cmp(&b.1)));
        self.items
    }
}

fn order<T: Ord>(a: &T, b: &T, descending: bool) -> Ordering {
    if descending { b.cmp(a) } else { a.cmp(b) }
}
